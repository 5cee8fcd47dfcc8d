"""OutboxQueue beside messages that harm: one that cannot be read, one that ends the gateway's process."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from gateway.domain.ids import AccountName
from gateway.domain.lifecycle import MessageState
from gateway.store import rows
from gateway.store.leases import SUSPECT_PAUSE, UNREADABLE_PAUSE
from gateway.store.messages import enqueue, status_message
from gateway.store.tables import attachments, documents, messages
from tests.contract.test_store_outbox import LEASE, MINUTE, TICK, lease, put, settlement
from tests.make import NOW, make_attachment, make_status

SECOND = timedelta(seconds=1)
OWNER = "worker-1"


async def accept(world, count=1):
    for n in range(count):
        document = world.document(attachments=(make_attachment(b"%d" % n),))
        await world.store.documents.accept(world.acceptance(document=document), at=NOW + n * SECOND)


async def crash(world, at):
    """The worker's process is killed and comes back."""
    await world.store.outbox.abandon(OWNER, at=at)


async def column(world, wanted, message):
    return await world.store.database.read(
        lambda conn: conn.scalar(sa.select(wanted).where(messages.c.id == message.id))
    )


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (documents, {"header": '{"broken":1}'}),
        (documents, {"header": "not json"}),
        (documents, {"header": "null"}),
        (attachments, {"role": "unheard of"}),
        (attachments, {"verdict": "[]"}),
    ],
)
async def test_what_cannot_be_read_keeps_nothing_else_back(world, table, values):
    """One spoilt row, of the header or an attachment, is logged and put off with a reason; its neighbours go."""
    await accept(world, 3)
    at = NOW + MINUTE
    first, *others = await lease(world, at=at)
    later = at + LEASE + TICK
    owner = table.c.uid if table is documents else table.c.document
    mine = sa.select(messages.c.document).where(messages.c.id == first.id).scalar_subquery()
    spoil = sa.update(table).where(owner == mine).values(values)
    await world.store.database.write(lambda conn: conn.execute(spoil))
    with capture_logs() as lines:
        got = await lease(world, at=later)
    assert [message.id for message in got] == [message.id for message in others]
    assert [(line["event"], line["message_id"]) for line in lines] == [("message.unreadable", first.id)]
    assert await column(world, messages.c.lease_token, first) is None
    assert await column(world, messages.c.due_at, first) == later + UNREADABLE_PAUSE
    assert await column(world, messages.c.reason, first)
    with capture_logs() as lines:
        assert await lease(world, at=later + UNREADABLE_PAUSE - TICK) == ()
        assert lines == []
        assert await lease(world, at=later + UNREADABLE_PAUSE) == ()
        assert [line["event"] for line in lines] == ["message.unreadable"]


async def test_a_recipient_that_is_not_there_is_unreadable(world):
    """A delivery beyond the document's recipients puts its message off, no more."""
    await accept(world, 2)
    first, other = await lease(world, at=NOW + MINUTE)
    mine = sa.select(messages.c.document).where(messages.c.id == first.id).scalar_subquery()
    header = rows.header_json(replace(first.document, to=()))
    cut = sa.update(documents).where(documents.c.uid == mine).values(header=header)
    await world.store.database.write(lambda conn: conn.execute(cut))
    (got,) = await lease(world, at=NOW + 2 * MINUTE + TICK)
    assert got.id == other.id


async def test_suspects_are_tried_one_at_a_time(world):
    """Two crashes with four out: then one suspect is out at a time, whoever ends well is clear, the guilty one stays.

    Beside them what is not suspected goes, and the guilty one alone reaches the count at which it is ended.
    """
    await accept(world, 4)
    at = NOW + MINUTE
    ids = [message.id for message in await lease(world, at=at)]
    assert len(ids) == 4
    guilty = ids[1]
    await crash(world, at)
    assert [message.interruptions for message in await lease(world, at=at)] == [1] * 4
    await crash(world, at)
    await put(world, make_status(), at=at)
    ended: list[str] = []
    seen: list[int] = []
    for _ in range(40):
        got = await lease(world, at=at)
        suspects = [message for message in got if message.interruptions]
        assert len(suspects) <= 1
        for message in got:
            if message.id == guilty and message.interruptions < 5:
                seen.append(message.interruptions)
                await crash(world, at)
                break
            state = MessageState.FAILED if message.id == guilty else MessageState.SENT
            assert message.id == guilty or message.interruptions <= 2
            assert await world.store.outbox.begin_submit(message, at=at)
            assert await world.store.outbox.settle(message, settlement(state), at=at)
            assert await column(world, messages.c.interruptions, message) is None
            ended.append(message.id)
        at += SUSPECT_PAUSE
    assert seen == [2, 3, 4]
    assert len(ended) == 5
    assert set(ids) < set(ended)


async def test_a_suspect_waits_for_one_that_is_out(world):
    """While one suspect is out no other follows, of this route or another; after its end the next one does."""
    elsewhere = AccountName("another")
    await put(world, make_status(), make_status())
    await world.store.database.write(lambda conn: enqueue(conn, [status_message(elsewhere, make_status())], at=NOW))
    for _ in range(2):
        assert len([*await lease(world), *await lease(world, route=elsewhere)]) == 3
        await crash(world, NOW)
    (first,) = await lease(world)
    assert await lease(world, at=NOW + SUSPECT_PAUSE) == ()
    assert await lease(world, at=NOW + SUSPECT_PAUSE, route=elsewhere) == ()
    assert await world.store.outbox.begin_submit(first, at=NOW)
    assert await world.store.outbox.settle(first, settlement(MessageState.SENT), at=NOW)
    (second,) = await lease(world, at=NOW + 2 * SUSPECT_PAUSE)
    assert (second.interruptions, second.id != first.id) == (2, True)
