"""What the code does not say of itself: who writes a strange form, what is done with it, and where a fact is a guess.

Numbers in brackets are sections of the project's fact sheet on the format. A code without a row stops the printing.
"""

from collections.abc import Mapping

from gateway.domain.document import BusinessType, Priority, SteeringType
from gateway.translate.edxml.findings import Defect, Deviation, Tolerance
from gateway.xmlsafe import XmlFault

TOLERANCES: Mapping[Tolerance, tuple[str, str]] = {
    Tolerance.KIND_DIFFERS: ("what the packet holds counts, not the transport's word", "StatusCode tells (1.6)"),
    Tolerance.STATUS_CONTAINER: ("read like MessageHeader", "BKV, sure (1.6)"),
    Tolerance.MANIFEST_NAME: ("read like edXMLManifest", "JSDK reads both, sure (1.2)"),
    Tolerance.BUSINESS_SPELLING: ("read like the misspelt name", "BKV, sure (1.4)"),
    Tolerance.BUSINESS_MISSING: ("business type 0, no paper, no clerk", "RET 2025, sure (1.4)"),
    Tolerance.BUSINESS_ID_NOISE: (
        "kept, nothing is done with it; MessageHeader/DocumentId counts",
        "JSDK, sure (1.4, 2.2.4)",
    ),
    Tolerance.PAPER_PLACE: ("read as Bussiness/Paper", "JSDK, likely (1.4)"),
    Tolerance.ELEMENT_ABSENT: (
        "the field stays empty; a To without OrganId is left out",
        "JSDK has defaults for most, sure (1.5)",
    ),
    Tolerance.ELEMENT_EMPTY: ("as if it were not there", "RET: empty ResponseFor, sure (1.3, 1.5)"),
    Tolerance.ELEMENT_ORDER: ("read all the same", "JSDK re-serialises so, sure (1.3)"),
    Tolerance.ELEMENT_REPEATED: ("the first one counts", "own choice"),
    Tolerance.ELEMENT_UNKNOWN: ("passed over, kept in the original bytes", "own choice"),
    Tolerance.DECLARATION: ("read as UTF-8, whatever it says", "never met otherwise (1.1)"),
    Tolerance.PREFIX: ("read: the namespace counts, not the prefix", "a fully prefixed AttachmentEncoded, sure (1.2)"),
    Tolerance.ATTACHMENTS_PLACE: ("read where it stands", "own choice"),
    Tolerance.TEXT_STRAY: ("passed over, kept in the original bytes", "own choice"),
    Tolerance.NAMESPACE_FOREIGN: ("passed over with all it holds, kept in the original bytes", "own choice"),
    Tolerance.SIGNATURE_NOT_VERIFIABLE: (
        "never a reason to refuse; the signatures inside attached PDFs count",
        "JSDK, NSDK, BKV, RET, sure (3)",
    ),
    Tolerance.DATE_FORMAT: ("read: year first, or day first, never month first", "`30/10/2020` met, sure (1.3)"),
    Tolerance.DATE_TIME: ("the day is taken", "likely (1.3)"),
    Tolerance.DATE_IMPOSSIBLE: ("no date", "30 February met, sure (5.6)"),
    Tolerance.DATE_UNREADABLE: ("no date", "own choice"),
    Tolerance.TIME_FORMAT: ("the text is handed on as it is", "own choice"),
    Tolerance.NUMBER_UNREADABLE: ("no number, so the default", "own choice"),
    Tolerance.NUMBER_NEGATIVE: ("no number, so the default", "JSDK's -1, sure (1.5)"),
    Tolerance.FLAG_FORM: ("as the sentence says", "true/false and 0/1 both in use, sure (1.3, 2.6)"),
    Tolerance.PRIORITY_FIVE: ("normal, where `priority_five_is_normal` is set", "BKV, sure (2.2)"),
    Tolerance.VALUE_UNKNOWN: ("kept by number and handed on", '"store and show" (2.4)'),
    Tolerance.TYPE_AS_LIST_NUMBER: ("handed on as it is", "NSDK, Lang Son, sure (2.1)"),
    Tolerance.TYPE_NAME_CONFLICT: ("all three are handed on; show the name", "guess (2.1)"),
    Tolerance.DOCUMENT_ID_DERIVED: ("`<organ>,<yyyy/MM/dd>,<number>/<notation>`", "JSDK, NSDK, Lang Son, sure (5.6)"),
    Tolerance.STATUS_CODE_SHORT: ("brought to two digits", "others store a number, sure (1.6)"),
    Tolerance.RESPONSE_FOR_SWAPPED: ("the two are exchanged", "one .NET client, sure (6.4)"),
    Tolerance.RECIPIENT_REPEATED: ("the first one counts", "BKV refuses it (1.3)"),
    Tolerance.TRACE_WITHOUT_ORGAN: ("the hop is kept without a code", "RET 2025, sure (1.4)"),
    Tolerance.BASE64_LAYOUT: ("white space is passed over", "sure (4)"),
    Tolerance.ARCHIVE_INFLATES: ("the archive is handed on unopened; look before you open it", "own choice"),
    Tolerance.CID_MISSING: ("compared without `cid:`", "NSDK, sure (4)"),
    Tolerance.CID_REPEATED: ("every `cid:` is stripped", "BKV, sure (4)"),
    Tolerance.LINKED_BY_NAME: ("the words of that Reference are taken", "sure (4)"),
    Tolerance.LINKED_BY_POSITION: ("the words of that Reference are taken", "sure (4)"),
    Tolerance.REFERENCE_DIFFERS: ("the Attachment's own word counts", "own choice (4)"),
    Tolerance.REFERENCE_WITHOUT_ATTACHMENT: ("no file comes of it", "met, sure (4)"),
    Tolerance.ATTACHMENT_WITHOUT_REFERENCE: ("a file like any other", "met, sure (4)"),
    Tolerance.ATTACHMENT_EMPTY: ("a file of 0 bytes", "own choice"),
    Tolerance.ATTACHMENT_WITHOUT_CONTENT: ("no file comes of it", "met, sure (4)"),
    Tolerance.ATTACHMENT_IN_STATUS: ("no file comes of it", "a status is a header only, sure (1.6)"),
    Tolerance.ATTACHMENT_UNNAMED: ("named by its number and kind", "own choice"),
    Tolerance.CONTENT_TYPE_WRONG: ("the type that the bytes show is taken", "RET 2025, JSDK, BKV, sure (4)"),
    Tolerance.ZIP_ENTRY_NAME: ("the one entry is the file; its name is never used", "sure (4)"),
    Tolerance.ZIP_KEPT: ("kept under its name", "the rule's last word: else keep (4)"),
    Tolerance.ZIP_UNREADABLE: ("the file is the ZIP", "own choice"),
    Tolerance.MORE_WARNINGS: ("the packet is read to its end", "own choice"),
}
"""What is done with it, and where the form is met."""

