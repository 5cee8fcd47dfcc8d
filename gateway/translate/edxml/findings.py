"""What can be said about a packet: stable codes, each with one sentence, and the collector of what was said."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from gateway.domain.packet import PacketDefect, PacketWarning
from gateway.translate.edxml.tree import Node
from gateway.xmlsafe import XmlRefusedError


class Defect(StrEnum):
    """Why a packet is refused; XmlFault holds the reasons below XML's surface."""

    NOT_XML = "NOT_XML"
    FORMAT_2803 = "FORMAT_2803"
    NAMESPACE_GOVN = "NAMESPACE_GOVN"
    ROOT_CAPITALISED = "ROOT_CAPITALISED"
    ROOT_ENVELOPE = "ROOT_ENVELOPE"
    ROOT_UNKNOWN = "ROOT_UNKNOWN"
    NCSC_REPORT = "NCSC_REPORT"
    LAYOUT_EDXML_ATTACHMENTS = "LAYOUT_EDXML_ATTACHMENTS"
    ELEMENT_MISSING = "ELEMENT_MISSING"
    BUSINESS_TYPE_UNKNOWN = "BUSINESS_TYPE_UNKNOWN"
    STATUS_CODE_INVALID = "STATUS_CODE_INVALID"
    RECIPIENTS_TOO_MANY = "RECIPIENTS_TOO_MANY"
    ATTACHMENTS_TOO_MANY = "ATTACHMENTS_TOO_MANY"
    ATTACHMENT_TOO_LARGE = "ATTACHMENT_TOO_LARGE"
    ATTACHMENT_BASE64 = "ATTACHMENT_BASE64"
    ZIP_RATIO = "ZIP_RATIO"
    ZIP_TOO_LARGE = "ZIP_TOO_LARGE"
    ZIP_NESTED = "ZIP_NESTED"
    TRACE_LOOP = "TRACE_LOOP"
    """Said when a packet is to be written, never of one that is read."""


class Tolerance(StrEnum):
    """What was odd and read all the same."""

    KIND_DIFFERS = "KIND_DIFFERS"
    STATUS_CONTAINER = "STATUS_CONTAINER"
    MANIFEST_NAME = "MANIFEST_NAME"
    BUSINESS_SPELLING = "BUSINESS_SPELLING"
    BUSINESS_MISSING = "BUSINESS_MISSING"
    BUSINESS_ID_NOISE = "BUSINESS_ID_NOISE"
    PAPER_PLACE = "PAPER_PLACE"
    ELEMENT_ABSENT = "ELEMENT_ABSENT"
    ELEMENT_EMPTY = "ELEMENT_EMPTY"
    ELEMENT_ORDER = "ELEMENT_ORDER"
    ELEMENT_REPEATED = "ELEMENT_REPEATED"
    ELEMENT_UNKNOWN = "ELEMENT_UNKNOWN"
    DECLARATION = "DECLARATION"
    PREFIX = "PREFIX"
    ATTACHMENTS_PLACE = "ATTACHMENTS_PLACE"
    TEXT_STRAY = "TEXT_STRAY"
    NAMESPACE_FOREIGN = "NAMESPACE_FOREIGN"
    SIGNATURE_NOT_VERIFIABLE = "SIGNATURE_NOT_VERIFIABLE"
    DATE_FORMAT = "DATE_FORMAT"
    DATE_TIME = "DATE_TIME"
    DATE_IMPOSSIBLE = "DATE_IMPOSSIBLE"
    DATE_UNREADABLE = "DATE_UNREADABLE"
    TIME_FORMAT = "TIME_FORMAT"
    NUMBER_UNREADABLE = "NUMBER_UNREADABLE"
    NUMBER_NEGATIVE = "NUMBER_NEGATIVE"
    FLAG_FORM = "FLAG_FORM"
    PRIORITY_FIVE = "PRIORITY_FIVE"
    VALUE_UNKNOWN = "VALUE_UNKNOWN"
    TYPE_AS_LIST_NUMBER = "TYPE_AS_LIST_NUMBER"
    TYPE_NAME_CONFLICT = "TYPE_NAME_CONFLICT"
    DOCUMENT_ID_DERIVED = "DOCUMENT_ID_DERIVED"
    STATUS_CODE_SHORT = "STATUS_CODE_SHORT"
    RESPONSE_FOR_SWAPPED = "RESPONSE_FOR_SWAPPED"
    RECIPIENT_REPEATED = "RECIPIENT_REPEATED"
    TRACE_WITHOUT_ORGAN = "TRACE_WITHOUT_ORGAN"
    BASE64_LAYOUT = "BASE64_LAYOUT"
    CID_MISSING = "CID_MISSING"
    CID_REPEATED = "CID_REPEATED"
    LINKED_BY_NAME = "LINKED_BY_NAME"
    LINKED_BY_POSITION = "LINKED_BY_POSITION"
    REFERENCE_WITHOUT_ATTACHMENT = "REFERENCE_WITHOUT_ATTACHMENT"
    REFERENCE_DIFFERS = "REFERENCE_DIFFERS"
    ATTACHMENT_WITHOUT_REFERENCE = "ATTACHMENT_WITHOUT_REFERENCE"
    ATTACHMENT_EMPTY = "ATTACHMENT_EMPTY"
    ATTACHMENT_WITHOUT_CONTENT = "ATTACHMENT_WITHOUT_CONTENT"
    ATTACHMENT_IN_STATUS = "ATTACHMENT_IN_STATUS"
    ATTACHMENT_UNNAMED = "ATTACHMENT_UNNAMED"
    CONTENT_TYPE_WRONG = "CONTENT_TYPE_WRONG"
    ZIP_ENTRY_NAME = "ZIP_ENTRY_NAME"
    ZIP_UNREADABLE = "ZIP_UNREADABLE"
    ZIP_KEPT = "ZIP_KEPT"
    ARCHIVE_INFLATES = "ARCHIVE_INFLATES"
    MORE_WARNINGS = "MORE_WARNINGS"


