"""The door of a real gateway process before a simulated axis, used with nothing but an HTTP client."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from gateway.sandbox.demo.processes import Child, free_port, until
from gateway.sandbox.serve import SandboxOptions, read_options, running
from tests.fakes.door_world import SECRET_A, SYSTEM_A, Client
from tests.fakes.javasdk import sign
from tests.unit.sandbox.calls import Client as AxisClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

MIB = 1024 * 1024
OURS, THEIRS = "H98.02", "H99.01"
NS = "http://www.mic.gov.vn/TBT/QCVN_102_2016"

CONFIG = """
[server]
listen = "127.0.0.1:{rpc}"
plaintext_loopback_vendor = "old-system"
[health]
listen = "127.0.0.1:{health}"
[metrics]
listen = "127.0.0.1:{metrics}"
[door]
listen = "127.0.0.1:{door}"
[store]
path = "{home}/gateway.db"
[blobs]
path = "{home}/blobs"
[signatures]
trust_dir = "{home}/trust"
submit = "off"
[axis.national]
endpoint = "{axis}"
system_id = "{system}"
secret = "{secret}"
agencies = ["H98"]
poll_seconds = 0.2
[[vendors]]
id = "old-system"
serves = ["H98"]
door_system_id = "{system}"
door_secret = "{secret}"
"""


def document(number: int, *, sender: str, to: str, content: bytes = b"%PDF-1.4\n% dummy\n%%EOF\n") -> bytes:
    """A packet as the national SDK writes it."""
    return (
        f"""<?xml version="1.0" encoding="UTF-8"?>
<edXML xmlns="{NS}"><edXML:edXMLEnvelope xmlns:edXML="{NS}"><edXML:edXMLHeader><edXML:MessageHeader>
<edXML:From><edXML:OrganId>{sender}</edXML:OrganId><edXML:OrganName>Cơ quan A</edXML:OrganName></edXML:From>
<edXML:To><edXML:OrganId>{to}</edXML:OrganId><edXML:OrganName>Cơ quan B</edXML:OrganName></edXML:To>
<edXML:DocumentId>{sender},2026/01/15,{number}/ABC-XYZ</edXML:DocumentId>
<edXML:Code><edXML:CodeNumber>{number}</edXML:CodeNumber><edXML:CodeNotation>ABC-XYZ</edXML:CodeNotation></edXML:Code>
<edXML:PromulgationInfo><edXML:Place>Huế</edXML:Place><edXML:PromulgationDate>2026/01/15</edXML:PromulgationDate>
</edXML:PromulgationInfo><edXML:DocumentType><edXML:Type>1</edXML:Type><edXML:TypeName>Công văn</edXML:TypeName>
</edXML:DocumentType><edXML:Subject>V/v thử nghiệm {number}</edXML:Subject>
<edXML:SignerInfo><edXML:FullName>Người Ký</edXML:FullName></edXML:SignerInfo></edXML:MessageHeader>
<edXML:TraceHeaderList><edXML:TraceHeader><edXML:OrganId>{sender}</edXML:OrganId>
<edXML:Timestamp>2026/01/15 08:30:00</edXML:Timestamp></edXML:TraceHeader>
<edXML:Bussiness><edXML:BussinessDocType>0</edXML:BussinessDocType></edXML:Bussiness></edXML:TraceHeaderList>
</edXML:edXMLHeader><edXML:edXMLBody><edXML:edXMLManifest version="1.0"><edXML:Reference>
<edXML:ContentId>cid:a</edXML:ContentId><edXML:ContentType>application/pdf</edXML:ContentType>
<edXML:Description>a.pdf</edXML:Description><edXML:AttachmentName>a.pdf</edXML:AttachmentName>
</edXML:Reference></edXML:edXMLManifest></edXML:edXMLBody></edXML:edXMLEnvelope>
<AttachmentEncoded><Attachment><ContentId>cid:a</ContentId><AttachmentName>a.pdf</AttachmentName>
<Description>a.pdf</Description><ContentType>application/pdf</ContentType>
<edXML:ContentTransferEncoded xmlns:edXML="{NS}">""".encode()
        + base64.b64encode(content)
        + b"</edXML:ContentTransferEncoded></Attachment></AttachmentEncoded></edXML>"
    )


def status(number: int, *, sender: str, to: str, code: str) -> bytes:
    return (
        f"""<?xml version="1.0" encoding="UTF-8"?>
