"""backup, restore and adopt as processes: exit codes, one JSON value, what is on disk afterwards."""

import json
import os
import shutil
import signal
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.blobs.content import LocalBlobs
from gateway.blobs.holding import held, holding
from gateway.bootstrap.parts import SystemClock, exclusive
from gateway.domain.packet import StoredObject
from gateway.sandbox.demo.processes import until
from gateway.store import Store, open_store
from tests.contract.conftest import LISTED, VENDOR_A
from tests.fakes.places import Place, place_at
from tests.fakes.terminal import Ended, run_beside, started
from tests.make import NOW, SENDER, make_acceptance, make_attachment, make_document


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """An open store with documents and their objects."""

    place: Place
    store: Store

    async def add(self, content: bytes) -> StoredObject:
        """Accept one more document with this content."""
        async with LocalBlobs(self.place.blobs, clock=SystemClock()).writer(limit=10_000_000) as writer:
            await writer.write(content)
            stored = await writer.finish()
        agencies = await self.store.directory.resolve([SENDER])
        document = make_document(attachments=(make_attachment(content),))
        acceptance = make_acceptance(document, agency=agencies[SENDER].id, vendor=VENDOR_A, objects=(stored,))
        await self.store.documents.accept(acceptance, at=NOW)
        return stored


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    place = place_at(tmp_path / "live")
    store = await open_store(place.database)
    await store.directory.apply(LISTED, at=NOW)
    yield Live(place=place, store=store)
    await store.close()


def outcome(ended: Ended) -> tuple[int, dict[str, Any]]:
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, json.loads(ended.stdout) if ended.stdout else {}


async def run(*arguments: str | Path, largest_file: int | None = None) -> tuple[int, dict[str, Any]]:
    return outcome(await run_beside(*arguments, largest_file=largest_file))


async def make_backup(live: Live, target: Path) -> dict[str, Any]:
    code, said = await run("backup", target, "--config", live.place.config)
    assert code == 0, said
    return said


def reason(done: tuple[int, dict[str, Any]]) -> str:
    code, said = done
    assert code == 2, said
    return str(said["error"]["code"])


def backups(target: Path) -> list[str]:
    return sorted(path.name for path in target.iterdir() if path.is_dir() and path.name != "objects")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def arrives_at_objects(target: Path) -> bool:
    return any((target / "objects").glob("*"))


