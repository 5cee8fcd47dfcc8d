"""One submission over several routes: who carries which part, what each account can take, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.dialect import DIALECTS, NATIONAL
from gateway.domain.document import StaffInfo, TraceHeader
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.outcome import Rejected, Unavailable
from gateway.domain.packet import PacketKind
from gateway.domain.routing import LOCAL, Route, RouteTable
from gateway.domain.vntime import edxml_timestamp
from gateway.flows.config import OnUnknown, ReceiptAt
from gateway.flows.routing import Router, SubmissionAccount
from gateway.flows.statuses import InboxFlow
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
from tests.fakes.axis import FakeAxis, Fate
from tests.make import ROUTE, make_attachment, make_organization
from tests.scenarios.world import (
    OURS_TOO,
    PDF,
    THEIRS,
    THEIRS_TOO,
    VENDOR,
    World,
    make_letter,
    run_until_idle,
    store_bytes,
    submit,
)

SOAP, REST = AccountName("soap"), AccountName("rest")
EVERYONE = (make_organization(THEIRS), make_organization(OURS_TOO), make_organization(THEIRS_TOO))


def table(*routes):
    return RouteTable(routes=tuple(Route(roots=roots, accounts=accounts) for roots, accounts in routes))


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path)
    made.more = {name: FakeAxis(account=name, clock=made.clock) for name in (SOAP, REST)}
    made.table = table(((THEIRS_TOO,), (SOAP,)), ((), (ROUTE,)))
    return made


async def refused(gateway, document, **overrides):
    with pytest.raises(GatewayError) as caught:
        await submit(gateway, document, **overrides)
    return caught.value


def router(gateway, routes, *, local=False, **policies):
    """A router whose accounts differ in what is given."""
    base = gateway.intake._account

    def account(name):
        policy = replace(base, name=name, **policies.get(name, {}))
        translator = EdxmlTranslator(blobs=gateway.blobs, limits=Limits(), dialect=policy.dialect)
        return SubmissionAccount(policy=policy, translator=translator)

    names = {name for route in routes.routes for name in route.accounts} | {LOCAL}
    return Router(
        table=routes,
        accounts={name: account(name) for name in names},
        local=local,
        directory=gateway.store.directory,
    )


async def shares(gateway, routing, document):
    found = await gateway.store.directory.resolve([each.organ_id for each in document.to])
    ways = await routing.ways([found[each.organ_id].id for each in document.to])
    stored = [await store_bytes(gateway.blobs, PDF) for _ in document.attachments]
    return await routing.shares(document, stored, ways, at=gateway.clock.now())


async def test_three_routes_one_view(world):
    """A local, a national and a recipient behind another axis: each packet its way, the vendor sees one document."""
    world.local = True
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter(to=EVERYONE))
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
        assert [(d.recipient, d.state) for d in sent.deliveries] == [
            (each.organ_id, DeliveryState.SENT) for each in EVERYONE
        ]
        (entry,) = await gateway.store.receptions.lease(
            VENDOR, under=None, limit=9, lease_for=world.outbound.lease_for, at=gateway.clock.now()
        )
        assert (entry.recipient.code, entry.account) == (OURS_TOO, LOCAL)
    assert [packet.recipients for packet in world.axis.taken] == [(THEIRS,)]
    assert [packet.recipients for packet in world.more[SOAP].taken] == [(THEIRS_TOO,)]
    assert world.more[REST].taken == []


async def test_without_the_local_route_everything_goes_by_the_table(world):
    """Agencies served here are reached over the axis where the setting says so."""
    async with world.gateway() as gateway:
        await submit(gateway, make_letter(to=EVERYONE))
        await run_until_idle(gateway)
    assert [packet.recipients for packet in world.axis.taken] == [(THEIRS, OURS_TOO)]


async def test_recipients_that_no_route_leads_to_are_named(world):
    """All of them at once, in both languages; nothing is accepted."""
    world.table = table(((THEIRS,), (SOAP,)))
    async with world.gateway() as gateway:
        error = await refused(gateway, make_letter(to=EVERYONE))
        assert error.code is ErrorCode.NO_ROUTE
        assert [violation.path for violation in error.violations] == [
            "document.to[1].organ_id",
            "document.to[2].organ_id",
        ]
        assert all(OURS_TOO in text for text in (error.english, error.vietnamese))
        await submit(gateway, make_letter(to=EVERYONE[:1]))


async def test_an_account_too_small_for_the_packets_is_left_out(tmp_path):
    """The others carry them, cut for the smallest of those kept; where none is left the submission is refused."""
    routes = table(((), (SOAP, ROUTE, REST)))
    async with World(tmp_path).gateway() as gateway:
        letter = make_letter(to=EVERYONE)
        small = {"packet_limit": 100, "recipients_per_message": 1}
        wanted = router(gateway, routes, soap=small, rest={"recipients_per_message": 2})
        (share,) = await shares(gateway, wanted, letter)
        assert (share.accounts, share.places, share.together) == ((ROUTE, REST), (0, 1, 2), 2)
        everywhere = router(gateway, routes, soap=small, rest={"packet_limit": 99}, national={"packet_limit": 98})
        with pytest.raises(GatewayError) as caught:
            await shares(gateway, everywhere, letter)
        assert caught.value.code is ErrorCode.PACKET_TOO_LARGE
        assert caught.value.facts["limit"] == "100"


async def test_what_must_be_cut_goes_by_no_account_that_takes_one_packet(tmp_path):
    """Where the first account takes the whole document in its one packet, those that cannot are left out instead."""
    once = {"one_packet": True, "recipients_per_message": 9}
    async with World(tmp_path).gateway() as gateway:
        letter = make_letter(to=EVERYONE)
        kept = {}
        for first, second in ((ROUTE, SOAP), (SOAP, ROUTE), (SOAP, REST)):
            for most in (2, 3):
                national = {"recipients_per_message": most}
                tight = {"one_packet": True, "recipients_per_message": most}
                wanted = router(gateway, table(((), (first, second))), soap=once, national=national, rest=tight)
                (share,) = await shares(gateway, wanted, letter)
                kept[first, second, most] = share.accounts, share.together
        assert kept == {
            (ROUTE, SOAP, 2): ((ROUTE,), 2),
            (ROUTE, SOAP, 3): ((ROUTE, SOAP), 3),
            (SOAP, ROUTE, 2): ((SOAP,), 9),
            (SOAP, ROUTE, 3): ((SOAP, ROUTE), 3),
            (SOAP, REST, 2): ((SOAP,), 9),
            (SOAP, REST, 3): ((SOAP, REST), 3),
        }
        cut = router(gateway, table(((), (SOAP,))), soap={"one_packet": True, "recipients_per_message": 2})
        (share,) = await shares(gateway, cut, letter)
        assert share.accounts == (SOAP,)


async def test_each_account_is_judged_by_its_own_packet(tmp_path):
    """What one dialect writes in fewer bytes may be too large in another's; a byte decides."""
    sheet = b"rows" * 1000
    file = make_attachment(sheet, size=len(sheet), name="bảng.xlsx")
    dialects = {ROUTE: NATIONAL, SOAP: replace(NATIONAL, zip_rule=False)}
    async with World(tmp_path).gateway() as gateway:
        letter = make_letter(to=EVERYONE, attachments=(file,))
        stored = [await store_bytes(gateway.blobs, sheet)]
        hop = TraceHeader(organ_id="H98", timestamp=edxml_timestamp(gateway.clock.now()))

        def length(dialect):
            translator = EdxmlTranslator(blobs=gateway.blobs, limits=Limits(), dialect=dialect)
            return translator.length(translator.draft_document(letter, stored, recipients=letter.to, hop=hop))

        async def kept(**limits):
            policies = {name: {"dialect": dialects[name], "packet_limit": limits[name]} for name in dialects}
            wanted = router(gateway, table(((), (ROUTE, SOAP))), **policies)
            (share,) = await wanted.shares(letter, stored, {(ROUTE, SOAP): (0, 1, 2)}, at=gateway.clock.now())
            return share.accounts

        here, there = length(dialects[ROUTE]), length(dialects[SOAP])
        assert here != there
        assert await kept(national=here, soap=there) == (ROUTE, SOAP)
        assert await kept(national=here, soap=there - 1) == (ROUTE,)
        assert await kept(national=here - 1, soap=there) == (SOAP,)


