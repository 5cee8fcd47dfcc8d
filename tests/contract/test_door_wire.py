"""The door's wire: the worked examples of axis.md, every operation's envelope, every quirk, and hostile input."""

import asyncio
import base64
import hashlib
import io
import json
import ssl
from datetime import timedelta

import aiohttp
import pytest
from structlog.testing import capture_logs

from gateway.door.config import DoorTls
from tests.contract.test_sandbox_rest import EXAMPLE_1, EXAMPLE_2
from tests.fakes import rpc_world
from tests.fakes.door_world import SECRET_A, SECRET_B, SYSTEM_A, SYSTEM_B, read_envelope, running
from tests.fakes.javasdk import java_hash, sign
from tests.make import NOW, RECIPIENT, SENDER, make_document

OPERATIONS = {
    "getAgenciesList": {},
    "getAgenciesListQD20": {"level": "1"},
    "getSynchronizeUnit": {},
    "registerAgency": {},
    "deleteAgency": {"AgencyCode": rpc_world.UNIT},
    "getReceivedEdocList": {"servicetype": "eDoc", "messagetype": "edoc"},
    "getSentEdocList": {"servicetype": "eDoc", "messagetype": "edoc", "docId": ""},
    "sendEdoc": {"servicetype": "eDoc", "messagetype": "edoc", "hash-file": "0", "from": SENDER},
    "getEdoc": {"docId": "nobody", "filePath": "x"},
    "downloadEdoc": {"docId": "nobody", "filePath": "x"},
    "updateStatus": {"docId": "nobody", "status": "done"},
    "countReceiveEdoc": {},
    "countReceiveStatus": {},
}
LIMIT = 100_000


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path, packet_limit=LIMIT) as world:
        yield world