DEFECTS: Mapping[Defect, str] = {
    Defect.NOT_XML: "the transport's wrapping, or another file altogether",
    Defect.FORMAT_2803: 'units that the axis names "2803"; Bkav\'s SOAP (1.9)',
    Defect.NAMESPACE_GOVN: "Lang Son refuses it too, likely (1.2)",
    Defect.ROOT_CAPITALISED: "Lang Son refuses it too, likely (1.2)",
    Defect.ROOT_ENVELOPE: "an envelope without its root; NCSC reports begin so (1.9)",
    Defect.ROOT_UNKNOWN: "another format",
    Defect.NCSC_REPORT: "the national cyber-security centre (1.9)",
    Defect.LAYOUT_EDXML_ATTACHMENTS: "early builds of a gateway of 2025 (1.9)",
    Defect.ELEMENT_MISSING: "nobody could be told where it goes, from whom, or what it is about",
    Defect.BUSINESS_TYPE_UNKNOWN: "numbers outside the list are kept; this is none",
    Defect.STATUS_CODE_INVALID: "codes outside the nine are kept; this is none",
    Defect.RECIPIENTS_TOO_MANY: "a limit, see below",
    Defect.ATTACHMENTS_TOO_MANY: "a limit, see below",
    Defect.ATTACHMENT_TOO_LARGE: "a limit, see below",
    Defect.ATTACHMENT_BASE64: "cut or altered on its way; white space between the digits is read",
    Defect.ZIP_RATIO: "a ZIP bomb, see limits",
    Defect.ZIP_TOO_LARGE: "a ZIP bomb, see limits",
    Defect.ZIP_NESTED: "a ZIP bomb in a wrapper",
    Defect.TRACE_LOOP: "said when writing, never of a packet that is read (5.7)",
}
"""Who sends such packets, or why it cannot be read."""

