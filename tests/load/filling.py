"""Fills a store with documents whose story is over, by SQL alone: what years of traffic leave behind.

Half were sent, half received. The rows are such as the store's own calls write; only their keys are made of a number.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from gateway.domain.agency import code_key
from gateway.domain.ids import AgencyId, OrganId
from gateway.store.codec import to_json
from gateway.store.rows import header_json
from tests.make import NOW, RECIPIENT, make_document, make_organization, make_status, make_verdict

SENDERS = 100
RECIPIENTS = 60
_NOW = int(NOW.timestamp()) * 1_000_000
_SECOND = 1_000_000
_SCRAMBLED = "(n * 2654435761) % 4294967296"
"""Keys in no order, as random ones are."""
_IDS = {
    "sqlite": f"printf('%08x', {_SCRAMBLED}) || printf('%024x', n)",
    "postgres": f"lpad(to_hex({_SCRAMBLED}), 8, '0') || lpad(to_hex(n), 24, '0')",
}
_TEXT = {"sqlite": "TEXT", "postgres": 'TEXT COLLATE "C"'}

_STATEMENTS = """
INSERT INTO blobs (sha256, object_key, size) SELECT 'a' || id || id, 'ka' || id, 250000 FROM fill;
INSERT INTO documents (uid, vendor, agency, sender_code, document_id, document_key, code_key, business_type,
  content_digest, header, accepted_at)
  SELECT f.id, 'vendor-a', s.agency, s.code_key, s.code || ',2025/03/02,' || f.n || '/TN', s.code || ',2025/03/02,' ||
  f.n || '/TN', f.n || '/TN-VP', 0, f.id || f.id, replace(s.header, '#', CAST(f.n AS TEXT)), f.at
  FROM fill f JOIN fill_senders s ON s.n = f.n % {senders};
INSERT INTO requests (vendor, request_id, request_digest, document) SELECT 'vendor-a', id, id || id, id FROM fill;
INSERT INTO attachments (document, position, name, media_type, size, sha256, role, description, verdict)
  SELECT id, 0, 'van-ban.pdf', 'application/pdf', 250000, 'a' || id || id, 'main', '', '{verdict}' FROM fill;
INSERT INTO deliveries (id, document, position, recipient_code, recipient_key, state, attempts, reason, last_status,
  axis_doc_id, updated_at)
  SELECT 'd' || k.n || f.id, f.id, k.n, r.code, r.code_key,
  CASE WHEN f.n % 200 = 0 THEN 'failed' ELSE 'sent' END, 1, '', '03', 'x' || f.id, f.at + {second}
  FROM fill f JOIN (SELECT 0 AS n UNION ALL SELECT 1) k ON k.n = 0 OR f.n % 5 = 0
  JOIN fill_recipients r ON r.n = (f.n + k.n) % {recipients};
INSERT INTO messages (id, sequence, kind, route, ordering_key, lane, priority, state, attempts, reason, created_at,
  started_at, first_submitted_at, sent_at, axis_doc_id, document, deadline_at)
  SELECT id, 2 * n, 'document', 'national', 'national|' || id, 0, 0,
  CASE WHEN n % 200 = 0 THEN 'failed' ELSE 'sent' END, 1, '', at, at, at,
  CASE WHEN n % 200 <> 0 THEN at + {second} END, 'x' || id, id, at + {day} FROM fill;
INSERT INTO message_deliveries (message, delivery) SELECT document, id FROM deliveries;
INSERT INTO events (position, at, agency, resource, document_id, recipient_code, kind, payload)
  SELECT 3 * f.n + k.n, f.at + k.n, s.agency, 'documents/' || f.id, f.n || '/TN', '{recipient}', k.kind, k.payload
  FROM fill f JOIN fill_senders s ON s.n = f.n % {senders}
  CROSS JOIN (SELECT 0 AS n, 'delivery' AS kind, '{queued}' AS payload UNION ALL SELECT 1, 'delivery', '{sent}'
  UNION ALL SELECT 2, 'status', '{status}') k;
INSERT INTO statuses_in (subject, code, stamp, placed_at) SELECT id, '03', '', updated_at FROM deliveries;
INSERT INTO blobs (sha256, object_key, size) SELECT 'r' || id || id, 'kr' || id, 9000 FROM fill;
INSERT INTO blobs (sha256, object_key, size) SELECT 'i' || id || id, 'ki' || id, 250000 FROM fill;
INSERT INTO axis_items (account, axis_doc_id, kind, recipients, raw, state, recorded_at, told_at, packet_sha256,
  packet_size) SELECT 'national', 'y' || id, 'document', '["{recipient}"]', 'r' || id || id, 'settled', at,
  at + {second}, 'p' || id || id, 340000 FROM fill;
INSERT INTO packet_parts (account, axis_doc_id, position, "offset", length, sha256)
  SELECT 'national', 'y' || id, 0, 8000, 333000, 'i' || id || id FROM fill;
INSERT INTO inbound_documents (id, business_type, sender_code, document_id, variant, document_key, code_key,
  content_digest, header, warnings, account, axis_doc_id, received_at)
  SELECT 'i' || f.id, 0, r.code_key, f.n || '/TN', '', f.n || '/TN', f.n || '/TN-VP', f.id || f.id,
  replace(r.header, '#', CAST(f.n AS TEXT)), '[]', 'national', 'y' || f.id, f.at
  FROM fill f JOIN fill_recipients r ON r.n = f.n % {recipients};
