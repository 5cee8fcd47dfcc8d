"""A recall, update or replacement never overtakes its document, nor status 06 its 03, whatever fails in between."""

import asyncio
import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.circuit import CircuitRules
from gateway.domain.document import BusinessType, OtherInfo, Priority
from gateway.domain.lifecycle import MessageState
from gateway.domain.outcome import Rejected, Unavailable
from gateway.flows.config import OnUnknown
from gateway.store.messages import enqueue, status_message
from tests.fakes.axis import FakeAxis, Fate
from tests.make import ROUTE, make_directory_row, make_document, make_follower, make_organization, make_status
from tests.scenarios.world import LEASE, MINUTE, World, make_letter, run_until_idle, send_all, submit
from tests.scenarios.wrecks import wrecks

RECIPIENTS = tuple(f"H99.{n:02}" for n in range(1, 5))
FATES = (
    Fate.TAKE,
    Fate.LOSE_ANSWER,
    Fate.LOSE_PACKET,
    Unavailable(reason="no connection"),
    Unavailable(reason="locked", code="23"),
    Rejected(code="18", reason="unknown receiver"),
    Rejected(code="22", reason="malformed"),
    ArithmeticError("bug"),
)


class WatchedAxis(FakeAxis):
    """Notes every packet that comes, whatever becomes of it."""

    def __init__(self):
        super().__init__()
        self.seen = []

    async def submit(self, sealed, body):
        data = b"".join([chunk async for chunk in body()])
        found = re.search(rb"(letter|follower)-|StatusCode>(0[36])<", data)
        self.seen.append(next(each for each in found.groups() if each).decode())

        async def again():
            yield data

        return await super().submit(sealed, again)


def make_world(folder, *, askable=True, on_unknown=OnUnknown.HOLD):
    world = World(folder)
    rows = (*world.axis.rows, *(make_directory_row(code, parent_axis_id="axis-H99") for code in RECIPIENTS[2:]))
    world.axis = WatchedAxis()
    world.axis.rows, world.axis.askable, world.on_unknown = rows, askable, on_unknown
    world.divided_codes, world.circuit = frozenset({"18", "23"}), CircuitRules(failures=2)
    return world


async def put_all(gateway, *, recipients=2, kind=BusinessType.RECALL):
    """A letter, what follows it, more urgent than anything, and two statuses about one received document."""
    to = tuple(make_organization(code) for code in RECIPIENTS[:recipients])
    letter = make_letter(to=to, subject="letter-x")
    await submit(gateway, letter)
    urgent = {"subject": "follower-x", "other_info": OtherInfo(priority=Priority.FLASH)}
    files = {} if kind is BusinessType.RECALL else {"attachments": letter.attachments}
    await submit(gateway, make_follower(letter, kind, **urgent, **files))
    received = make_document()
    statuses = [status_message(ROUTE, make_status(received, status_code=code)) for code in ("03", "06")]
    await gateway.store.database.write(lambda conn: enqueue(conn, statuses, at=gateway.clock.now()))


def assert_in_order(seen):
    for first, second in (("letter", "follower"), ("03", "06")):
        if second in seen:
            assert first not in seen[seen.index(second) :], seen


async def die_with_a_message(gateway, *, begun):
    """A worker takes a message, sends its first byte or not, and is never heard of again."""
    for message in await gateway.outbox.lease("d", route=ROUTE, limit=1, lease_for=LEASE, at=gateway.clock.now()):
        if begun and message.state is MessageState.QUEUED:
            await gateway.outbox.begin_submit(message, at=gateway.clock.now())
    gateway.clock.advance(LEASE + MINUTE)


async def play(world, steps, *, recipients, kind):
    async with world.gateway() as gateway:
        await put_all(gateway, recipients=recipients, kind=kind)
        for step in steps:
            match step:
                case "die" | "die sending":
                    await die_with_a_message(gateway, begun=step == "die sending")
                case "hasten":
                    await gateway.outbox.hasten(ROUTE, at=gateway.clock.now())
                case _:
                    world.axis.fates.append(step)
            await gateway.send_due()
            assert_in_order(world.axis.seen)
            gateway.clock.advance(MINUTE)
        idle = 0
        while idle < 3:  # an hour is the longest that anything waits by itself
            idle = 0 if await gateway.send_due() else idle + 1
            assert_in_order(world.axis.seen)
            gateway.clock.advance(60 * MINUTE)
        depth = await gateway.store.outbox.depth(at=gateway.clock.now(), near=MINUTE)
    waiting = {state for state, count in depth.outbox.items() if count} - {MessageState.FAILED}
    assert waiting <= {MessageState.HELD, MessageState.QUEUED}
    if MessageState.HELD not in waiting:
        assert not waiting
        assert {"follower", "06"} <= set(world.axis.seen)


@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(st.sampled_from([*FATES, "die", "die sending", "hasten"]), max_size=14),
    askable=st.booleans(),
    on_unknown=st.sampled_from(OnUnknown),
    recipients=st.integers(1, 4),
    recipients_per_message=st.sampled_from([1, 2, 100]),
    kind=st.sampled_from([BusinessType.RECALL, BusinessType.UPDATE, BusinessType.REPLACE]),
)
def test_nothing_overtakes(*, steps, askable, on_unknown, recipients, recipients_per_message, kind):
    """No packet of a document comes after its recall, no 03 after its 06; without a held one all of it goes out."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), askable=askable, on_unknown=on_unknown)
        world.recipients_per_message = recipients_per_message
        asyncio.run(play(world, steps, recipients=recipients, kind=kind))


async def test_a_crash_between_any_two_steps_keeps_the_order(tmp_path):
    """Wherever the process dies while letter, recall, 03 and 06 leave, each comes once and in order."""
    base = make_world(tmp_path / "base")
    base.folder.mkdir()
    async with base.gateway() as gateway:
        await put_all(gateway)
    for world in await wrecks(base, send_all, least=20):
        world.clock.advance(LEASE + MINUTE)
        async with world.gateway() as gateway:
            await run_until_idle(gateway)
        assert_in_order(world.axis.seen)
        assert [world.axis.seen.count(packet) for packet in ("letter", "follower")] == [1, 1]
        assert {"03", "06"} <= set(world.axis.seen)
