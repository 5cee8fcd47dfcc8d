"""What docs/operators.md promises to somebody at 3 a.m.: log lines that name the document, commands that repair."""

import json
import re
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.inbox import inbox
from gateway.cli.outbox import outbox
from gateway.domain.ids import OrganId
from gateway.domain.lifecycle import ItemState, MessageState
from gateway.domain.operating import Action, Order
from gateway.domain.outcome import Rejected
from gateway.domain.packet import PacketKind
from gateway.ports import MessageFilter
from tests.fakes.axis import Fate
from tests.make import ROUTE, make_attachment, make_directory_row, make_document, make_organization
from tests.scenarios.world import OURS, PDF, THEIRS, World, make_letter, run_until_idle, submit

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


@pytest.fixture
def world(tmp_path):
    structlog.reset_defaults()  # whatever another test made of the levels
    return World(tmp_path)


def page_commands() -> set[str]:
    """Every command that the page tells operators to type, without its arguments."""
    words = re.findall(
        r"`?lgsp-gateway ((?:outbox|inbox|packet) [a-z-]+|retention|audit)", PAGE.read_text(encoding="utf-8")
    )
    return set(words)


@pytest.mark.parametrize("command", sorted(page_commands()))
def test_the_page_names_commands_that_exist(command):
    """Whoever types what the page says gets that command's help, with the options the page names for it."""
    done = CliRunner().invoke(app, [*command.split(), "--help"], terminal_width=200)
    assert done.exit_code == 0
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if f"lgsp-gateway {command}" in line]
    named = {
        option
        for line in lines
        for call in re.findall(rf"lgsp-gateway {command}([^`]*)", line)
        for option in re.findall(r"--[a-z-]+", call)
    }
    assert {option for option in named if option not in done.output} == set()


def test_the_page_names_every_repair():
    """No command of `outbox` and `inbox` is left out of the page."""
    made = {
        f"{name} {typer_command.name or typer_command.callback.__name__}"
        for name, group in (("outbox", outbox), ("inbox", inbox))
        for typer_command in group.registered_commands
    }
    assert made <= page_commands()


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
    """The operators' desk names document, recipients and reason of a held message, and nothing that went out."""
    world.axis.fates.append(Fate.LOSE_ANSWER)
    world.axis.askable = False
    async with world.gateway() as gateway:
        held = await submit(gateway, make_letter())
        await run_until_idle(gateway)
        await submit(gateway, make_letter(document_id="another"))
        await run_until_idle(gateway)
        now, states = gateway.clock.now(), frozenset(MessageState) - {MessageState.SENT}
        (line,) = await gateway.store.operations.messages(MessageFilter(states=states), limit=9, at=now)
        facts = await gateway.store.operations.message(line.id, at=now)
    assert (line.state, facts.uid, line.document_id) == ("held", held.sent.uid, held.sent.document.document_id)
    assert line.first_recipients == ("H99.01", "H99.02")
    assert line.reason == facts.attempts[-1].reason != ""
    assert facts.first_submitted_at is not None


async def test_a_held_message_that_the_axis_lacks_is_sent_by_one_order(world):
    """The operator looked, the axis has nothing: one order, and it arrives once, as sent."""
    world.axis.fates.append(Fate.LOSE_PACKET)
    world.axis.askable = False
    async with world.gateway() as gateway:
        held = await submit(gateway, make_letter())
        await run_until_idle(gateway)
        now, states = gateway.clock.now(), frozenset({MessageState.HELD})
        (line,) = await gateway.store.operations.messages(MessageFilter(states=states), limit=9, at=now)
        order = Order(action=Action.MARK_NOT_SENT, operator="anna")
        await gateway.store.operations.carry_out(line.id, order, at=now)
        await run_until_idle(gateway)
        views = (await gateway.store.documents.get(held.sent.uid)).deliveries
    assert {view.state for view in views} == {"sent"}
    assert len(world.axis.taken) == 1


async def test_a_packet_for_nobody_is_taken_in_once_its_agency_is_known(world):
    """Quarantined and told `fail`; the directory learns the agency, the operator retakes, the vendor gets it."""
    late = OrganId("H98.77")
    document = make_document(
        sender=make_organization(THEIRS), to=(make_organization(late),), attachments=(make_attachment(PDF),)
    )
    world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        (problem,) = await gateway.store.operations.problems(limit=9)
        assert (problem.code, problem.told_at is not None) == ("NO_LOCAL_RECIPIENT", True)
        world.axis.rows = (*world.axis.rows, make_directory_row(late, parent_axis_id="axis-H98"))
        await gateway.directory.sync()
        now = gateway.clock.now()
        await gateway.store.operations.retake(ROUTE, problem.axis_doc_id, operator="anna", reason="", at=now)
        await gateway.poller.poll()
        (waiting,) = await gateway.store.operations.waiting(limit=9)
        states = await gateway.store.items.states(ROUTE, [problem.axis_doc_id])
    assert (waiting.recipient, waiting.document_id) == (late, document.document_id)
    assert states == {problem.axis_doc_id: ItemState.SETTLED}


async def test_waiting_documents_are_found(world):
    """The operators' desk names what no vendor system has taken."""
    document = make_document(
        sender=make_organization(THEIRS), to=(make_organization(OURS),), attachments=(make_attachment(PDF),)
    )
    world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        (line,) = await gateway.store.operations.waiting(limit=9)
    assert (line.recipient, line.state, line.document_id) == (OURS, "waiting", document.document_id)
