"""What one process of several does, and what it must share with the others for that."""

from enum import StrEnum

from gateway.settings import Settings


class Role(StrEnum):
    """What a process runs; Kubernetes scales the two apart: rpc by load, delivery by the oldest due message's age."""

    ALL = "all"
    """Everything: the only role of an embedded store, and of a local blob directory."""
    RPC = "rpc"
    """Vendor systems are served; nothing is sent or fetched."""
    DELIVERY = "delivery"
    """The outbox, the axis's waiting items, the directory, upkeep; vendor systems are not served."""

    @property
    def serves(self) -> bool:
        """True if vendor systems are served."""
        return self is not Role.DELIVERY

    @property
    def delivers(self) -> bool:
        """True if the axis is spoken to."""
        return self is not Role.RPC


def role_problems(settings: Settings, role: Role) -> list[str]:
    """One line per setting that keeps a process from having others beside it; empty = the role can be taken."""
    if role is Role.ALL:
        return []
    found: list[str] = []
    if settings.store.url is None and settings.store.url_file is None:
        found.append(f"store.url: role {role} needs PostgreSQL, an embedded store has one process")
    if not settings.blobs.bucket:
        found.append(f"blobs.bucket: role {role} needs a bucket, a local directory has one process")
    return found
