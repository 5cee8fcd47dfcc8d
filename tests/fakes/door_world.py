"""A gateway's door on a real socket, over the store, blobs and flows of rpc_world; the axis of its units is a fake."""

import base64
import hashlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from gateway.domain.dialect import NATIONAL
from gateway.domain.document import Document, TraceHeader
from gateway.domain.ids import OrganId
from gateway.domain.packet import Draft
from gateway.domain.status import StatusReport
from gateway.door.bodies import Bodies
from gateway.door.config import DoorConfig, DoorVendor
from gateway.door.lists import Lists
from gateway.door.packets import Packets
from gateway.door.sending import Sending
from gateway.door.server import DoorServer, Operations
from gateway.door.units import Registrar, Units
from gateway.flows.statuspackets import StatusPacketFlow
from gateway.store.codec import from_json
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
from tests.fakes import rpc_world
from tests.fakes.axis import FakeAxis
from tests.fakes.javasdk import java_hash, sign
from tests.make import SENDER

SYSTEM_A, SECRET_A = "00.98.W00", "dummy-secret-98"
SYSTEM_B, SECRET_B = "00.99.W00", "dummy-secret"


def read_envelope(operation: str, body: bytes) -> dict[str, Any]:
    """Parse an answer and hold it to what the stock Java client needs of every answer: no null anywhere, ASCII."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        assert all(value is not None for _, value in found), found
        return dict(found)

    answer: dict[str, Any] = json.loads(body.decode("ascii"), object_pairs_hook=pairs)
    assert isinstance(answer["data"], str) or None not in answer["data"]
    assert {"status", "ErrorCode", "ErrorDesc", "data"} <= answer.keys()
    assert answer["status"] == ("OK" if answer["ErrorCode"] == "0" else "FAIL")
    assert answer["ErrorDesc"]
    assert operation != "sendEdoc" or isinstance(answer["DocId"], str)
    return answer


@dataclass(frozen=True, kw_only=True)
class Client:
    """A vendor system with nothing but an HTTP client."""

    session: aiohttp.ClientSession
    url: str
    system_id: str
    secret: str

    async def call(self, operation: str, body: bytes = b"", method: str = "POST", **parameters: str) -> dict[str, Any]:
        names = {name.replace("_", "-"): value for name, value in parameters.items()}
        headers = sign(self.system_id, self.secret, names, "application/json")
        async with self.session.request(method, f"{self.url}/base/{operation}", data=body, headers=headers) as answer:
            assert answer.content_type == "application/json"
            return read_envelope(operation, await answer.read())

    async def send(self, packet: bytes, *, body: Any = None, **parameters: str) -> dict[str, Any]:
        """Call sendEdoc; the body is the packet and CR LF unless given."""
        names = {
            "servicetype": "eDoc",
            "messagetype": "edoc",
            "hash-file": java_hash(hashlib.sha256(packet).digest()),
            **{name.rstrip("_").replace("_", "-"): value for name, value in parameters.items()},
        }
        headers = sign(self.system_id, self.secret, names, "application/octet-stream")
        data = io.BytesIO(packet + b"\r\n") if body is None else body
        async with self.session.post(f"{self.url}/sendEdoc", data=data, headers=headers) as answer:
            return read_envelope("sendEdoc", await answer.read())

    async def received(self, messagetype: str = "edoc", **filters: str) -> list[dict[str, str]]:
        answer = await self.call("getReceivedEdocList", servicetype="eDoc", messagetype=messagetype, **filters)
        assert answer["status"] == "OK", answer
        return answer["data"]

    async def packet(self, item: str) -> bytes:
        """GetEdoc."""
        answer = await self.call("getEdoc", b"{}", docId=item, filePath="x.edxml")
        assert answer["status"] == "OK", answer
        return base64.b64decode(answer["data"], validate=True)

    async def download(self, item: str) -> bytes:
        headers = sign(self.system_id, self.secret, {"docId": item, "filePath": "x"}, "application/json")
        async with self.session.get(f"{self.url}/downloadEdoc", headers=headers) as answer:
            assert answer.content_type == "application/octet-stream", await answer.text()
            return await answer.read()

    async def settle(self, item: str, status: str = "done") -> dict[str, Any]:
        return await self.call("updateStatus", b"{}", docId=item, status=status)


@dataclass(frozen=True, kw_only=True)
class DoorWorld:
    """A running door with vendor A, who serves SENDER, and vendor B, who serves RECIPIENT."""

    folder: Path
    under: rpc_world.World
    axis: FakeAxis
    door: DoorServer
    session: aiohttp.ClientSession
    port: int
    a: Client
    b: Client

    @property
    def store(self) -> Any:
        return self.under.store

    def files(self) -> list[Path]:
        """Every stored object, finished or not."""
        return [path for path in (self.folder / "blobs").rglob("*") if path.is_file()]

    async def packet_of(self, document: Document, content: bytes = b"%PDF-1.7 letter") -> bytes:
        """The packet that a vendor system writes; every attachment has this content."""
        blobs = self.under.blobs
        translator = EdxmlTranslator(blobs=blobs, limits=Limits(), dialect=NATIONAL)
        async with blobs.writer(limit=len(content)) as writer:
            await writer.write(content)
            stored = await writer.finish()
        sized = tuple(replace(a, size=stored.size, sha256=stored.digest) for a in document.attachments)
        draft = translator.draft_document(
            replace(document, attachments=sized),
            [stored] * len(sized),
            recipients=document.to,
            hop=TraceHeader(organ_id=document.sender.organ_id, timestamp="2026/03/02 09:30:00"),
        )
        assert isinstance(draft, Draft)
        packet = b"".join([chunk async for chunk in translator.stream(draft)])
        await blobs.discard([stored.key])
        return packet

    async def status_of(self, report: StatusReport) -> bytes:
        translator = EdxmlTranslator(blobs=self.under.blobs, limits=Limits(), dialect=NATIONAL)
        return b"".join([chunk async for chunk in translator.stream(translator.draft_status(report))])

    async def statuses_out(self) -> list[StatusReport]:
        """All statuses in the outbox, in their order."""
        wanted = "SELECT report FROM messages WHERE report IS NOT NULL ORDER BY sequence"

        async def work(conn: Any) -> list[StatusReport]:
            return [from_json(StatusReport, row[0]) for row in await conn.exec_driver_sql(wanted)]

        found: list[StatusReport] = await self.store.database.read(work)
        return found


@asynccontextmanager
async def running(folder: Path, **changes: Any) -> AsyncIterator[DoorWorld]:
    """A door; `changes` are to its DoorConfig."""
    async with rpc_world.running(folder) as under, aiohttp.ClientSession() as session:
        vendors = (
            DoorVendor(id=rpc_world.A, system_id=SYSTEM_A, secret=SECRET_A),
            DoorVendor(id=rpc_world.B, system_id=SYSTEM_B, secret=SECRET_B),
        )
        config = DoorConfig(**{"listen": "127.0.0.1:0", "tls": None, "vendors": vendors, **changes})
        axis = FakeAxis(clock=under.clock)
        door = DoorServer(
            config=config,
            operations=_operations(under, axis, config),
            feed=under.store.feed,
            clock=under.clock,
            metrics=under.metrics,
        )
        port = await door.start()
        try:
            clients = [
                Client(session=session, url=f"http://127.0.0.1:{port}/adapter", system_id=system, secret=secret)
                for system, secret in ((SYSTEM_A, SECRET_A), (SYSTEM_B, SECRET_B))
            ]
            yield DoorWorld(
                folder=folder, under=under, axis=axis, door=door, session=session, port=port, a=clients[0], b=clients[1]
            )
        finally:
            await door.stop(timedelta(seconds=1))


def _operations(under: rpc_world.World, axis: FakeAxis, config: DoorConfig) -> Operations:
    store, blobs = under.store, under.blobs
    inbox = under.server._inbox._inbox
    translator = EdxmlTranslator(blobs=blobs, limits=Limits(), dialect=NATIONAL)
    bodies = Bodies(config=config, blobs=blobs, admission=under.admission)
    statuses = StatusPacketFlow(
        inbox=inbox,
        receptions=store.receptions,
        correspondence=store.correspondence,
        directory=store.directory,
        clock=under.clock,
        wakeups=under.wakeups,
    )

    async def refresh() -> None:
        if axis.rows:
            await store.directory.apply(axis.rows, at=under.clock.now())

    return Operations(
        sending=Sending(
            bodies=bodies,
            submissions=under.server._documents._submissions,
            statuses=statuses,
            translator=translator,
            directory=store.directory,
            blobs=blobs,
            admission=under.admission,
        ),
        packets=Packets(
            receptions=store.receptions,
            feed=store.feed,
            inbox=inbox,
            items=store.items,
            directory=store.directory,
            translator=translator,
            blobs=blobs,
            idle=config.idle,
        ),
        lists=Lists(
            receptions=store.receptions,
            feed=store.feed,
            documents=store.documents,
            correspondence=store.correspondence,
            directory=store.directory,
            center=OrganId("00.97.W00"),
            idle=config.idle,
        ),
        units=Units(
            bodies=bodies,
            directory=store.directory,
            registrars=[Registrar(axis=axis, roots=frozenset({SENDER}))],
            refresh=refresh,
        ),
    )
