"""A province on eDoc SOAP and one on a REST dialect write to each other through one axis: all as processes.

The axis and the province on SOAP run for all tests; each test has a gateway of its own on the other side.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.pb.lgsp.gateway.v1 import document_pb2, inbox_service_pb2
from gateway.sandbox.demo.processes import Child, free_port, until
from gateway.sandbox.demo.province import Province
from gateway.sandbox.demo.stage import Stage, ask_axis, set_up
from gateway.sandbox.demo.vendors import File, Vendor, compose
from tests.fakes.vendor_calls import persist

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

A_UNIT, B_UNIT = "H99.01", "H98.02"
_COMMON = """
agencies = ["{root}"]
settling_seconds = 1.0
poll_seconds = 0.3
connect_seconds = 2
read_seconds = 20
reconcile_minutes = 0.1
"""
_ACCOUNTS = {
    "vxp": """
kind = "vxp"
endpoint = "{url}/base"
system_id = "{system}"
secret = "{secret}"
sent_list = "by_sender"
""",
    "soap": """
kind = "soap"
endpoint = "{url}/services/edoc"
organ_id = "{system}"
token = "{secret}"
""",
    "langson": """
kind = "langson"
endpoint = "{url}"
system_id = "{system}"
secret = "{secret}"
username = "{system}"
password = "{secret}"
""",
    "quangnam": """
kind = "quangnam"
endpoint = "{url}/truclienthong/v1.0.0"
secret = "{secret}"
[axis.national.platform]
token_url = "{url}/token"
consumer_key = "{system}"
consumer_secret = "{secret}"
""",
}


@dataclass
class Desk:
    """A vendor's document system with its own records."""

    vendor: Vendor
    folder: Path
    numbers: Iterator[int]
    received: dict[str, inbox_service_pb2.ReceivedDocument] = field(default_factory=dict)
    """Resource name -> reception; each is downloaded and acknowledged."""
    digests: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Resource name -> names and digests of what was downloaded."""

    async def send(self, *, to: str, files: list[File]) -> document_pb2.Document:
        """Hand over a document as a vendor does who repeats what was not answered."""
        number = next(self.numbers)
        document = compose(
            number=str(number),
            subject=f"V/v <thử> phương ngữ & số {number}",
            recipients=[to],
            files=files,
            issued=datetime.now(tz=UTC).date().isoformat(),
        )
        for file in files:
            await persist(lambda file=file: self.vendor.upload(file))
        request = str(uuid.uuid4())
        return (await persist(lambda: self.vendor.submit(document, request_id=request))).document

    async def take(self, document_id: str) -> inbox_service_pb2.ReceivedDocument:
        """Pull, download and acknowledge until this document is there."""

        async def arrived() -> bool:
            for received in await persist(self.vendor.pull):
                self.digests[received.name] = [
                    (
                        each.attachment_name,
                        await persist(lambda each=each: self.vendor.download(each.name, self.folder / "part")),
                    )
                    for each in received.document.attachments
                ]
                await persist(lambda received=received: self.vendor.acknowledge(received))
                self.received[received.name] = received
            return any(each.document.document_id == document_id for each in self.received.values())

        await until(arrived, within=60, what=f"{document_id} arrives")
        return next(each for each in self.received.values() if each.document.document_id == document_id)

    async def report(self, received: inbox_service_pb2.ReceivedDocument, code: str) -> None:
        """Report one status, repeated until it is answered."""
        request = str(uuid.uuid4())
        await persist(lambda: self.vendor.report(received, code, request_id=request))

    async def last_status(self, name: str, code: str) -> None:
        """Wait until this is the last status of the document's one recipient."""

        async def has() -> bool:
            return (await persist(lambda: self.vendor.get(name))).deliveries[0].last_status_code == code

        await until(has, within=60, what=f"{name} has status {code}")

    async def codes(self, name: str, last: str) -> list[str]:
        """The codes of all status events of a document from the first on, up to `last`."""
        codes: list[str] = []
        async with asyncio.timeout(20):
            async for response in self.vendor.watch(from_beginning=True):
                if response.event.document == name and response.event.HasField("status"):
                    codes.append(response.event.status.status_code)
                    if codes[-1] == last:
                        break
        return codes


@dataclass(frozen=True)
class Exchange:
    """What runs, and what of it is this test's."""

    stage: Stage
    province_b: Province
    a: Desk
    b: Desk
    files: list[File]
    records_before: int

    def fault(self, name: str, count: int) -> None:
        ask_axis(self.stage.control_url, "POST", "/faults", {"name": name, "count": count})

    def accepted(self, messagetype: str) -> list[dict[str, str]]:
        """What the axis accepted."""
        found = self.stage.records()[self.records_before :]
        return [each for each in found if each["event"] == "accepted" and each["messagetype"] == messagetype]


def speak(province: Province, dialect: str, url: str) -> None:
    """Let the province's one account speak this dialect."""
    spec = province.spec
    section = _ACCOUNTS[dialect].format(url=url, system=spec.system_id, secret=spec.secret)
    head, platform, rest = section.partition("[axis.national.platform]")
    text = f"[axis.national]{head}{_COMMON.format(root=spec.root)}{platform}{rest}\n"
    config = province.config.read_text(encoding="utf-8")
    config = re.sub(r"\[axis\.national\].*?(?=\[delivery\])", lambda _: text, config, flags=re.DOTALL)
    province.config.write_text(config, encoding="utf-8")


