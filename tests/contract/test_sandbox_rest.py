"""The simulated axis's REST face over real sockets: every operation and refusal of axis.md, every fault."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from gateway.sandbox.serve import Address, Running, SandboxOptions, read_options, running
from tests.contract.sandbox_faces import exchange, read_peak, sandbox_in_a_process
from tests.fakes.javasdk import sign
from tests.unit.sandbox.calls import Client, make_document, make_status, read_envelope

SIGNED_1 = (
    '{"XroadVnpt-systemid":"00.99.W00","XroadVnpt-timestamp":"21112026T205043+0642",'
    '"XroadVnpt-Content-Type":"application/json"}'
)
SIGNED_2 = (
    '{"XroadVnpt-systemid":"00.99.W00","XroadVnpt-servicetype":"eDoc","XroadVnpt-messagetype":"edoc",'
    '"XroadVnpt-hash-file":"726230607d1ec1f4663c7c7ff638121b1a85940779c25eb7589d6dcffd0e",'
    '"XroadVnpt-from":"H99.01","XroadVnpt-to":"[\\"H98.01\\",\\"H98.02\\"]",'
    '"XroadVnpt-timestamp":"21112026T205045+0007",'
    '"XroadVnpt-Content-Type":"application/octet-stream"}'
)
EXAMPLE_1 = (
    "getAgenciesList",
    [
        ("XroadVnpt-systemid", "00.99.W00"),
        ("XroadVnpt-timestamp", "21112026T205043+0642"),
        ("Content-Type", "application/json"),
        ("XroadVnpt-Content-Type", "application/json"),
        ("XroadVnpt-sign-header-key", "systemid;timestamp;Content-Type"),
        ("XroadVnpt-sign-header", SIGNED_1),
        ("XroadVnpt-hash-header", "93596747679878edbb6df7e040b11a672c4a8182e21d0368b044dafc694214a1"),
    ],
    b"",
)
EXAMPLE_2 = (
    "sendEdoc",
    [
        ("XroadVnpt-systemid", "00.99.W00"),
        ("XroadVnpt-servicetype", "eDoc"),
        ("XroadVnpt-messagetype", "edoc"),
        ("XroadVnpt-hash-file", "726230607d1ec1f4663c7c7ff638121b1a85940779c25eb7589d6dcffd0e"),
        ("XroadVnpt-from", "H99.01"),
        ("XroadVnpt-to", '["H98.01","H98.02"]'),
        ("XroadVnpt-timestamp", "21112026T205045+0007"),
        ("Content-Type", "application/octet-stream"),
        ("XroadVnpt-Content-Type", "application/octet-stream"),
        (
            "XroadVnpt-sign-header-key",
            "systemid;servicetype;messagetype;hash-file;from;to;timestamp;Content-Type",
        ),
        ("XroadVnpt-sign-header", SIGNED_2),
        ("XroadVnpt-hash-header", "78ff2915ec4a85789072443fc80ce8b9f6f4c2b7198f1e023f43c44ca842ebe1"),
    ],
    b"<edXML>dummy 16</edXML>\r\n",
)


class Axis:
    """A running sandbox with the two seeded systems as its clients."""

    def __init__(self, addresses: Running, session: aiohttp.ClientSession) -> None:
        self.addresses = addresses
        self.session = session
        self.a = self.client("00.99.W00", "dummy-secret")
        self.b = self.client("00.98.W00", "dummy-secret-98")

    def client(self, system_id: str, secret: str) -> Client:
        return Client(session=self.session, url=self.addresses.axis.url, system_id=system_id, secret=secret)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self.addresses.control.url}{path}"
        async with self.session.request(method, url, json=body) as answer:
            return await answer.json()

    async def accepted(self) -> list[dict[str, Any]]:
        return [each for each in await self.control("GET", "/records") if each["event"] == "accepted"]


@asynccontextmanager
async def axis_running(options: SandboxOptions | None = None) -> AsyncIterator[Axis]:
    async with running(options or SandboxOptions()) as addresses, aiohttp.ClientSession() as session:
        yield Axis(addresses, session)


@pytest.fixture
async def axis() -> AsyncIterator[Axis]:
    async with axis_running() as started:
        yield started


def render(operation: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"POST /any/base/{operation} HTTP/1.1", "Host: axis", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def ask_raw(address: Address, operation: str, headers: list[tuple[str, str]], body: bytes) -> dict[str, Any]:
    answer = await exchange(address, render(operation, headers, body))
    return read_envelope(answer.partition(b"\r\n\r\n")[2])


async def test_worked_example_1_is_answered_ok(axis: Axis) -> None:
    """The getAgenciesList of axis.md 2.2, byte for byte, is answered with the directory."""
    answer = await ask_raw(axis.addresses.axis, *EXAMPLE_1)
    assert answer["ErrorCode"] == "0"
    assert {"H99.01", "H98.01"} <= {agency["code"] for agency in answer["data"]}


async def test_worked_example_2_passes_the_signature_and_fails_as_edxml(axis: Axis) -> None:
    """The sendEdoc of axis.md 2.4 has a good signature and hash; its packet is refused with 22, DocId present."""
    answer = await ask_raw(axis.addresses.axis, *EXAMPLE_2)
    assert (answer["ErrorCode"], answer["DocId"]) == ("22", "")


@pytest.mark.parametrize("example", [EXAMPLE_1, EXAMPLE_2], ids=["example-1", "example-2"])
@pytest.mark.parametrize("part", ["name", "value"])
async def test_one_changed_character_breaks_the_signature(
    axis: Axis, example: tuple[str, list[tuple[str, str]], bytes], part: str
) -> None:
    """Any single character of any signed header, name or value, changed: ErrorCode 15, for sendEdoc with DocId."""
    operation, headers, body = example
    tried = 0
    for index, (name, value) in enumerate(headers):
        text = name if part == "name" else value
        for position, character in enumerate(text):
            changed = text[:position] + ("7" if character != "7" else "8") + text[position + 1 :]
            bad = [*headers]
            bad[index] = (changed, value) if part == "name" else (name, changed)
            answer = await ask_raw(axis.addresses.axis, operation, bad, body)
            assert answer["ErrorCode"] == "15", bad[index]
            assert operation != "sendEdoc" or answer["DocId"] == ""
            tried += 1
    assert tried > 100


async def test_changed_body_breaks_the_hash(axis: Axis) -> None:
    """A body other than the one hash-file names is a bad signature, not a malformed packet."""
    operation, headers, _ = EXAMPLE_2
    answer = await ask_raw(axis.addresses.axis, operation, headers, b"<edXML>dummy 17</edXML>\r\n")
    assert answer["ErrorCode"] == "15"


async def test_body_without_crlf_and_padded_hash_are_accepted(axis: Axis) -> None:
    """hash-file may be padded and upper-case, and the CR LF may be missing (axis.md 2.3)."""
    packet = make_document()
    padded = hashlib.sha256(packet).hexdigest().upper()
    headers = axis.a.sign_send(packet, sender="H99.01", hash_file=padded)
    async with axis.session.post(f"{axis.a.url}/sendEdoc", data=packet, headers=headers) as answer:
        assert read_envelope(await answer.read())["ErrorCode"] == "0"


async def test_a_call_as_the_java_sdk_writes_it(axis: Axis) -> None:
    """Expect: 100-continue, Accept-Encoding and shuffled, lower-cased header names are accepted."""
    operation, headers, _ = EXAMPLE_1
    shuffled = [(name.lower(), value) for name, value in reversed(headers)]
    shuffled += [("Expect", "100-continue"), ("Accept-Encoding", "gzip,deflate")]
    answer = await exchange(axis.addresses.axis, render(operation, shuffled, b"{}\r\n"))
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert read_envelope(answer.split(b"\r\n\r\n", 2)[2])["ErrorCode"] == "0"


async def test_document_goes_from_system_to_system(axis: Axis) -> None:
    """A packet sent by A is listed, fetched both ways and acknowledged by B, and A sees each recipient's state."""
    packet = make_document(to=("H98.01", "H98.31"))
    sent = await axis.a.send(packet, sender="H99.01", to=["H98.01", "H98.31"])
    assert (sent["status"], len(sent["DocId"])) == ("OK", 24)
    items = await axis.b.list_received()
    assert [(item["from"], item["to"], item["status"]) for item in items] == [
        ("H99.01", "H98.01", "initial"),
        ("H99.01", "H98.31", "initial"),
    ]
    first = items[0]["docId"]
    fetched = await axis.b.call("getEdoc", b"{}", docId=first, filePath="any")
    assert base64.b64decode(fetched["data"]) == packet
    assert await axis.b.download(first) == ("application/octet-stream", packet)
    assert (await axis.b.call("countReceiveEdoc", b"{}"))["count"] == 2
    assert (await axis.b.call("updateStatus", b"{}", docId=first, status="processing"))["status"] == "OK"
    assert len(await axis.b.list_received()) == 2
    assert (await axis.b.call("updateStatus", b"{}", docId=first, status="done"))["status"] == "OK"
    assert [item["to"] for item in await axis.b.list_received()] == ["H98.31"]
    rows = (await axis.a.list_sent(sent["DocId"]))["data"]
    assert [(row["toCode"], row["receiveStatus"], row["notation"]) for row in rows] == [
        ("H98.01", "done", "12/ABC-XYZ"),
        ("H98.31", "initial", "12/ABC-XYZ"),
    ]
    assert set(rows[0]) == {
        *("serviceType", "messageType", "senderDocId", "receiverDocId", "fromCode", "toCode", "title", "notation"),
        *("sentTime", "receivedTime", "sendStatus", "sendStatusDesc", "receiveStatus", "receiveStatusDesc"),
    }
    assert await axis.a.list_received() == []


