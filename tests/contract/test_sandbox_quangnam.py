"""The simulated axis's Quang Nam face over real sockets: tokens, every operation, every refusal, hostile bodies."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.contract.sandbox_faces import A, B, Faces, faces_in_a_process, faces_running, read_peak
from tests.unit.sandbox.calls import make_document, make_status

_BASE = "truclienthong/v1.0.0"


@dataclass(kw_only=True)
class Client:
    """A document system of the Quang Nam kind."""

    faces: Faces
    system: tuple[str, str]
    headers: dict[str, str] = field(default_factory=dict)

    async def log_in(self) -> dict[str, Any]:
        status, answer = await ask_token(self.faces, *self.system)
        assert status == 200, answer
        self.headers = {"Authorization": f"Bearer {answer['access_token']}", "secret": self.system[1]}
        return answer

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        headers = {**self.headers, **more.pop("headers", {})}
        url = f"{self.faces.quangnam}/{_BASE}/{path}"
        async with self.faces.session.request(method, url, headers=headers, **more) as answer:
            assert answer.content_type == "application/json"
            return answer.status, json.loads(await answer.text(), object_pairs_hook=refuse_nulls)

    async def ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        status, answer = await self.call(method, path, **more)
        assert status == 200
        assert set(answer) == {"status", "errorCode", "errorDesc", "data", "docId"}
        assert answer["status"] == ("OK" if answer["errorCode"] == "0" else "FAIL")
        return answer  # type: ignore[no-any-return]

    async def send(self, packet: bytes, message_type: str = "edoc") -> dict[str, Any]:
        body = {"edxml": base64.b64encode(packet).decode(), "messageType": message_type}
        return await self.ask("POST", "vanbans", json=body)

    async def list_received(self, **filters: str) -> list[dict[str, str]]:
        answer = await self.ask("GET", "vanbans", params=filters)
        assert answer["status"] == "OK", answer
        return answer["data"]  # type: ignore[no-any-return]


def refuse_nulls(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert all(value is not None for _, value in pairs), pairs
    return dict(pairs)


async def ask_token(
    faces: Faces, key: str, secret: str, *, grant: str = "client_credentials"
) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()}
    body = {"grant_type": grant}
    async with faces.session.post(f"{faces.quangnam}/token", data=body, headers=headers) as answer:
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


@pytest.fixture
async def faces() -> AsyncIterator[Faces]:
    async with faces_running() as started:
        yield started


async def client(faces: Faces, system: tuple[str, str]) -> Client:
    made = Client(faces=faces, system=system)
    await made.log_in()
    return made


async def test_document_goes_from_system_to_system(faces: Faces) -> None:
    """A packet sent by A is listed by B, handed out as it was sent and acknowledged in capitals."""
    a, b = await client(faces, A), await client(faces, B)
    packet = make_document(to=("H98.01", "H98.31"))
    sent = await a.send(packet)
    assert (sent["status"], len(sent["docId"])) == ("OK", 24)
    items = await b.list_received(messageType="edoc")
    assert [(item["from"], item["to"], item["status"]) for item in items] == [
        ("H99.01", "H98.01", "INITIAL"),
        ("H99.01", "H98.31", "INITIAL"),
    ]
    assert set(items[0]) == {
        *("serviceType", "messageType", "statusDesc", "docId", "from", "to", "status", "createdTime")
    }
    first = items[0]["docId"]
    got = await b.ask("GET", f"vanbans/{first}")
    assert (got["docId"], base64.b64decode(got["data"])) == (first, packet)
    assert (await b.ask("PUT", f"vanbans/{first}", json={"status": "PROCESSING"}))["docId"] == first
    assert [item["status"] for item in await b.list_received()] == ["PROCESSING", "INITIAL"]
    assert (await b.ask("PUT", f"vanbans/{first}", json={"status": "DONE"}))["status"] == "OK"
    assert [item["to"] for item in await b.list_received()] == ["H98.31"]
    assert [item["docId"] for item in await b.list_received(status="DONE")] == [first]


async def test_dialects_meet_on_one_axis(faces: Faces) -> None:
    """What comes in by this face is listed by the VXP face, and a status comes back the other way round."""
    a = await client(faces, A)
    await a.send(make_document())
    (item,) = await faces.vxp(B).list_received()
    assert item["from"] == "H99.01"
    assert (await faces.vxp(B).send(make_status(), sender="H98.01", messagetype="status"))["status"] == "OK"
    (status,) = await a.list_received(messageType="status")
    assert (status["from"], status["messageType"]) == ("H98.01", "status")
    assert (await (await client(faces, B)).send(make_status(), "status"))["status"] == "OK"


async def test_tokens_are_given_for_client_credentials(faces: Faces) -> None:
    """The token call says how long its token lives; wrong credentials and other grants are refused as OAuth2 says."""
    _, answer = await ask_token(faces, *A)
    assert (answer["token_type"], answer["expires_in"], bool(answer["scope"])) == ("Bearer", 1800, True)
    for key, secret in ((A[0], "wrong"), ("nobody", "x"), (A[0], ""), (A[0], B[1])):
        status, wrong = await ask_token(faces, key, secret)
        assert (status, wrong["error"]) == (401, "invalid_client")
    status, wrong = await ask_token(faces, *A, grant="password")
    assert (status, wrong["error"]) == (400, "unsupported_grant_type")
    assert len(await faces.records("token_issued")) == 1


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic !!!", "Basic /w==", "Bearer abc", "Basic YQ=="])
async def test_token_call_survives_any_header(faces: Faces, authorization: str) -> None:
    """Whatever stands in Authorization, the answer is an OAuth2 refusal."""
    url, form = f"{faces.quangnam}/token", {"grant_type": "client_credentials"}
    async with faces.session.post(url, data=form, headers={"Authorization": authorization}) as answer:
        assert (answer.status, (await answer.json())["error"]) == (401, "invalid_client")


async def test_every_call_needs_a_good_token(faces: Faces) -> None:
    """Without a token, with one of another face and after all were ended a call gets the platform's fault, HTTP 401."""
    a = await client(faces, A)
    for bad in ("", "Bearer wrong", a.headers["Authorization"].replace("Bearer", "Basic")):
        status, answer = await a.call("GET", "vanbans", headers={"Authorization": bad})
        assert (status, answer["fault"]["code"]) == (401, 900901)
    await ask_token(faces, *B)
    assert await faces.control("POST", "/tokens/expire") == {"ended": 2}
    assert (await a.call("POST", "vanbans", json={"edxml": "", "messageType": "edoc"}))[0] == 401
    await a.log_in()
    assert (await a.send(make_document()))["status"] == "OK"
    assert [each["system"] for each in await faces.records("token_issued")] == [A[0], B[0], A[0]]