async def exchange(world, data: bytes, *, then=b"", half_close=False) -> bytes:
    """Write raw bytes, read until the door closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    try:
        writer.write(data)
        if then:
            assert await asyncio.wait_for(reader.readline(), 10) == b"HTTP/1.1 100 Continue\r\n"
            await reader.readline()
            writer.write(then)
        if half_close:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 15)
    finally:
        writer.close()


def raw(operation, headers, body=b"", *, method="POST", length=None, extra=()) -> bytes:
    said = len(body) if length is None else length
    lines = [f"{method} /any/base/{operation} HTTP/1.1", "Host: door", "Connection: close", *extra]
    if said >= 0:
        lines.append(f"Content-Length: {said}")
    lines += [f"{name}: {value}" for name, value in dict(headers).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def until(done) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - what is waited for is a state, not an event
            await asyncio.sleep(0.01)


def answer_of(operation, response: bytes):
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head, response
    if b"chunked" in head:
        body = b"".join(body.split(b"\r\n")[1:-3:2])
    return read_envelope(operation, body)


@pytest.mark.parametrize(("example", "code"), [(EXAMPLE_1, "0"), (EXAMPLE_2, "22")])
async def test_the_worked_examples_are_understood(world, example, code):
    """Bytes of axis.md 2.2 and 2.4: the signature and the hash are good; the second file is no packet: 22, not 15."""
    operation, headers, body = example
    answer = answer_of(operation, await exchange(world, raw(operation, headers, body)))
    assert answer["ErrorCode"] == code


async def test_the_worked_examples_with_another_body_or_order_are_refused(world):
    """The same headers over other bytes: 10; the key list in another order is no other list, a shorter one is."""
    operation, headers, body = EXAMPLE_2
    answer = answer_of(operation, await exchange(world, raw(operation, headers, b"x" + body)))
    assert (answer["ErrorCode"], answer["DocId"]) == ("10", "")
    operation, headers, _ = EXAMPLE_1
    for names, code in (("Content-Type;timestamp;systemid", "0"), ("systemid;timestamp", "15")):
        changed = {**dict(headers), "XroadVnpt-sign-header-key": names}
        assert answer_of(operation, await exchange(world, raw(operation, changed)))["ErrorCode"] == code


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_operation_answers_in_the_envelope(world, operation):
    """Signed, unsigned, wrongly signed, by every method: always the envelope, HTTP 200 for all that a client sends."""
    method = "GET" if operation == "downloadEdoc" else "POST"
    parameters = OPERATIONS[operation]
    good = sign(SYSTEM_A, SECRET_A, parameters, "application/json")
    for headers, codes in (
        (good, {"0", "10", "21"}),
        (sign(SYSTEM_A, "wrong", parameters, "application/json"), {"15"}),
        ({"Content-Type": "application/json"}, {"15"}),
    ):
        url = f"http://127.0.0.1:{world.port}/a/b/{operation}/"
        async with world.session.request(method, url, headers=headers, data=b"{}") as answer:
            assert answer.status == 200
            assert read_envelope(operation, await answer.read())["ErrorCode"] in codes, await answer.text()
    for wrong in {"GET", "POST", "PUT", "DELETE", "OPTIONS"} - {"GET" if method == "GET" else "POST"}:
        async with world.session.request(wrong, f"http://127.0.0.1:{world.port}/{operation}", headers=good) as answer:
            envelope = read_envelope(operation, await answer.read())
            either = wrong == "GET" and operation.startswith("count")
            assert (answer.status, envelope["ErrorCode"]) == ((200, "0") if either else (405, "20"))


async def test_an_unknown_operation_is_told_in_json(world):
    """Also the root, and paths of any kind."""
    for path in ("", "nothing", "getEdoc/x", "%00", "sendEdoc%20"):
        async with world.session.post(f"http://127.0.0.1:{world.port}/{path}") as answer:
            assert (answer.status, read_envelope("", await answer.read())["ErrorCode"]) == (404, "20")


async def test_who_knows_no_secret_learns_nothing(world):
    """An unknown system id and a wrong secret get the same answer, letter for letter."""
    told = []
    for system, secret in ((SYSTEM_A, "wrong"), ("00.11.W00", SECRET_A)):
        headers = sign(system, secret, {}, "application/json")
        async with world.session.post(f"http://127.0.0.1:{world.port}/getAgenciesList", headers=headers) as answer:
            told.append((answer.status, await answer.read()))
    assert told[0] == told[1]


async def test_hash_and_line_end_may_have_any_form(world):
    """hash-file padded, short, upper case; the body with a CR LF, without, chunked, or as part file_doc of a form."""
    packet = await world.packet_of(make_document())
    digest = hashlib.sha256(packet).digest()
    names = set()
    for text in (digest.hex(), digest.hex().upper(), java_hash(digest), java_hash(digest).upper()):
        for body in (packet + b"\r\n", packet):
            told = await world.a.send(packet, body=body, from_=SENDER, hash_file=text)
            assert told["status"] == "OK", told
            names.add(told["DocId"])
    told = await world.a.send(packet, body=io.BytesIO(packet), from_=SENDER)

    async def pieces():
        for i in range(0, len(packet), 7):
            yield packet[i : i + 7]
        yield b"\r"
        yield b"\n"

    chunked = await world.a.send(packet, body=pieces(), from_=SENDER)
    assert {*names, told["DocId"], chunked["DocId"]} == names
    assert len(names) == 1
    form = aiohttp.FormData()
    form.add_field("file_doc", packet, filename="x.edxml", content_type="application/octet-stream")
    parameters = {"messagetype": "edoc", "hash-file": digest.hex(), "from": SENDER}
    headers = sign(SYSTEM_A, SECRET_A, parameters, "multipart/form-data")
    del headers["Content-Type"]
    async with world.session.post(f"http://127.0.0.1:{world.port}/sendEdoc", data=form, headers=headers) as answer:
        assert read_envelope("sendEdoc", await answer.read())["DocId"] in names


async def test_a_file_that_ends_with_a_line_end_keeps_it(world):
    """Of the two readings of a body the one counts that hash-file names."""
    packet = await world.packet_of(make_document()) + b"\r\n"
    for body in (packet + b"\r\n", packet):
        assert (await world.a.send(packet, body=body, from_=SENDER))["status"] == "OK"


async def test_expect_continue_is_answered_once_the_caller_is_known(world):
    """A signed call is invited to send its body; an unsigned one is refused before it does."""
    headers = sign(SYSTEM_A, SECRET_A, {"docId": "nobody", "status": "done"}, "application/json")
    head = raw("updateStatus", headers, length=2, extra=("Expect: 100-continue",))
    response = await exchange(world, head, then=b"{}")
    assert answer_of("updateStatus", response.partition(b"HTTP/1.1 200 OK\r\n")[2])["ErrorCode"] == "10"
    unsigned = raw("updateStatus", {}, length=2, extra=("Expect: 100-continue",))
    response = await exchange(world, unsigned)
    assert not response.startswith(b"HTTP/1.1 100")
    assert answer_of("updateStatus", response)["ErrorCode"] == "15"


def with_header(headers, name, value):
    return {**headers, name: value}


async def test_tampered_headers_are_refused(world):
    """A header changed, doubled, missing, of other bytes, a key list or JSON that lies: always 15."""
    good = sign(SYSTEM_A, SECRET_A, {"docId": "x", "status": "done"}, "application/json")
    text = good["XroadVnpt-sign-header"]
    bad = [with_header(good, "XroadVnpt-docId", "y"), with_header(good, "XroadVnpt-systemid", SYSTEM_B)]
    bad += [{name: value for name, value in good.items() if name != gone} for gone in good if "XroadVnpt-" in gone]
    bad += [with_header(good, "XroadVnpt-sign-header", text.replace(":", ": ", 1))]
    bad += [with_header(good, "XroadVnpt-hash-header", "é" * 64), with_header(good, "XroadVnpt-hash-header", "")]
    bad = [each for each in bad if "XroadVnpt-version" in each]
    for headers in bad:
        answer = answer_of("updateStatus", await exchange(world, raw("updateStatus", headers)))
        assert answer["ErrorCode"] == "15", headers
    doubled = raw("updateStatus", good, extra=("XroadVnpt-docId: x",))
    assert answer_of("updateStatus", await exchange(world, doubled))["ErrorCode"] == "15"
    assert (await world.a.call("countReceiveEdoc"))["count"] == 0


@pytest.mark.parametrize("size", [200 * 1024, 300 * 1024])
async def test_long_headers_are_read_up_to_a_limit(world, size):
    """200 KiB of recipients are read, 300 KiB are refused in JSON; the next call is served."""
    codes = json.dumps([f"H98.{i:08d}" for i in range(size // 14)], separators=(",", ":"))
    headers = {"XroadVnpt-to": codes, "Content-Type": "application/json"}
    response = await exchange(world, raw("sendEdoc", headers))
    answer = answer_of("sendEdoc", response)
    assert (answer["ErrorCode"], answer["DocId"]) == ("15" if size < 256 * 1024 else "20", "")
    assert (await world.a.call("countReceiveEdoc"))["count"] == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /sendEdoc HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /sendEdoc HTTP/1.1\r\nHost: \x00\r\n\r\n",
        b"POST /sendEdoc HTTP/9.9\r\nHost: x\r\n\r\n",
        b"POST /sendEdoc HTTP/1.1\r\n" + b"".join(b"x%d: y\r\n" % i for i in range(2000)) + b"\r\n",
    ],
)
async def test_what_is_no_request_is_told_in_json_and_closed(world, data):
    """Null bytes, a TLS hello, broken lengths, a flood of headers: an envelope and the end of the connection."""
    response = await exchange(world, data, half_close=True)
    if response:
        assert answer_of("sendEdoc", response)["ErrorCode"] == "20"
    assert (await world.a.call("countReceiveEdoc"))["count"] == 0


async def test_bad_packets_say_why_and_leave_nothing_behind(world):
    """HTML, a DTD, null bytes, nothing, too much: the code of the list, and no file stays."""
    packet = await world.packet_of(make_document())
    dtd = packet.replace(b"<edXML ", b'<!DOCTYPE x [<!ENTITY a "b">]><edXML ', 1)
    for body, code in (
        (b"<html><body>502</body></html>", "22"),
        (dtd, "22"),
        (b"\x00" * 100, "22"),
        (b"", "22"),
        (packet[:-100], "22"),
        (packet + b" " * LIMIT, "10"),
    ):
        told = await world.a.send(body, from_=SENDER)
        assert (told["status"], told["ErrorCode"], told["DocId"]) == ("FAIL", code, ""), told
    assert not world.files()


async def test_a_body_that_is_too_long_is_refused_before_it_is_read(world):
    """The announced length decides, chunked ones are counted."""
    parameters = {"messagetype": "edoc", "hash-file": "0", "from": SENDER}
    headers = sign(SYSTEM_A, SECRET_A, parameters, "application/octet-stream")
    response = await exchange(world, raw("sendEdoc", headers, length=LIMIT * 1000))
    assert answer_of("sendEdoc", response)["ErrorCode"] == "10"

    async def endless():
        for _ in range(100):
            yield b"x" * LIMIT

    told = await world.a.send(b"x", body=endless(), from_=SENDER)
    assert told["ErrorCode"] == "10"


async def test_a_body_that_is_cut_leaves_nothing(world):
    """Half a packet and the end of the connection: no answer matters, nothing is kept."""
    packet = await world.packet_of(make_document())
    parameters = {"messagetype": "edoc", "hash-file": hashlib.sha256(packet).hexdigest(), "from": SENDER}
    headers = sign(SYSTEM_A, SECRET_A, parameters, "application/octet-stream")
    await exchange(world, raw("sendEdoc", headers, packet[:100], length=len(packet)), half_close=True)
    assert not world.files()
    assert (await world.a.send(packet, from_=SENDER))["status"] == "OK"


@pytest.mark.parametrize(
    "body", [b"--x\r\nbroken", b"", b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\ny']
)
async def test_a_broken_form_is_refused(world, body):
    """A multipart body that is none, or has no part file_doc."""
    for boundary in ("; boundary=x", ""):
        parameters = {"messagetype": "edoc", "hash-file": "0", "from": SENDER}
        headers = sign(SYSTEM_A, SECRET_A, parameters, f"multipart/form-data{boundary}")
        answer = answer_of("sendEdoc", await exchange(world, raw("sendEdoc", headers, body)))
        assert answer["ErrorCode"] == "10", answer


async def test_a_slow_client_is_given_up(tmp_path):
    """Silence inside a body is told as something to repeat; silence before the end of the headers just ends it."""
    short = timedelta(seconds=0.3)
    async with running(tmp_path, idle=short, quiet=short) as world:
        parameters = {"messagetype": "edoc", "hash-file": "0", "from": SENDER}
        headers = sign(SYSTEM_A, SECRET_A, parameters, "application/octet-stream")
        response = await exchange(world, raw("sendEdoc", headers, b"x", length=100))
        assert answer_of("sendEdoc", response)["ErrorCode"] == "20"
        assert b"Retry-After: 5" in response
        assert await exchange(world, b"POST /sendEdoc HTTP/1.1\r\nHost: do") == b""


async def test_a_vendor_has_so_many_calls_and_no_more(tmp_path):
    """Beyond its places a call waits, then is told to come again; other vendors are not held up."""
    async with running(tmp_path, calls_of_vendor=1, patience=timedelta(seconds=0.2)) as world:
        parameters = {"messagetype": "edoc", "hash-file": "0", "from": SENDER}
        headers = sign(SYSTEM_A, SECRET_A, parameters, "application/octet-stream")
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(raw("sendEdoc", headers, b"x", length=100))
        await until(lambda: not world.door._places[rpc_world.A]._value)
        url = f"http://127.0.0.1:{world.port}/countReceiveEdoc"
        async with world.session.post(url, headers=sign(SYSTEM_A, SECRET_A, {}, "application/json")) as answer:
            assert (read_envelope("", await answer.read())["ErrorCode"], answer.headers["Retry-After"]) == ("20", "5")
        assert (await world.b.call("countReceiveEdoc"))["count"] == 0
        writer.close()


async def test_a_timestamp_may_be_held_to_the_clock(tmp_path):
    """With a limit old and unreadable stamps are refused; the clients' own stamp is of the test's instant."""
    async with running(tmp_path, clock_skew=timedelta(minutes=5)) as world:
        assert (await world.a.call("countReceiveEdoc"))["status"] == "OK"
        world.under.clock.advance(timedelta(minutes=6))
        assert (await world.a.call("countReceiveEdoc"))["ErrorCode"] == "15"


async def test_the_whole_directory_is_streamed(world):
    """All three lists have every active unit with parents and old codes; the third one the closed ones, too."""
    agencies = (await world.a.call("getAgenciesList"))["data"]
    assert {each["code"] for each in agencies} == {SENDER, rpc_world.UNIT, RECIPIENT, rpc_world.UNCLAIMED}
    by_code = {each["code"]: each for each in agencies}
    assert by_code[rpc_world.UNIT]["pid"] == by_code[SENDER]["id"]
    assert by_code[SENDER]["oldCode"] == rpc_world.OLD_CODE
    qd20 = {each["code"]: each for each in (await world.a.call("getAgenciesListQD20", level="1"))["data"]}
    assert qd20[SENDER] == {**by_code[SENDER], "code102": rpc_world.OLD_CODE}
    rows = [rpc_world.make_directory_row(f"H98.{i:05d}") for i in range(1200)]
    await world.store.directory.apply(rows, at=NOW)
    assert len((await world.a.call("getAgenciesList"))["data"]) == 1200
    units = (await world.a.call("getSynchronizeUnit"))["data"]
    assert (len(units), sum(each["deleted"] for each in units)) == (1204, 4)
    assert {each["centerCode"] for each in units} == {"00.97.W00"}
    await world.store.directory.apply([rows[0]], at=NOW)
    assert [each["code"] for each in (await world.a.call("getAgenciesList"))["data"]] == ["H98.00000"]


async def test_units_are_registered_below_the_vendors_own(world):
    """RegisterAgency goes to the unit's axis and comes back with the directory; foreign ones are refused."""
    world.axis.rows = (rpc_world.make_directory_row(SENDER), rpc_world.make_directory_row(RECIPIENT))
    unit = {"id": "", "pcode": SENDER, "code": "H98.77", "name": "Phòng mới", "mail": "a@example.org", "mobile": None}
    assert (await world.a.call("registerAgency", json.dumps(unit).encode()))["status"] == "OK"
    await until(world.door._operations.units._refreshing.done)
    assert "H98.77" in [each["code"] for each in (await world.a.call("getAgenciesList"))["data"]]
    for changed, code in (
        ({"pcode": RECIPIENT}, "19"),
        ({"code": RECIPIENT}, "19"),
        ({"code": "H1", "pcode": ""}, "19"),
        ({"code": ""}, "21"),
        ({"name": 7}, "21"),
    ):
        told = await world.a.call("registerAgency", json.dumps(unit | changed).encode())
        assert told["ErrorCode"] == code, changed
    for body in (b"[]", b"{", b"[" * 100_000, b"\xff", b"null"):
        assert (await world.a.call("registerAgency", body))["ErrorCode"] in {"21", "10"}
    assert (await world.a.call("deleteAgency", b"{}", AgencyCode=RECIPIENT))["ErrorCode"] == "19"