class Deviation(StrEnum):
    """What the strict check says of a packet that can be read but was not written as deployed systems expect."""

    PREFIX = "PREFIX"
    NAMESPACE_DECLARATION = "NAMESPACE_DECLARATION"
    DECLARATION = "DECLARATION"
    ORDER = "ORDER"
    UNKNOWN = "UNKNOWN"
    ADDITION = "ADDITION"
    REPEATED = "REPEATED"
    MISSING = "MISSING"
    EMPTY = "EMPTY"
    LEGAL_LENGTH = "LEGAL_LENGTH"
    TECHNICAL_LENGTH = "TECHNICAL_LENGTH"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"
    NUMBER = "NUMBER"
    ORGAN_ID = "ORGAN_ID"
    RECIPIENT = "RECIPIENT"
    SPELLING = "SPELLING"
    LINK = "LINK"
    CONTENT_ID = "CONTENT_ID"
    ZIP_RULE = "ZIP_RULE"
    STATUS_PART = "STATUS_PART"


SENTENCES: Mapping[StrEnum, str] = MappingProxyType(
    {
        Defect.NOT_XML: "the file does not begin like an XML document",
        Defect.FORMAT_2803: "this is the older 2803 or SOAP form (MIME or SOAP envelope), not QCVN 102",
        Defect.NAMESPACE_GOVN: "the root is in http://www.go.vn/eDoc, which is not the namespace of QCVN 102",
        Defect.ROOT_CAPITALISED: "the root is EdXMLEnvelope with a capital E; it must be edXML",
        Defect.ROOT_ENVELOPE: "the root is edXMLEnvelope; the outer element edXML is missing",
        Defect.ROOT_UNKNOWN: "the root is {found}, not edXML in the namespace of QCVN 102",
        Defect.NCSC_REPORT: "this is a malware report of the security centre (AVReport), not a document",
        Defect.LAYOUT_EDXML_ATTACHMENTS: "attachments are laid out as edXMLAttachments, which is not QCVN 102",
        Defect.ELEMENT_MISSING: "{what} is missing or empty",
        Defect.BUSINESS_TYPE_UNKNOWN: "BussinessDocType is '{found}', which is no number",
        Defect.STATUS_CODE_INVALID: "StatusCode is '{found}', not a number of at most three digits",
        Defect.RECIPIENTS_TOO_MANY: "there are more than {limit} recipients",
        Defect.ATTACHMENTS_TOO_MANY: "there are more than {limit} attachments or references",
        Defect.ATTACHMENT_TOO_LARGE: "the attachment has more than {limit} bytes",
        Defect.ATTACHMENT_BASE64: "the attachment's content is not correct base64: {detail}",
        Defect.ZIP_RATIO: "the ZIP entry inflates more than {limit} times",
        Defect.ZIP_TOO_LARGE: "the ZIP entries inflate to more than {limit} bytes",
        Defect.ZIP_NESTED: "the ZIP wraps another ZIP whose entry inflates more than {limit} times",
        Defect.TRACE_LOOP: "{found} already stands in the trace: the packet would go in a circle",
        Tolerance.KIND_DIFFERS: "the axis called this {said}, the packet is {found}",
        Tolerance.STATUS_CONTAINER: "the header is in a Status element instead of MessageHeader",
        Tolerance.MANIFEST_NAME: "the manifest is called Manifest instead of edXMLManifest",
        Tolerance.BUSINESS_SPELLING: "spelt {found} where deployed systems spell {usual}",
        Tolerance.BUSINESS_MISSING: "there is no Bussiness block; taken as a new document",
        Tolerance.BUSINESS_ID_NOISE: "a new document updates none: DocumentId '{found}' means nothing here; kept",
        Tolerance.PAPER_PLACE: "Paper stands beside the Bussiness block, its old place, instead of in it",
        Tolerance.ELEMENT_ABSENT: "{what} is missing or empty",
        Tolerance.ELEMENT_EMPTY: "{what} is empty; taken as absent, and so is every other empty element",
        Tolerance.ELEMENT_ORDER: "{what} stands after {after}, which is not the standard order; any order is read",
        Tolerance.ELEMENT_REPEATED: "{what} occurs more than once; the first is taken",
        Tolerance.ELEMENT_UNKNOWN: "{what} is not an element of this group; ignored",
        Tolerance.DECLARATION: 'the file must begin with <?xml version="1.0" encoding="UTF-8"?>, without a BOM',
        Tolerance.PREFIX: "written {found}, must be written {wanted}",
        Tolerance.ATTACHMENTS_PLACE: "AttachmentEncoded stands inside another element; its attachments are taken",
        Tolerance.TEXT_STRAY: "text between elements, '{found}'; ignored",
        Tolerance.NAMESPACE_FOREIGN: "{what} is not in the namespace of QCVN 102; ignored",
        Tolerance.SIGNATURE_NOT_VERIFIABLE: "the packet's signature element cannot be verified after transit; recorded",
        Tolerance.DATE_FORMAT: "the date '{found}' is not written yyyy/MM/dd",
        Tolerance.DATE_TIME: "the date '{found}' carries a time, which is ignored",
        Tolerance.DATE_IMPOSSIBLE: "the date '{found}' does not exist; taken as absent",
        Tolerance.DATE_UNREADABLE: "the date '{found}' cannot be read; taken as absent",
        Tolerance.TIME_FORMAT: "the time '{found}' is not written yyyy/MM/dd HH:mm:ss; kept as it is",
        Tolerance.NUMBER_UNREADABLE: "'{found}' is not a number; taken as absent",
        Tolerance.NUMBER_NEGATIVE: "{found} is negative; taken as absent",
        Tolerance.FLAG_FORM: "'{found}' is neither {no} nor {yes}; taken as {meant}",
        Tolerance.PRIORITY_FIVE: "Priority 5 means 0 (normal) in this peer's table; read so",
        Tolerance.VALUE_UNKNOWN: "{found} is not in the code list; kept",
        Tolerance.TYPE_AS_LIST_NUMBER: "Type is {found}: read as a number of the administrative list, not as a class",
        Tolerance.TYPE_NAME_CONFLICT: "TypeName is '{name}', but the numbers mean '{listed}'; the name counts",
        Tolerance.DOCUMENT_ID_DERIVED: "DocumentId is missing; made from sender, date and code: {made}",
        Tolerance.STATUS_CODE_SHORT: "StatusCode '{found}' is not written with two digits",
        Tolerance.RESPONSE_FOR_SWAPPED: "OrganId holds the notation and Code the agency; taken the other way round",
        Tolerance.RECIPIENT_REPEATED: "recipient {found} occurs more than once; the first is taken",
        Tolerance.TRACE_WITHOUT_ORGAN: "a hop does not say whose it is",
        Tolerance.BASE64_LAYOUT: "base64 is broken into lines or padded with white space",
        Tolerance.CID_MISSING: "the content id is written without the prefix cid:",
        Tolerance.CID_REPEATED: "the content id repeats the prefix cid:",
        Tolerance.LINKED_BY_NAME: "ContentId fits no Reference; linked by AttachmentName",
        Tolerance.LINKED_BY_POSITION: "neither ContentId nor AttachmentName fits a Reference; linked by position",
        Tolerance.REFERENCE_WITHOUT_ATTACHMENT: "a Reference has no Attachment; ignored",
        Tolerance.REFERENCE_DIFFERS: "the Attachment says '{ours}', its Reference '{theirs}'; the first is taken",
        Tolerance.ATTACHMENT_WITHOUT_REFERENCE: "an Attachment has no Reference; kept",
        Tolerance.ATTACHMENT_EMPTY: "the attachment has no bytes",
        Tolerance.ATTACHMENT_WITHOUT_CONTENT: "the Attachment has no ContentTransferEncoded; ignored",
        Tolerance.ATTACHMENT_IN_STATUS: "a status packet carries attachments; they are dropped",
        Tolerance.ATTACHMENT_UNNAMED: "the attachment has no name; called {made}",
        Tolerance.CONTENT_TYPE_WRONG: "declared as '{declared}', the bytes are {found}",
        Tolerance.ZIP_ENTRY_NAME: "unwrapped from a ZIP whose entry is not named by a UUID",
        Tolerance.ZIP_UNREADABLE: "looks like a wrapping ZIP but cannot be unpacked; kept as it is",
        Tolerance.ARCHIVE_INFLATES: "an archive, kept unopened, whose entry inflates more than {limit} times",
        Tolerance.ZIP_KEPT: "what {name} holds is a ZIP, and not one to be unpacked; kept as it is",
        Tolerance.MORE_WARNINGS: "more than {limit} warnings; the rest is not listed",
        Deviation.NAMESPACE_DECLARATION: "{what} must declare {wanted}",
        Deviation.ORDER: "{what} stands after {after}; the standard order is {order}",
        Deviation.UNKNOWN: "{what} does not belong here",
        Deviation.ADDITION: "{what} is an addition of one vendor, not part of the standard",
        Deviation.REPEATED: "{what} may occur once",
        Deviation.MISSING: "{what} is missing or empty",
        Deviation.EMPTY: "the element is empty; leave it out",
        Deviation.LEGAL_LENGTH: "{size} characters; the legal limit is {limit}",
        Deviation.TECHNICAL_LENGTH: "{size} characters; deployed systems take {limit}",
        Deviation.DATE: "'{found}' is not a date written yyyy/MM/dd",
        Deviation.TIMESTAMP: "'{found}' is not a time written yyyy/MM/dd HH:mm:ss",
        Deviation.NUMBER: "'{found}' is not one of {allowed}",
        Deviation.ORGAN_ID: "'{found}' has no known form of an identifier code",
        Deviation.RECIPIENT: "recipient '{found}' occurs more than once",
        Deviation.SPELLING: "spelt {found}; the national SDK reads only {usual}",
        Deviation.LINK: "{what}",
        Deviation.CONTENT_ID: "'{found}' must begin with cid: exactly once",
        Deviation.ZIP_RULE: "{what}",
        Deviation.STATUS_PART: "a status packet has no {what}",
    },
)
"""One sentence a code; docs/edxml.md is printed from this table.

A deviation that the reader says by the same word (PREFIX, DECLARATION, BASE64_LAYOUT) has its line there.
"""

