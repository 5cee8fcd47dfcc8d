"""A client of the sandbox's SOAP face for its tests: writes envelopes by hand, shares no code with anybody."""

import base64
import io
from asyncio import open_connection, wait_for
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from typing import Any

import aiohttp
from lxml import etree

from gateway.sandbox.serve import SandboxOptions, System, running
from tests.contract.sandbox_faces import ANY, A, Sandbox, sandbox_in_a_process
from tests.unit.sandbox.calls import Client

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
EDOC = "http://www.e-doc.vn/Schema/"
XLINK = "http://www.w3.org/1999/xlink"
PDF = b"%PDF-1.4\n% dummy\n%%EOF\n"
SYSTEMS = tuple(
    System(id=name, secret=secret)
    for name, secret in (
        ("00.99.W00", "dummy-secret"),
        ("H99.01", "dummy"),
        ("H98.01", "token-98"),
        ("H77", "token-77"),
    )
)


def header_of(
    *,
    sender: str = "H99.01",
    to: tuple[str, ...] = ("H98.01",),
    number: str = "12",
    date: str = "2026/01/15",
    subject: str = "V/v thử nghiệm &amp; hơn nữa",
    more: str = "",
    business: str = "",
    token: str = "dummy",
    organ: str = "H99.01",
    document_id: str | None = None,
) -> str:
    """The SOAP header of a SendDocument, as axis.md 9.3 draws it."""
    receivers = "".join(
        f"<edXML:To><edXML:OrganId>{code}</edXML:OrganId><edXML:OrganName>Body {code}</edXML:OrganName></edXML:To>"
        for code in to
    )
    known = f"{sender},2026/01/15,{number}/ABC-XYZ" if document_id is None else document_id
    return (
        "<edXML:MessageHeader>"
        f"<edXML:From><edXML:OrganId>{sender}</edXML:OrganId><edXML:OrganName>Body A</edXML:OrganName></edXML:From>"
        f"{receivers}<edXML:Code><edXML:CodeNumber>{number}</edXML:CodeNumber>"
        "<edXML:CodeNotation>ABC-XYZ</edXML:CodeNotation></edXML:Code>"
        "<edXML:PromulgationInfo><edXML:Place>Town</edXML:Place>"
        f"<edXML:PromulgationDate>{date}</edXML:PromulgationDate></edXML:PromulgationInfo>"
        f"<edXML:Subject>{subject}</edXML:Subject>{more}"
        "<edXML:SignerInfo><edXML:Position>Title</edXML:Position><edXML:FullName>Signer X</edXML:FullName>"
        f"</edXML:SignerInfo><edXML:DocumentId>{known}</edXML:DocumentId></edXML:MessageHeader>"
        f"<edXML:TraceHeaderList><edXML:TraceHeader><edXML:OrganId>{sender}</edXML:OrganId>"
        f"<edXML:Timestamp>2026/01/15 08:30:00</edXML:Timestamp></edXML:TraceHeader>{business}</edXML:TraceHeaderList>"
        f"<edXML:ErrorList/><edXML:Signature><KeyInfo><OrganId>{organ}</OrganId><Token>{token}</Token></KeyInfo>"
        "</edXML:Signature>"
    )