<edXML xmlns="{NS}"><edXML:edXMLEnvelope xmlns:edXML="{NS}"><edXML:edXMLHeader><edXML:MessageHeader>
<edXML:From><edXML:OrganId>{sender}</edXML:OrganId></edXML:From><edXML:ResponseFor><edXML:OrganId>{to}</edXML:OrganId>
<edXML:Code>{number}/ABC-XYZ</edXML:Code><edXML:PromulgationDate>2026/01/15</edXML:PromulgationDate>
<edXML:DocumentId>{to},2026/01/15,{number}/ABC-XYZ</edXML:DocumentId></edXML:ResponseFor>
<edXML:StatusCode>{code}</edXML:StatusCode><edXML:Description>xong</edXML:Description>
<edXML:Timestamp>2026/01/15 09:00:00</edXML:Timestamp>
</edXML:MessageHeader></edXML:edXMLHeader></edXML:edXMLEnvelope></edXML>"""
    ).encode()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A gateway process with its old system at the door, and a stranger at the axis."""

    child: Child
    door: Client
    axis: AxisClient
    session: aiohttp.ClientSession
    metrics_port: int

    def peak(self) -> int:
        """Most bytes that the gateway's process has had resident."""
        said = Path(f"/proc/{self.child.pid}/status").read_text(encoding="ascii")
        return int(said.split("VmHWM:")[1].split()[0]) * 1024

    async def wait_for(self, client, messagetype: str, count: int = 1) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []

        async def listed() -> bool:
            lists = client.received if isinstance(client, Client) else client.list_received
            found[:] = await lists(messagetype)
            return len(found) >= count

        await until(listed, within=60, what=f"{count} {messagetype}", child=self.child)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    (folder / "trust").mkdir()
    options: SandboxOptions = read_options(systems=[f"{SYSTEM_A}={SECRET_A}", "00.99.W00=dummy-secret"])
    ports = {name: free_port() for name in ("rpc", "health", "metrics", "door")}
    async with running(options) as sandbox, aiohttp.ClientSession() as session:
        config = folder / "gateway.toml"
        config.write_text(
            CONFIG.format(**ports, home=folder, axis=sandbox.axis.url, system=SYSTEM_A, secret=SECRET_A),
            encoding="utf-8",
        )
        child = await Child.start("gateway", ["serve", "--config", str(config)], log=folder / "gateway.log")
        try:
            url = f"http://127.0.0.1:{ports['door']}"
            door = Client(session=session, url=url, system_id=SYSTEM_A, secret=SECRET_A)
            axis = AxisClient(session=session, url=sandbox.axis.url, system_id="00.99.W00", secret="dummy-secret")

            async def answers() -> bool:
                try:
                    return (await door.call("countReceiveStatus"))["status"] == "OK"
                except aiohttp.ClientError:
                    return False

            await until(answers, within=60, what="the door is open", child=child)
            yield Stage(child=child, door=door, axis=axis, session=session, metrics_port=ports["metrics"])
            assert await child.stop() == 0
        finally:
            await child.kill()


async def test_a_whole_exchange_both_ways(stage: Stage) -> None:
    """Send, list, get, updateStatus, status packages: out to the axis and back, in from the axis and back."""
    agencies = (await stage.door.call("getAgenciesList"))["data"]
    assert {OURS, THEIRS} <= {each["code"] for each in agencies}

    sent = await stage.door.send(document(1, sender=OURS, to=THEIRS), from_=OURS, to=json.dumps([THEIRS]))
    assert sent["status"] == "OK", sent
    (item,) = await stage.wait_for(stage.axis, "edoc")
    assert "V/v thử nghiệm 1".encode() in (await stage.axis.download(item["docId"]))[1]
    await stage.axis.call("updateStatus", b"{}", docId=item["docId"], status="done")
    for code in ("01", "03"):
        told = await stage.axis.send(status(1, sender=THEIRS, to=OURS, code=code), sender=THEIRS, messagetype="status")
        assert told["status"] == "OK", told
    news = await stage.wait_for(stage.door, "status", 2)
    packets = [await stage.door.packet(each["docId"]) for each in news]
    assert sorted(packet.split(b"StatusCode>")[1][:2] for packet in packets) == [b"01", b"03"]
    for each in news:
        assert (await stage.door.settle(each["docId"]))["status"] == "OK"
    assert await stage.door.received("status") == []
    (line,) = (await stage.door.call("getSentEdocList", docId=sent["DocId"]))["data"]
    assert (line["sendStatus"], line["receiveStatus"]) == ("done", "done")

    packet = document(2, sender=THEIRS, to=OURS)
    assert (await stage.axis.send(packet, sender=THEIRS))["status"] == "OK"
    (item,) = await stage.wait_for(stage.door, "edoc")
    assert (item["from"], item["to"], item["status"]) == (THEIRS, OURS, "initial")
    assert await stage.door.packet(item["docId"]) == await stage.door.download(item["docId"]) == packet
    assert (await stage.door.settle(item["docId"]))["status"] == "OK"
    told = await stage.door.send(status(2, sender=OURS, to=THEIRS, code="06"), messagetype="status", from_=OURS)
    assert told["status"] == "OK", told
    answers = await stage.wait_for(stage.axis, "status", 2)
    said = [(await stage.axis.download(each["docId"]))[1] for each in answers]
    assert sorted(packet.split(b"StatusCode>")[1][:2] for packet in said) == [b"01", b"06"]

    unit = {"pcode": "H98", "code": "H98.98", "name": "Đơn vị mới", "id": "", "mail": "", "mobile": "", "fax": ""}
    assert (await stage.door.call("registerAgency", json.dumps(unit).encode()))["status"] == "OK"

    async def is_listed() -> bool:
        return "H98.98" in {each["code"] for each in (await stage.door.call("getAgenciesList"))["data"]}

    await until(is_listed, within=30, what="the new unit is listed", child=stage.child)
    async with stage.session.get(f"http://127.0.0.1:{stage.metrics_port}/metrics") as answer:
        assert 'lgsp_door_seconds_count{operation="sendEdoc",outcome="0"} 2.0' in await answer.text()