WARNING_LIMIT = 200
"""Warnings kept of one packet, so that a strange packet cannot fill a log."""


class RefusedError(Exception):
    """Ends the reading of a packet; carries the defect and never leaves this package."""

    def __init__(self, defect: PacketDefect) -> None:
        """Keep the defect."""
        self.defect = defect
        super().__init__(defect.message)


def refusal(code: Defect, path: str, **facts: object) -> RefusedError:
    """The exception to raise for a defect."""
    return RefusedError(PacketDefect(code=code, path=path, message=_say(code, facts)))


def xml_refusal(error: XmlRefusedError) -> RefusedError:
    """The exception to raise for a fault of the XML itself."""
    return RefusedError(PacketDefect(code=error.fault, path=error.path, message=error.sentence))


class Findings:
    """Collects warnings in the order in which they were found."""

    def __init__(self, *, limit: int | None = WARNING_LIMIT) -> None:
        """At most `limit` are kept; None = all, where a person asked for them."""
        self._limit = limit
        self._kept: list[PacketWarning] = []
        self._dropped = False
        self._said: set[StrEnum] = set()

    def add(self, code: Tolerance | Deviation, where: Node | str, leaf: str = "", **facts: object) -> None:
        """Keep a warning, unless there are too many already; `leaf` names a child of `where`."""
        if self._limit is None or len(self._kept) < self._limit:
            path = where if isinstance(where, str) else where.path
            path = f"{path}/{leaf}" if leaf else path
            self._kept.append(PacketWarning(code=code, path=path, message=_say(code, facts)))
        else:
            self._dropped = True

    def once(self, code: Tolerance | Deviation, where: Node | str, leaf: str = "", **facts: object) -> None:
        """Keep a warning at the first place of its code only: such a packet may do so hundreds of times."""
        if code not in self._said:
            self._said.add(code)
            self.add(code, where, leaf, **facts)

    def all(self) -> tuple[PacketWarning, ...]:
        """Everything kept, with a last line if something was not."""
        if not self._dropped:
            return tuple(self._kept)
        sentence = SENTENCES[Tolerance.MORE_WARNINGS].format(limit=self._limit)
        return (*self._kept, PacketWarning(code=Tolerance.MORE_WARNINGS, path="", message=sentence))


def _say(code: StrEnum, facts: Mapping[str, object]) -> str:
    return SENTENCES[code].format(**{name: _short(value) for name, value in facts.items()})


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:99]}…"  # noqa: PLR2004 - a glance's length