async def test_status_goes_back(axis: Axis) -> None:
    """A status packet is routed to ResponseFor/OrganId and listed as messagetype status alone."""
    sent = await axis.b.send(make_status(), sender="H98.01", messagetype="status")
    assert sent["status"] == "OK"
    (item,) = await axis.a.list_received("status")
    assert (item["from"], item["to"], item["messageType"]) == ("H98.01", "H99.01", "status")
    assert await axis.a.list_received("edoc") == []
    assert (await axis.a.call("countReceiveStatus", b"{}"))["count"] == 1
    assert (await axis.a.call("countReceiveEdoc", b"{}"))["count"] == 0


async def test_to_header_is_the_addressing(axis: Axis) -> None:
    """With a `to` header only its codes get the packet; without one the packet's To list is used."""
    packet = make_document(to=("H98.01", "H98.02"))
    await axis.a.send(packet, sender="H99.01", to=["H98.02"])
    await axis.a.send(packet, sender="H99.01")
    assert [item["to"] for item in await axis.b.list_received()] == ["H98.02", "H98.01", "H98.02"]


async def test_it_never_deduplicates(axis: Axis) -> None:
    """The same packet sent twice is two submissions and two items."""
    first = await axis.a.send(make_document(), sender="H99.01")
    second = await axis.a.send(make_document(), sender="H99.01")
    assert first["DocId"] != second["DocId"]
    assert len(await axis.b.list_received()) == 2
    assert len({each["sha256"] for each in await axis.accepted()}) == 1
    assert {row["senderDocId"] for row in (await axis.a.list_sent())["data"]} == {first["DocId"], second["DocId"]}


