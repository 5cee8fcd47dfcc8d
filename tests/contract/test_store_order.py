"""Nothing overtakes: whatever happens to the messages of an outbox, order and recipients hold."""

import asyncio
import json
import tempfile
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.document import BusinessType, Document
from gateway.domain.ids import AccountName, DocumentUid
from gateway.domain.lifecycle import UNSETTLED, MessageState
from gateway.domain.packet import PacketKind
from gateway.domain.routing import Share
from gateway.ports.outbound import LeasedMessage, Settlement
from gateway.store import Store, open_store
from gateway.store.messages import NewMessage, document_order, enqueue
from gateway.store.tables import message_deliveries, messages
from tests.contract.conftest import LISTED
from tests.make import (
    NOW,
    ROUTE,
    SENDER,
    make_acceptance,
    make_directory_row,
    make_document,
    make_organization,
    make_status,
)

LEASE = timedelta(minutes=1)
OTHER = AccountName("other")
ROUTES = (ROUTE, OTHER)
OPEN = {state.value for state in UNSETTLED}
ENDS = [
    MessageState.SENT,
    MessageState.QUEUED,
    MessageState.UNCERTAIN,
    MessageState.HELD,
    MessageState.FAILED,
]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.integers(2, 6), st.integers(1, 4)),
        st.tuples(st.just("follow"), st.integers(0, 3), st.sampled_from([None, None, 0, 1])),
        st.tuples(st.just("lease"), st.integers(1, 6), st.booleans(), st.sampled_from(ROUTES)),
        st.tuples(st.just("settle"), st.integers(0, 5), st.sampled_from(ENDS)),
        st.tuples(st.just("divide"), st.integers(0, 5), st.none()),
        st.tuples(st.just("hasten"), st.none(), st.none()),
        st.tuples(st.just("recall"), st.integers(0, 3), st.integers(1, 4)),
        st.tuples(st.just("fail_over"), st.sampled_from(ROUTES), st.sampled_from([{ROUTE}, {OTHER}, set(ROUTES)])),
        st.tuples(st.just("requeue"), st.integers(0, 5), st.none()),
        st.tuples(st.just("wait"), st.integers(1, 3), st.none()),
    ),
    min_size=4,
    max_size=25,
)


