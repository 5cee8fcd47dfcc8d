"""A disk whose room a test decides, behind the real admission control."""

from collections.abc import Mapping

from gateway.domain.admission import Terms
from gateway.flows.admission import StorageAdmission
from gateway.observability.metrics import Metrics
from gateway.ports import BlobIndex

RESERVE = 1000


class Disk:
    """Room for everything, unless told otherwise."""

    def __init__(self) -> None:
        self.free = 1 << 50
        self.looks_left: int | None = None
        """After so many looks it is full; None = as it is."""

    def fill(self) -> None:
        """From now on the reserve is touched."""
        self.free = RESERVE - 1

    def clear(self) -> None:
        """There is room again."""
        self.looks_left = None
        self.free = 1 << 50

    def look(self) -> Mapping[str, int]:
        """What admission control asks."""
        if self.looks_left is not None:
            if self.looks_left == 0:
                self.fill()
            self.looks_left = max(self.looks_left - 1, 0)
        return {"blobs": self.free}


def make_admission(disk: Disk, *, blob_index: BlobIndex, metrics: Metrics, quota: int = 0) -> StorageAdmission:
    """Admission by this disk."""
    return StorageAdmission(
        free=disk.look, blob_index=blob_index, terms=Terms(reserve=RESERVE, quota=quota), metrics=metrics
    )
