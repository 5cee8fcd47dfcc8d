"""`outbox`, `inbox`, `retention` and `audit` as processes, beside a store that is open and in use."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.domain.ids import AccountName
from gateway.domain.lifecycle import ItemState, MessageState
from gateway.domain.packet import PacketDefect
from gateway.ports.outbound import Settlement
from tests.contract.conftest import on_sqlite
from tests.fakes.terminal import Ended, run_beside
from tests.make import NOW, ROUTE, make_received

MINUTE = timedelta(minutes=1)


@pytest.fixture
def config(tmp_path, store_path) -> Path:
    (tmp_path / "trust").mkdir()
    where = f'path = "{store_path}"'
    if not isinstance(store_path, Path):
        (tmp_path / "url").write_text(store_path, encoding="utf-8")
        where = f'url_file = "{tmp_path / "url"}"'
    file = tmp_path / "gateway.toml"
    file.write_text(
        f"""
[server]
plaintext_loopback_vendor = "vendor"
[signatures]
trust_dir = "{tmp_path / "trust"}"
[axis.{ROUTE}]
endpoint = "http://127.0.0.1:1/"
system_id = "id"
secret = "dummy"
agencies = ["H98"]
[store]
{where}
[blobs]
path = "{tmp_path / "blobs"}"
[retention]
sent_days = 30
[[vendors]]
id = "vendor"
serves = ["H98"]
""",
        encoding="utf-8",
    )
    return file


async def run(config, *arguments) -> Ended:
    return await run_beside(*arguments, "--config", config)


def lines(done) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


async def message_in(world, state, at=NOW, reason="the answer was lost \x1b[2J"):
    taken = await world.store.documents.accept(world.acceptance(), at=at)
    (message,) = await world.store.outbox.lease("w", route=ROUTE, limit=9, lease_for=MINUTE, at=at)
    await world.store.outbox.begin_submit(message, at=at)
    end = Settlement(state=state, due_at=None, reason=reason, counted=True, axis_doc_id=None)
    await world.store.outbox.settle(message, end, at=at)
    return message.id, taken


async def test_a_held_message_is_found_shown_and_resolved(world, config):
    """On both databases, beside an open store: one command each, and the record says who did what and why."""
    message, taken = await message_in(world, MessageState.HELD)
    (listed,) = lines(await run(config, "outbox", "list", "--state", "held", "--older-than", "1d", "--json"))
    assert (listed["id"], listed["state"], listed["recipients"]) == (message, "held", 2)
    refused = await run(config, "outbox", "requeue", message, "--json")
    assert (refused.returncode, lines(refused)[0]["error"]["code"]) == (2, "MAY_ARRIVE_TWICE")
    done = await run(
        config, "outbox", "resolve", message, "--sent", "ax-1", "--operator", "anna", "--reason", "seen", "--json"
    )
    assert (done.returncode, lines(done)) == (0, [{"message": message, "before": "held", "after": "sent"}])
    (shown,) = lines(await run(config, "outbox", "show", message, "--json"))
    assert (shown["axis_doc_id"], shown["uid"]) == ("ax-1", taken.sent.uid)
    assert (shown["line"]["route"], shown["alternatives"]) == (ROUTE, [])
    assert [one["reason"] for one in shown["attempts"]] == [
        "the answer was lost \x1b[2J",
        "found on the axis by operator anna: seen",
    ]


@on_sqlite
async def test_the_way_of_a_message_is_shown(world, config):
    """Lists name the account, one message's facts also those that would take over, and what became of it when."""
    other = AccountName("provincial")
    await world.store.documents.accept(world.acceptance(via=(ROUTE, other)), at=NOW)
    await world.store.outbox.fail_over(ROUTE, among={other}, at=NOW)
    listed = (await run(config, "outbox", "list")).stdout.splitlines()
    assert "account" in listed[0]
    assert other in listed[1]
    (message,) = [line["id"] for line in lines(await run(config, "outbox", "list", "--json"))]
    shown = (await run(config, "outbox", "show", message)).stdout
    assert re.search(rf"account +{other}\n", shown)
    assert re.search(rf"or, if it is down +{ROUTE}\n", shown)
    assert f"account {ROUTE} is down; goes by {other}" in shown


@on_sqlite
async def test_the_terminal_is_not_steered(world, config):
    """A peer's control characters are shown as numbers, in lists and in one message's facts."""
    message, taken = await message_in(world, MessageState.HELD)
    for arguments in (("list",), ("show", message)):
        done = await run(config, "outbox", *arguments)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
        assert "\\u001b" in done.stdout
        assert message in done.stdout
    assert taken.sent.document.subject in done.stdout