async def test_units_are_closed_below_the_vendors_own(world):
    """DeleteAgency takes any code of a unit below; the agency that the operator named is the operator's to close."""
    world.axis.rows = tuple(rpc_world.make_directory_row(code) for code in (SENDER, rpc_world.UNIT))
    told = await world.a.call("deleteAgency", b"{}", AgencyCode=rpc_world.UNIT.lower())
    assert told["status"] == "OK", told
    assert [row.code for row in world.axis.rows] == [SENDER]
    assert (await world.a.call("deleteAgency", b"{}", AgencyCode=SENDER))["ErrorCode"] == "19"
    assert SENDER in {row.code for row in world.axis.rows}


@pytest.mark.parametrize(
    "changed",
    [
        {"code": "H98\x00"},
        {"code": "H98.\ud800"},
        {"code": "H98 1"},
        {"code": "H" * 36},
        {"name": "a\x00"},
        {"mail": "\n"},
    ],
)
async def test_units_that_no_directory_takes_are_refused_here(world, changed):
    """Control characters, codes of another alphabet or length: 21, so that nobody repeats it."""
    unit = {"pcode": SENDER, "code": "H98.77", "name": "Phòng mới"} | changed
    told = await world.a.call("registerAgency", json.dumps(unit).encode())
    assert told["ErrorCode"] == "21", told
    assert world.axis.rows == ()