@dataclass(frozen=True)
class Standing:
    """What runs for all tests."""

    stage: Stage
    urls: dict[str, str]
    files: list[File]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    """Of documents: no two of an agency have the same."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Standing]:
    """The axis with all its faces; province A on SOAP, ready."""
    now = datetime.now(tz=UTC)
    ports = {name: free_port() for name in ("soap", "langson", "quangnam")}
    options = [part for name, port in ports.items() for part in (f"--{name}", f"127.0.0.1:{port}")]
    async with set_up(tmp_path_factory.mktemp("stage"), now=now, sandbox_options=tuple(options)) as stage:
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()} | {"vxp": stage.axis_url}
        speak(stage.province_a, "soap", urls["soap"])
        pdf, docx, _ = await asyncio.to_thread(stage.make_files, size=300_000, now=now)
        await stage.province_a.start()
        yield Standing(stage=stage, urls=urls, files=[pdf, docx])


@asynccontextmanager
async def exchange(standing: Standing, folder: Path, dialect: str) -> AsyncIterator[Exchange]:
    """Province B on `dialect`, ready, with an empty store; and a vendor's desk on each side."""
    stage = standing.stage
    b = Province(stage.province_b.spec, home=folder / "province-b", pki=stage.province_b.pki, axis_url=stage.axis_url)
    speak(b, dialect, standing.urls[dialect])
    async with AsyncExitStack() as stack:
        stack.push_async_callback(b.stop)
        await b.start()
        desks = []
        for province, unit in ((stage.province_a, A_UNIT), (b, B_UNIT)):
            inbox = folder / f"desk-{unit}"
            inbox.mkdir()
            vendor = Vendor.connect(province, agency=unit)
            stack.push_async_callback(vendor.close)
            desks.append(Desk(vendor=vendor, folder=inbox, numbers=standing.numbers))
        yield Exchange(
            stage=stage, province_b=b, a=desks[0], b=desks[1], files=standing.files, records_before=len(stage.records())
        )


@pytest.mark.parametrize("dialect", ["vxp", "langson"])
async def test_soap_and_rest_write_to_each_other(dialect: str, standing: Standing, tmp_path: Path) -> None:
    """Each way a document and its statuses arrive once and whole, though answers are lost and both gateways killed."""
    async with exchange(standing, tmp_path, dialect) as world:
        a, b, files = world.a, world.b, world.files
        world.fault("answer-lost", 1)
        sent = await a.send(to=B_UNIT, files=files)
        received = await b.take(sent.document_id)
        assert b.digests[received.name] == [(file.name, file.sha256) for file in files]
        assert received.document.subject == sent.subject

        await world.province_b.kill()
        await world.province_b.start()
        world.fault("answer-lost", 1)
        for code in ("03", "04", "06"):
            await b.report(received, code)
        await a.last_status(sent.name, "06")
        assert await a.codes(sent.name, "06") == ["01", "03", "04", "06"]

        back = await b.send(to=A_UNIT, files=files)
        answer = await a.take(back.document_id)
        assert a.digests[answer.name] == [(file.name, file.sha256) for file in files]
        await a.report(answer, "03")
        await world.stage.province_a.kill()
        await world.stage.province_a.start()
        await b.last_status(back.name, "03")

        assert len(a.received) == len(b.received) == 1
        assert sorted(each["documentId"] for each in world.accepted("edoc")) == sorted(
            [sent.document_id, back.document_id]
        )


async def test_an_unknown_fate_is_held_and_resolved(standing: Standing, tmp_path: Path) -> None:
    """Where neither axis nor recipient tells what became of a document, it waits for an operator and obeys his word."""
    async with exchange(standing, tmp_path, "quangnam") as world:
        b = world.b
        await world.stage.province_a.stop()  # or else it would report the document
        world.fault("answer-lost", 1)
        sent = await b.send(to=A_UNIT, files=world.files)

        async def held() -> bool:
            return (await b.vendor.get(sent.name)).deliveries[0].state == document_pb2.DELIVERY_STATE_HELD

        await until(held, within=30, what="the document is held")
        delivery = (await b.vendor.get(sent.name)).deliveries[0]
        assert "no list of what was sent" in delivery.reason
        message = await _command(world.province_b, "list", "--state", "held")
        (accepted,) = world.accepted("edoc")
        await _command(
            world.province_b, "resolve", message["id"], "--sent", accepted["docId"], "--reason", "asked the axis"
        )
        await world.stage.province_a.start()
        await world.a.take(sent.document_id)
        await b.last_status(sent.name, "01")
        assert len(world.accepted("edoc")) == 1
        assert (await b.vendor.get(sent.name)).deliveries[0].state == document_pb2.DELIVERY_STATE_SENT


async def _command(province: Province, *arguments: str) -> dict[str, str]:
    """The one line that `lgsp-gateway outbox` prints beside the running gateway."""
    command = ["outbox", *arguments, "--config", str(province.config), "--json"]
    child = await Child.start("outbox", command, log=province.home / "outbox.log")
    try:
        return await child.read_json_line(within=30)
    finally:
        await child.stop()