@pytest.mark.parametrize(
    ("packet", "sender", "to", "code"),
    [
        (make_document(), "H98.01", ["H98.01"], "19"),
        (make_document(), "H77", ["H98.01"], "19"),
        (make_document(sender="H98.02"), "H99.01", ["H98.01"], "19"),
        (make_document(), "H98.01", ["H77"], "19"),
        (make_document(), "H99.01", ["H77"], "18"),
        (make_document(to=("H77",)), "H99.01", ["H98.01"], "18"),
        (make_document(to=("00.98.W00",)), "H99.01", None, "18"),
        (make_document(to=("H97.20",)), "H99.01", None, "23"),
        (make_document() + b"<", "H77", ["H77"], "22"),
        (make_status(), "H99.01", ["H98.01"], "22"),
        (make_document(), "00.99.W00", ["H98.01"], "0"),
    ],
)
async def test_sender_and_receivers_are_judged_in_order(
    axis: Axis, packet: bytes, sender: str, to: list[str] | None, code: str
) -> None:
    """The edXML is judged first (22), then the sender (19), then the receivers (18, closed 23); DocId always."""
    answer = await axis.a.send(packet, sender=sender, to=to)
    assert (answer["ErrorCode"], bool(answer["DocId"])) == (code, code == "0")
    assert len(await axis.accepted()) == (1 if code == "0" else 0)
    if code == "19":
        assert "khong dung voi ma da dang ky: 00.99.W00" in answer["ErrorDesc"]