XML_FAULTS: Mapping[XmlFault, str] = {
    XmlFault.MALFORMED: "the XML is broken or ends early; or not UTF-8; the sentence names the byte",
    XmlFault.DOCTYPE: "a document type declaration: no packet needs one, and entities come with it",
    XmlFault.UNDECLARED_PREFIX: "a prefix that nothing declares; met as `xlink:href` without `xmlns:xlink` (1.2)",
    XmlFault.NOT_UTF8: "the bytes are UTF-16 or UTF-32; packets are UTF-8 (1.1)",
    XmlFault.TOO_DEEP: "elements are nested too deep",
    XmlFault.TOO_MANY_ELEMENTS: "there are too many elements",
    XmlFault.HEADER_TOO_LARGE: "what is not attachment content is too large",
    XmlFault.TOKEN_TOO_LARGE: "one tag, attribute or comment is too long",
    XmlFault.PACKET_TOO_LARGE: "the packet is too large",
}

DEVIATIONS: Mapping[Deviation, str] = {
    Deviation.PREFIX: "taken by Lang Son, then refused on the national side, likely (1.2)",
    Deviation.NAMESPACE_DECLARATION: "the prefix is declared on the envelope, sure (1.1)",
    Deviation.DECLARATION: "sure (1.1)",
    Deviation.ORDER: "the standard's numbering; NSDK keeps it, sure (1.3)",
    Deviation.UNKNOWN: "own choice",
    Deviation.ADDITION: "JSDK, sure (1.3)",
    Deviation.REPEATED: "sure (1.3)",
    Deviation.MISSING: "guess: enforcement advice, official cardinalities are not known (1.3)",
    Deviation.EMPTY: "JSDK writes no empty element, sure (1.5)",
    Deviation.LEGAL_LENGTH: "D30 and STD, sure (1.3)",
    Deviation.TECHNICAL_LENGTH: "see lengths",
    Deviation.DATE: "sure (1.3)",
    Deviation.TIMESTAMP: "sure (1.4)",
    Deviation.NUMBER: "see code lists",
    Deviation.ORGAN_ID: "old, new and registered-number forms, sure; 12 digits a guess (5)",
    Deviation.RECIPIENT: "BKV refuses it, sure (1.3)",
    Deviation.SPELLING: "JSDK reads the misspelt names only, sure (1.4)",
    Deviation.LINK: "sure (4)",
    Deviation.CONTENT_ID: "JSDK, sure (4)",
    Deviation.ZIP_RULE: "JSDK and BKV alike, sure (4)",
    Deviation.STATUS_PART: "sure (1.6)",
}
"""Why it should be written otherwise."""

