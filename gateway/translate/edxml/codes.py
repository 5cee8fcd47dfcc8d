"""Code tables of the format: namespaces, code lists, file kinds. Facts: edxml.md sections 1.9, 2 and 4."""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from gateway.domain.document import BusinessType, Priority

NS102 = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
PREFIX = "edXML:"
"""Stands literally before every name inside the envelope (edxml.md 1.2)."""
CONTENT = "ContentTransferEncoded"
"""The element that holds an attachment's base64."""
CID = "cid:"
"""How a ContentId begins (edxml.md 4)."""

NS_GOVN = "http://www.go.vn/eDoc"
NS_DSIG = "http://www.w3.org/2000/09/xmldsig#"
NS_2803 = frozenset({"http://www.inetcloud.vn/ns/edxml", "http://www.e-doc.vn/Schema/"})
NS_SOAP = frozenset({"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"})

BUSINESS_WORDS: Mapping[int, str] = MappingProxyType({kind: kind.name.lower() for kind in BusinessType})
PRIORITY_WORDS: Mapping[int, str] = MappingProxyType({priority: priority.name.lower() for priority in Priority})
"""English words for people and programs, none of which stands in a packet."""

TYPE_NORMATIVE = 1
"""Class of legal normative documents (văn bản quy phạm pháp luật)."""
TYPE_ADMINISTRATIVE = 2
"""Class of administrative documents (văn bản hành chính); also what an absent Type means."""

NORMATIVE_NAMES = (
    *("Hiến pháp", "Luật", "Pháp lệnh", "Lệnh", "Nghị quyết", "Nghị quyết liên tịch", "Nghị định", "Quyết định"),
    *("Thông tư", "Thông tư liên tịch", "Chỉ thị", "Bộ luật"),
)
"""List A, numbered from 1 (annex of Amendment 1:2022), without its 13, which is no name that a document would bear."""

ADMINISTRATIVE_NAMES: Mapping[int, str] = MappingProxyType(
    dict(
        enumerate(
            (
                *("Nghị quyết", "Quyết định", "Chỉ thị", "Quy chế", "Quy định", "Thông cáo", "Thông báo"),
                *("Hướng dẫn", "Chương trình"),
            ),
            start=1,
        ),
    )
    | dict(
        enumerate(
            (
                *("Công văn", "Công điện", "Bản ghi nhớ", "Bản cam kết", "Bản thỏa thuận", "Giấy chứng nhận"),
                *("Giấy ủy quyền", "Giấy mời", "Giấy giới thiệu"),
            ),
            start=18,
        ),
    ),
)
"""List B, the certain numbers only: 10 to 17 and 27 to 32 are inferred and decide nothing here."""

RAW_EXTENSIONS = frozenset({"pdf", "doc", "docx", "zip", "xsl", "xslx"})
"""Files that are written as they are; everything else goes alone into a ZIP. The misspelt two are the SDK's own."""

ZIP_TYPE = "application/zip"
PDF_TYPE = "application/pdf"
UNKNOWN_TYPE = "application/octet-stream"
_OOXML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

TYPE_BY_EXTENSION: Mapping[str, str] = MappingProxyType(
    {
        "pdf": PDF_TYPE,
        "zip": ZIP_TYPE,
        "doc": "application/msword",
        "xls": "application/vnd.ms-excel",
        "ppt": "application/vnd.ms-powerpoint",
        "docx": f"{_OOXML}wordprocessingml.document",
        "xlsx": f"{_OOXML}spreadsheetml.sheet",
        "pptx": f"{_OOXML}presentationml.presentation",
        "odt": f"{_ODF}text",
        "ods": f"{_ODF}spreadsheet",
        "odp": f"{_ODF}presentation",
        "jar": "application/java-archive",
        "txt": "text/plain",
        "csv": "text/csv",
        "htm": "text/html",
        "html": "text/html",
        "xml": "application/xml",
        "xsl": "application/xml",
        "rtf": "application/rtf",
        "jpg": "image/jpeg",
        "jpeg": "image/jpeg",
        "png": "image/png",
        "gif": "image/gif",
        "tif": "image/tiff",
        "tiff": "image/tiff",
        "rar": "application/vnd.rar",
        "7z": "application/x-7z-compressed",
    },
)

ZIP_FAMILY = frozenset({"docx", "xlsx", "pptx", "odt", "ods", "odp", "jar"})
"""Extensions of formats that are themselves ZIP files of many entries."""

_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,10})$")


def extension(name: str) -> str:
    """The file name's extension, lower case, without the dot; empty if there is none worth the name."""
    found = _EXTENSION.search(name)
    return found.group(1).lower() if found else ""


def listed_name(type_number: int, detail: int) -> str:
    """The kind's name in the standard's list, empty where the list is not known for certain."""
    if type_number == TYPE_NORMATIVE and 1 <= detail <= len(NORMATIVE_NAMES):
        return NORMATIVE_NAMES[detail - 1]
    return ADMINISTRATIVE_NAMES.get(detail, "") if type_number == TYPE_ADMINISTRATIVE else ""


def conflicting_name(type_number: int, detail: int, name: str) -> str:
    """What class and number mean where that is not what the name says; empty if they agree or nobody can tell.

    The national SDK writes class 1 without a number whatever the document is (edxml.md 2.1).
    """
    said = _comparable(name)
    listed = listed_name(type_number, detail)
    if not said or listed:
        return "" if not said or _comparable(listed) in said else listed
    if type_number == TYPE_NORMATIVE and said in _ADMINISTRATIVE - _NORMATIVE:
        return "a legal normative document"
    if type_number == TYPE_ADMINISTRATIVE and said in _NORMATIVE - _ADMINISTRATIVE:
        return "an administrative document"
    return ""


def _comparable(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


_NORMATIVE = frozenset(map(_comparable, NORMATIVE_NAMES))
_ADMINISTRATIVE = frozenset(map(_comparable, ADMINISTRATIVE_NAMES.values()))


def is_wrapped(name: str) -> bool:
    """True if a file of this name travels alone in a ZIP (the ZIP rule, edxml.md 4)."""
    return extension(name) not in RAW_EXTENSIONS
