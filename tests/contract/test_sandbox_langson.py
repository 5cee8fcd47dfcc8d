"""The simulated axis's Lang Son face over real sockets: login, every operation, every refusal, hostile bodies."""

import base64
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.contract.sandbox_faces import A, B, Faces, exchange, faces_in_a_process, faces_running, read_peak
from tests.unit.sandbox.calls import make_document, make_status


@dataclass(kw_only=True)
class Client:
    """A document system of the Lang Son kind."""

    faces: Faces
    system: tuple[str, str]
    headers: dict[str, str] = field(default_factory=dict)

    async def log_in(self) -> dict[str, Any]:
        body = {"username": self.system[0], "password": self.system[1], "applicationCode": "qlvb", "otp": ""}
        status, answer = await self.call("POST", "auth/login?allow_anonymous=true", json=body)
        assert status == 200, answer
        token = answer["data"]["token"]
        named = {"X-SystemId": self.system[0], "X-SecretKey": self.system[1]}
        self.headers = {"Authorization": f"Bearer {token}", **named}
        return answer  # type: ignore[no-any-return]

    async def call(self, method: str, operation: str, **more: Any) -> tuple[int, Any]:
        headers = {**self.headers, **more.pop("headers", {})}
        url = f"{self.faces.langson}/v1/{operation}"
        async with self.faces.session.request(method, url, headers=headers, **more) as answer:
            assert answer.content_type == "application/json"
            return answer.status, await answer.json()

    async def send(self, packet: bytes, message_type: str = "edoc") -> dict[str, Any]:
        status, answer = await self.call("POST", "sendEdoc", **sized(form(packet, message_type)))
        assert status == 200
        return answer  # type: ignore[no-any-return]

    async def list_received(self, message_type: str = "edoc", **dates: str) -> list[dict[str, str]]:
        _, answer = await self.call("GET", "syncReceivedEdocList", params={"messageType": message_type, **dates})
        assert answer["success"] is True
        assert answer["count"] == len(answer["data"])
        return answer["data"]  # type: ignore[no-any-return]


def form(packet: bytes, message_type: str | None, *, name: str = "edocFile") -> aiohttp.FormData:
    parts = aiohttp.FormData()
    parts.add_field(name, io.BytesIO(packet), filename="packet.edxml", content_type="application/octet-stream")
    if message_type is not None:
        parts.add_field("messageType", message_type)
    return parts


def sized(parts: aiohttp.FormData) -> dict[str, Any]:
    """The form with its length told, as this axis wants it."""
    payload = parts()
    return {"data": payload, "headers": {"Content-Length": str(payload.size)}}


@pytest.fixture
async def faces() -> AsyncIterator[Faces]:
    async with faces_running() as started:
        yield started


async def client(faces: Faces, system: tuple[str, str]) -> Client:
    made = Client(faces=faces, system=system)
    await made.log_in()
    return made


async def test_document_goes_from_system_to_system(faces: Faces) -> None:
    """A packet sent by A is listed by B, handed out as it was sent with its files beside it, and acknowledged."""
    a, b = await client(faces, A), await client(faces, B)
    packet = make_document(attachment="JVBERi0=")
    sent = await a.send(packet)
    assert (sent["success"], len(sent["docId"])) == (True, 24)
    (item,) = await b.list_received()
    assert set(item) == {
        *("serviceType", "createdTime", "updatedTime", "messageType", "docId", "from", "to", "status", "statusDesc")
    }
    assert (item["from"], item["to"], item["messageType"], item["status"]) == ("H99.01", "H98.01", "edoc", "initial")
    _, got = await b.call("GET", "getEdoc", params={"docId": item["docId"]})
    data = got["data"]
    assert base64.b64decode(data["edxml"]) == packet
    assert data["attachments"] == [{"fileContent": "JVBERi0=", "fileName": ""}]
    assert (data["docId"], data["from"], data["edocCode"]) == (item["docId"], "H99.01", "12/ABC-XYZ")
    assert (data["fromName"], data["edocAbstract"]) == ("Sở Nội vụ tỉnh A", "V/v thử nghiệm")
    assert await b.call("POST", "updateStatus", json={"docId": item["docId"], "status": "done"}) == (
        200,
        {"success": True, "message": "Thanh cong"},
    )
    assert await b.list_received() == []