GUESSES: tuple[tuple[str, str, str], ...] = (
    ("What Type and TypeDetail mean: three practices (2.1)", "class, then number in its list", "type_practice"),
    ("Whether TypeDetail belongs to the standard (1.3)", "written where the document has one", "type_practice"),
    ("What ReceiverType 0 and 1 mean (1.4)", "1 = added, 0 = removed", "receiver_added"),
    (
        "Whether a peer takes the national SDK's additions (1.3)",
        "written where a document has them",
        "additions",
    ),
    ("Which peers want a status inside Status (1.6)", "none but Bkav's axis", "status_container"),
    (
        "Whether a peer unwraps ZIPs (4)",
        "it does, as both SDKs; without wrapping, a reader takes a ZIP of one entry for a wrapper",
        "zip_rule",
    ),
    (
        "Whether Priority 5 means normal (2.2)",
        "at Bkav's axis only",
        "priority_five_is_normal",
    ),
    ("How many characters a peer takes (1.3, 8)", "the lengths below", "dialect"),
    ("How the axis forms `hash-file` (axis 2)", "without leading zeros", "hash_form"),
    (
        "What cardinalities the standard demands (1.3)",
        "those of the strict check",
        "",
    ),
    ("What the packet's own Signature must be (3)", "none is written, one that is met is recorded only", ""),
    ("Whether the amendment changed the namespace (1.1)", "it did not", ""),
    ("What ReplyFors and ReferenceCodes hold (1.3)", "any shape is read; one child for each value is written", ""),
    ("Numbers 10 to 17 and 27 to 32 of list B (2.1)", "shown below, never used to judge a packet", ""),
    ("How recalls and replacements are carried out (6.3, 6.6)", "a clerk decides; the gateway only hands them on", ""),
    ("Registered numbers of 12 digits (5)", "a known form of code", ""),
)
"""What is not known, what is assumed, and the key of [axis.NAME] that changes it; empty = none does."""

PRIORITIES: Mapping[Priority, str] = {
    Priority.NORMAL: "Thường",
    Priority.URGENT: "Khẩn",
    Priority.VERY_URGENT: "Thượng khẩn",
    Priority.FLASH: "Hỏa tốc",
    Priority.FLASH_TIMED: "Hỏa tốc hẹn giờ",
}
BUSINESS_TYPES: Mapping[BusinessType, str] = {
    BusinessType.NEW: "new (văn bản mới)",
    BusinessType.RECALL: "recall (thu hồi)",
    BusinessType.UPDATE: "update (cập nhật)",
    BusinessType.REPLACE: "replace (thay thế)",
}
STEERING: Mapping[SteeringType, str] = {
    SteeringType.NONE: "not a directive",
    SteeringType.DIRECTIVE: "directive (chỉ đạo)",
    SteeringType.REPORT: "report on a directive (báo cáo chỉ đạo)",
}
STATUSES: Mapping[str, str] = {
    "01": "arrived (đã đến)",
    "02": "refused (từ chối tiếp nhận)",
    "03": "accepted (đã tiếp nhận)",
    "04": "assigned (phân công xử lý)",
    "05": "in processing (đang xử lý)",
    "06": "finished (hoàn thành)",
    "13": "take-back asked for by the sender (lấy lại)",
    "15": "agrees to an update or take-back (đồng ý)",
    "16": "does not agree (từ chối)",
}
LAST_NORMATIVE_NAME = "VBQPPL của chính quyền địa phương ở đơn vị hành chính - kinh tế đặc biệt"
"""Number 13 of list A, whose name nobody writes out (2.1)."""
INFERRED_NAMES: Mapping[int, str] = {
    **dict(
        enumerate(
            ("Kế hoạch", "Phương án", "Đề án", "Dự án", "Báo cáo", "Biên bản", "Tờ trình", "Hợp đồng"),
            start=10,
        ),
    ),
    **dict(
        enumerate(
            ("Giấy nghỉ phép", "Giấy đi đường", "Giấy biên nhận hồ sơ", "Phiếu gửi", "Phiếu chuyển", "Thư công"),
            start=27,
        ),
    ),
}
"""List B where its numbers are inferred from the order of an older list (2.1)."""