async def test_texts_keep_to_the_strictest_dialect_on_the_way(world):
    """A field too long for one of the peers is refused once; a peer that is not on the way does not matter."""
    routes = table(((THEIRS_TOO,), (SOAP,)), ((), (ROUTE,)))
    async with world.gateway() as gateway:
        wanted = router(gateway, routes, soap={"dialect": DIALECTS["bkav"]})
        found = await gateway.store.directory.resolve([THEIRS, THEIRS_TOO])
        one, both = ([found[code].id for code in codes] for codes in ([THEIRS], [THEIRS, THEIRS_TOO]))
        strict, loose = (DIALECTS[name].limit("Document.code_number") for name in ("bkav", "national"))
        assert strict < loose
        assert wanted.strictest(await wanted.ways(both)).limit("Document.code_number") == strict
        assert wanted.strictest(await wanted.ways(one)).limit("Document.code_number") == loose
        assert wanted.strictest({}).limit("Document.code_number") == strict


async def test_a_document_that_came_through_here_is_not_sent_in_a_circle(world):
    """A trace is kept and lengthened; one that names this gateway's hop already is refused with the field."""
    far = TraceHeader(organ_id="H01", timestamp="2026/03/02 09:30:00")
    async with world.gateway() as gateway:
        error = await refused(gateway, make_letter(trace=(far, replace(far, organ_id="H98"))))
        assert (error.code, error.violations[0].path) == (ErrorCode.INVALID_FIELD, "document.trace")
        await submit(gateway, make_letter(trace=(far,)))
        await run_until_idle(gateway)
    (packet,) = world.axis.taken
    assert packet.data.index(b"H01") < packet.data.index(b"edXML:TraceHeader", packet.data.index(b"H01"))


