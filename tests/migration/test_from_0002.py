"""A store of release 0002, in both databases: what it queued is sent, and it can go on writing beside this release."""

import asyncio
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from gateway.domain.ids import DocumentUid
from gateway.domain.lifecycle import DeliveryState, MessageState
from gateway.ports.outbound import Settlement
from gateway.store import engine, history, migrate, open_store, rows, upgrade
from tests.fakes.postgres import running_postgres
from tests.make import NOW, ROUTE, make_document

MINUTE = timedelta(minutes=1)
SENT = Settlement(state=MessageState.SENT, due_at=None, reason="", counted=True, axis_doc_id=None)
AT = int(NOW.timestamp()) * 1_000_000
NOBODY = {"name": "A", "search": "a", "email": ""}
STATE = {"state": "queued", "attempts": 0, "reason": ""}


def document(uid, number):
    """The rows of a document with one recipient, queued, with the columns that release 0002 fills."""
    key = f"order-{uid}"
    words = {"document_id": key, "document_key": key, "code_key": "1/x", "content_digest": "c"}
    header = rows.header_json(make_document())
    message = {"id": f"m-{uid}", "sequence": number, "kind": "document", "route": ROUTE, "ordering_key": key}
    return (
        (
            "documents",
            {"uid": uid, "vendor": "v", "agency": "a", "sender_code": "h98", "business_type": 0}
            | words
            | {"header": header, "accepted_at": AT},
        ),
        (
            "deliveries",
            {"id": f"d-{uid}", "document": uid, "position": 0, "recipient_code": "H99", "recipient_key": "h99"}
            | STATE
            | {"last_status": "", "updated_at": AT},
        ),
        ("messages", message | STATE | {"lane": 0, "priority": 0, "due_at": AT, "created_at": AT, "document": uid}),
        ("message_deliveries", {"message": f"m-{uid}", "delivery": f"d-{uid}"}),
    )


AGENCY = {"id": "a", "axis_id": "x", "code": "H98", "code_key": "h98", "active": True, "valid_from": 0} | NOBODY
ROWS = (("agencies", AGENCY), *document("old", 1))
LEASE = """UPDATE messages SET lease_token = 't', lease_owner = '0002', lease_until = :until
WHERE id = :id AND due_at <= :at AND (lease_until IS NULL OR lease_until < :at)"""
SETTLE = """UPDATE messages SET state = 'sent', attempts = attempts + 1, sent_at = :at, due_at = NULL,
lease_token = NULL, lease_owner = NULL, lease_until = NULL WHERE id = :id AND lease_token = 't'"""
"""What release 0002 says when it leases and ends a message."""


def on(where, work):
    """Run a function of a synchronous connection in a transaction."""
    return migrate._on(engine.place(where), work, write=True)


def write(where, content):
    def work(connection):
        for table, row in content:
            names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({places})"), row)
        connection.execute(sa.text("UPDATE counters SET value = 9 WHERE name = 'messages'"))

    on(where, work)


def upgrade_to_0002(where):
    on(where, lambda connection: history.apply(connection, "0002"))


def say(where, statement, **values):
    """How many rows a statement of release 0002 changed."""
    return on(where, lambda connection: connection.execute(sa.text(statement), values).rowcount)


@pytest.fixture(scope="module")
def server():
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def where(request, tmp_path):
    """An empty database."""
    if request.param == "sqlite":
        yield tmp_path / "store.db"
        return
    server = request.getfixturevalue("server")
    name = server.create()
    yield server.url(name)
    server.drop(name)


async def leased(store, at):
    return await store.outbox.lease("w", route=ROUTE, limit=9, lease_for=MINUTE, at=at)


@pytest.fixture(params=["written, then upgraded", "upgraded, then written"])
def old_store(request, where):
    """A store with rows of 0002, made before or after the schema became this release's."""
    upgrade_to_0002(where)
    if request.param.startswith("upgraded"):
        upgrade(where)
    write(where, ROWS)
    upgrade(where)
    return where


async def test_what_0002_queued_is_sent(old_store):
    """A message of the earlier release is leased, sent and settled by this one; what is new in it is absent."""
    store = await open_store(old_store)
    (message,) = await leased(store, NOW)
    assert (message.id, message.deadline_at, message.attempts) == ("m-old", None, 0)
    assert await store.outbox.begin_submit(message, at=NOW)
    assert await store.outbox.settle(message, SENT, at=NOW)
    (delivery,) = (await store.documents.get(DocumentUid("old"))).deliveries
    assert delivery.state is DeliveryState.SENT
    assert await leased(store, NOW + MINUTE * 2) == ()
    await store.close()


def test_0002_goes_on_beside_this_release(old_store):
    """While replicas are replaced, each release respects the other's leases, and what one wrote the other ends."""

    async def ours(at: datetime):
        store = await open_store(old_store)
        try:
            return [message.id for message in await leased(store, at)]
        finally:
            await store.close()

    until = AT + 60_000_000
    assert say(old_store, LEASE, id="m-old", at=AT, until=until) == 1
    write(old_store, document("new", 2))
    assert asyncio.run(ours(NOW)) == ["m-new"]
    assert say(old_store, LEASE, id="m-new", at=AT, until=until) == 0
    assert say(old_store, SETTLE, id="m-old", at=AT) == 1
    assert asyncio.run(ours(NOW + MINUTE * 2)) == ["m-new"]
    assert say(old_store, LEASE, id="m-new", at=AT + 300_000_000, until=AT + 360_000_000) == 1


def test_0001_becomes_this_release_in_one_go(where):
    """A store two releases old comes to the newest revision, rows and all."""
    on(where, lambda connection: history.apply(connection, "0001"))
    write(where, ROWS)
    upgrade(where)
    assert on(where, lambda connection: connection.scalar(sa.text("SELECT version_num FROM alembic_version"))) == "0004"
    assert on(where, lambda connection: connection.scalar(sa.text("SELECT count(*) FROM messages"))) == 1