async def test_refused_packets_leave_no_file(tmp_path: Path) -> None:
    """Only accepted packets stay in the data directory."""
    async with axis_running(read_options(data=tmp_path)) as axis:
        for packet, sender in ((b"<edXML/>", "H99.01"), (make_document(), "H98.01"), (make_document(), "H99.01")):
            await axis.a.send(packet, sender=sender)
    assert len(list((tmp_path / "packets").iterdir())) == 1


async def test_foreign_items_are_not_handed_out(axis: Axis) -> None:
    """Only the system in whose mailbox an item lies can fetch or acknowledge it."""
    await axis.a.send(make_document(), sender="H99.01")
    (item,) = await axis.b.list_received()
    for client, doc_id in ((axis.a, item["docId"]), (axis.b, "unknown"), (axis.b, "")):
        assert (await client.call("getEdoc", b"{}", docId=doc_id, filePath="x"))["ErrorCode"] == "21"
        assert (await client.call("updateStatus", b"{}", docId=doc_id, status="done"))["ErrorCode"] == "21"
        content_type, body = await client.download(doc_id)
        assert (content_type, read_envelope(body)["ErrorCode"]) == ("application/json", "21")
    assert (await axis.b.call("updateStatus", b"{}", docId=item["docId"], status="initial"))["ErrorCode"] == "21"


async def test_received_list_can_be_narrowed(axis: Axis) -> None:
    """status, to, dates and pages narrow the list; nonsense is refused rather than ignored."""
    for number in range(5):
        await axis.a.send(make_document(to=("H98.01", "H98.02"), number=str(number)), sender="H99.01")
    items = await axis.b.list_received()
    done = items[0]["docId"]
    await axis.b.call("updateStatus", b"{}", docId=done, status="done")
    assert [item["docId"] for item in await axis.b.list_received(status="done")] == [done]
    assert {item["to"] for item in await axis.b.list_received(to="H98.02")} == {"H98.02"}
    assert len(await axis.b.list_received(to='["H98.02"]')) == 5
    pages = [await axis.b.list_received(pageSize="4", pageIndex=str(index)) for index in (1, 2, 3, 4)]
    assert await axis.b.list_received(pageSize="4", pageIndex="0") == pages[0], "clients that count from 0"
    assert [len(page) for page in pages] == [4, 4, 1, 0]
    assert [item for page in pages for item in page] == await axis.b.list_received()
    assert await axis.b.list_received(toDate="2020/01/01") == []
    assert len(await axis.b.list_received(fromDate="2020/01/01")) == 9
    for name, value in (("status", "x"), ("fromDate", "01/02/2026"), ("pageSize", "0")):
        answer = await axis.b.call("getReceivedEdocList", b"", **{"messagetype": "edoc", name: value})
        assert answer["ErrorCode"] == "21", name


async def test_directory_operations(axis: Axis) -> None:
    """The three lists agree; the closed province is only in the synchronisation list, its heir keeps its old code."""
    plain = (await axis.a.call("getAgenciesList"))["data"]
    mapped = (await axis.a.call("getAgenciesListQD20", level="1"))["data"]
    units = {unit["code"]: unit for unit in (await axis.a.call("getSynchronizeUnit"))["data"]}
    assert set(plain[0]) == {"id", "pid", "code", "name", "mail", "oldCode"}
    assert {line["code"]: line["code102"] for line in mapped}["H98.20"] == "000.00.20.H97"
    assert [line["code"] for line in plain] == [line["code"] for line in mapped]
    assert units["H97"]["deleted"] is True
    assert units["H98.20"]["centerCode"] == "00.98.W00"
    assert set(units) - {line["code"] for line in plain} == {"H97", "H97.20"}
    assert (await axis.a.call("getAgenciesListQD20"))["ErrorCode"] == "21"