async def test_dialects_meet_on_one_axis(faces: Faces) -> None:
    """What comes in by this face is listed by the VXP face, and a status comes back the other way round."""
    a = await client(faces, A)
    await a.send(make_document())
    (item,) = await faces.vxp(B).list_received()
    assert item["from"] == "H99.01"
    assert (await faces.vxp(B).send(make_status(), sender="H98.01", messagetype="status"))["status"] == "OK"
    (status,) = await a.list_received("status")
    assert (status["from"], status["messageType"]) == ("H98.01", "status")
    _, got = await a.call("GET", "getEdoc", params={"docId": status["docId"]})
    assert (base64.b64decode(got["data"]["edxml"]), got["data"]["attachments"]) == (make_status(), [])


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("?allow_anonymous=true", {"username": A[0], "password": "wrong"}),
        ("?allow_anonymous=true", {"username": "nobody", "password": ""}),
        ("?allow_anonymous=true", {"username": "", "password": ""}),
        ("?allow_anonymous=true", {"username": A[0], "password": None}),
        ("?allow_anonymous=true", {"username": [A[0]], "password": A[1]}),
        ("?allow_anonymous=true", [A[0], A[1]]),
        ("", {"username": A[0], "password": A[1]}),
    ],
)
async def test_login_is_refused_without_its_facts(faces: Faces, query: str, body: Any) -> None:
    """A wrong name or password, another shape, or a missing allow_anonymous gives 401 and no token."""
    status, answer = await Client(faces=faces, system=A).call("POST", f"auth/login{query}", json=body)
    assert (status, answer["code"], answer["data"]) == (401, "15", {})
    assert await faces.records("token_issued") == []


async def test_every_call_needs_a_good_token(faces: Faces) -> None:
    """Without a token, with a wrong one and after all were ended a call gets 401; a new login cures it."""
    a = await client(faces, A)
    good = a.headers["Authorization"]
    for bad in ("", "Bearer", "Bearer wrong", good.removeprefix("Bearer "), good.replace("Bearer", "Basic")):
        status, answer = await a.call("GET", "getAgenciesList", headers={"Authorization": bad})
        assert (status, answer["success"]) == (401, False)
    assert await faces.control("POST", "/tokens/expire") == {"ended": 1}
    assert (await a.call("POST", "sendEdoc", **sized(form(make_document(), "edoc"))))[0] == 401
    await a.log_in()
    assert (await a.send(make_document()))["success"] is True
    issued = await faces.records("token_issued")
    assert [(each["face"], each["system"]) for each in issued] == [("langson", A[0])] * 2
    assert good.split()[1] not in json.dumps(await faces.control("GET", "/records"))


async def test_tokens_end_by_themselves() -> None:
    """A token is good for the seconds the sandbox is told, not longer."""
    async with faces_running(token_seconds=0.0) as faces:
        a = await client(faces, A)
        assert (await a.call("GET", "getAgenciesList"))[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"X-SecretKey": "wrong"},
        {"X-SecretKey": ""},
        {"X-SystemId": "nobody"},
        {"X-SystemId": B[0], "X-SecretKey": B[1]},
    ],
)
async def test_every_call_needs_the_systems_secret(faces: Faces, headers: dict[str, str]) -> None:
    """A good token with another system's id or a wrong secret is refused with code 15 on every operation."""
    a = await client(faces, A)
    for method, operation in (("GET", "getAgenciesList"), ("GET", "syncReceivedEdocList"), ("POST", "sendEdoc")):
        status, answer = await a.call(method, operation, headers=headers)
        assert (status, answer["success"], answer["data"]["errorCode"]) == (200, False, "15")


async def test_chunked_sending_is_refused(faces: Faces) -> None:
    """A sendEdoc without Content-Length gets the axis's own words and nothing is accepted."""
    a = await client(faces, A)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"--b\r\n"

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    status, answer = await a.call("POST", "sendEdoc", data=pieces(), headers=kind)
    assert (status, answer["message"]) == (400, "Unexpected end of Stream")
    assert await faces.records("accepted") == []


