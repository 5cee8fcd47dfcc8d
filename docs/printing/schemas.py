"""The two XSDs, printed from the table of elements; ours, since no official XSD is public.

Both keep to XSD 1.0, so that every vendor's validator takes them. Two rules of it shape them: one name within a group
has one type, hence the named types; and a wildcard may not stand beside a name that it covers, hence the tolerant
form's wildcards alone, which validate a known element wherever they meet it ("lax").
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from html import escape
from types import MappingProxyType

from gateway.adapters.soap.envelopes import WSDL
from gateway.domain.agency import CODE_LIMIT
from gateway.translate.edxml.codes import NS102
from gateway.translate.edxml.elements import (
    ATTACHMENT,
    CORRECTED_SPELLINGS,
    DOCUMENT_HEADER,
    REFERENCE,
    STATUS_HEADER,
    TRACE_LIST,
    Element,
    Form,
)

Lines = list[str]

_XS = "http://www.w3.org/2001/XMLSchema"
_SIGNATURES = ("Signature", "DigitalSignature")
_DAY = r"[0-9]{4}/(0[1-9]|1[0-2])/(0[1-9]|[12][0-9]|3[01])"
_CODES = (
    r"[A-Z][0-9]{2}(\.[0-9A-Z]+)*",
    r"[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}",
    "[0-9]{10}(-?[0-9]{3})?",
    "[0-9]{12}",
)
"""Identifier codes in the new and the old form, and registered numbers (gateway.domain.agency)."""
_MANY = {"minOccurs": "0", "maxOccurs": "unbounded"}
_OURS = (
    "Printed by docs/generate.py from gateway/translate/edxml/elements.py; do not edit.",
    "lgsp-gateway's own XSD of the packet format of QCVN 102:2016/BTTTT with Amendment 1:2022, written from known",
    "facts. It is not the standard's: no official XSD is public.",
)
_STRICT = (
    *_OURS,
    "The strict form, of documents and statuses: what lgsp-gateway writes in its national shape, and what its strict",
    "check (`packet check`) accepts, the national SDK's additions included.",
    "An XSD cannot say, and only the strict check tells:",
    "* prefixes: `edXML:` literally on all elements inside the envelope, none outside;",
    "* that a document has a TraceHeaderList, and a status neither that nor a body nor attachments;",
    "* that files other than pdf, doc, docx, zip travel in a ZIP, that base64 has no line breaks, that `cid:` stands",
    "  once, that a file has one name in both its places; that a day exists, that two codes differ in more than case;",
    "  what contradicts the files or the list of kinds; legal lengths, which only warn.",
    "Elements said to be additions are the national SDK's own. The container Status is Bkav's, else MessageHeader.",
)
_TOLERANT = (
    *_OURS,
    "The tolerant form: the names that lgsp-gateway's reader knows, in any order and number, in both spellings, among",
    "any others, without lengths. A packet that is valid here may still be refused, e.g. without From/OrganId: an XSD",
    "in which unknown elements are allowed everywhere cannot demand any. `packet inspect` tells.",
    "edXMLEnvelope has no declaration of its own, so that it is not taken as a root; what is in it is validated.",
)


def strict_schema() -> str:
    """The form to write."""
    types = _Types()
    header = types.of(DOCUMENT_HEADER)  # named first, so that the plain names go to the document
    status = types.of(STATUS_HEADER, "Status")
    content = _type(_sequence(_envelope(types), _attachment_encoded(types)))
    root = _tag("xs:element", content, *_links(), name="edXML")
    own = {header: _message_header(types), status: _type(_sequence(*types.children(STATUS_HEADER)), name=status)}
    made = {**types.groups(), **own}
    return _schema(_STRICT, [root, *made.values(), *types.simple()])


def tolerant_schema() -> str:
    """The form that is read."""
    known = _known_names()
    attributes = _any_attribute()
    group = _type(_sequence(_any()), attributes, name="Group", mixed="true")
    text = _type(_sequence(_any()), attributes, name="Text", mixed="true")
    anything = _type(_sequence(_any("skip")), attributes, name="Unread", mixed="true")
    digits = _simple(_facet("pattern", "[0-9]{0,3}"), name="Digits")
    code = _type(
        _tag("xs:simpleContent", _tag("xs:extension", attributes, base="Digits")),
        name="StatusCode",
    )
    kinds = {**known, "StatusCode": "StatusCode", **dict.fromkeys(_SIGNATURES, "Unread")}
    elements = [_tag("xs:element", name=name, type=kind) for name, kind in sorted(kinds.items())]
    return _schema(_TOLERANT, [*elements, group, text, anything, code, digits])


class _Types:
    """Names a type for every group and form of text, one for each that differs."""

    def __init__(self) -> None:
        self._names: dict[tuple[Element, ...], str] = {}
        self._groups: dict[str, Lines] = {}
        self._simple: dict[str, Lines] = {}

    def of(self, element: Element, name: str = "") -> str:
        """The name of the type of a group; that of its first element, unless said otherwise."""
        known = self._names.get(element.children)
        if known is not None:
            return known
        name = name or element.name
        while name in self._groups:
            name = f"Other{name}"
        self._names[element.children] = name
        self._groups[name] = []
        attributes = _attributes(element)
        self._groups[name] = _type(_sequence(*self.children(element)), *attributes, name=name)
        return name

    def groups(self) -> Mapping[str, Lines]:
        """All groups named so far."""
        return self._groups

    def simple(self) -> Iterable[Lines]:
        """All forms of text named so far."""
        return [self._simple[name] for name in sorted(self._simple)]

    def children(self, element: Element) -> Iterator[Lines]:
        """The declarations of a group's children, in order."""
        for child in element.children:
            yield self.declared(child)

    def declared(self, element: Element) -> Lines:
        """The local declaration of one element."""
        occurs = {} if element.required or element.form is Form.CONTENT else {"minOccurs": "0"}
        if element.many:
            occurs["maxOccurs"] = "unbounded"
        named = self.of(element) if element.form is Form.GROUP else self._text(element)
        notes = [_note("an addition of the national SDK")] if element.addition else []
        return _tag("xs:element", *notes, name=element.name, type=named, **occurs)

    def _text(self, element: Element) -> str:
        name, made = _text_type(element)
        self._simple[name] = made
        return name