def envelope(header: str, body: str, *, soap: str = SOAP) -> str:
    return (
        f'<soapenv:Envelope xmlns:soapenv="{soap}" xmlns:edXML="{EDOC}" xmlns:xlink="{XLINK}">'
        f"<soapenv:Header>{header}</soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )


def reference(content_id: str = "a1", name: str = "a.pdf", inside: str = "") -> str:
    return (
        f'<edXML:Reference xlink:href="cid:{content_id}"><edXML:AttachmentName>{name}</edXML:AttachmentName>'
        f"{inside}</edXML:Reference>"
    )


def manifest(*references: str) -> str:
    return f"<edXML:Manifest>{''.join(references or (reference(),))}</edXML:Manifest>"


def multipart(root: str, *parts: tuple[str, bytes], end: bytes = b"\r\n", encoding: str = "") -> bytes:
    """A multipart/related body with boundary B; parts as (content id, body)."""
    lines: list[bytes] = [b"--B", b"Content-Type: text/xml; charset=UTF-8", b"Content-ID: <root>", b"", root.encode()]
    for content_id, body in parts:
        lines += [b"--B", b"Content-Type: application/pdf", f"Content-ID: <{content_id}>".encode()]
        lines += [f"Content-Transfer-Encoding: {encoding}".encode()] if encoding else []
        lines += [b"", body]
    return end.join([*lines, b"--B--", b""])


RELATED = 'multipart/related; type="text/xml"; start="<root>"; boundary=B'


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: the envelope, and the parts after it by content id."""

    header: dict[str, etree._Element]
    result: etree._Element | None
    parts: dict[str, bytes]
    status: int
    content_type: str

    @property
    def name(self) -> str:
        return "" if self.result is None else etree.QName(self.result).localname

    def texts(self, local: str) -> list[str]:
        if self.result is None:
            return []
        return [node.text or "" for node in self.result.iter(f"{{{EDOC}}}{local}")]

    @property
    def success(self) -> str:
        return "".join(self.texts("IsSuccess"))

    @property
    def codes(self) -> list[str]:
        return [] if self.success == "true" else self.texts("Code")


def read_answer(status: int, content_type: str, body: bytes) -> Answer:
    """Parse with lxml and email alone."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts: dict[str, bytes] = {}
    root = body
    if message.is_multipart():
        for part in message.get_payload():
            payload = part.get_payload(decode=True)  # type: ignore[union-attr]
            parts[part["Content-ID"].strip("<>")] = payload  # type: ignore[index, assignment, union-attr]
        root = parts.pop("root")
    tree = etree.fromstring(root)
    soap = etree.QName(tree).namespace
    header, result = tree.find(f"{{{soap}}}Header"), tree.find(f"{{{soap}}}Body")
    assert result is not None
    return Answer(
        header={etree.QName(node).localname: node for node in ([] if header is None else header)},
        result=result[0] if len(result) else None,
        parts=parts,
        status=status,
        content_type=content_type,
    )


@dataclass(frozen=True, kw_only=True)
class SoapClient:
    """One organisation, calling one axis."""

    session: aiohttp.ClientSession
    url: str
    organ: str
    token: str

    async def post(self, action: str, body: bytes, content_type: str, **headers: str) -> Answer:
        named = {"SOAPAction": action, "Content-Type": content_type} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        async with self.session.post(f"{self.url}/any/path", data=io.BytesIO(body), headers=named) as answer:
            return read_answer(answer.status, answer.headers["Content-Type"], await answer.read())

    async def call(self, action: str, more: str = "", element: str = "", **headers: str) -> Answer:
        name = element or action
        body = f"<{name}><OrganId>{self.organ}</OrganId><Token>{self.token}</Token>{more}</{name}>"
        return await self.post(action, envelope("", body).encode(), "text/xml; charset=UTF-8", **headers)

    async def send(self, *parts: tuple[str, bytes], body: str = "", **facts: Any) -> Answer:
        """SendDocument as SwA; by default one PDF as base64 text."""
        facts = {"organ": self.organ, "token": self.token, "sender": self.organ} | facts
        root = envelope(header_of(**facts), body or manifest())
        given = parts or (("a1", base64.encodebytes(PDF)),)
        return await self.post("SendDocument", multipart(root, *given), RELATED)

    async def pending(self) -> list[str]:
        answer = await self.call("GetPendingDocumentIds", element="GetPendingDocumentIdsRequest")
        assert (answer.success, len(answer.texts("DocumentIds"))) == ("true", 1)
        return answer.texts("DocumentId")

    async def get(self, doc_id: str, **headers: str) -> Answer:
        more = f"<DocumentId>{doc_id}</DocumentId>"
        return await self.call("GetDocument", more, element="GetDocumentRequest", **headers)

    async def confirm(self, doc_id: str) -> Answer:
        return await self.call("ConfirmReceived", f"<DocumentId>{doc_id}</DocumentId>")

    async def traces(self, since: str = "") -> list[dict[str, str]]:
        """Each Status as path -> text."""
        answer = await self.call("GetTraces", f"<TimeStamp>{since}</TimeStamp>" if since else "")
        assert (answer.success, answer.name) == ("true", "GetTracesResponse")
        assert answer.result is not None
        return [flatten(node) for node in answer.result.iter(f"{{{EDOC}}}Status")]

    async def update(self, code: str, *, to: str = "H99.01", number: str = "12", more: str = "") -> Answer:
        return await self.call("UpdateTraces", status_of(code, sender=self.organ, to=to, number=number, more=more))


def status_of(code: str, *, sender: str, to: str, number: str = "12", more: str = "") -> str:
    return (
        f"<Status><From><OrganId>{sender}</OrganId><OrganName>Body B</OrganName></From><ResponseFor>"
        f"<OrganId>{to}</OrganId><Code>{number}/ABC-XYZ</Code><PromulgationDate>2026/01/15</PromulgationDate>"
        f"<DocumentId>{to},2026/01/15,{number}/ABC-XYZ</DocumentId></ResponseFor>"
        "<StaffInfo><Department>Registry</Department><Staff>Clerk Y</Staff></StaffInfo>"
        f"<StatusCode>{code}</StatusCode><Description>why</Description><Timestamp>2026/01/15 09:00:00</Timestamp>"
        f"{more}</Status>"
    )


def flatten(node: etree._Element) -> dict[str, str]:
    """Paths of local names below an element, with their texts."""
    found: dict[str, str] = {}
    for leaf in node.iter():
        if len(leaf) == 0 and leaf is not node:
            path = [etree.QName(leaf).localname]
            parent = leaf.getparent()
            while parent is not None and parent is not node:
                path.insert(0, etree.QName(parent).localname)
                parent = parent.getparent()
            found["/".join(path)] = leaf.text or ""
    return found


@dataclass(frozen=True, kw_only=True)
class Axis(Sandbox):
    """A running sandbox with its SOAP face."""

    @property
    def a(self) -> SoapClient:
        return self.soap("H99.01", "dummy")

    @property
    def b(self) -> SoapClient:
        return self.soap("H98.01", "token-98")

    @property
    def national(self) -> Client:
        return self.vxp(A)

    def rest(self, organ: str, secret: str) -> Client:
        return self.vxp((organ, secret))

    def soap(self, organ: str, token: str) -> SoapClient:
        assert self.at.soap is not None
        return SoapClient(session=self.session, url=self.at.soap.url, organ=organ, token=token)

    async def raw(self, request: bytes) -> bytes:
        """Write raw bytes, read until the axis closes."""
        assert self.at.soap is not None
        reader, writer = await open_connection(self.at.soap.host, self.at.soap.port)
        try:
            writer.write(request)
            return await wait_for(reader.read(), timeout=10)
        finally:
            writer.close()


@asynccontextmanager
async def soap_running(**changes: Any) -> AsyncIterator[Axis]:
    """The sandbox in this process."""
    options = SandboxOptions(**({"soap": ANY, "systems": SYSTEMS} | changes))
    async with running(options) as at, aiohttp.ClientSession() as session:
        yield Axis(at=at, session=session)


@asynccontextmanager
async def soap_in_a_process(*arguments: str) -> AsyncIterator[tuple[Axis, int]]:
    """The sandbox in a process, with the process's id."""
    systems = [word for each in SYSTEMS for word in ("--system", f"{each.id}={each.secret}")]
    words = ["--soap", "127.0.0.1:0", *systems, *arguments]
    async with sandbox_in_a_process(*words) as (at, pid), aiohttp.ClientSession() as session:
        yield Axis(at=at, session=session), pid
