"""The axis's own strict reader of edXML packets (QCVN 102:2016), namespace prefixes taken literally.

Built on expat without namespace processing, because the national side refuses packets whose prefixes are not
written as drawn in edxml.md section 1.1, although XML would call them equal. Attachment text is never held.
"""

import re
from dataclasses import dataclass
from typing import NoReturn
from xml.parsers import expat

from gateway.sandbox.codes import AxisCode, Refusal

NS102 = "http://www.mic.gov.vn/TBT/QCVN_102_2016"

_MAX_DEPTH = 64
_MAX_ELEMENTS = 200_000
_MAX_ATTRIBUTES = 32
_MAX_VALUE = 8192
_MAX_MARKUP = 256 * 1024
# bytes of one tag, comment or instruction, which expat must hold whole; text passes in pieces

_HEADER = "edXML/edXMLEnvelope/edXMLHeader/"
_MESSAGE = _HEADER + "MessageHeader/"
_TRACE = _HEADER + "TraceHeaderList/TraceHeader"
_RESPONSE_FOR = _MESSAGE + "ResponseFor"
_TO_CODES = _MESSAGE + "To/OrganId"
_STATUS_CODE = _MESSAGE + "StatusCode"

_READ = frozenset(
    _MESSAGE + name
    for name in (
        "From/OrganId",
        "To/OrganId",
        "Code/CodeNumber",
        "Code/CodeNotation",
        "PromulgationInfo/PromulgationDate",
        "Subject",
        "DocumentId",
        "ResponseFor/OrganId",
        "ResponseFor/Code",
        "ResponseFor/DocumentId",
        "StatusCode",
        "Timestamp",
    )
)
_SIGNATURES = frozenset({_HEADER + "Signature", _HEADER + "DigitalSignature"})
_DATE = re.compile(r"\d{4}/(0[1-9]|1[0-2])/(0[1-9]|[12]\d|3[01])", re.ASCII)
_TIMESTAMP = re.compile(_DATE.pattern + r" ([01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class PacketSummary:
    """What an axis needs to know of a packet to route it and to list it."""

    message_type: str
    # "edoc" or "status"
    from_code: str
    to_codes: tuple[str, ...]
    # of a status: ResponseFor/OrganId alone
    subject: str
    # of a status: its StatusCode
    notation: str
    # number/notation of the document, or of the one a status is about
    document_id: str
    # of a status: ResponseFor/DocumentId
    status_code: str
    # empty for a document


class PacketReader:
    """Takes a packet in pieces and says in the end what it is, or why it is refused with ErrorCode 22."""

    def __init__(self) -> None:
        self._values: dict[str, list[str]] = {}
        self._elements = 0
        self._fed = 0
        self._path: list[str] = []
        self._bindings: list[dict[str, str]] = [{"xml": "http://www.w3.org/XML/1998/namespace"}]
        self._text: list[str] | None = None
        self._refusal: Refusal | None = None
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._on_declaration
        self._parser.StartDoctypeDeclHandler = self._on_doctype
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end
        self._parser.CharacterDataHandler = self._on_text

    def feed(self, chunk: bytes) -> None:
        """Read the next piece; after the first fault the rest is ignored."""
        self._parse(chunk, final=False)

    def finish(self) -> PacketSummary | Refusal:
        """End the packet and judge it."""
        self._parse(b"", final=True)
        if self._refusal is None:
            try:
                return self._summarise()
            except _FaultyPacketError as fault:
                self._refusal = _refuse(str(fault))
        return self._refusal

    def _parse(self, chunk: bytes, *, final: bool) -> None:
        if self._refusal is not None:
            return
        try:
            self._parser.Parse(chunk, final)
            self._fed += len(chunk)
            if self._fed - self._parser.CurrentByteIndex > _MAX_MARKUP:
                _fail("the XML qua dai")
        except _FaultyPacketError as fault:
            self._refusal = _refuse(str(fault))
        except expat.ExpatError as error:
            self._refusal = _refuse(f"XML khong hop le, dong {error.lineno}: {expat.ErrorString(error.code)}")

    def _on_declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() != "UTF-8":
            _fail("bang ma phai la UTF-8")

    def _on_doctype(self, *_facts: object) -> None:
        _fail("khong chap nhan DTD")

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > _MAX_ELEMENTS or len(self._path) >= _MAX_DEPTH or len(attributes) > _MAX_ATTRIBUTES:
            _fail("vuot gioi han cau truc XML")
        self._bindings.append(_bind(self._bindings[-1], name, attributes))
        local = name.rpartition(":")[2]
        if len(self._path) == 3 and local == "Status":  # noqa: PLR2004 - edXML/edXMLEnvelope/edXMLHeader
            local = "MessageHeader"
        self._path.append(local)
        self._check_name(name)
        path = "/".join(self._path)
        self._text = [] if path in _READ else None
        if path in {_TRACE, _RESPONSE_FOR}:
            self._values.setdefault(path, []).append("")

    def _on_end(self, _name: str) -> None:
        if self._text is not None:
            self._values.setdefault("/".join(self._path), []).append("".join(self._text).strip())
            self._text = None
        self._path.pop()
        self._bindings.pop()

    def _on_text(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)
            if sum(map(len, self._text)) > _MAX_VALUE:
                _fail(f"gia tri qua dai: {self._path[-1]}")

    def _check_name(self, name: str) -> None:
        """Prefixes and namespaces as edxml.md sections 1.1 and 1.2 draw them."""
        if "/".join(self._path[:4]) in _SIGNATURES:
            return
        prefix, _, local = name.rpartition(":")
        if self._bindings[-1].get(prefix) != NS102:
            _fail(f"{name}: khong thuoc namespace {NS102}")
        depth = len(self._path)
        if depth == 1 and name != "edXML":
            _fail(f"phan tu goc phai la edXML, nhan duoc {name}")
        if depth == 2 and name != "edXML:edXMLEnvelope" and local != "AttachmentEncoded":  # noqa: PLR2004 - the root's children
            _fail(f"phan tu khong mong doi duoi edXML: {name}")
        if depth > 1 and self._path[1] == "edXMLEnvelope" and prefix != "edXML":
            _fail(f"{name}: thieu tien to edXML:")

    def _summarise(self) -> PacketSummary:
        if _STATUS_CODE in self._values:
            return self._summarise_status()
        if not self._values.get(_TRACE):
            _fail("thieu TraceHeaderList/TraceHeader")
        to_codes = tuple(self._values.get(_TO_CODES, ()))
        if not to_codes or "" in to_codes:
            _fail("thieu To/OrganId")
        if len(set(to_codes)) != len(to_codes):
            _fail("To/OrganId bi lap lai")
        if not _DATE.fullmatch(self._single("PromulgationInfo/PromulgationDate")):
            _fail("PromulgationDate phai co dang yyyy/MM/dd")
        return PacketSummary(
            message_type="edoc",
            from_code=self._single("From/OrganId"),
            to_codes=to_codes,
            subject=self._single("Subject"),
            notation=f"{self._single('Code/CodeNumber')}/{self._single('Code/CodeNotation')}",
            document_id=self._single("DocumentId"),
            status_code="",
        )

    def _summarise_status(self) -> PacketSummary:
        status_code = self._single("StatusCode")
        if not re.fullmatch(r"[0-9]{1,2}", status_code):
            _fail("StatusCode phai la so co hai chu so")
        if not _TIMESTAMP.fullmatch(self._single("Timestamp")):
            _fail("Timestamp phai co dang yyyy/MM/dd HH:mm:ss")
        if len(self._values.get(_RESPONSE_FOR, ())) != 1:
            _fail("goi tin trang thai phai co dung mot ResponseFor")
        return PacketSummary(
            message_type="status",
            from_code=self._single("From/OrganId"),
            to_codes=(self._single("ResponseFor/OrganId"),),
            subject=status_code,
            notation=self._single("ResponseFor/Code"),
            document_id=self._single("ResponseFor/DocumentId"),
            status_code=status_code,
        )

    def _single(self, name: str) -> str:
        values = self._values.get(_MESSAGE + name, [])
        if len(values) != 1 or not values[0]:
            _fail(f"phai co dung mot {name}")
        return values[0]


class _FaultyPacketError(Exception):
    """Leaves the parser's callbacks; never leaves this module."""


def _fail(sentence: str) -> NoReturn:
    raise _FaultyPacketError(sentence)


def _refuse(sentence: str) -> Refusal:
    plain = sentence.encode("ascii", "backslashreplace").decode()
    return Refusal(code=AxisCode.MALFORMED, sentence=f"Sai dinh dang edXML: {plain[:300]}")


def _bind(outer: dict[str, str], name: str, attributes: dict[str, str]) -> dict[str, str]:
    """The prefixes in scope at an element ('' is the default); every prefix it uses must be among them."""
    declared = {
        attribute.partition(":")[2]: uri
        for attribute, uri in attributes.items()
        if attribute == "xmlns" or attribute.startswith("xmlns:")
    }
    scope = {**outer, **declared} if declared else outer
    for used in (name, *attributes):
        prefix = used.rpartition(":")[0]
        if prefix and prefix != "xmlns" and prefix not in scope:
            _fail(f"tien to chua khai bao: {prefix}")
    return scope