@on_sqlite
async def test_many_are_requeued_after_a_word(world, config):
    """All failed messages go again with --yes, and not without."""
    ids = {(await message_in(world, MessageState.FAILED))[0] for _ in range(3)}
    refused = await run(config, "outbox", "requeue", "--state", "failed")
    assert (refused.returncode, "3 messages" in refused.stderr) == (2, True)
    done = await run(config, "outbox", "requeue", "--state", "failed", "--yes", "--json")
    assert {str(line["message"]) for line in lines(done)} == ids
    leased = await world.store.outbox.lease(
        "w", route=ROUTE, limit=9, lease_for=MINUTE, at=datetime.now(tz=UTC) + MINUTE
    )
    assert {message.id for message in leased} == ids
    busy = await run(config, "outbox", "give-up", leased[0].id, "--reason", "wrong", "--json")
    assert (busy.returncode, lines(busy)[0]["error"]["code"]) == (2, "LEASED")


@on_sqlite
async def test_a_queued_message_is_given_up(world, config):
    """It fails with the operator's reason, which its vendor reads."""
    taken = await world.store.documents.accept(world.acceptance(), at=NOW)
    (line,) = lines(await run(config, "outbox", "list", "--json"))
    done = await run(config, "outbox", "give-up", line["id"], "--reason", "sent on paper", "--operator", "anna")
    assert (done.returncode, done.stdout) == (0, f"{line['id']}: queued, now failed\n")
    views = (await world.store.documents.get(taken.sent.uid)).deliveries
    assert {(view.state, view.reason) for view in views} == {("failed", "given up by operator anna: sent on paper")}


@on_sqlite
@pytest.mark.parametrize(
    "arguments",
    [
        ("outbox", "requeue"),
        ("outbox", "requeue", "m", "--state", "held"),
        ("outbox", "resolve", "m"),
        ("outbox", "resolve", "m", "--sent", "x", "--not-sent"),
        ("outbox", "give-up", "m", "--reason", " "),
        ("outbox", "list", "--older-than", "soon"),
        ("inbox", "retake", "i", "--account", "other"),
    ],
)
async def test_wrong_usage(config, arguments):
    """Contradicting or missing words end with 64 and change nothing."""
    done = await run(config, *arguments)
    assert (done.returncode, done.stdout) == (64, "")


@on_sqlite
async def test_a_packet_in_quarantine_is_listed_and_retaken(world, config):
    """With its code; afterwards the poller finds it as if it had just been fetched."""
    received = make_received()
    item = received.item.axis_doc_id
    await world.store.items.record(received, at=NOW)
    await world.store.items.quarantine(received, PacketDefect(code="NO_LOCAL_RECIPIENT", path="To", message="nobody"))
    await world.store.items.told(ROUTE, [item], at=NOW)
    (problem,) = lines(await run(config, "inbox", "problems", "--json"))
    assert (problem["type"], problem["axis_doc_id"], problem["code"]) == ("packet", item, "NO_LOCAL_RECIPIENT")
    plain = await run(config, "inbox", "problems")
    assert (item in plain.stdout, "1 packets" in plain.stdout) == (True, True)
    done = await run(config, "inbox", "retake", item, "--reason", "agency added")
    assert (done.returncode, done.stdout.startswith(f"{item}: rejected, will be read again")) == (0, True)
    assert await world.store.items.states(ROUTE, [item]) == {item: ItemState.FETCHED}
    again = await run(config, "inbox", "retake", item, "--json")
    assert (again.returncode, lines(again)[0]["error"]["code"]) == (2, "WRONG_STATE")


async def test_what_is_old_goes_and_stays_known(world, config):
    """The dry run counts, the run removes what it counted, the audit still tells; no other kind is touched."""
    _, old = await message_in(world, MessageState.FAILED)
    await world.store.documents.accept(world.acceptance(), at=datetime.now(tz=UTC))
    (forecast,) = lines(await run(config, "retention", "--dry-run", "--json"))
    assert (forecast["kind"], forecast["count"], forecast["oldest"]) == ("sent", 1, NOW.isoformat())
    assert await world.store.documents.get(old.sent.uid) is not None
    assert lines(await run(config, "retention", "--json")) == [{"kind": "sent", "removed": 1}]
    assert await world.store.documents.get(old.sent.uid) is None
    name = old.sent.document.document_id
    (entry,) = lines(await run(config, "audit", "--document-id", name, "--json"))
    assert (entry["kind"], entry["key"], entry["policy"]) == ("document", old.sent.uid, "sent_days=30")
    plain = await run(config, "audit", "--document-id", name)
    assert all(word in plain.stdout for word in (old.sent.uid, "sent_days=30", "state=failed"))
    unknown = await run(config, "audit", "--document-id", "none", "--json")
    assert (unknown.returncode, lines(unknown)[0]["error"]["code"]) == (2, "DOCUMENT_UNKNOWN")


@on_sqlite
async def test_without_a_store_every_command_refuses(config, store_path):
    """A configuration whose store does not exist yet: nothing is made, exit 2."""
    store_path.unlink()
    done = await run(config, "outbox", "list", "--json")
    assert (done.returncode, lines(done)[0]["error"]["code"]) == (2, "STORE_UNAVAILABLE")
    assert not store_path.exists()