@pytest.mark.parametrize(
    ("packet", "message_type", "name", "code"),
    [
        (make_document(), "edoc", "file", "10"),
        (make_document(), "status", "edocFile", "22"),
        (make_document(), None, "edocFile", "22"),
        (make_document(), "edoc" * 40_000, "edocFile", "22"),
        (make_status(), "edoc", "edocFile", "22"),
        (b"", "edoc", "edocFile", "22"),
        (b"<edXML/>", "edoc", "edocFile", "22"),
        (make_document(sender="H98.01"), "edoc", "edocFile", "19"),
        (make_document(to=("H77",)), "edoc", "edocFile", "18"),
        (make_document(to=("H97.20",)), "edoc", "edocFile", "23"),
    ],
)
async def test_refused_packets_say_why_and_leave_no_file(
    tmp_path: Path, packet: bytes, message_type: str | None, name: str, code: str
) -> None:
    """Each refusal has its code in data, beside an empty docId; the data folder stays empty."""
    async with faces_running(data=tmp_path) as faces:
        a = await client(faces, A)
        _, answer = await a.call("POST", "sendEdoc", **sized(form(packet, message_type, name=name)))
        assert (answer["success"], answer["data"]["errorCode"], answer["data"]["docId"]) == (False, code, "")
        assert set(answer["data"]) == {"docId", "status", "errorCode", "errorDesc"}
    assert list((tmp_path / "packets").iterdir()) == []


_PART = b'Content-Disposition: form-data; name="edocFile"; filename="x"\r\n\r\n'
_HOSTILE = {
    "no boundary": ("multipart/form-data", b"x"),
    "no multipart": ("application/json", b"{}"),
    "empty": ("multipart/form-data; boundary=b", b""),
    "no end": ("multipart/form-data; boundary=b", b"--b\r\n" + _PART + make_document()),
    "no headers": ("multipart/form-data; boundary=b", b"--b\r\n--b--\r\n"),
    "nested": (
        "multipart/form-data; boundary=b",
        b"--b\r\n"
        + _PART
        + make_document()
        + b"\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--\r\n",
    ),
    "broken nested": (
        "multipart/form-data; boundary=b",
        b"--b\r\n" + _PART + make_document() + b"\r\n--b\r\nContent-Type: multipart/mixed\r\n\r\n--c--\r\n--b--\r\n",
    ),
    "long header": ("multipart/form-data; boundary=b", b"--b\r\nX: " + b"y" * 600_000 + b"\r\n\r\n--b--\r\n"),
}


@pytest.mark.parametrize("case", _HOSTILE)
async def test_hostile_bodies_get_an_answer(tmp_path: Path, case: str) -> None:
    """A body that is no form of this axis is refused as JSON, accepts nothing and leaves no file."""
    content_type, body = _HOSTILE[case]
    async with faces_running(data=tmp_path) as faces:
        a = await client(faces, A)
        status, answer = await a.call("POST", "sendEdoc", data=body, headers={"Content-Type": content_type})
        assert (status, answer["success"]) == (200, False)
        assert await faces.records("accepted") == []
    assert list((tmp_path / "packets").iterdir()) == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"docId": 5}', b"[" * 50_000, b'{"docId": "x", "status": "done"}', b"\xff"]
)
async def test_hostile_json_is_refused(faces: Faces, body: bytes) -> None:
    """The call updateStatus refuses what is no object of texts or names no item, with code 21."""
    a = await client(faces, A)
    status, answer = await a.call("POST", "updateStatus", data=body, headers={"Content-Type": "application/json"})
    assert (status, answer["data"]["errorCode"]) == (200, "21")


@pytest.mark.parametrize(
    ("method", "operation", "status"),
    [
        ("GET", "nothing", 404),
        ("GET", "", 404),
        ("GET", "sendEdoc", 405),
        ("POST", "getEdoc", 405),
        ("GET", "auth/login", 404),
    ],
)
async def test_unknown_operations_are_json_too(faces: Faces, method: str, operation: str, status: int) -> None:
    """A path or method the dialect does not have gives the HTTP status and the shape of a refusal."""
    answer = await (await client(faces, A)).call(method, operation)
    assert (answer[0], answer[1]["success"]) == (status, False)