async def test_agencies_are_registered_and_deleted_by_their_own_system(axis: Axis) -> None:
    """A system may add, rename and close units of its own subtree; after that they receive, or are locked."""
    body = b'{"id":"","pcode":"H98.01","code":"H98.01.77","name":"Phong 77","mail":"","mobile":"","fax":""}'
    assert (await axis.a.call("registerAgency", body))["ErrorCode"] == "19"
    assert (await axis.b.call("registerAgency", body + b"\r\n"))["ErrorCode"] == "0"
    assert (await axis.a.send(make_document(to=("H98.01.77",)), sender="H99.01"))["ErrorCode"] == "0"
    assert [item["to"] for item in await axis.b.list_received()] == ["H98.01.77"]
    renamed = body.replace(b"Phong 77", b"P77").replace(b'"mobile":""', b'"mobile":null')
    assert (await axis.b.call("registerAgency", renamed))["ErrorCode"] == "0"
    agencies = (await axis.a.call("getAgenciesList"))["data"]
    assert [agency["name"] for agency in agencies if agency["code"] == "H98.01.77"] == ["P77"]
    assert (await axis.a.call("deleteAgency", b"{}", AgencyCode="H98.01.77"))["ErrorCode"] == "19"
    assert (await axis.b.call("deleteAgency", b"{}", AgencyCode="H98.01.77"))["ErrorCode"] == "0"
    assert (await axis.a.send(make_document(to=("H98.01.77",)), sender="H99.01"))["ErrorCode"] == "23"
    assert (await axis.b.call("deleteAgency", b"{}", AgencyCode="H77"))["ErrorCode"] == "18"
    for bad in (
        b"",
        b"[]",
        b"null",
        b'{"code":1}',
        b'{"code":"h98","name":"x"}',
        b'{"pcode":"H77","code":"H98.5","name":"x"}',
    ):
        assert (await axis.b.call("registerAgency", bad))["ErrorCode"] == "21", bad


async def test_a_hundred_recipients_fit_the_header(axis: Axis) -> None:
    """A `to` header with 100 long codes is read, signed text included, and makes 100 items."""
    codes = [f"H98.{number:030d}" for number in range(100)]
    for code in codes:
        body = json.dumps({"pcode": "H98", "code": code, "name": code}).encode()
        assert (await axis.b.call("registerAgency", body))["status"] == "OK"
    assert (await axis.a.send(make_document(to=tuple(codes)), sender="H99.01", to=codes))["status"] == "OK"
    assert [item["to"] for item in await axis.b.list_received()] == codes


async def test_multipart_file_doc_is_accepted(axis: Axis) -> None:
    """A tolerant server takes the packet from the multipart part file_doc, ending in CR LF or not."""
    packet = make_document() + b"\r\n"
    headers = axis.a.sign_send(packet, sender="H99.01")
    with aiohttp.MultipartWriter("form-data") as form:
        part = form.append(packet, {"Content-Type": "application/octet-stream"})
        part.set_content_disposition("form-data", name="file_doc", filename="x.edxml")
        headers["Content-Type"] = form.content_type
        async with axis.session.post(f"{axis.a.url}/sendEdoc", data=form, headers=headers) as answer:
            assert read_envelope(await answer.read())["ErrorCode"] == "0"
    (item,) = await axis.b.list_received()
    assert (await axis.b.download(item["docId"]))[1] == packet


@pytest.mark.parametrize(
    "body", [b"junk", b"--B\r\njunk", b'--B\r\nContent-Disposition: form-data; name="file_doc"\r\n\r\nxx']
)
async def test_broken_multipart_is_a_bad_file(axis: Axis, body: bytes) -> None:
    """A multipart body that is none is answered with ErrorCode 10 and leaves nothing."""
    headers = axis.a.sign_send(body, sender="H99.01") | {"Content-Type": "multipart/form-data; boundary=B"}
    async with axis.session.post(f"{axis.a.url}/sendEdoc", data=body, headers=headers) as answer:
        members = read_envelope(await answer.read())
    assert (members["ErrorCode"], members["DocId"]) == ("10", "")
    assert await axis.accepted() == []


async def test_unknown_operation_and_method_are_json_too(axis: Axis) -> None:
    """Whatever is asked, the answer is the JSON envelope."""
    headers = sign("00.99.W00", "dummy-secret", {}, "application/json")
    for method, operation, status in (
        ("POST", "nothing", 404),
        ("POST", "%0d%0a%C3%A9", 404),
        ("GET", "getAgenciesList", 405),
        ("GET", "sendEdoc", 405),
    ):
        async with axis.session.request(method, f"{axis.a.url}/{operation}", headers=headers) as answer:
            assert answer.status == status
            assert read_envelope(await answer.read())["status"] == "FAIL"