def digests(folder: Path) -> set[str]:
    return {sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


async def test_there_and_back(live: Live, tmp_path: Path) -> None:
    """A backup made beside an open store brings back every document and byte in a new epoch, for its owner alone."""
    contents = [os.urandom(3_000_000), b"two", b"three"]
    for content in contents:
        await live.add(content)
    made = await make_backup(live, tmp_path / "backups")
    size = sum(map(len, contents))
    assert (made["documents"], made["objects"], made["object_bytes"], made["copied_bytes"]) == (3, 3, size, size)
    assert made["messages"] == {"queued": 3}
    kept = [path for path in (tmp_path / "backups").rglob("*") if not path.name.endswith(".lock")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o700, 0o600}
    assert files(Path(made["path"])) == ["gateway.db", "manifest.json"]
    place = place_at(tmp_path / "again")
    code, said = await run("restore", made["path"], "--config", place.config)
    assert code == 0, said
    assert (said["documents"], said["objects"], said["lost"], said["asked"]) == (3, 3, 0, 3)
    assert said["ask_first_hours"] == 72
    assert digests(place.blobs) == {sha256(content).hexdigest() for content in contents}
    store = await open_store(place.database)
    try:
        assert (await store.events.head()).epoch == said["epoch"] != (await live.store.events.head()).epoch
    finally:
        await store.close()


async def test_the_second_backup_copies_what_is_new(live: Live, tmp_path: Path) -> None:
    """Backups in one folder share their objects; one that was damaged there is replaced; each can be restored."""
    target = tmp_path / "backups"
    old = await live.add(b"old")
    first = await make_backup(live, target)
    await live.add(b"new")
    second = await make_backup(live, target)
    assert (second["objects"], second["copied"], second["copied_bytes"]) == (2, 1, 3)
    (target / "objects" / old.key).write_bytes(b"odd")
    third = await make_backup(live, target)
    assert (third["copied"], third["copied_bytes"]) == (1, 3)
    assert backups(target) == [Path(made["path"]).name for made in (first, second, third)]
    for name, made in (("one", first), ("two", second)):
        place = place_at(tmp_path / name)
        assert (await run("restore", made["path"], "--config", place.config))[0] == 0
    assert digests(tmp_path / "one" / "blobs") == {sha256(b"old").hexdigest()}
    assert digests(tmp_path / "two" / "blobs") == {sha256(b"old").hexdigest(), sha256(b"new").hexdigest()}


@pytest.mark.parametrize("content", [None, b"bzd", b"longer"])
async def test_a_store_that_lacks_an_object_is_not_backed_up(live: Live, tmp_path: Path, content: bytes | None) -> None:
    """Missing or changed, the object's documents are named, and only earlier backups are there afterwards."""
    target = tmp_path / "backups"
    made = await make_backup(live, target)
    await live.add(b"good")
    stored = await live.add(b"bad")
    live.place.object(stored).unlink()
    if content is not None:
        live.place.object(stored).write_bytes(content)
    done = await run("backup", target, "--config", live.place.config)
    assert reason(done) == "OBJECTS_MISSING"
    (named,) = done[1]["error"]["concerned"]
    assert named.startswith("documents/")
    assert backups(target) == [Path(made["path"]).name]


async def test_a_killed_backup_is_none(live: Live, tmp_path: Path) -> None:
    """SIGKILL in the middle leaves a folder that nobody takes for a backup; the next backup removes it."""
    target = tmp_path / "backups"
    first = await make_backup(live, target)
    stored = await live.add(b"content")
    live.place.object(stored).unlink()
    os.mkfifo(live.place.object(stored))  # opening it waits for ever
    with started("backup", target, "--config", live.place.config) as process:
        await until(lambda: arrives_at_objects(target), within=30, what="the backup is at the objects")
        assert held(live.place.blobs)
        process.kill()
        assert process.wait().returncode == -signal.SIGKILL
    (half,) = set(backups(target)) - {Path(first["path"]).name}
    place = place_at(tmp_path / "again")
    assert reason(await run("restore", target / half, "--config", place.config)) == "NOT_A_BACKUP"
    assert not held(live.place.blobs)
    live.place.object(stored).unlink()
    live.place.object(stored).write_bytes(b"content")
    second = await make_backup(live, target)
    assert backups(target) == [Path(made["path"]).name for made in (first, second)]


async def test_a_full_disk_leaves_earlier_backups(live: Live, tmp_path: Path) -> None:
    """Where an object cannot be written the command fails, and what was there is all there is."""
    target = tmp_path / "backups"
    first = await make_backup(live, target)
    await live.add(os.urandom(4_000_000))
    before = digests(target)
    code, said = await run("backup", target, "--config", live.place.config, largest_file=3_000_000)
    assert (code, said) == (1, {})
    assert digests(target) == before
    assert backups(target) == [Path(first["path"]).name]


async def test_nothing_is_removed_while_a_backup_copies(tmp_path: Path) -> None:
    """Objects discarded while a backup holds stay until the sweep comes again."""
    blobs = LocalBlobs(tmp_path / "blobs", clock=SystemClock())
    async with blobs.writer(limit=10) as writer:
        await writer.write(b"content")
        stored = await writer.finish()
    with holding(tmp_path / "blobs") as alone:
        assert alone
        await blobs.discard([stored.key])
        assert (tmp_path / "blobs" / stored.key).exists()
    await blobs.discard([stored.key])
    assert not (tmp_path / "blobs" / stored.key).exists()


async def test_one_backup_at_a_time(live: Live, tmp_path: Path) -> None:
    """A second backup of one store, or into one folder, is refused while the first runs."""
    with holding(live.place.blobs):
        assert reason(await run("backup", tmp_path / "backups", "--config", live.place.config)) == "BUSY"
    with exclusive(tmp_path / "backups" / "backup"):
        assert reason(await run("backup", tmp_path / "backups", "--config", live.place.config)) == "BUSY"


async def test_only_an_embedded_store_is_copied(tmp_path: Path) -> None:
    """With PostgreSQL, backup and restore say that there is another way."""
    place = place_at(tmp_path / "server", store='url = "postgresql://nobody@127.0.0.1:1/none"')
    for command in ("backup", "restore"):
        assert reason(await run(command, tmp_path / "there", "--config", place.config)) == "NOT_EMBEDDED"


async def test_a_store_that_is_not_there_is_not_backed_up(tmp_path: Path) -> None:
    """Without a store there is nothing to copy, and nothing is made."""
    place = place_at(tmp_path / "empty")
    assert reason(await run("backup", tmp_path / "backups", "--config", place.config)) == "STORE_UNAVAILABLE"
    assert not (tmp_path / "backups").exists()


async def test_nothing_is_restored_over_anything(live: Live, tmp_path: Path) -> None:
    """A store, objects, or a gateway that runs there keep a restore away."""
    await live.add(b"content")
    made = await make_backup(live, tmp_path / "backups")
    before = live.place.database.read_bytes()
    assert reason(await run("restore", made["path"], "--config", live.place.config)) == "NOT_EMPTY"
    assert live.place.database.read_bytes() == before
    place = place_at(tmp_path / "again")
    with exclusive(place.database):
        assert reason(await run("restore", made["path"], "--config", place.config)) == "BUSY"
    (place.blobs / "20260101").mkdir(parents=True)
    (place.blobs / "20260101" / "somebody's").write_bytes(b"")
    assert reason(await run("restore", made["path"], "--config", place.config)) == "NOT_EMPTY"
    assert not place.database.exists()


async def test_a_damaged_backup_is_not_restored_until_repaired(live: Live, tmp_path: Path) -> None:
    """Another database or object is refused and leaves no store; once it is repaired, the command goes on."""
    stored = await live.add(b"content")
    made = await make_backup(live, tmp_path / "backups")
    place = place_at(tmp_path / "again")
    database = Path(made["path"]) / "gateway.db"
    whole = database.read_bytes()
    database.write_bytes(whole[:-1] + b"x")
    assert reason(await run("restore", made["path"], "--config", place.config)) == "DATABASE_DAMAGED"
    database.write_bytes(whole)
    kept = tmp_path / "backups" / "objects" / stored.key
    kept.write_bytes(b"conten")
    done = await run("restore", made["path"], "--config", place.config)
    assert reason(done) == "OBJECTS_MISSING"
    assert len(done[1]["error"]["concerned"]) == 1
    assert not place.database.exists()
    kept.write_bytes(b"content")
    code, said = await run("restore", made["path"], "--config", place.config)
    assert (code, said["documents"]) == (0, 1)


async def test_a_key_that_leads_elsewhere_is_not_followed(live: Live, tmp_path: Path) -> None:
    """A backup whose database names an object outside its folders is not restored."""
    from sqlalchemy import update  # noqa: PLC0415 - this test alone tampers

    from gateway.store.tables import blobs  # noqa: PLC0415 - as above

    await live.add(b"content")
    stray = update(blobs).values(object_key="../stray")
    await live.store.database.write(lambda conn: conn.execute(stray))
    (live.place.home / "stray").write_bytes(b"content")
    done = await run("backup", tmp_path / "backups", "--config", live.place.config)
    assert reason(done) == "OBJECTS_MISSING"
    assert not (tmp_path / "backups" / "stray").exists()


async def recovered(live: Live, tmp_path: Path) -> Place:
    """The store as a snapshot of its disk brings it back."""
    await live.store.close()
    place = place_at(tmp_path / "recovered")
    shutil.copy(live.place.database, place.database)
    shutil.copytree(live.place.blobs, place.blobs)
    return place


async def test_a_recovered_store_is_adopted_once_its_objects_are_there(live: Live, tmp_path: Path) -> None:
    """Missing objects keep a store from being adopted, their documents named, unless the operator accepts the loss."""
    await live.add(b"good")
    stored = await live.add(b"bad")
    place = await recovered(live, tmp_path)
    place.object(stored).unlink()
    done = await run("adopt", "--config", place.config)
    assert reason(done) == "OBJECTS_MISSING"
    (named,) = done[1]["error"]["concerned"]
    assert named.startswith("documents/")
    code, said = await run(
        "adopt", "--config", place.config, "--accept-missing", "--taken-at", "2026-03-02T09:00:00+07:00"
    )
    assert (code, said["lost"], said["concerned"], said["asked"]) == (0, 1, [named], 2)
    assert said["as_of"] == "2026-03-02T02:00:00+00:00"


async def test_deep_looks_at_every_byte(live: Live, tmp_path: Path) -> None:
    """Another content of the same size is found with --deep alone."""
    stored = await live.add(b"good")
    place = await recovered(live, tmp_path)
    place.object(stored).write_bytes(b"evil")
    assert reason(await run("adopt", "--config", place.config, "--deep")) == "OBJECTS_MISSING"
    assert (await run("adopt", "--config", place.config))[0] == 0


async def test_where_the_axis_cannot_be_asked_new_documents_are_not_kept_waiting(live: Live, tmp_path: Path) -> None:
    """With an axis that lists nothing by sender, only what the backup had is unknown."""
    await live.add(b"content")
    made = await make_backup(live, tmp_path / "backups")
    place = place_at(tmp_path / "again", sent_list="by_docid")
    code, said = await run("restore", made["path"], "--config", place.config)
    assert (code, said["asked"], said["ask_first_hours"]) == (0, 1, 0)