async def test_a_unit_is_registered_under_its_codes_of_the_directory(world):
    """Another case of letters makes no second unit."""
    world.axis.rows = (rpc_world.make_directory_row(SENDER),)
    unit = {"pcode": SENDER.lower(), "code": SENDER.lower(), "name": "Tên mới"}
    assert (await world.a.call("registerAgency", json.dumps({**unit, "pcode": ""}).encode()))["status"] == "OK"
    assert [row.code for row in world.axis.rows] == [SENDER]
    unit["code"] = "H98.77"
    assert (await world.a.call("registerAgency", json.dumps(unit).encode()))["status"] == "OK"
    assert {(row.code, row.parent_axis_id) for row in world.axis.rows} >= {("H98.77", f"axis-{SENDER}")}


async def test_the_log_tells_why_a_call_failed(world):
    """Each refusal once with its cause, a bad signature with the system id that was claimed; never secret or hash."""
    with capture_logs() as lines:
        await world.a.call("updateStatus", b"{}", docId="x", status="x")
        await world.a.send(b"<a/>", from_=SENDER, hash_file="0" * 64)
        await world.a.send(b"no xml", from_=SENDER)
        headers = sign("H98.SYS", "wrong", {}, "application/json")
        async with world.session.post(f"{world.a.url}/countReceiveEdoc", headers=headers) as answer:
            assert json.loads(await answer.read())["ErrorCode"] == "15"
    refused = [line["reason"] for line in lines if line["event"] == "door.refused"]
    assert [words in reason for words, reason in zip(("done", "hash-file", "NOT_XML"), refused, strict=True)] == [
        True
    ] * 3
    (unsigned,) = [line for line in lines if line["event"] == "door.unsigned"]
    assert unsigned["system_id"] == "H98.SYS"
    assert headers["XroadVnpt-hash-header"] not in str(lines)
    assert SECRET_A not in str(lines)


