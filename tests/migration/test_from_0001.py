"""A store of release 0001: its data survive, and its release can go on writing beside this one's schema."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.document import Document
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AxisDocId, DocumentUid, ReceptionId
from gateway.domain.lifecycle import ItemState
from gateway.ports import Original
from gateway.store import history, migrate, open_beside, open_store, upgrade
from gateway.store.codec import from_json
from tests.make import ROUTE, make_stored

HEADER = """{"sender":{"organ_id":"H99.01","organ_name":"Cơ quan A","organization_in_charge":"","organ_add":"",
"email":"","telephone":"","fax":"","website":""},"to":[{"organ_id":"H98.01","organ_name":"","organization_in_charge":"",
"organ_add":"","email":"","telephone":"","fax":"","website":""}],"document_id":"H99.01,2026/03/02,1/TN-VP",
"code_number":"1","code_notation":"TN-VP","promulgation_place":"","promulgation_date":"2026-03-02","subject":"V/v thử",
"document_type":{"type":2,"type_detail":1,"type_name":"Công văn"},"business_type":0,"content":"",
"signer_info":{"competence":"","position":"","full_name":""},"due_date":null,"to_places":[],
"other_info":{"priority":1,"sphere_of_promulgation":"","typer_notation":"","promulgation_amount":0,"page_amount":2,
"appendixes":["a"]},"response_for":[{"organ_id":"H98.01","code":"9/X","promulgation_date":null,"document_id":""}],
"steering_type":1,"business":{"reason":"","document_id":"","document_info_changed":false,
"document_receiver_changed":false,"receivers":[],"staff_info":{"department":"Văn phòng","staff":"","mobile":"",
"email":""},"paper":true,"replacements":[]},"trace":[{"organ_id":"H99","timestamp":"2026/03/02 09:30:00"}],
"attachments":[]}"""
"""A document's header as release 0001 wrote it."""

MAIN, RAW = make_stored(b"main"), make_stored(b"raw packet")
IDENTITY = {
    "sender_code": "h99.01",
    "document_id": "x",
    "document_key": "x",
    "code_key": "1/tn-vp",
    "business_type": 0,
    "content_digest": "c",
    "header": HEADER,
}
ATTACHMENT = {
    "position": 0,
    "name": "a.pdf",
    "media_type": "application/pdf",
    "size": MAIN.size,
    "sha256": MAIN.digest,
    "role": "main",
    "description": "",
    "verdict": None,
}
ITEM = {"account": ROUTE, "axis_doc_id": "i"}
AGENCY = {"id": "a", "axis_id": "x", "parent_id": None, "code": "H98.01", "code_key": "h98.01", "name": "B"}
RECEPTION = {"id": "e", "document": "r", "agency": "a", "state": "waiting", "priority": 0, "received_at": 0}
ROWS = (
    ("agencies", AGENCY | {"search": "b", "email": "", "active": 1, "valid_from": 0}),
    ("blobs", {"sha256": MAIN.digest, "object_key": MAIN.key, "size": MAIN.size}),
    ("blobs", {"sha256": RAW.digest, "object_key": RAW.key, "size": RAW.size}),
    ("documents", IDENTITY | {"uid": "d", "vendor": "v", "agency": "a", "accepted_at": 0}),
    ("attachments", ATTACHMENT | {"document": "d"}),
    (
        "axis_items",
        ITEM | {"kind": "edoc", "recipients": "[]", "raw": RAW.digest, "state": "stored", "recorded_at": 0},
    ),
    ("inbound_documents", IDENTITY | ITEM | {"id": "r", "variant": "", "warnings": "[]", "received_at": 0}),
    ("inbound_attachments", ATTACHMENT | {"document": "r"}),
    ("receptions", RECEPTION | {"waiting_since": 0, "delivery_attempt": 0, "refusal": ""}),
)
"""One row in every table that 0002 touches or that hangs on one, with the columns that release 0001 fills."""


def write_rows(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        for table, row in ROWS:
            names, places = ", ".join(row), ", ".join("?" * len(row))
            database.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(row.values()))
        database.commit()


def upgrade_to_0001(path):
    migrate._on(path, lambda connection: history.apply(connection, "0001"), write=True)


@pytest.fixture(params=["written, then upgraded", "upgraded, then written"])
def old_store(request, tmp_path):
    """A store with rows of 0001, made before or after the schema became this release's."""
    path = tmp_path / "store.db"
    steps = [upgrade_to_0001, write_rows, upgrade]
    if request.param.startswith("upgraded"):
        steps = [upgrade_to_0001, upgrade, write_rows]
    for step in steps:
        step(path)
    return path


async def test_what_0001_wrote_is_read(old_store):
    """Documents, attachments, receptions and items of the earlier release are whole; what is new has its default."""
    store = await open_store(old_store)
    sent = await store.documents.get(DocumentUid("d"))
    entry = await store.receptions.get(ReceptionId("e"))
    items = await store.items.unfinished(ROUTE, limit=9)
    original = await store.items.original(ROUTE, AxisDocId("i"))
    await store.close()
    for document in (sent.document, entry.document):
        (attachment,) = document.attachments
        assert (attachment.sha256, attachment.field_name, attachment.mime_type, attachment.format) == (
            MAIN.digest,
            "",
            "",
            "",
        )
        assert replace(document, attachments=()) == from_json(Document, HEADER)
    assert [(item.state, item.received.raw) for item in items] == [(ItemState.STORED, RAW)]
    assert original == Original(digest=RAW.digest, size=RAW.size, kept=RAW)


def test_a_header_of_0001_takes_defaults():
    """Fields that the earlier release did not know are empty, and what it knew is as it was."""
    document = from_json(Document, HEADER)
    assert (document.application_type, document.task_codes, document.other_info.reply_fors) == ("", (), ())
    assert (document.business.staff_info.department_id, document.other_info.direction) == ("", False)
    assert (document.subject, document.business_type, document.business.paper) == ("V/v thử", 0, True)
    assert document.response_for[0].code == "9/X"


async def test_a_store_of_0001_is_not_read_beside(tmp_path):
    """What reads beside a gateway changes nothing: an earlier schema, or none, is refused and left as it is."""
    path = tmp_path / "store.db"
    for prepare in (lambda _: None, Path.touch, upgrade_to_0001):
        prepare(path)
        with pytest.raises(GatewayError) as caught:
            await open_beside(path)
        assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
