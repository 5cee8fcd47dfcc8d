from datetime import timedelta

import pytest

from gateway.domain.dialect import DIALECTS
from gateway.domain.document import StaffInfo
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import OrganId, ReceptionId, VendorId
from gateway.domain.lifecycle import ReceptionState
from gateway.domain.packet import PacketKind
from tests.make import make_attachment, make_document, make_organization
from tests.scenarios.world import MINUTE, OURS, PDF, THEIRS, VENDOR, World, run_until_idle

STRANGER = VendorId("vendor-b")
STAFF = StaffInfo(department="Văn phòng", staff="Cán Bộ Thử")


@pytest.fixture
async def world(tmp_path):
    """One document is waiting on the axis."""
    world = World(tmp_path)
    document = make_document(
        sender=make_organization(THEIRS), to=(make_organization(OURS),), attachments=(make_attachment(PDF),)
    )
    world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
    return world


async def lease(gateway):
    """Poll and take the one entry."""
    await gateway.poller.poll()
    (entry,) = await gateway.store.receptions.lease(
        VENDOR, under=None, limit=10, lease_for=MINUTE, at=gateway.clock.now()
    )
    return entry


async def report(gateway, entry, code, *, request_id="r", description="", vendor=VENDOR):
    return await gateway.inbox.report(
        vendor, entry.id, request_id=request_id, status_code=code, description=description, staff=STAFF
    )


async def failing(call):
    with pytest.raises(GatewayError) as caught:
        await call
    return caught.value


async def test_an_acknowledgement_sends_01_once(world):
    """Acknowledging, also twice, sends one status 01 to the document's sender."""
    async with world.gateway() as gateway:
        entry = await lease(gateway)
        for _ in range(2):
            await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        await run_until_idle(gateway)
        assert gateway.count("statuses", direction="out", code="01") == 1
    (packet,) = world.axis.taken
    assert (packet.kind, packet.sender, packet.recipients) == (PacketKind.STATUS, OURS, (THEIRS,))


async def test_a_refusal_sends_02_with_the_reason(world):
    """Refusing sends 02 with reason and clerk; afterwards neither reports nor acknowledgements are possible."""
    async with world.gateway() as gateway:
        entry = await lease(gateway)
        error = await failing(gateway.inbox.refuse(VENDOR, entry.id, entry.ack_id, reason=" ", staff=STAFF))
        assert (error.code, [v.path for v in error.violations]) == (ErrorCode.INVALID_FIELD, ["reason"])
        await gateway.inbox.refuse(VENDOR, entry.id, entry.ack_id, reason="sai nơi nhận", staff=STAFF)
        await run_until_idle(gateway)
        assert (await failing(report(gateway, entry, "03"))).code is ErrorCode.ALREADY_REFUSED
        again = gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        assert (await failing(again)).code is ErrorCode.ALREADY_REFUSED
    (packet,) = world.axis.taken
    assert ">02<" in packet.data.decode()
    assert "sai nơi nhận" in packet.data.decode()
    assert "Cán Bộ Thử" in packet.data.decode()


async def test_an_acknowledged_document_cannot_be_refused(world):
    """After the acknowledgement a refusal is an error and sends nothing."""
    async with world.gateway() as gateway:
        entry = await lease(gateway)
        await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        late = gateway.inbox.refuse(VENDOR, entry.id, entry.ack_id, reason="muộn", staff=STAFF)
        assert (await failing(late)).code is ErrorCode.ALREADY_ACKNOWLEDGED


async def test_an_old_lease_is_lost(world):
    """Once the document was handed out again, the earlier lease can neither acknowledge nor refuse."""
    async with world.gateway() as gateway:
        entry = await lease(gateway)
        world.clock.advance(MINUTE + timedelta(seconds=1))
        newer = await lease(gateway)
        old = gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        assert (await failing(old)).code is ErrorCode.LEASE_LOST
        refusal = gateway.inbox.refuse(VENDOR, entry.id, entry.ack_id, reason="x", staff=STAFF)
        assert (await failing(refusal)).code is ErrorCode.LEASE_LOST
        await gateway.inbox.acknowledge(VENDOR, newer.id, newer.ack_id)