def _text_type(element: Element) -> tuple[str, Lines]:
    """The name of the form of an element's text, and the form."""
    if element.form is Form.TEXT:
        longest = [_facet("maxLength", str(element.technical))] if element.technical else []
        return _named(f"Text{element.technical or ''}", _facet("minLength", "1"), *longest)
    if element.allowed:
        return _named(f"{element.name}List", *(_facet("enumeration", word) for word in element.allowed))
    return _FORMS[element.form]


def _attributes(element: Element) -> Iterable[Lines]:
    """What deployed software writes in attributes, beside namespaces."""
    if element is TRACE_LIST:
        return [_tag("xs:attribute", name=name) for name in ("id", "version", "mustUnderstand", "actor")]
    if element is REFERENCE:  # xlink, as the .NET SDK writes it
        return [_tag("xs:anyAttribute", namespace="##other", processContents="skip")]
    return []


def _message_header(types: _Types) -> Lines:
    """Document and status share the container and its first element; then they differ."""
    sender, *document = types.children(DOCUMENT_HEADER)
    _, *status = types.children(STATUS_HEADER)
    forms = _tag("xs:choice", _sequence(*document), _sequence(*status))
    return _type(_sequence(sender, forms), name=types.of(DOCUMENT_HEADER))


def _links() -> Iterator[Lines]:
    """Every ContentId names one Reference and one Attachment."""
    reference = "q:edXMLEnvelope/q:edXMLBody/q:edXMLManifest/q:Reference"
    attachment = "q:AttachmentEncoded/q:Attachment"
    yield _identity("key", "ReferenceIds", reference, "q:ContentId")
    yield _identity("key", "AttachmentIds", attachment, "q:ContentId")
    yield _identity("keyref", "AttachmentOfReference", reference, "q:ContentId", refer="AttachmentIds")
    yield _identity("keyref", "ReferenceOfAttachment", attachment, "q:ContentId", refer="ReferenceIds")


def _identity(kind: str, name: str, selector: str, field: str, **refer: str) -> Lines:
    return _tag(f"xs:{kind}", _tag("xs:selector", xpath=selector), _tag("xs:field", xpath=field), name=name, **refer)


def _envelope(types: _Types) -> Lines:
    once = _identity("unique", "Recipients", "q:To", "q:OrganId")
    document = _sequence(
        _tag("xs:element", once, name=DOCUMENT_HEADER.name, type=types.of(DOCUMENT_HEADER)),
        _tag("xs:element", name=TRACE_LIST.name, type=types.of(TRACE_LIST), minOccurs="0"),
        _tag(
            "xs:choice",
            *(_element(name, _type(_sequence(_any("skip")), _any_attribute(), mixed="true")) for name in _SIGNATURES),
            _tag("xs:any", namespace="http://www.w3.org/2000/09/xmldsig#", processContents="skip"),
            minOccurs="0",
        ),
    )
    status = _tag("xs:element", name="Status", type=types.of(STATUS_HEADER))
    header = _element("edXMLHeader", _type(_tag("xs:choice", document, status)))
    references = _tag("xs:element", name=REFERENCE.name, type=types.of(REFERENCE), **_MANY)
    version = _tag("xs:attribute", name="version", use="required", fixed="1.0")
    manifest = _element("edXMLManifest", _type(_sequence(references), version))
    body = _element("edXMLBody", _type(_sequence(manifest)), minOccurs="0")
    return _element("edXMLEnvelope", _type(_sequence(header, body)))


