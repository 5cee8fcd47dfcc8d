import pytest

from gateway.domain.document import TraceHeader
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.outcome import Rejected, Unavailable
from gateway.flows.config import OnUnknown
from tests.fakes.axis import Fate
from tests.make import ROUTE, make_acceptance
from tests.scenarios.world import (
    LEASE,
    MINUTE,
    OURS,
    PDF,
    SETTLING,
    World,
    make_letter,
    run_until_idle,
    store_bytes,
    submit,
)
from tests.scenarios.wrecks import wrecks


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def states(gateway, result):
    sent = await gateway.store.documents.get(result.sent.uid)
    return [delivery.state for delivery in sent.deliveries]


async def test_a_document_is_sent_once_to_each_recipient(world):
    """Two recipients in packets of their own: each packet goes out once and both deliveries end SENT."""
    world.recipients_per_message = 1
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await run_until_idle(gateway)
        assert await states(gateway, result) == [DeliveryState.SENT] * 2
        assert gateway.count("messages_delivered", route="national", kind="edoc") == 2
    assert [packet.recipients for packet in world.axis.taken] == [("H99.01",), ("H99.02",)]


async def test_every_attempt_sends_the_same_bytes(world):
    """A retry hours later repeats the packet byte for byte: the hop's time is that of acceptance."""
    world.axis.fates.extend([Fate.LOSE_ANSWER])
    world.axis.askable, world.on_unknown = False, OnUnknown.RESEND
    async with world.gateway() as gateway:
        await submit(gateway, make_letter())
        await run_until_idle(gateway)
    first, second = world.axis.taken
    assert first.data == second.data


async def test_an_axis_that_is_down_is_tried_again(world):
    """Unavailable puts off with growing waits until the axis takes it; the vendor sees DELAYED meanwhile."""
    world.axis.fates.extend([Unavailable(reason="down")] * 3)
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await gateway.send_due()
        assert await states(gateway, result) == [DeliveryState.DELAYED] * 2
        assert await gateway.send_due() == 0
        await run_until_idle(gateway)
        assert await states(gateway, result) == [DeliveryState.SENT] * 2
        assert gateway.count("messages_retried", route="national", outcome="unavailable") == 3
    assert (world.axis.attempts, len(world.axis.taken)) == (4, 1)


async def test_a_refusal_ends_it(world):
    """Rejected is never repeated and shows the peer's words."""
    world.axis.fates.append(Rejected(code="18", reason="unknown receiver"))
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
    assert {(d.state, d.reason) for d in sent.deliveries} == {(DeliveryState.FAILED, "18: unknown receiver")}
    assert world.axis.attempts == 1


@pytest.mark.parametrize(
    ("fate", "askable", "on_unknown", "ends"),
    [
        (Fate.LOSE_ANSWER, True, OnUnknown.HOLD, (1, DeliveryState.SENT)),
        (Fate.LOSE_PACKET, True, OnUnknown.HOLD, (1, DeliveryState.SENT)),
        (Fate.LOSE_ANSWER, False, OnUnknown.HOLD, (1, DeliveryState.HELD)),
        (Fate.LOSE_PACKET, False, OnUnknown.HOLD, (0, DeliveryState.HELD)),
        (Fate.LOSE_ANSWER, False, OnUnknown.RESEND, (2, DeliveryState.SENT)),
        (Fate.LOSE_PACKET, False, OnUnknown.RESEND, (1, DeliveryState.SENT)),
    ],
)
async def test_a_lost_answer(world, fate, askable, on_unknown, ends):
    """The axis is asked before anything is resent; one that cannot be asked leads to what the setting says."""
    taken, state = ends
    world.axis.fates.append(fate)
    world.axis.askable, world.on_unknown = askable, on_unknown
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await run_until_idle(gateway)
        assert set(await states(gateway, result)) == {state}
    assert len(world.axis.taken) == taken


async def test_an_outage_after_a_lost_answer_bothers_nobody(world):
    """The axis goes down for an hour with the answer: back again it is asked, nothing is held or resent."""
    world.axis.fates.append(Fate.LOSE_ANSWER)
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await gateway.send_due()
        world.axis.down = True
        for _ in range(30):
            world.clock.advance(SETTLING)
            await gateway.send_due()
        assert set(await states(gateway, result)) == {DeliveryState.DELAYED}
        world.axis.down = False
        await run_until_idle(gateway)
        assert set(await states(gateway, result)) == {DeliveryState.SENT}
    assert len(world.axis.taken) == 1


async def test_a_twin_is_not_taken_for_the_lost_one(world):
    """Two documents with the same number, title and recipients: the first's axis id does not answer for the second."""
    letter = make_letter()
    twin = make_letter(code_number=letter.code_number, subject=letter.subject)
    world.axis.fates.extend([Fate.TAKE, Fate.LOSE_PACKET])
    async with world.gateway() as gateway:
        for document in (letter, twin):
            await submit(gateway, document)
        await run_until_idle(gateway)
    assert (world.axis.attempts, len(world.axis.taken)) == (3, 2)