async def test_a_header_that_is_no_text_is_a_wrong_secret(faces: Faces) -> None:
    """Bytes beyond ASCII in the credentials are refused, not stumbled over."""
    token = (await client(faces, A)).headers["Authorization"].encode()
    request = b"GET /v1/getAgenciesList HTTP/1.1\r\nHost: axis\r\nConnection: close\r\nAuthorization: " + token
    answer = await exchange(faces.at.langson, request + b"\r\nX-SystemId: 00.99.W00\r\nX-SecretKey: \xff\xfe\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["data"]["errorCode"] == "15"


async def test_foreign_items_are_not_handed_out(faces: Faces) -> None:
    """Only the system in whose mailbox an item lies can fetch or acknowledge it."""
    a, b = await client(faces, A), await client(faces, B)
    await a.send(make_document())
    (item,) = await b.list_received()
    for asker, doc_id in ((a, item["docId"]), (b, "unknown"), (b, "")):
        _, got = await asker.call("GET", "getEdoc", params={"docId": doc_id})
        _, told = await asker.call("POST", "updateStatus", json={"docId": doc_id, "status": "done"})
        assert (got["data"]["errorCode"], told["data"]["errorCode"]) == ("21", "21")


async def test_list_can_be_narrowed_by_days(faces: Faces) -> None:
    """The days fromDate and toDate, yyyy/MM/dd, narrow the list; other forms are refused."""
    a, b = await client(faces, A), await client(faces, B)
    await a.send(make_document())
    assert len(await b.list_received(fromDate="2020/01/01", toDate="2999/01/01")) == 1
    assert await b.list_received(toDate="2020/01/01") == []
    _, answer = await b.call("GET", "syncReceivedEdocList", params={"fromDate": "2020-01-01"})
    assert (answer["success"], answer["data"]["errorCode"]) == (False, "21")


async def test_directory_is_a_bare_list(faces: Faces) -> None:
    """The call getAgenciesList answers a list of open units with the code of the one above, not an envelope."""
    _, agencies = await (await client(faces, A)).call("GET", "getAgenciesList")
    by_code = {agency["orgCode"]: agency for agency in agencies}
    assert by_code["H99.01.01"]["parentCode"] == "H99.01"
    assert by_code["H99"]["parentCode"] == ""
    assert "H97" not in by_code
    assert set(by_code["H99"]) == {"orgCode", "orgName", "parentCode", "address", "email", "phone"}


async def test_fault_answer_lost_carries_out_and_says_nothing(faces: Faces) -> None:
    """answer-lost:1 accepts one sendEdoc and cuts the connection; the calls around it are untouched."""
    a = await client(faces, A)
    await faces.control("POST", "/faults", {"name": "answer-lost", "count": 1})
    assert (await a.call("GET", "getAgenciesList"))[0] == 200
    with pytest.raises(aiohttp.ClientError):
        await a.send(make_document())
    assert len(await faces.records("accepted")) == 1
    assert (await a.send(make_document()))["success"] is True


async def test_fault_half_answer_breaks_a_download(faces: Faces) -> None:
    """half-answer:1 ends a streamed getEdoc in its middle; the next one is whole."""
    a, b = await client(faces, A), await client(faces, B)
    await a.send(make_document())
    (item,) = await b.list_received()
    await faces.control("POST", "/faults", {"name": "half-answer", "count": 1})
    with pytest.raises((aiohttp.ClientError, ValueError)):
        await b.call("GET", "getEdoc", params={"docId": item["docId"]})
    _, got = await b.call("GET", "getEdoc", params={"docId": item["docId"]})
    assert base64.b64decode(got["data"]["edxml"]) == make_document()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
async def test_large_packets_stream(tmp_path: Path) -> None:
    """A packet of 32 MB in, and twice out (edxml and file), grows the axis by less than 16 MB."""
    packet = make_document(attachment="A" * 32 * 1024 * 1024)
    async with faces_in_a_process(tmp_path) as (faces, pid):
        a, b = await client(faces, A), await client(faces, B)
        await a.send(make_document())
        before = psutil.Process(pid).memory_info().rss
        assert (await a.send(packet))["success"] is True
        item = (await b.list_received())[-1]
        url = f"{faces.langson}/v1/getEdoc?docId={item['docId']}"
        received = 0
        async with faces.session.get(url, headers=b.headers) as answer:
            async for chunk in answer.content.iter_any():
                received += len(chunk)
        peak = read_peak(pid)
    assert received > len(packet) * 4 // 3 + 32 * 1024 * 1024
    assert peak - before < 16 * 1024 * 1024