async def test_the_units_secret_goes_in_header_or_query(faces: Faces) -> None:
    """The unit's secret is taken from either place; a wrong or missing one is refused with code 15."""
    a = await client(faces, A)
    secret = a.headers.pop("secret")
    assert (await a.ask("GET", "vanbans"))["errorCode"] == "15"
    assert (await a.ask("GET", "vanbans", headers={"secret": B[1]}))["errorCode"] == "15"
    assert (await a.ask("GET", "vanbans", params={"secret": secret}))["errorCode"] == "0"
    assert (await a.ask("GET", "vanbans", headers={"secret": secret}))["errorCode"] == "0"


@pytest.mark.parametrize(
    ("packet", "message_type", "code"),
    [
        (make_document(), "status", "22"),
        (make_status(), "edoc", "22"),
        (b"", "edoc", "22"),
        (b"<edXML/>", "edoc", "22"),
        (make_document(sender="H98.01"), "edoc", "19"),
        (make_document(to=("H77",)), "edoc", "18"),
        (make_document(to=("H97.20",)), "edoc", "23"),
    ],
)
async def test_refused_packets_say_why_and_leave_no_file(
    tmp_path: Path, packet: bytes, message_type: str, code: str
) -> None:
    """Each refusal has its code and an empty docId; the data folder stays empty."""
    async with faces_running(data=tmp_path) as faces:
        answer = await (await client(faces, A)).send(packet, message_type)
        assert (answer["errorCode"], answer["docId"]) == (code, "")
    assert list((tmp_path / "packets").iterdir()) == []


_PACKET = base64.b64encode(make_document())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"messageType": "edoc"}',
        b'{"edxml": 5, "messageType": "edoc"}',
        b'{"edxml": null}',
        b'{"edxml": "!!!!", "messageType": "edoc"}',
        b'{"edxml": "' + _PACKET + b'", "messageType": "edoc"',
        b'{"edxml": "' + _PACKET,
        b'{"edxml": "' + _PACKET + b'", "edxml": "' + _PACKET + b'", "messageType": "edoc"}',
        b'{"edxml": "' + _PACKET + b'", "messageType": "edoc"} {}',
        b'{"edxml": "' + _PACKET + b'", "messageType": {"a": 1}}',
        b'{"x": "' + b"y" * 100_000 + b'", "edxml": "' + _PACKET + b'", "messageType": "edoc"}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
async def test_hostile_bodies_get_an_answer(tmp_path: Path, body: bytes) -> None:
    """A body that is not one object with a base64 packet is refused in the envelope and leaves no file."""
    async with faces_running(data=tmp_path) as faces:
        a = await client(faces, A)
        answer = await a.ask("POST", "vanbans", data=body, headers={"Content-Type": "application/json"})
        assert answer["errorCode"] in {"10", "22"}
        assert await faces.records("accepted") == []
    assert list((tmp_path / "packets").iterdir()) == []


