"""Another gateway's VXP adapter comes through the door: what speaks to the national axis speaks to this one."""

import pytest

from gateway.adapters.http import Timeouts
from gateway.adapters.vxp.axis import VxpAxis
from gateway.adapters.vxp.config import FetchBy, HashForm, SentList, VxpAccount
from gateway.domain.agency import AgencyEntry
from gateway.domain.dialect import NATIONAL
from gateway.domain.document import TraceHeader
from gateway.domain.ids import AccountName, AxisDocId, OrganId
from gateway.domain.outcome import Accepted, Found, Rejected, SentQuery
from gateway.domain.packet import PacketKind
from gateway.ports import DirectoryListing, Fetched, Waiting
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
from tests.contract.test_door_exchange import arrive
from tests.fakes.door_world import SECRET_A, SECRET_B, SYSTEM_A, SYSTEM_B, running
from tests.make import NOW, RECIPIENT, SENDER, make_document


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path) as world:
        yield world


def axis_of(world, system_id, secret, **changes):
    values = {
        "name": AccountName("door"),
        "endpoint": world.a.url,
        "system_id": system_id,
        "secret": secret,
        "timeouts": Timeouts(connect=5, read=10, write=10, total=20),
        "sent_list": SentList.BY_SENDER,
    }
    return VxpAxis(account=VxpAccount(**(values | changes)), clock=world.under.clock, metrics=world.under.metrics)


@pytest.mark.parametrize("hash_form", HashForm)
async def test_a_packet_is_submitted_and_found(world, hash_form):
    """Accepted under a name by which it is found again, repeated under the same name."""
    axis = axis_of(world, SYSTEM_A, SECRET_A, hash_form=hash_form)
    translator = EdxmlTranslator(blobs=world.under.blobs, limits=Limits(), dialect=NATIONAL)
    async with world.under.blobs.writer(limit=100) as writer:
        await writer.write(b"%PDF-1.7 main")
        stored = await writer.finish()
    document = make_document()
    hop = TraceHeader(organ_id=SENDER, timestamp="2026/03/02 09:30:00")
    sealed = await translator.seal(translator.draft_document(document, [stored], recipients=document.to, hop=hop))
    first = await axis.submit(sealed, lambda: translator.stream(sealed.draft))
    assert isinstance(first, Accepted), first
    assert await axis.submit(sealed, lambda: translator.stream(sealed.draft)) == first
    query = SentQuery(
        sender_code=SENDER,
        recipient_codes=(RECIPIENT,),
        notation=document.code,
        title=document.subject,
        submitted_after=NOW,
    )
    assert await axis.find(query) == Found(axis_doc_id=first.axis_doc_id)
    (entry,) = (await axis.sent_packet(first.axis_doc_id)).entries
    assert (entry.title, entry.failed) == (document.subject, False)
    await axis.aclose()


@pytest.mark.parametrize("fetch", FetchBy)
async def test_what_waits_is_fetched_and_settled(world, fetch):
    """Byte for byte, by either operation; settled it is listed no more; an unknown item is refused for good."""
    _, packet = await arrive(world)
    axis = axis_of(world, SYSTEM_B, SECRET_B, fetch=fetch)
    waiting = await axis.waiting(PacketKind.DOCUMENT)
    assert isinstance(waiting, Waiting)
    (item,) = waiting.items
    assert item.recipients == (RECIPIENT,)
    async with world.under.blobs.writer(limit=len(packet)) as writer:
        fetched = await axis.fetch(item, writer)
    assert isinstance(fetched, Fetched)
    assert b"".join([chunk async for chunk in world.under.blobs.stream(fetched.stored)]) == packet
    assert isinstance(await axis.settle(item.axis_doc_id, done=True), Accepted)
    assert await axis.waiting(PacketKind.DOCUMENT) == Waiting(items=())
    assert await axis.waiting(PacketKind.STATUS) == Waiting(items=())
    assert isinstance(await axis.settle(AxisDocId("nobody"), done=True), Rejected)
    await axis.aclose()


async def test_the_directory_and_its_changes(world):
    """All units with their parents and old codes; one more registered below the vendor's own."""
    axis = axis_of(world, SYSTEM_A, SECRET_A)
    listing = await axis.agencies()
    assert isinstance(listing, DirectoryListing)
    rows = {row.code: row for row in listing.rows}
    assert rows[OrganId("000.01.15.H98")].parent_axis_id == rows[SENDER].axis_id
    unit = AgencyEntry(code=OrganId("H98.77"), parent_code=SENDER, name="Phòng mới")
    assert isinstance(await axis.register(unit), Accepted)
    assert isinstance(await axis.deregister(RECIPIENT), Rejected)
    await axis.aclose()