async def test_lists_are_narrowed(world):
    """Dates, recipients and pages narrow the list; nonsense is refused with words."""
    for _ in range(5):
        await world.under.arrive(make_document(), content=b"%PDF-1.7 main")
    everything = await world.b.received()
    assert len(everything) == 5
    pages = [await world.b.received(pageSize="2", pageIndex=str(i)) for i in (1, 2, 3, 4)]
    assert [line for page in pages for line in page] == everything
    assert len(await world.b.received(fromDate="2026/03/02", toDate="02/03/2026")) == 5
    assert await world.b.received(fromDate="2026-03-03") == []
    assert await world.b.received(toDate="2026/03/01") == []
    assert len(await world.b.received(to=RECIPIENT)) == 5
    assert await world.b.received(to=f'["{SENDER}"]') == []
    for wrong in ({"fromDate": "x"}, {"toDate": "2026/02/30"}, {"pageSize": "-1"}, {"status": "x"}, {"to": "[1]"}):
        answer = await world.b.call("getReceivedEdocList", messagetype="edoc", **wrong)
        assert answer["status"] == "FAIL", wrong
    assert (await world.b.call("getReceivedEdocList", messagetype="x"))["ErrorCode"] == "21"


async def test_damage_is_never_handed_out_as_whole(world):
    """Bytes that are no longer those that came in: the answer breaks off before its announced end."""
    packet = await world.packet_of(make_document())
    told = await world.a.send(packet, from_=SENDER)
    assert told["status"] == "OK"
    await world.under.arrive(make_document(), content=b"%PDF-1.7 main")
    (line,) = await world.b.received()
    reception = await world.store.receptions.source(line["docId"])
    async with world.under.blobs.writer(limit=LIMIT) as writer:
        await writer.write(b"not what came in")
        stored = await writer.finish()

    def lie(conn):
        raw_of = "(SELECT raw FROM axis_items WHERE axis_doc_id = ?)"
        change = f"UPDATE blobs SET object_key = ?, size = ? WHERE sha256 = {raw_of}"
        return conn.exec_driver_sql(change, (stored.key, stored.size, reception.axis_doc_id))

    await world.store.database.write(lie)
    headers = sign(SYSTEM_B, SECRET_B, {"docId": line["docId"], "filePath": "x"}, "application/json")
    for method, operation in (("GET", "downloadEdoc"), ("POST", "getEdoc")):
        response = await exchange(world, raw(operation, headers, method=method))
        body = response.partition(b"\r\n\r\n")[2]
        assert b"not what came in" not in body
        assert base64.b64encode(b"not what") not in body