@pytest.mark.parametrize("failures", [1, 99])
async def test_an_outcome_outlives_a_moment_without_store(world, failures):
    """The axis took it and the store fails: written once it can be, given up after half an hour."""
    world.axis.askable = False
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        settle, left = gateway.outbox.settle, failures

        async def fail(*args, **kwargs):
            nonlocal left
            if left:
                left -= 1
                world.clock.advance(16 * MINUTE)
                raise GatewayError(ErrorCode.STORE_UNAVAILABLE)
            return await settle(*args, **kwargs)

        gateway.outbox.settle = fail
        if failures == 1:
            await gateway.send_due()
        else:
            with pytest.raises(GatewayError):
                await gateway.send_due()
            assert left == failures - 2
            left = 0
            await run_until_idle(gateway)
        ends = DeliveryState.SENT if failures == 1 else DeliveryState.HELD
        assert await states(gateway, result) == [ends] * 2
    assert len(world.axis.taken) == 1


async def test_a_bug_while_sending_is_taken_for_a_lost_answer(world):
    """An exception out of the adapter is settled as unknown, asked about, and sent again when it never arrived."""
    world.axis.fates.append(ArithmeticError("bug"))
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await gateway.send_due()
        assert gateway.count("messages_retried", route="national", outcome="uncertain") == 1
        await run_until_idle(gateway)
        assert set(await states(gateway, result)) == {DeliveryState.SENT}
    assert len(world.axis.taken) == 1


async def test_lost_content_is_put_off_not_sent(world):
    """A packet that cannot be put together never leaves and is tried again later."""
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        stored = await gateway.store.documents.attachment(result.sent.uid, 0)
        await gateway.blobs.discard([stored.key])
        await gateway.send_due()
        assert set(await states(gateway, result)) == {DeliveryState.DELAYED}
    assert world.axis.attempts == 0


async def test_a_packet_above_the_accounts_cap_is_refused(world):
    """What turns out too large at sealing ends FAILED with the sizes, unsent."""
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
    world.packet_limit = 100
    async with world.gateway() as gateway:
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
    assert {d.state for d in sent.deliveries} == {DeliveryState.FAILED}
    assert sent.deliveries[0].reason.startswith(ErrorCode.PACKET_TOO_LARGE)
    assert world.axis.attempts == 0


async def test_a_packet_that_came_by_here_goes_no_further(world):
    """A document whose trace names this account's hop, however written, ends FAILED as a loop, unsent."""
    letter = make_letter(trace=(TraceHeader(organ_id="H99", timestamp=""), TraceHeader(organ_id="h98 ", timestamp="")))
    async with world.gateway() as gateway:
        ours = (await gateway.store.directory.resolve([OURS]))[OURS]
        stored = await store_bytes(gateway.blobs, PDF)
        acceptance = make_acceptance(letter, agency=ours.id, objects=(stored,))
        taken = await gateway.store.documents.accept(acceptance, at=world.clock.now())
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(taken.sent.uid)
    assert {d.state for d in sent.deliveries} == {DeliveryState.FAILED}
    assert sent.deliveries[0].reason.startswith("TRACE_LOOP: H98 ")
    assert world.axis.attempts == 0


@pytest.mark.parametrize("askable", [True, False])
async def test_a_crash_between_any_two_steps_of_sending(tmp_path, askable):
    """Wherever the process dies, the axis has the packet once; if it cannot be asked, at most once, and then HELD."""
    base = World(tmp_path / "base")
    base.folder.mkdir()
    base.axis.askable = askable
    async with base.gateway() as gateway:
        result = await submit(gateway, make_letter())
    for world in await wrecks(base, lambda gateway: gateway.send_due(), least=8):
        world.clock.advance(LEASE + MINUTE)
        async with world.gateway() as gateway:
            await run_until_idle(gateway)
            found = set(await states(gateway, result))
        if askable or found == {DeliveryState.SENT}:
            assert len(world.axis.taken) == 1
            assert found == {DeliveryState.SENT}
        else:
            assert found == {DeliveryState.HELD}
            assert len(world.axis.taken) <= 1


async def test_a_lost_lease_sends_nothing(world):
    """A worker whose lease ran out and was given to another neither sends nor settles."""
    async with world.gateway() as gateway:
        await submit(gateway, make_letter())
        (late,) = await gateway.outbox.lease("slow", route=ROUTE, limit=1, lease_for=LEASE, at=world.clock.now())
        world.clock.advance(LEASE + MINUTE)
        (_,) = await gateway.outbox.lease("other", route=ROUTE, limit=1, lease_for=LEASE, at=world.clock.now())
        await gateway.outbound.deliver(late)
    assert world.axis.attempts == 0


async def test_an_account_that_is_gone(world):
    """Without the account's settings a message waits; one whose answer was lost is held for an operator."""
    world.axis.fates.extend([Fate.LOSE_ANSWER])
    async with world.gateway() as gateway:
        lost = await submit(gateway, make_letter())
        await gateway.send_due()
        fresh = await submit(gateway, make_letter())
        gateway.outbound._accounts = {}
        await gateway.send_due()
        world.clock.advance(SETTLING)
        await gateway.send_due()
        assert set(await states(gateway, fresh)) == {DeliveryState.DELAYED}
        assert set(await states(gateway, lost)) == {DeliveryState.HELD}
        assert gateway.count("messages_failed", route="national", state="held") == 1


async def test_a_bug_while_asking_is_no_answer(world):
    """An exception out of the question counts as "cannot tell": held, nothing resent."""
    world.axis.fates.append(Fate.LOSE_ANSWER)
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())

        async def broken(query):
            raise ArithmeticError("bug")

        world.axis.find = broken
        await run_until_idle(gateway)
        assert set(await states(gateway, result)) == {DeliveryState.HELD}
    assert len(world.axis.taken) == 1
