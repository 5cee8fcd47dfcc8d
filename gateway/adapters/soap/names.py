"""Names on the wire: namespaces, operations, and the words that SOAP and the edXML file spell differently. Pure."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import unquote

from lxml import etree

EDOC = "http://www.e-doc.vn/Schema/"
"""Namespace of the messages; the edXML file keeps QCVN's."""
NS102 = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
XLINK = "http://www.w3.org/1999/xlink"
XOP = "http://www.w3.org/2004/08/xop/include"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
TOKEN = "http://e-doc.vn/xsd"  # noqa: S105 - a namespace
"""Namespace of Token where older clients put it, into the SOAP header."""

CONTENT = "ContentTransferEncoded"
"""The element that holds an attachment, in the edXML file and in a Reference that carries its content."""
CONTENTS = (CONTENT, "AttachmentContent", "AttachmentData")
"""Names under which peers may put it; the first is ours."""
CID = "cid:"
SPACE = " \t\r\n"
"""White space in XML; any other is text."""

_OUTWARD: Mapping[str, str] = MappingProxyType(
    {
        "Bussiness": "Business",
        "BussinessDocType": "BusinessDocType",
        "BussinessDocReason": "BusinessDocReason",
        "BussinessDocumentInfo": "BusinessDocumentInfo",
    }
)
"""QCVN's misspelling, which its readers insist on, and what the SOAP side writes (edxml.md 1.4)."""
_INWARD: Mapping[str, str] = MappingProxyType({right: wrong for wrong, right in _OUTWARD.items()})


class Operation(StrEnum):
    """What the service offers; the value is the SOAPAction, bare."""

    SEND = "SendDocument"
    PENDING = "GetPendingDocumentIds"
    GET = "GetDocument"
    CONFIRM = "ConfirmReceived"
    TRACES = "GetTraces"
    UPDATE = "UpdateTraces"
    PERMISSION = "CheckPermission"
    ORGANIZATIONS = "GetOrganizations"


def soap_name(name: str) -> str:
    """An element of the edXML file as the SOAP side spells it."""
    return _OUTWARD.get(name, name)


def packet_name(name: str) -> str:
    """The way back."""
    return _INWARD.get(name, name)


def local(element: etree._Element) -> str:
    """Local name."""
    return etree.QName(element).localname


def children(element: etree._Element | None) -> Iterator[etree._Element]:
    """The child elements, without comments and instructions; none of None."""
    if element is not None:
        yield from element.iterchildren(tag=etree.Element)


def child(element: etree._Element | None, *names: str) -> etree._Element | None:
    """The first child of one of these local names, whatever its namespace: peers vary in theirs."""
    return next((each for each in children(element) if local(each) in names), None)


def descendants(element: etree._Element | None, name: str) -> Iterator[etree._Element]:
    """All elements of that local name below `element`."""
    if element is not None:
        yield from (each for each in element.iterdescendants(tag=etree.Element) if local(each) == name)


def words(element: etree._Element | None) -> str:
    """The element's own text without outer white space; "" for None."""
    return (element.text or "").strip(SPACE) if element is not None else ""


def content_id(value: str) -> str:
    """A content id as it compares: without angle brackets and `cid:`, however often that was put before it.

    In a reference it may have percent signs (RFC 2392).
    """
    bare = unquote(value.strip().removeprefix("<").removesuffix(">").strip())
    while bare.lower().startswith(CID):
        bare = bare[len(CID) :]
    return bare
