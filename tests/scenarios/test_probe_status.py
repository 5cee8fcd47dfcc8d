"""The connection test's status to ourselves: what is sent, what counts as its return, what the axis may do to it."""

from datetime import timedelta

import pytest

from gateway.domain.agency import DirectoryRow
from gateway.domain.dialect import NATIONAL
from gateway.domain.ids import OrganId
from gateway.domain.outcome import Rejected, Uncertain
from gateway.domain.packet import PacketKind
from gateway.domain.probing import Trouble
from gateway.flows.probing import AxisTest, Sent
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
from tests.fakes.axis import FakeAxis
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.clock import SettableClock

ROOT = OrganId("H98")
ONCE = timedelta(0)


class Mirror(FakeAxis):
    """Lists what it takes back to us, changed by `altered`, under its own id or another."""

    def __init__(self, altered=lambda data: data, **kinds):
        super().__init__(**kinds)
        self.altered = altered
        self.other_ids = False

    async def submit(self, sealed, body):
        outcome = await super().submit(sealed, body)
        if self.taken:
            (packet,) = self.taken
            item = self.put(self.altered(packet.data), kind=packet.kind, recipients=packet.recipients)
            if not self.other_ids:
                return type(outcome)(axis_doc_id=item.axis_doc_id)
        return outcome


def make_axis_test(axis, roots=(ROOT,)):
    blobs = MemoryBlobs()
    translator = EdxmlTranslator(blobs=blobs, limits=Limits(), dialect=NATIONAL)
    return AxisTest(
        axis=axis, roots=roots, translator=translator, blobs=blobs, clock=SettableClock(), skew=timedelta(minutes=5)
    )


def rewritten(data):
    return data.replace(b"?>", b"?><!-- seen by the axis -->", 1)


def changed(data):
    return data.replace(b"Connection test", b"Something else!", 1)


@pytest.mark.parametrize("other_ids", [False, True])
async def test_it_comes_back(other_ids):
    """A status from our root to itself comes back byte for byte, under the same id or another, and is acknowledged."""
    axis = Mirror()
    axis.other_ids = other_ids
    stranger = axis.put(b"<other/>", kind=PacketKind.STATUS)
    test = make_axis_test(axis)
    sent = await test.send("0a1b2c3d")
    assert isinstance(sent, Sent)
    (packet,) = axis.taken
    assert (packet.kind, packet.sender, packet.recipients) == (PacketKind.STATUS, ROOT, (ROOT,))
    assert "Kiểm tra kết nối".encode() in packet.data
    assert b"0a1b2c3d" in packet.data
    seen = await test.comes_back(sent, within=ONCE)
    assert seen.trouble is None
    assert "byte for byte" in seen.words
    assert [done for _, done in axis.told] == [True]
    assert (await axis.waiting(PacketKind.STATUS)).items == (stranger,)


async def test_the_axis_may_rewrite_the_packet_but_not_its_content():
    """Other bytes around the same status are good; another text is not, and is acknowledged all the same."""
    for altered, trouble in ((rewritten, None), (changed, Trouble.CONTENT_DIFFERS)):
        axis = Mirror(altered)
        test = make_axis_test(axis)
        sent = await test.send("0a1b2c3d")
        seen = await test.comes_back(sent, within=ONCE)
        assert seen.trouble is trouble
        assert len(axis.told) == 1


async def test_another_process_may_be_faster():
    """What somebody else has taken, or the axis never lists, did not come back."""
    for axis in (Mirror(), FakeAxis()):
        test = make_axis_test(axis)
        sent = await test.send("0a1b2c3d")
        await axis.settle(sent.axis_doc_id, done=False)
        assert (await test.comes_back(sent, within=ONCE)).trouble is Trouble.NOT_LISTED_BACK


async def test_strangers_are_left_alone():
    """Items that are not ours are neither acknowledged nor, beyond a few, downloaded."""
    axis = FakeAxis()
    test = make_axis_test(axis)
    sent = await test.send("0a1b2c3d")
    for _ in range(50):
        axis.put(b"<other/>", kind=PacketKind.STATUS)
    assert (await test.comes_back(sent, within=ONCE)).trouble is Trouble.NOT_LISTED_BACK
    assert axis.told == []
    assert len(test.blobs.objects) <= 5


async def test_refusals():
    """A refused or lost status, and an axis that is down, point to their causes."""
    for fate, trouble in (
        (Rejected(code="19", reason="chua dang ky"), Trouble.SENDER_UNKNOWN),
        (Uncertain(reason="no answer in time"), Trouble.NO_ANSWER),
    ):
        axis = FakeAxis()
        axis.fates.append(fate)
        assert (await make_axis_test(axis).send("0a1b2c3d")).trouble is trouble
    axis.down = True
    test = make_axis_test(axis)
    for seen in (await test.list(), await test.directory(), await test.send("0a1b2c3d")):
        assert seen.trouble is Trouble.UNKNOWN


async def test_the_directory():
    """Roots are looked for by current code; one listed under a new code is told with it."""
    axis = FakeAxis()
    axis.rows = tuple(
        DirectoryRow(axis_id=code, parent_axis_id="", code=OrganId(code), name=code, email="", aliases=aliases)
        for code, aliases in (("H98", ()), ("H97.5", (OrganId("H97"),)))
    )
    assert (await make_axis_test(axis).directory()).trouble is None
    seen = await make_axis_test(axis, roots=(ROOT, OrganId("H97"), OrganId("H96"))).directory()
    assert seen.trouble is Trouble.AGENCY_NOT_LISTED
    assert "H97 (listed as H97.5 now), H96" in seen.words