@dataclass
class Outbox:
    """One store and what a worker holds of it."""

    store: Store
    agency: str
    at: datetime = NOW
    keys: list[str] = field(default_factory=list)
    sent: list[tuple[DocumentUid, Document]] = field(default_factory=list)
    recipients: int = 0
    held: list[LeasedMessage] = field(default_factory=list)

    async def submit(self, recipients, per_message):
        to = tuple(make_organization(f"{n:03d}.H97") for n in range(recipients))
        document = make_document(to=to)
        uid = await self._accept(document, per_message)
        self.keys.append(document_order(document.sender.organ_id, document.document_id))
        self.sent.append((uid, document))

    async def recall(self, which, per_message):
        """The others first: what is recalled by one account may have gone by another."""
        if self.sent:
            uid, document = self.sent[which % len(self.sent)]
            recall = replace(document, business_type=BusinessType.RECALL, subject=f"recall {len(self.sent)}")
            self.sent.append((await self._accept(recall, per_message, follows=uid, accounts=(OTHER, ROUTE)), recall))

    async def _accept(self, document, together, accounts=ROUTES, **overrides):
        """Every third recipient by one account alone, the others by two."""
        places = range(len(document.to))
        shares = (
            Share(accounts=accounts, places=tuple(p for p in places if p % 3), together=together),
            Share(accounts=accounts[:1], places=tuple(places[::3]), together=together),
        )
        wanted = make_acceptance(document, agency=self.agency, shares=shares, **overrides)
        taken = await self.store.documents.accept(wanted, at=self.at)
        self.recipients += 0 if taken.repeated else len(document.to)
        return taken.sent.uid

    async def follow(self, which, lane):
        if not self.keys:
            return
        key = self.keys[which % len(self.keys)]
        report = make_status()
        new = NewMessage(kind=PacketKind.STATUS, route=ROUTE, ordering_key=key, lane=lane, priority=0, report=report)
        await self.store.database.write(lambda conn: enqueue(conn, [new], at=self.at))

    async def lease(self, limit, longest, route):
        taken = await self.store.outbox.lease(
            "w", route=route, limit=limit, lease_for=LEASE, at=self.at, longest_waiting=longest
        )
        rows = {row.id: row for row in await self._rows()}
        for message in taken:
            ahead = [row.sequence for row in rows.values() if blocks(row, rows[message.id])]
            assert not ahead, (rows[message.id].sequence, ahead)
        self.held = [m for m in self.held if m.id not in {t.id for t in taken}] + list(taken)
        return taken

    async def settle(self, which, state):
        if not self.held:
            return
        message = self.held.pop(which % len(self.held))
        waits = state in (MessageState.QUEUED, MessageState.UNCERTAIN)
        end = Settlement(
            state=state,
            due_at=self.at + LEASE if waits else None,
            reason="",
            counted=True,
            axis_doc_id=None,
            settle_after=self.at + LEASE / 2 if state is MessageState.UNCERTAIN else None,
        )
        if message.state is MessageState.QUEUED:
            await self.store.outbox.begin_submit(message, at=self.at)
        await self.store.outbox.settle(message, end, at=self.at)

    async def divide(self, which, _):
        able = [m for m in self.held if len(m.recipients) > 1]
        if able:
            message = able[which % len(able)]
            self.held.remove(message)
            await self.store.outbox.divide(message, reason="18", at=self.at)

    async def fail_over(self, route, among):
        before = {row.id: row for row in await self._rows()}
        moved = await self.store.outbox.fail_over(route, among=among - {route}, at=self.at)
        changed = [(before[row.id], row) for row in await self._rows() if row.route != before[row.id].route]
        assert sum(moved.values()) == len(changed)
        leased = {
            m.id for m in self.held if before[m.id].lease_until is not None and before[m.id].lease_until >= self.at
        }
        for old, new in changed:
            assert (old.route, old.state, new.state, new.due_at) == (route, "queued", "queued", self.at)
            assert (old.id not in leased, new.lease_token, new.sequence) == (True, None, old.sequence)
            assert {new.route, *json.loads(new.alternatives)} == {old.route, *json.loads(old.alternatives)}

    async def hasten(self, *_):
        await self.store.outbox.hasten(ROUTE, at=self.at)

    async def requeue(self, which, _):
        stopped = [row.id for row in await self._rows() if row.state in ("held", "failed")]
        if stopped:
            again = sa.update(messages).where(messages.c.id == stopped[which % len(stopped)])
            await self.store.database.write(lambda conn: conn.execute(again.values(state="queued", due_at=self.at)))

    async def wait(self, minutes, _):
        self.at += minutes * LEASE

    async def finish(self):
        """Send all there is, requeueing what stopped: everything must find its turn."""
        for _ in range(200):
            self.at += 2 * LEASE
            await self.requeue(0, None)
            taken = [await self.lease(6, longest=False, route=route) for route in ROUTES]
            if not any(taken):
                break
            while self.held:
                await self.settle(0, MessageState.SENT)
        rows = await self._rows()
        assert {row.state for row in rows} <= {"sent"}
        count = sa.select(sa.func.count(), sa.func.count(message_deliveries.c.delivery.distinct()))
        links = await self.store.database.read(lambda conn: _one(conn, count))
        assert tuple(links) == (self.recipients, self.recipients)

    async def _rows(self):
        async def work(conn):
            return (await conn.execute(sa.select(messages))).all()

        return await self.store.database.read(work)


def blocks(older, younger) -> bool:
    """Whether one message must be settled before the other may be leased."""
    first, second = (row.sequence if row.place is None else row.place for row in (older, younger))
    lanes = {older.lane, younger.lane}
    same = older.ordering_key == younger.ordering_key and (len(lanes) == 1 or None in lanes)
    return same and first < second and older.state in OPEN


async def _one(conn, statement):
    return (await conn.execute(statement)).one()


async def run(where, story):
    store = await open_store(where)
    try:
        await store.directory.apply([*LISTED, make_directory_row("H97")], at=NOW)
        agencies = await store.directory.resolve([SENDER])
        outbox = Outbox(store=store, agency=agencies[SENDER].id)
        for name, *arguments in story:
            await getattr(outbox, name)(*arguments)
        await outbox.finish()
    finally:
        await store.close()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=steps)
def test_nothing_overtakes_an_older_one(fresh_database, story):
    """Whatever happens, a message leased has no open older one of its key and lane; in the end all are sent once."""
    with tempfile.TemporaryDirectory() as folder, fresh_database.empty(Path(folder)) as where:
        asyncio.run(run(where, story))
