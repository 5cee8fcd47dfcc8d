"""What docs/operators.md promises to somebody at 3 a.m.: log lines that name the document, queries that find it."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.domain.outcome import Rejected
from gateway.domain.packet import PacketKind
from tests.fakes.axis import Fate
from tests.make import make_attachment, make_document, make_organization
from tests.scenarios.world import OURS, PDF, THEIRS, World, make_letter, run_until_idle, submit

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


@pytest.fixture
def world(tmp_path):
    structlog.reset_defaults()  # whatever another test made of the levels
    return World(tmp_path)


def query_on(table: str) -> str:
    """The page's query that begins with this table."""
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (found,) = [block for block in blocks if re.search(rf"^FROM {table} ", block, flags=re.MULTILINE)]
    return found


def look(world: World, table: str) -> list[dict[str, object]]:
    """What the query shows, read as the page says: read-only, beside the running gateway."""
    with closing(sqlite3.connect(f"file:{world.folder / 'gateway.db'}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(query_on(table))]


async def test_the_log_leads_from_a_document_to_its_end(world):
    """Accepted and refused by the axis: both lines name the document id, the last is a warning with the reason."""
    world.axis.fates.append(Rejected(code="18", reason="unknown receiver"))
    with capture_logs() as lines:
        async with world.gateway() as gateway:
            result = await submit(gateway, make_letter())
            await run_until_idle(gateway)
    mine = [line for line in lines if line.get("document_id") == result.sent.document.document_id]
    assert [line["event"] for line in mine] == ["document.accepted", "message.settled"]
    assert mine[0]["name"] == f"documents/{result.sent.uid}"
    assert (mine[1]["log_level"], mine[1]["state"]) == ("warning", "failed")
    assert "unknown receiver" in mine[1]["reason"]
    json.dumps(mine)


async def test_a_retry_says_when_it_is_due(world):
    """The next attempt's time is an ISO instant, not a Python value."""
    world.axis.fates.append(Fate.LOSE_PACKET)
    with capture_logs() as lines:
        async with world.gateway() as gateway:
            await submit(gateway, make_letter())
            await gateway.send_due()
    (settled,) = [line for line in lines if line["event"] == "message.settled"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", settled["due_at"])


async def test_held_messages_are_found(world):
    """The page's query names document, recipients and reason of a held message, and nothing that went out."""
    world.axis.fates.append(Fate.LOSE_ANSWER)
    world.axis.askable = False
    async with world.gateway() as gateway:
        held = await submit(gateway, make_letter())
        await run_until_idle(gateway)
        await submit(gateway, make_letter(document_id="another"))
        await run_until_idle(gateway)
        (row,) = look(world, "messages")
    assert (row["state"], row["kind"]) == ("held", "edoc")
    assert (row["name"], row["document_id"]) == (f"documents/{held.sent.uid}", held.sent.document.document_id)
    assert sorted(str(row["recipients"]).split(",")) == ["H99.01", "H99.02"]
    assert row["reason"]


async def test_quarantined_packets_are_found_with_their_file(world):
    """The page's query names the defect, and the file below the blobs that holds the very bytes."""
    world.axis.put(b"no packet at all", kind=PacketKind.DOCUMENT)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        (row,) = look(world, "axis_items")
    assert (row["defect_code"], row["state"]) == ("NOT_XML", "rejected")
    (file,) = [path for path in world.folder.rglob("*") if path.as_posix().endswith(str(row["file"]))]
    assert file.read_bytes() == b"no packet at all"


async def test_waiting_documents_are_found(world):
    """The page's query names what no vendor system has taken."""
    document = make_document(
        sender=make_organization(THEIRS), to=(make_organization(OURS),), attachments=(make_attachment(PDF),)
    )
    world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        (row,) = look(world, "receptions")
    assert (row["recipient"], row["state"], row["document_id"]) == (OURS, "waiting", document.document_id)
