"""Large documents through the provincial REST dialects, both ways, in bounded memory."""

import asyncio
import hashlib
import tracemalloc

import pytest

from gateway.adapters.http import Timeouts
from gateway.domain.outcome import Accepted
from gateway.ports import Fetched
from tests.contract.axis_worlds import SPOKEN, A, B, axis_world
from tests.contract.vxp_peer import FileWriter, make_sealed
from tests.unit.sandbox.calls import make_document

_MIB = 1024 * 1024
PATIENT = Timeouts(connect=5, read=60, write=60, total=110)
BLOCK = b"QUJD" * 65536
BLOCKS = 128
"""32 MiB of base64."""


@pytest.mark.parametrize(
    "spoken", [each for each in SPOKEN if each.name in {"langson", "quangnam"}], ids=lambda spoken: spoken.name
)
async def test_a_large_packet_in_little_memory(spoken, tmp_path):
    """32 MiB go out and come back bit for bit while adapter and axis together never hold 8 MiB."""
    head, tail = make_document(attachment="@").split(b"@")
    sha256 = hashlib.sha256(head)
    for _ in range(BLOCKS):
        sha256.update(BLOCK)
    sha256.update(tail)
    sealed = make_sealed(length=len(head) + BLOCKS * len(BLOCK) + len(tail), sha256=sha256.hexdigest())

    async def body():
        yield head
        for _ in range(BLOCKS):
            yield BLOCK
        yield tail

    async with axis_world() as world:
        a = await world.correspondent(spoken, A, timeouts=PATIENT)
        b = await world.correspondent(spoken, B, timeouts=PATIENT)
        await asyncio.gather(a.waiting(), b.waiting())
        tracemalloc.start()
        try:
            assert isinstance(await a.axis.submit(sealed, body), Accepted)
            (item,) = (await b.waiting()).items
            fetched = await b.axis.fetch(item, FileWriter(tmp_path / "raw"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert isinstance(fetched, Fetched)
    assert (fetched.stored.size, fetched.stored.digest) == (sealed.length, sealed.sha256)
    assert peak < 8 * _MIB