async def test_a_document_waits_out_an_outage_at_the_other_account(world):
    """While the first account is down its documents go by the second, once; statuses and others' are not touched."""
    world.table = table(((), (SOAP, REST)))
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        assert await gateway.outbox.fail_over(SOAP, among={REST}, at=gateway.clock.now()) == {REST: 1}
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
        assert {d.state for d in sent.deliveries} == {DeliveryState.SENT}
    assert [len(world.more[name].taken) for name in (SOAP, REST)] == [0, 1]


@pytest.mark.parametrize("known_as", [AxisDocId("axis-7"), None])
async def test_a_repetition_that_the_peer_refuses_as_known_was_sent(world, known_as):
    """After a lost answer: sent under the id the peer names; without an id, or at a first attempt, refused."""
    world.axis.askable, world.on_unknown = False, OnUnknown.RESEND
    exists = Rejected(code="M.Exist", reason="exists", known_as=known_as)
    async with world.gateway() as gateway:
        world.axis.fates.extend([Fate.LOSE_ANSWER, exists])
        result = await submit(gateway, make_letter(to=EVERYONE[:1]))
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
        assert {d.state for d in sent.deliveries} == {DeliveryState.SENT if known_as else DeliveryState.FAILED}
        world.axis.fates.append(exists)
        fresh = await submit(gateway, make_letter(to=EVERYONE[:1]))
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(fresh.sent.uid)
        assert {d.state for d in sent.deliveries} == {DeliveryState.FAILED}
    assert len(world.axis.taken) == 1


async def test_a_packet_refused_for_the_sake_of_another_was_not_sent(world):
    """A peer that takes one packet of a document names that one's id: the other's recipients have nothing."""
    world.recipients_per_message = 1
    world.table = table(((), (SOAP,)))
    soap = world.more[SOAP]
    async with world.gateway() as gateway:
        exists = Rejected(code="M.Exist", reason="exists", known_as=AxisDocId("axis-0001"))
        soap.fates.extend([Fate.TAKE, Unavailable(reason="down"), exists])
        result = await submit(gateway, make_letter())
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
        assert [d.state for d in sent.deliveries] == [DeliveryState.SENT, DeliveryState.FAILED]
    assert [packet.axis_doc_id for packet in soap.taken] == ["axis-0001"]


async def test_what_was_resent_after_a_lost_answer_stays_with_its_account(world):
    """Another account could not tell that the document is there already."""
    world.table = table(((), (SOAP, REST)))
    soap = world.more[SOAP]
    soap.askable, world.on_unknown = False, OnUnknown.RESEND
    soap.fates.append(Fate.LOSE_ANSWER)
    async with world.gateway() as gateway:
        await submit(gateway, make_letter())
        for _ in range(2):
            await gateway.send_due()
            gateway.clock.advance(world.outbound.lease_for * 3)
        assert await gateway.outbox.fail_over(SOAP, among={REST}, at=gateway.clock.now()) == {}


async def test_a_refusal_keeps_to_the_dialect_of_the_account_it_goes_back_by(world):
    """The peer the document came through decides how long a reason may be; unknown accounts are taken for national."""
    world.receipt = ReceiptAt.VENDOR_ACK
    async with world.gateway() as gateway:
        letter = make_letter(sender=make_organization(THEIRS), to=(make_organization(OURS_TOO),))
        world.axis.put(await world.document_packet(letter), kind=PacketKind.DOCUMENT, recipients=(OURS_TOO,))
        await gateway.poller.poll()
        (entry,) = await gateway.store.receptions.lease(
            VENDOR, under=None, limit=9, lease_for=world.outbound.lease_for, at=gateway.clock.now()
        )
        assert entry.account == ROUTE
        strict = replace(NATIONAL, lengths={"StatusReport.description": 5})

        def inbox(dialects):
            return InboxFlow(
                receptions=gateway.store.receptions,
                directory=gateway.store.directory,
                receipt=ReceiptAt.VENDOR_ACK,
                dialects=dialects,
                clock=gateway.clock,
                wakeups=gateway.inbox._wakeups,
            )

        words = {"reason": "too long", "staff": StaffInfo()}
        with pytest.raises(GatewayError) as caught:
            await inbox({ROUTE: strict}).refuse(VENDOR, entry.id, entry.ack_id, **words)
        assert caught.value.code is ErrorCode.INVALID_FIELD
        await inbox({SOAP: strict}).refuse(VENDOR, entry.id, entry.ack_id, **words)