async def test_the_door_speaks_tls_where_it_has_a_certificate(tmp_path):
    """The SDK's https endpoints: the server proves itself, the client by its secret alone."""
    files = rpc_world.write_tls(tmp_path)
    tls = DoorTls(certificate=files.certificate, key=files.key)
    async with running(tmp_path, listen="localhost:0", tls=tls) as world:
        trusted = ssl.create_default_context(cadata=rpc_world.pki().servers_ca.certificate_pem.decode())
        url = f"https://localhost:{world.port}/countReceiveEdoc"
        headers = sign(SYSTEM_A, SECRET_A, {}, "application/json")
        async with world.session.post(url, headers=headers, ssl=trusted) as answer:
            assert read_envelope("", await answer.read())["count"] == 0


async def test_a_full_door_says_so(tmp_path):
    """Beyond its connections the door answers code 20 and goes on serving those it has."""
    async with running(tmp_path, connections=1) as world:
        assert (await world.a.call("countReceiveEdoc"))["count"] == 0
        headers = sign(SYSTEM_B, SECRET_B, {}, "application/json")
        answer = answer_of("countReceiveEdoc", await exchange(world, raw("countReceiveEdoc", headers)))
        assert answer["ErrorCode"] == "20"
        assert (await world.a.call("countReceiveEdoc"))["count"] == 0