INSERT INTO inbound_attachments (document, position, name, media_type, size, sha256, role, description, verdict)
  SELECT 'i' || id, 0, 'van-ban.pdf', 'application/pdf', 250000, 'i' || id || id, 'main', '', '{verdict}' FROM fill;
INSERT INTO receptions (id, document, agency, state, priority, received_at, ack_id, delivery_attempt, refusal)
  SELECT 'e' || f.id, 'i' || f.id, s.agency, 'acknowledged', 0, f.at, f.id, 1, ''
  FROM fill f JOIN fill_senders s ON s.n = f.n % {senders};
INSERT INTO statuses_out (reception, request_id, code, once, reported_at)
  SELECT 'e' || id, 'q', '03', '03', at FROM fill;
INSERT INTO messages (id, sequence, kind, route, ordering_key, lane, priority, state, attempts, reason, created_at,
  started_at, first_submitted_at, sent_at, axis_doc_id, report)
  SELECT 's' || id, 2 * n + 1, 'status', 'national', 'national|status|' || id, 0, 0, 'sent', 1, '', at, at, at,
  at + {second}, 'z' || id, '{status}' FROM fill;
INSERT INTO attempts (message, number, started_at, ended_at, state, reason, counted)
  SELECT id, 1, started_at, started_at + {second}, state, '', {true} FROM messages;
UPDATE counters SET value = 4 * (SELECT max(n) FROM fill) + 9;
"""


def _statements(kind: str, made: int) -> list[str]:
    status = to_json(make_status())
    assert "'" not in status
    values = {
        "senders": SENDERS,
        "recipients": RECIPIENTS,
        "second": _SECOND,
        "day": 86_400 * _SECOND,
        "recipient": RECIPIENT,
        "verdict": to_json(make_verdict()),
        "queued": '{"state":"queued","attempts":0,"reason":""}',
        "sent": '{"state":"sent","attempts":1,"reason":""}',
        "status": status,
        "true": "1" if kind == "sqlite" else "true",
    }
    numbers = f"WITH RECURSIVE s(n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM s WHERE n < {made})"
    fill = f"CREATE TABLE fill (n BIGINT PRIMARY KEY, id {_TEXT[kind]}, at BIGINT)"
    rows = f"INSERT INTO fill {numbers} SELECT n, {_IDS[kind]}, {_NOW} - ({made} - n + 60) * {_SECOND} FROM s"
    return [fill, rows, *_STATEMENTS.format_map(values).split(";\n")[:-1], "DROP TABLE fill"]


def _organs(kind: str, agencies: Mapping[OrganId, AgencyId]) -> list[tuple[str, list[tuple[object, ...]]]]:
    """Tables of who sends and who receives, each with a header of a document of its own."""
    senders = [
        (
            n,
            agencies[code],
            code,
            code_key(code),
            header_json(make_document(sender=make_organization(code), subject="#")),
        )
        for n, code in enumerate(sender(n) for n in range(SENDERS))
    ]
    far = [
        (n, "", code, code_key(code), header_json(make_document(sender=make_organization(code), subject="#")))
        for n, code in enumerate(recipient(n) for n in range(RECIPIENTS))
    ]
    text = _TEXT[kind]
    columns = f"(n BIGINT, agency {text}, code {text}, code_key {text}, header {text})"
    return [(f"fill_senders {columns}", senders), (f"fill_recipients {columns}", far)]


def sender(n: int) -> OrganId:
    """Code of a unit that sends."""
    return OrganId(f"000.00.{n + 100}.H98")


def recipient(n: int) -> OrganId:
    """Code of an agency elsewhere."""
    return OrganId(f"000.00.{n + 100}.H99")


def fill_sqlite(path: Path, agencies: Mapping[OrganId, AgencyId], documents: int) -> None:
    """Put documents into a migrated file; nobody else has it open."""
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -600000", "temp_store = MEMORY"):
        database.execute(f"PRAGMA {pragma}")
    found = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    indices = dict(database.execute(found).fetchall())
    database.execute("BEGIN")
    for name in indices:
        database.execute(f"DROP INDEX {name}")
    for table, values in _organs("sqlite", agencies):
        database.execute(f"CREATE TABLE {table}")
        database.executemany(f"INSERT INTO {table.split()[0]} VALUES (?, ?, ?, ?, ?)", values)
    for statement in _statements("sqlite", documents // 2):
        database.execute(statement)
    for made in indices.values():
        database.execute(made)
    database.execute("DROP TABLE fill_senders")
    database.execute("DROP TABLE fill_recipients")
    database.execute("COMMIT")
    database.close()


async def fill_postgres(url: str, agencies: Mapping[OrganId, AgencyId], documents: int) -> None:
    """Put documents into a migrated database, then do what autovacuum would."""
    database = await asyncpg.connect(url)
    await database.execute("SET session_replication_role = replica")
    await database.execute("SET maintenance_work_mem = '256MB'")
    await database.execute("SET work_mem = '64MB'")
    found = await database.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
    )
    for row in found:
        await database.execute(f"DROP INDEX {row['indexname']}")
    for table, values in _organs("postgres", agencies):
        await database.execute(f"CREATE TABLE {table}")
        await database.executemany(f"INSERT INTO {table.split()[0]} VALUES ($1, $2, $3, $4, $5)", values)
    for statement in _statements("postgres", documents // 2):
        await database.execute(statement)
    for row in found:
        await database.execute(row["indexdef"])
    await database.execute("DROP TABLE fill_senders")
    await database.execute("DROP TABLE fill_recipients")
    await database.execute("VACUUM ANALYZE")
    await database.close()