async def test_a_used_request_id_reports_nothing_else(world):
    """Another status under a used request id is an error: "repeated" would lose it."""
    async with world.gateway() as gateway:
        entry = await lease(gateway)
        await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        assert not await report(gateway, entry, "03")
        assert (await failing(report(gateway, entry, "06"))).code is ErrorCode.REQUEST_ID_REUSED
        assert await report(gateway, entry, "03")


async def test_reports_need_an_acknowledgement_and_a_known_code(world):
    """Before the acknowledgement, and for codes that are not the vendor's to give, reports are refused."""
    async with world.gateway() as gateway:
        entry = await lease(gateway)
        assert (await failing(report(gateway, entry, "03"))).code is ErrorCode.NOT_ACKNOWLEDGED
        await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        for code in ("01", "02", "13", "99", ""):
            error = await failing(report(gateway, entry, code))
            assert error.code is ErrorCode.STATUS_NOT_ALLOWED
            assert "03, 04, 05, 06, 15, 16" in error.english
        error = await failing(report(gateway, entry, "16"))
        assert [v.path for v in error.violations] == ["description"]


async def test_a_report_is_sent_once(world):
    """The same request, and the same code under another request, are repetitions; 05 may come again."""
    async with world.gateway() as gateway:
        entry = await lease(gateway)
        await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        answers = [
            await report(gateway, entry, code, request_id=request_id)
            for code, request_id in (("03", "a"), ("03", "a"), ("03", "b"), ("05", "c"), ("05", "d"))
        ]
        assert answers == [False, True, True, False, False]
        await run_until_idle(gateway)
    assert len(world.axis.taken) == 1 + 3


async def test_foreign_documents_are_unknown(world):
    """A vendor that does not serve the recipient, or no longer does, is told what a made-up id is told."""
    async with world.gateway() as gateway:
        entry = await lease(gateway)
        calls = [
            gateway.inbox.acknowledge(STRANGER, entry.id, entry.ack_id),
            gateway.inbox.refuse(STRANGER, entry.id, entry.ack_id, reason="x", staff=STAFF),
            report(gateway, entry, "03", vendor=STRANGER),
            gateway.inbox.acknowledge(VENDOR, ReceptionId("none"), entry.ack_id),
        ]
        assert {(await failing(call)).code for call in calls} == {ErrorCode.DOCUMENT_UNKNOWN}
        assert (await gateway.store.receptions.get(entry.id)).state is ReceptionState.LEASED
    world.serves = (OrganId("H99"),)
    async with world.gateway() as gateway:
        late = gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        assert (await failing(late)).code is ErrorCode.DOCUMENT_UNKNOWN


async def test_a_status_speaks_the_peers_dialect(world):
    """Bkav's axis takes 75 characters of a reason, refused beyond, and gets its own container; clerk and words stay."""
    world.dialect = DIALECTS["bkav"]
    async with world.gateway() as gateway:
        entry = await lease(gateway)
        long = gateway.inbox.refuse(VENDOR, entry.id, entry.ack_id, reason="x" * 76, staff=STAFF)
        error = await failing(long)
        assert (error.code, [v.path for v in error.violations]) == (ErrorCode.INVALID_FIELD, ["reason"])
        await gateway.inbox.refuse(VENDOR, entry.id, entry.ack_id, reason="x" * 75, staff=STAFF)
        await run_until_idle(gateway)
    (packet,) = world.axis.taken
    written = packet.data.decode()
    assert f"<edXML:Description>{'x' * 75}</edXML:Description>" in written
    assert "<edXML:Status>" in written
    assert "MessageHeader" not in written