async def test_a_failing_store_is_told_and_nothing_is_lost(world):
    """Every operation that needs the store: code 20, in the envelope."""
    await world.store.close()
    for operation, parameters in OPERATIONS.items():
        if operation in {"sendEdoc", "registerAgency"}:
            continue
        method = "GET" if operation == "downloadEdoc" else "POST"
        told = await world.a.call(operation, b"{}", method=method, **parameters)
        assert told["ErrorCode"] == "20", operation


async def test_a_bug_is_told_with_an_id_to_quote(world, monkeypatch):
    """What nobody foresaw: code 20 and the request id, not a word of it."""

    async def fails(*_args, **_more):
        raise RuntimeError("secret")

    monkeypatch.setattr(type(world.store.receptions), "count", fails)
    told = await world.a.call("countReceiveEdoc")
    assert told["ErrorCode"] == "20"
    assert "secret" not in told["ErrorDesc"]
    assert len(told["ErrorDesc"].split()[-1]) > 30


async def test_calls_are_measured_by_closed_labels(world):
    """Whatever path is called, labels are the thirteen operations and `other`."""
    await world.a.call("countReceiveEdoc")
    for path in ("x", "y"):
        await world.session.post(f"http://127.0.0.1:{world.port}/{path}")
    samples = [each for family in world.under.metrics.door_seconds.collect() for each in family.samples]
    seen = {(each.labels["operation"], each.labels["outcome"]) for each in samples}
    assert seen == {("countReceiveEdoc", "0"), ("other", "20")}
