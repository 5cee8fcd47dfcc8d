"""Free bytes of disks."""

from contextlib import nullcontext

import pytest

from gateway.blobs.disks import free_bytes
from tests.fakes.disks import MIB, fillable_disk, part_of_the_disk


@pytest.mark.parametrize("make", [fillable_disk, lambda folder: nullcontext(part_of_the_disk(folder))])
def test_free_bytes_follow_the_disk(tmp_path, make):
    """What is written is no longer free, place by place."""
    with make(tmp_path / "disk") as disk:
        before = free_bytes({"blobs": disk.folder, "store": disk.folder})
        assert set(before) == {"blobs", "store"}
        disk.fill(leave=disk.free - 32 * MIB)
        try:
            taken = before["blobs"] - free_bytes({"blobs": disk.folder})["blobs"]
            assert taken > 24 * MIB
        finally:
            disk.clear()


def test_a_place_that_is_gone_is_told(tmp_path):
    """No folder, no number."""
    with pytest.raises(OSError, match="No such file"):
        free_bytes({"blobs": tmp_path / "nowhere"})