async def test_members_may_come_in_any_order_and_escaped(faces: Faces) -> None:
    """The message type may stand first, and the base64 may be escaped as Gson and Jackson do."""
    a = await client(faces, A)
    packet = make_document(number="????")
    whole = base64.b64encode(packet)
    lines = b"\\r\\n".join(whole[start : start + 76] for start in range(0, len(whole), 76))
    escaped = lines.replace(b"/", b"\\/").replace(b"=", b"\\u003d")
    assert b"\\/" in escaped
    assert b"\\u003d" in escaped
    body = b'{ "messageType" : "edoc", "edxml" : "' + escaped + b'" }'
    assert (await a.ask("POST", "vanbans", data=body))["status"] == "OK"
    (item,) = await faces.vxp(B).list_received()
    assert (await faces.vxp(B).download(item["docId"]))[1] == packet


async def test_foreign_items_are_not_handed_out(faces: Faces) -> None:
    """Only the system in whose mailbox an item lies can fetch or acknowledge it; unknown states are refused."""
    a, b = await client(faces, A), await client(faces, B)
    await a.send(make_document())
    (item,) = await b.list_received()
    for asker, doc_id in ((a, item["docId"]), (b, "unknown")):
        assert (await asker.ask("GET", f"vanbans/{doc_id}"))["errorCode"] == "21"
        assert (await asker.ask("PUT", f"vanbans/{doc_id}", json={"status": "DONE"}))["errorCode"] == "21"
    for body in ({"status": "INITIAL"}, {"status": "done"}, {"status": ""}, {}, [], {"status": 1}):
        assert (await b.ask("PUT", f"vanbans/{item['docId']}", json=body))["errorCode"] == "21"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "nothing", 404), ("DELETE", "vanbans", 405), ("POST", "vanbans/1", 405), ("GET", "vanbans/1/2", 404)],
)
async def test_unknown_operations_are_json_too(faces: Faces, method: str, path: str, status: int) -> None:
    """A path or method the dialect does not have gives the HTTP status and the full envelope."""
    got, answer = await (await client(faces, A)).call(method, path)
    assert (got, answer["status"], answer["docId"]) == (status, "FAIL", "")


async def test_units_are_listed_registered_and_closed(faces: Faces) -> None:
    """The national list and the own one, a unit registered below the own province, and closed again."""
    a = await client(faces, A)
    national = (await a.ask("GET", "donvilienthongs"))["data"]
    assert {"H99", "H98.01"} <= {unit["code"] for unit in national}
    assert all(set(unit) == {"id", "pid", "code", "name"} for unit in national)
    unit = {"code": "H99.50", "pcode": "H99", "name": "Sở Mới", "email": "moi@axis.example", "mobile": "", "fax": ""}
    assert (await a.ask("POST", "donvilienthongs", json=unit))["status"] == "OK"
    assert (await a.ask("POST", "donvilienthongs", json={**unit, "code": "H98.50", "pcode": "H98"}))[
        "errorCode"
    ] == "19"
    own = {each["code"] for each in (await a.ask("GET", "donvilienthongs/noitinh"))["data"]}
    assert "H99.50" in own
    assert all(code.startswith("H99") for code in own)
    assert (await a.ask("PUT", "donvilienthongs/H99.50"))["status"] == "OK"
    assert (await a.ask("PUT", "donvilienthongs/H98.01"))["errorCode"] == "19"
    assert "H99.50" not in {each["code"] for each in (await a.ask("GET", "donvilienthongs"))["data"]}


async def test_fault_answer_lost_concerns_the_sending_alone(faces: Faces) -> None:
    """answer-lost:1 passes a list by, accepts one packet and cuts the connection."""
    a = await client(faces, A)
    await faces.control("POST", "/faults", {"name": "answer-lost", "count": 1})
    assert await a.list_received() == []
    with pytest.raises(aiohttp.ClientError):
        await a.send(make_document())
    assert len(await faces.records("accepted")) == 1
    assert (await a.send(make_document()))["status"] == "OK"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
async def test_large_packets_stream(tmp_path: Path) -> None:
    """A packet of 32 MB in and out as base64 in JSON grows the axis by less than 16 MB."""
    packet = make_document(attachment="A" * 32 * 1024 * 1024)
    body = b'{"edxml": "' + base64.b64encode(packet) + b'", "messageType": "edoc"}'

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1 << 20):
            yield body[start : start + (1 << 20)]

    async with faces_in_a_process(tmp_path) as (faces, pid):
        a, b = await client(faces, A), await client(faces, B)
        await a.send(make_document())
        before = psutil.Process(pid).memory_info().rss
        assert (await a.ask("POST", "vanbans", data=pieces()))["status"] == "OK"
        doc_id = (await b.list_received())[-1]["docId"]
        received = 0
        async with faces.session.get(f"{faces.quangnam}/{_BASE}/vanbans/{doc_id}", headers=b.headers) as answer:
            async for chunk in answer.content.iter_any():
                received += len(chunk)
        peak = read_peak(pid)
    assert received > len(packet) * 4 // 3
    assert peak - before < 16 * 1024 * 1024