async def test_state_survives_a_restart(tmp_path: Path) -> None:
    """With a data directory, items, statuses, bytes and registered agencies survive restarts and a torn last line."""
    options = read_options(data=tmp_path / "axis")
    packet = make_document(to=("H98.01", "H98.02"))
    async with axis_running(options) as axis:
        sent = await axis.a.send(packet, sender="H99.01")
        done, kept = [item["docId"] for item in await axis.b.list_received()]
        await axis.b.call("updateStatus", b"{}", docId=done, status="done")
        await axis.b.call("registerAgency", json.dumps({"pcode": "H98", "code": "H98.55", "name": "x"}).encode())
        records = await axis.control("GET", "/records")
    with (tmp_path / "axis" / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"event": "accep')
    async with axis_running(options) as axis:
        assert await axis.control("GET", "/records") == records
        assert [item["docId"] for item in await axis.b.list_received()] == [kept]
        assert (await axis.b.download(kept))[1] == packet
        rows = (await axis.a.list_sent(sent["DocId"]))["data"]
        assert [row["receiveStatus"] for row in rows] == ["done", "initial"]
        assert (await axis.a.send(make_document(to=("H98.55",)), sender="H99.01"))["status"] == "OK"
        records = await axis.control("GET", "/records")
    async with axis_running(options) as axis:
        assert await axis.control("GET", "/records") == records


async def test_rewrite_appends_a_trace_header(tmp_path: Path) -> None:
    """With --rewrite receivers see other bytes: one TraceHeader of the hub more, the rest unchanged."""
    packet, status = make_document(), make_status()
    async with axis_running(read_options(data=tmp_path, rewrite=True)) as axis:
        await axis.a.send(packet, sender="H99.01")
        await axis.b.send(status, sender="H98.01", messagetype="status")
        (item,), (reply,) = await axis.b.list_received(), await axis.a.list_received("status")
        _, got = await axis.b.download(item["docId"])
        assert (await axis.a.download(reply["docId"]))[1] == status
        assert (await axis.accepted())[0]["sha256"] == hashlib.sha256(packet).hexdigest()
    end = b"</edXML:TraceHeaderList>"
    before, after = packet.split(end)
    assert got.startswith(before + b"<edXML:TraceHeader><edXML:OrganId>00.00.W00</edXML:OrganId>")
    assert got.endswith(b"</edXML:TraceHeader>" + end + after)


async def test_items_per_system() -> None:
    """With items_per=system several recipients of one system share one item."""
    async with axis_running(read_options(items_per="system")) as axis:
        await axis.a.send(make_document(to=("H98.01", "H98.02", "H99.02", "G99")), sender="H99.01")
        assert [item["to"] for item in await axis.b.list_received()] == ["H98.01,H98.02"]
        assert [item["to"] for item in await axis.a.list_received()] == ["H99.02"]
        assert [row["toCode"] for row in (await axis.a.list_sent())["data"]] == ["H98.01,H98.02", "H99.02", "G99"]


async def test_a_system_named_like_an_agency_serves_it() -> None:
    """--system H98.01=... answers for that unit and below; the centre keeps the rest; an unknown name owns nothing."""
    options = read_options(systems=["00.99.W00=s1", "00.98.W00=s2", "H98.01=s3", "vxp.saas.03=s4"])
    async with axis_running(options) as axis:
        a, centre = axis.client("00.99.W00", "s1"), axis.client("00.98.W00", "s2")
        unit, other = axis.client("H98.01", "s3"), axis.client("vxp.saas.03", "s4")
        assert (await a.send(make_document(to=("H98.01.01", "H98.02")), sender="H99.01"))["status"] == "OK"
        assert [item["to"] for item in await unit.list_received()] == ["H98.01.01"]
        assert [item["to"] for item in await centre.list_received()] == ["H98.02"]
        assert (await other.send(make_document(), sender="H99.01"))["ErrorCode"] == "19"
        body = json.dumps({"pcode": "", "code": "D10", "name": "Doanh nghiệp"}).encode()
        assert (await other.call("registerAgency", body))["status"] == "OK"
        assert (await other.send(make_document(sender="D10"), sender="D10"))["status"] == "OK"


async def test_fault_down_cuts_before_the_body(axis: Axis) -> None:
    """down:3 aborts the next three connections, invites no body, carries nothing out, then is over."""
    await axis.control("POST", "/faults", {"name": "down", "count": 3})
    operation, headers, body = EXAMPLE_1
    expecting = render(operation, [*headers, ("Expect", "100-continue")], body)
    assert await exchange(axis.addresses.axis, expecting) == b""
    for _ in range(2):
        with pytest.raises(aiohttp.ClientError):
            await axis.a.send(make_document(), sender="H99.01")
    assert await axis.control("GET", "/faults") == {}
    assert await axis.accepted() == []
    assert (await axis.a.send(make_document(), sender="H99.01"))["status"] == "OK"


async def test_fault_answer_lost_carries_out_and_says_nothing(axis: Axis) -> None:
    """answer-lost:1 accepts one sendEdoc and cuts the connection; other operations are untouched."""
    await axis.control("POST", "/faults", {"name": "answer-lost", "count": 1})
    assert (await axis.a.call("getAgenciesList"))["status"] == "OK"
    with pytest.raises(aiohttp.ClientError):
        await axis.a.send(make_document(), sender="H99.01")
    (accepted,) = await axis.accepted()
    assert accepted["documentId"] == "H99.01,2026/01/15,12/ABC-XYZ"
    (row,) = (await axis.a.list_sent())["data"]
    assert (row["senderDocId"], row["toCode"]) == (accepted["docId"], "H98.01")
    assert (await axis.a.send(make_document(), sender="H99.01"))["status"] == "OK"


@pytest.mark.parametrize("fault", ["half-answer", "reset-after"])
async def test_faults_after_the_work(axis: Axis, fault: str) -> None:
    """half-answer and reset-after carry one call out, whichever it is, and leave its answer unreadable."""
    await axis.control("POST", "/faults", {"name": fault, "count": 1})
    with pytest.raises(aiohttp.ClientError):
        await axis.a.send(make_document(), sender="H99.01")
    assert len(await axis.accepted()) == 1
    await axis.control("POST", "/faults", {"name": fault, "count": 1})
    with pytest.raises(aiohttp.ClientError):
        await axis.b.list_received()
    (item,) = await axis.b.list_received()
    await axis.control("POST", "/faults", {"name": "half-answer", "count": 1})
    with pytest.raises(aiohttp.ClientError):
        await axis.b.download(item["docId"])
    assert (await axis.b.download(item["docId"]))[1] == make_document()


async def test_fault_reset_is_a_tcp_reset_and_nothing_done(axis: Axis) -> None:
    """reset:2 resets two connections, the second in the midst of its waiting body, and carries nothing out."""
    await axis.control("POST", "/faults", {"name": "reset", "count": 2})
    operation, headers, body = EXAMPLE_1
    expecting = render(operation, [*headers, ("Expect", "100-continue")], body)
    reader, writer = await asyncio.open_connection(axis.addresses.axis.host, axis.addresses.axis.port)
    writer.write(expecting)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), timeout=10)
    writer.close()
    with pytest.raises(aiohttp.ClientError):
        await axis.a.send(make_document(), sender="H99.01")
    assert await axis.accepted() == []
    assert (await axis.a.send(make_document(), sender="H99.01"))["status"] == "OK"


