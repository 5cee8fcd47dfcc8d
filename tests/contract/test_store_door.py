"""What the door asks of the store beyond gRPC: lists without leases, the document a status names, take-backs."""

from dataclasses import replace
from datetime import timedelta

from gateway.domain.document import BusinessType, ResponseFor
from gateway.domain.ids import OrganId, ReceptionId
from gateway.domain.lifecycle import ReceptionState
from gateway.ports import ReceptionFilter, Source
from tests.contract.conftest import OTHER, VENDOR_A, VENDOR_B
from tests.contract.test_store_receptions import LEASE, arrive, pull
from tests.make import NOW, RECIPIENT, ROUTE, SENDER, make_organization, make_response_for, make_status

OPEN = ReceptionFilter(states=frozenset({ReceptionState.WAITING, ReceptionState.LEASED}))
ENDED = ReceptionFilter(states=frozenset({ReceptionState.ACKNOWLEDGED, ReceptionState.REFUSED}))
MINUTE = timedelta(minutes=1)


async def listed(world, wanted=OPEN, vendor=VENDOR_B, skip=0, limit=99):
    return await world.store.receptions.listed(vendor, wanted, skip=skip, limit=limit)


async def test_lists_show_what_waits_and_lease_nothing(world):
    """Waiting and leased entries of served agencies, as often as asked; narrowed by state, time and recipient."""
    for minute in range(3):
        await arrive(world, at=NOW + MINUTE * minute)
    await arrive(world, code=OTHER)
    lines = await listed(world)
    assert [line.received_at for line in lines] == [NOW, NOW + MINUTE, NOW + MINUTE * 2]
    assert {(line.sender, line.recipient, line.state) for line in lines} == {
        (SENDER, RECIPIENT, ReceptionState.WAITING)
    }
    assert await listed(world) == lines
    assert await listed(world, skip=1, limit=1) == lines[1:2]
    assert await listed(world, vendor=VENDOR_A) == ()
    assert await listed(world, replace(OPEN, received_from=NOW + MINUTE)) == lines[1:]
    assert await listed(world, replace(OPEN, received_before=NOW + MINUTE)) == lines[:1]
    assert await listed(world, replace(OPEN, recipients=frozenset({world.id(OTHER)}))) == ()
    (entry,) = await pull(world, at=NOW + LEASE, limit=1)
    leased = await listed(world, ReceptionFilter(states=frozenset({ReceptionState.LEASED})))
    assert [line.id for line in leased] == [entry.id]
    assert await world.store.receptions.count(VENDOR_B, most=99) == 3
    assert await world.store.receptions.count(VENDOR_B, most=2) == 2
    assert await world.store.receptions.count(VENDOR_A, most=2) == 0


async def test_ended_entries_are_listed_newest_first(world):
    """Acknowledged and refused entries of served agencies leave the one list for the other."""
    document = await arrive(world)
    await arrive(world, at=NOW + MINUTE)
    first, second = await listed(world)
    receptions, report = world.store.receptions, make_status(document)
    assert await receptions.acknowledge(first.id, None, receipt=None, at=NOW) is ReceptionState.ACKNOWLEDGED
    refused = await receptions.refuse(second.id, None, reason="x", receipt=report, at=NOW)
    assert refused is ReceptionState.REFUSED
    assert [line.id for line in await listed(world, ENDED)] == [second.id, first.id]
    assert await listed(world) == ()
    assert await listed(world, ENDED, vendor=VENDOR_A) == ()


async def test_without_a_lease_an_entry_is_taken_over(world):
    """Nobody's and another's lease end; what has ended answers what it is."""
    document = await arrive(world)
    (entry,) = await pull(world)
    receptions, receipt = world.store.receptions, make_status(document, status_code="01")
    for _ in range(2):
        taken = await receptions.acknowledge(entry.id, None, receipt=receipt, at=NOW)
        assert taken is ReceptionState.ACKNOWLEDGED
    refused = await receptions.refuse(entry.id, None, reason="x", receipt=receipt, at=NOW)
    assert refused is ReceptionState.ACKNOWLEDGED
    assert await receptions.acknowledge(ReceptionId("nobody"), None, receipt=None, at=NOW) is None


