"""A client of the simulated axis for its own tests: signs as the national Java SDK does, shares no code with it."""

import hashlib
import io
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.fakes.javasdk import java_hash, sign

NS102 = "http://www.mic.gov.vn/TBT/QCVN_102_2016"


@dataclass(frozen=True, kw_only=True)
class Client:
    """One system, calling one axis."""

    session: aiohttp.ClientSession
    url: str
    system_id: str
    secret: str

    async def call(self, operation: str, body: bytes = b"", **parameters: str) -> dict[str, Any]:
        """Call an operation whose answer is JSON; no member of any answer may be null."""
        names = {name.replace("_", "-"): value for name, value in parameters.items()}
        headers = sign(self.system_id, self.secret, names, "application/json")
        async with self.session.post(f"{self.url}/base/{operation}", data=body, headers=headers) as answer:
            return read_envelope(await answer.read())

    async def send(self, packet: bytes, *, sender: str, to: list[str] | None = None, **extra: str) -> dict[str, Any]:
        """Call sendEdoc with the packet and CR LF as body; `extra` overrides signed parameters."""
        headers = self.sign_send(packet, sender=sender, to=to, **extra)
        body = io.BytesIO(packet + b"\r\n")
        async with self.session.post(f"{self.url}/sendEdoc", data=body, headers=headers) as answer:
            return read_envelope(await answer.read())

    def sign_send(self, packet: bytes, *, sender: str, to: list[str] | None = None, **extra: str) -> dict[str, str]:
        parameters = {
            "servicetype": "eDoc",
            "messagetype": "edoc",
            "hash-file": java_hash(hashlib.sha256(packet).digest()),
            "from": sender,
        }
        if to is not None:
            parameters["to"] = json.dumps(to, separators=(",", ":"))
        parameters.update({name.replace("_", "-"): value for name, value in extra.items()})
        return sign(self.system_id, self.secret, parameters, "application/octet-stream")

    async def list_received(self, message_type: str = "edoc", **filters: str) -> list[dict[str, str]]:
        parameters = {"servicetype": "eDoc", "messagetype": message_type, **filters}
        answer = await self.call("getReceivedEdocList", b"", **parameters)
        assert answer["status"] == "OK", answer
        return answer["data"]  # type: ignore[no-any-return]

    async def list_sent(self, doc_id: str = "") -> dict[str, Any]:
        return await self.call("getSentEdocList", servicetype="eDoc", messagetype="edoc", docId=doc_id)

    async def download(self, doc_id: str) -> tuple[str, bytes]:
        """GET downloadEdoc: content type and body."""
        headers = sign(self.system_id, self.secret, {"docId": doc_id, "filePath": "x.edxml"}, "application/json")
        async with self.session.get(f"{self.url}/downloadEdoc", headers=headers) as answer:
            return answer.content_type, await answer.read()


def read_envelope(body: bytes) -> dict[str, Any]:
    """Parse an answer and check what the stock Java client needs of every answer."""
    answer = json.loads(body, object_pairs_hook=_refuse_nulls)
    assert {"status", "ErrorCode", "ErrorDesc", "data"} <= answer.keys()
    assert answer["status"] == ("OK" if answer["ErrorCode"] == "0" else "FAIL")
    return answer  # type: ignore[no-any-return]


def make_document(
    *, sender: str = "H99.01", to: tuple[str, ...] = ("H98.01",), number: str = "12", attachment: str = "JVBERi0="
) -> bytes:
    """A document packet with literal prefixes, the elements a strict axis reads and one attachment."""
    receivers = "".join(f"<edXML:To><edXML:OrganId>{code}</edXML:OrganId></edXML:To>" for code in to)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{NS102}"><edXML:edXMLEnvelope xmlns:edXML="{NS102}">'
        "<edXML:edXMLHeader><edXML:MessageHeader>"
        f"<edXML:From><edXML:OrganId>{sender}</edXML:OrganId></edXML:From>{receivers}"
        f"<edXML:Code><edXML:CodeNumber>{number}</edXML:CodeNumber><edXML:CodeNotation>ABC-XYZ</edXML:CodeNotation></edXML:Code>"
        "<edXML:PromulgationInfo><edXML:PromulgationDate>2026/01/15</edXML:PromulgationDate></edXML:PromulgationInfo>"
        "<edXML:Subject>V/v thử nghiệm</edXML:Subject>"
        f"<edXML:DocumentId>{sender},2026/01/15,{number}/ABC-XYZ</edXML:DocumentId></edXML:MessageHeader>"
        f"<edXML:TraceHeaderList><edXML:TraceHeader><edXML:OrganId>{sender}</edXML:OrganId>"
        "<edXML:Timestamp>2026/01/15 08:30:00</edXML:Timestamp></edXML:TraceHeader></edXML:TraceHeaderList>"
        '</edXML:edXMLHeader><edXML:edXMLBody><edXML:edXMLManifest version="1.0"/></edXML:edXMLBody>'
        "</edXML:edXMLEnvelope><AttachmentEncoded><Attachment><ContentId>cid:a</ContentId>"
        f'<edXML:ContentTransferEncoded xmlns:edXML="{NS102}">{attachment}</edXML:ContentTransferEncoded>'
        "</Attachment></AttachmentEncoded></edXML>"
    ).encode()


def make_status(*, sender: str = "H98.01", to: str = "H99.01", code: str = "03") -> bytes:
    """A status packet: `sender` tells `to` how far it is."""
    return (
        f'<edXML xmlns="{NS102}"><edXML:edXMLEnvelope xmlns:edXML="{NS102}"><edXML:edXMLHeader><edXML:MessageHeader>'
        f"<edXML:From><edXML:OrganId>{sender}</edXML:OrganId></edXML:From>"
        f"<edXML:ResponseFor><edXML:OrganId>{to}</edXML:OrganId><edXML:Code>12/ABC-XYZ</edXML:Code>"
        "<edXML:PromulgationDate>2026/01/15</edXML:PromulgationDate>"
        f"<edXML:DocumentId>{to},2026/01/15,12/ABC-XYZ</edXML:DocumentId></edXML:ResponseFor>"
        f"<edXML:StatusCode>{code}</edXML:StatusCode><edXML:Timestamp>2026/01/15 09:00:00</edXML:Timestamp>"
        "</edXML:MessageHeader></edXML:edXMLHeader></edXML:edXMLEnvelope></edXML>"
    ).encode()


def _refuse_nulls(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert all(value is not None for _, value in pairs), pairs
    return dict(pairs)