async def test_sabotage_lose_takes_a_document_and_hands_it_to_nobody(axis: Axis) -> None:
    """lose:1 passes a status by; the next document is answered OK and listed as sent, but lies in no mailbox."""
    await axis.control("POST", "/faults", {"name": "lose", "count": 1})
    assert (await axis.b.send(make_status(), sender="H98.01", messagetype="status"))["status"] == "OK"
    sent = await axis.a.send(make_document(), sender="H99.01")
    assert [row["senderDocId"] for row in (await axis.a.list_sent())["data"]] == [sent["DocId"]]
    assert await axis.b.list_received() == []
    await axis.a.send(make_document(), sender="H99.01")
    assert len(await axis.b.list_received()) == 1


async def test_sabotage_double_accepts_one_document_twice(axis: Axis) -> None:
    """double:1 makes two accepted events and two items of one sendEdoc, under two DocIds; the next is single again."""
    await axis.control("POST", "/faults", {"name": "double", "count": 1})
    await axis.a.send(make_document(), sender="H99.01")
    accepted = await axis.accepted()
    assert len({event["docId"] for event in accepted}) == 2
    assert len({event["documentId"] for event in accepted}) == 1
    assert len(await axis.b.list_received()) == 2
    await axis.a.send(make_document(), sender="H99.01")
    assert len(await axis.b.list_received()) == 3