async def test_a_status_finds_its_document(world):
    """By id as written, normalised, or number and date; under any code of the sender; never another's."""
    document = await arrive(world)
    (line,) = await listed(world)
    named = make_response_for(document)
    for about in (
        named,
        replace(named, organ_id=OrganId("15.01.H98")),
        replace(named, document_id=f" {document.document_id.replace('/', '-', 2).lower()} "),
        replace(named, document_id=""),
        replace(named, document_id="", promulgation_date=None),
    ):
        found = await world.store.receptions.find(world.id(RECIPIENT), about, recall_first=False)
        assert found == line.id, about
    assert await world.store.receptions.find(world.id(OTHER), named, recall_first=False) is None
    stranger = replace(named, organ_id=OrganId("H01"))
    assert await world.store.receptions.find(world.id(RECIPIENT), stranger, recall_first=False) is None
    unknown = ResponseFor(organ_id=SENDER, document_id="x", code="9/X")
    assert await world.store.receptions.find(world.id(RECIPIENT), unknown, recall_first=False) is None


async def test_a_recall_with_its_documents_marks_is_told_apart(world):
    """15 and 16 answer the recall, everything else is about the document."""
    document = await arrive(world)
    (first,) = await listed(world)
    await arrive(
        world,
        at=NOW + MINUTE,
        document_id=document.document_id,
        code_number=document.code_number,
        business_type=BusinessType.RECALL,
    )
    second = (await listed(world))[1]
    named = make_response_for(document)
    find = world.store.receptions.find
    assert await find(world.id(RECIPIENT), named, recall_first=False) == first.id
    assert await find(world.id(RECIPIENT), named, recall_first=True) == second.id


async def test_the_source_of_an_entry_is_its_packet(world):
    """The account and item by which the original can be had."""
    await arrive(world)
    (line,) = await listed(world)
    source = await world.store.receptions.source(line.id)
    assert isinstance(source, Source)
    assert await world.store.items.original(source.account, source.axis_doc_id) is not None
    assert await world.store.receptions.source(ReceptionId("nobody")) is None


async def test_the_latest_documents_are_the_vendors(world):
    """Newest first, of agencies it serves or acts for, in pages."""
    uids = []
    for minute in range(3):
        taken = await world.store.documents.accept(world.acceptance(), at=NOW + MINUTE * minute)
        uids.insert(0, taken.sent.uid)
    latest = world.store.correspondence.latest
    assert list(await latest(VENDOR_A, skip=0, limit=9)) == uids
    assert list(await latest(VENDOR_B, skip=1, limit=1)) == uids[1:2]
    assert await latest("nobody", skip=0, limit=9) == ()


async def test_a_take_back_waits_for_its_packet_and_goes_once(world):
    """By the packet's route and order, to the recipient as written, once per timestamp."""
    acceptance = world.acceptance()
    await world.store.documents.accept(acceptance, at=NOW)
    document = acceptance.document
    asked = make_status(
        document,
        sender=make_organization(SENDER),
        status_code="13",
        response_for=replace(make_response_for(document), organ_id=OrganId("22.01.H99"), document_id=""),
    )
    take_back = world.store.correspondence.take_back
    assert await take_back(asked, at=NOW) is True
    assert await take_back(asked, at=NOW) is False
    assert await take_back(replace(asked, timestamp="2026/03/02 10:00:00"), at=NOW) is True
    to_nobody = replace(asked.response_for, organ_id=OrganId("H98"))
    assert await take_back(replace(asked, response_for=to_nobody), at=NOW) is None
    assert await take_back(replace(asked, sender=make_organization(RECIPIENT)), at=NOW) is None
    outbox = world.store.outbox
    (packet,) = await outbox.lease("w", route=ROUTE, limit=9, lease_for=LEASE, at=NOW)
    assert packet.document is not None
    await world.store.database.write(
        lambda conn: conn.exec_driver_sql(
            "UPDATE messages SET state = 'sent', due_at = NULL, lease_token = NULL WHERE document IS NOT NULL"
        )
    )
    (status,) = await outbox.lease("w", route=ROUTE, limit=9, lease_for=LEASE, at=NOW)
    assert status.report.response_for.organ_id == RECIPIENT
    assert status.report.response_for.document_id == document.document_id
    await world.store.database.write(
        lambda conn: conn.exec_driver_sql("UPDATE messages SET state = 'failed' WHERE document IS NOT NULL")
    )
    assert await take_back(replace(asked, timestamp="2026/03/02 11:00:00"), at=NOW) is None