def _attachment_encoded(types: _Types) -> Lines:
    attachments = _tag("xs:element", name=ATTACHMENT.name, type=types.of(ATTACHMENT), **_MANY)
    return _element("AttachmentEncoded", _type(_sequence(attachments)), minOccurs="0")


def _known_names() -> dict[str, str]:
    """Every name of the format to Group or Text; Text where it is a group in one place and text in another."""
    correct = {usual: name for name, usual in CORRECTED_SPELLINGS.items()}
    found = dict.fromkeys(("edXML", "edXMLHeader", "edXMLBody", "edXMLManifest", "Manifest"), "Group")
    found |= dict.fromkeys(("Status", "AttachmentEncoded"), "Group")
    for element in _walk(DOCUMENT_HEADER, STATUS_HEADER, TRACE_LIST, REFERENCE, ATTACHMENT):
        # Nobody knows for certain what the additions hold, so that theirs is Text: any shape.
        kind = "Group" if element.form is Form.GROUP and not element.addition else "Text"
        for name in {element.name, correct.get(element.name, element.name)}:
            found[name] = kind if found.get(name, kind) == kind else "Text"
    return found


def _walk(*elements: Element) -> Iterator[Element]:
    for element in elements:
        yield element
        yield from _walk(*element.children)


def _schema(words: Iterable[str], parts: Iterable[Lines]) -> str:
    names = {"xmlns:xs": _XS, "xmlns": NS102, "xmlns:q": NS102, "targetNamespace": NS102}
    schema = _tag("xs:schema", *parts, **names, elementFormDefault="qualified")
    comment = ["<!--", *(f"  {escape(line, quote=False)}" for line in words), "-->"]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *comment, *schema, ""])


def _tag(tag: str, /, *children: Lines, **attributes: str) -> Lines:
    written = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    if not children:
        return [f"<{tag}{written}/>"]
    return [f"<{tag}{written}>", *(f"  {line}" for child in children for line in child), f"</{tag}>"]


def _element(name: str, content: Lines, **occurs: str) -> Lines:
    return _tag("xs:element", content, name=name, **occurs)


def _sequence(*parts: Lines) -> Lines:
    return _tag("xs:sequence", *parts)


def _type(*parts: Lines, **attributes: str) -> Lines:
    return _tag("xs:complexType", *parts, **attributes)


def _simple(*facets: Lines, base: str = "xs:token", name: str) -> Lines:
    return _tag("xs:simpleType", _tag("xs:restriction", *facets, base=base), name=name)


def _any(how: str = "lax") -> Lines:
    return _tag("xs:any", namespace="##any", processContents=how, **_MANY)


def edoc_schemas() -> Mapping[str, Callable[[], str]]:
    """Our description of the eDoc SOAP service, as the gateway itself uses it, by file name."""
    return {path.name: partial(path.read_text, encoding="utf-8") for path in sorted(WSDL.parent.glob("*.*"))}


def _any_attribute() -> Lines:
    return _tag("xs:anyAttribute", processContents="skip")


def _note(text: str) -> Lines:
    return _tag("xs:annotation", [f"<xs:documentation>{escape(text)}</xs:documentation>"])


def _facet(kind: str, value: str) -> Lines:
    return _tag(f"xs:{kind}", value=value)


def _named(name: str, *facets: Lines, base: str = "xs:token") -> tuple[str, Lines]:
    return name, _simple(*facets, base=base, name=name)


_FORMS: Mapping[Form, tuple[str, Lines]] = MappingProxyType(
    {
        Form.CONTENT: _named("Base64", _facet("minLength", "1"), base="xs:base64Binary"),
        Form.BOOLEAN: _named("Boolean", _facet("enumeration", "true"), _facet("enumeration", "false")),
        Form.DATE: _named("Date", _facet("pattern", _DAY)),
        Form.TIME: _named("Time", _facet("pattern", f"{_DAY} ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")),
        Form.NUMBER: _named("Number", _facet("pattern", "[0-9]{1,5}"), base="xs:unsignedShort"),
        Form.ORGAN_ID: _named(
            "IdentifierCode", _facet("maxLength", str(CODE_LIMIT)), *(_facet("pattern", form) for form in _CODES)
        ),
    },
)
"""Texts whose form says all."""