@pytest.mark.parametrize(("fault", "status"), [("html", 200), ("html-502", 502)])
async def test_fault_html_is_a_page_instead_of_an_answer(axis: Axis, fault: str, status: int) -> None:
    """The HTML faults answer any call with a page and do nothing, until switched off."""
    assert await axis.control("POST", "/faults", {"name": fault}) == {fault: None}
    packet = make_document()
    headers = axis.a.sign_send(packet, sender="H99.01")
    for _ in range(2):
        async with axis.session.post(f"{axis.a.url}/sendEdoc", data=packet, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (status, "text/html")
            assert "<html>" in await answer.text()
    assert await axis.control("DELETE", f"/faults/{fault}") == {}
    assert await axis.accepted() == []
    assert (await axis.a.call("getAgenciesList"))["status"] == "OK"


async def test_fault_slow_delays_the_answer_not_the_work() -> None:
    """Under slow a client that gives up early finds its document accepted all the same."""
    async with axis_running(read_options(faults=["slow:1"], slow_seconds=2)) as axis:
        loop = asyncio.get_running_loop()
        started = loop.time()
        waiting = asyncio.create_task(axis.a.send(make_document(), sender="H99.01"))
        while not await axis.accepted():
            assert loop.time() - started < 5
        assert not waiting.done()
        assert (await waiting)["status"] == "OK"
        assert loop.time() - started >= 2


async def test_fault_no_sent_list_needs_a_doc_id() -> None:
    """Without the fault an empty docId lists all the sender's items, with it the axis refuses."""
    async with axis_running(read_options(faults=["no-sent-list"])) as axis:
        sent = await axis.a.send(make_document(), sender="H99.01")
        assert (await axis.a.list_sent())["ErrorCode"] == "21"
        assert len((await axis.a.list_sent(sent["DocId"]))["data"]) == 1
        await axis.control("DELETE", "/faults/no-sent-list")
        assert len((await axis.a.list_sent())["data"]) == 1
        assert (await axis.b.list_sent())["data"] == []


async def test_control_endpoint_refuses_nonsense(axis: Axis) -> None:
    """Unknown faults and counts below one are refused and change nothing; it listens on loopback."""
    assert axis.addresses.control.host == "127.0.0.1"
    wishes: list[Any] = [
        {"name": "flood"},
        {"name": "down", "count": 0},
        {"name": "down", "count": "x"},
        [],
        "down",
        {"count": 1},
    ]
    for bad in wishes:
        assert "error" in await axis.control("POST", "/faults", bad)
    assert "error" in await axis.control("DELETE", "/faults/flood")
    assert await axis.control("GET", "/faults") == {}


async def test_interrupted_upload_leaves_nothing(tmp_path: Path) -> None:
    """A client that vanishes in the middle of the body leaves neither an item nor a file."""
    async with axis_running(read_options(data=tmp_path)) as axis:
        packet = make_document()
        headers = axis.a.sign_send(packet, sender="H99.01")
        reader, writer = await asyncio.open_connection(axis.addresses.axis.host, axis.addresses.axis.port)
        request = render("sendEdoc", [*headers.items()], packet + b"\r\n")
        writer.write(request[:-100])
        folder = tmp_path / "packets"
        await _until(lambda: any(folder.iterdir()))
        writer.transport.abort()
        await _until(lambda: not any(folder.iterdir()))
        assert await axis.accepted() == []
        del reader


async def _until(condition: Any) -> None:
    deadline = asyncio.get_running_loop().time() + 10
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
async def test_large_packets_stream(tmp_path: Path) -> None:
    """32 MB through sendEdoc, downloadEdoc and getEdoc: grows by less than 16 MB; SIGTERM ends with 0."""
    async with sandbox_in_a_process("--data", str(tmp_path)) as (addresses, pid), aiohttp.ClientSession() as session:
        axis = Axis(addresses, session)
        await axis.a.send(make_document(), sender="H99.01")
        before = psutil.Process(pid).memory_info().rss
        packet = make_document(number="32", attachment="A" * 32 * 1024 * 1024)
        assert (await axis.a.send(packet, sender="H99.01"))["status"] == "OK"
        doc_id = (await axis.b.list_received())[-1]["docId"]
        assert (await axis.b.download(doc_id))[1] == packet
        fetched = await axis.b.call("getEdoc", b"{}", docId=doc_id, filePath="x")
        assert base64.b64decode(fetched["data"]) == packet
        peak = read_peak(pid)
    assert peak - before < 16 * 1024 * 1024