async def test_two_units_of_one_gateway_exchange_at_its_door(stage: Stage) -> None:
    """Directly, with the axis none the wiser: document, statuses, a take-back and its answer."""
    other = "H98.31"
    sent = await stage.door.send(document(5, sender=OURS, to=other), from_=OURS)
    assert sent["status"] == "OK", sent
    (item,) = await stage.wait_for(stage.door, "edoc")
    assert (item["from"], item["to"]) == (OURS, other)
    assert b"<edXML:DocumentId>H98.02,2026/01/15,5/ABC-XYZ<" in await stage.door.packet(item["docId"])
    assert (await stage.door.settle(item["docId"]))["status"] == "OK"
    (arrived,) = await stage.wait_for(stage.door, "status")
    assert b"StatusCode>01<" in await stage.door.packet(arrived["docId"])
    await stage.door.settle(arrived["docId"])
    asks = status(5, sender=OURS, to=other, code="13")
    asks = asks.replace(f"<edXML:DocumentId>{other}".encode(), f"<edXML:DocumentId>{OURS}".encode())
    assert (await stage.door.send(asks, messagetype="status", from_=OURS))["status"] == "OK"
    (asked,) = await stage.wait_for(stage.door, "status")
    assert b"StatusCode>13<" in await stage.door.packet(asked["docId"])
    await stage.door.settle(asked["docId"])
    agrees = status(5, sender=other, to=OURS, code="15")
    assert (await stage.door.send(agrees, messagetype="status", from_=other))["status"] == "OK"
    (answered,) = await stage.wait_for(stage.door, "status")
    assert b"StatusCode>15<" in await stage.door.packet(answered["docId"])
    assert await stage.axis.list_received() == []


async def test_a_hundred_megabytes_pass_in_little_memory(stage: Stage) -> None:
    """In through the door and out to the axis, in from the axis and out through the door: less than 64 MiB more."""
    small = await stage.door.send(document(21, sender=OURS, to=THEIRS), from_=OURS)
    assert small["status"] == "OK"
    assert (await stage.axis.send(document(21, sender=THEIRS, to=OURS), sender=THEIRS))["status"] == "OK"
    (first,) = await stage.wait_for(stage.door, "edoc")
    await stage.door.packet(first["docId"])
    await stage.door.settle(first["docId"])
    await stage.wait_for(stage.axis, "edoc")
    before = stage.peak()

    content = b"%PDF-1.4\n" + os.urandom(75 * MIB)
    packet = await asyncio.to_thread(document, 22, sender=OURS, to=THEIRS, content=content)
    assert len(packet) > 100 * 1000 * 1000
    sent = await stage.door.send(packet, from_=OURS)
    assert sent["status"] == "OK", sent
    listed = await stage.wait_for(stage.axis, "edoc", 2)
    out = [(await stage.axis.download(each["docId"]))[1] for each in listed]
    encoded = base64.b64encode(content)
    assert any(encoded in each for each in out)
    del out, encoded
    after_out = stage.peak()

    packet = await asyncio.to_thread(document, 23, sender=THEIRS, to=OURS, content=content)
    assert (await stage.axis.send(packet, sender=THEIRS))["status"] == "OK"
    (item,) = await stage.wait_for(stage.door, "edoc")
    assert await stage.door.packet(item["docId"]) == packet
    assert await stage.door.download(item["docId"]) == packet
    assert (after_out - before, stage.peak() - before) < (64 * MIB, 64 * MIB)


async def test_a_running_call_is_finished_before_the_end(stage: Stage) -> None:
    """SIGTERM in the middle of an upload: its document is taken over, and the process ends well. Comes last."""
    packet = document(9, sender=OURS, to=THEIRS, content=b"%PDF-1.4\n" + os.urandom(MIB))
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def halves() -> AsyncIterator[bytes]:
        yield packet[: len(packet) // 2]
        begun.set()
        await go_on.wait()
        yield packet[len(packet) // 2 :]

    sending = asyncio.create_task(stage.door.send(packet, body=halves(), from_=OURS))
    await begun.wait()
    stage.child._process.terminate()
    headers = sign(SYSTEM_A, SECRET_A, {}, "application/json")

    async def is_shut() -> bool:
        try:
            url = f"{stage.door.url}/countReceiveEdoc"
            async with stage.session.post(url, headers=headers) as answer:
                return json.loads(await answer.read())["ErrorCode"] == "20"
        except aiohttp.ClientError:
            return True

    await until(is_shut, within=20, what="the door is shut")
    go_on.set()
    assert (await sending)["status"] == "OK"
    assert await asyncio.wait_for(stage.child._process.wait(), 30) == 0
