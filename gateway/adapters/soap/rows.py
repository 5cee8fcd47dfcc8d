"""Lists in answers as domain values. Pure; names as in axis.md 9.1, read by local name."""

from collections.abc import Iterator

from lxml import etree

from gateway.adapters.answers import clip, usable_doc_id
from gateway.adapters.soap.envelopes import Envelope
from gateway.adapters.soap.names import child, children, descendants, local, words
from gateway.domain.agency import DirectoryRow
from gateway.domain.ids import OrganId
from gateway.domain.packet import AxisItem, PacketKind


def read_pending(envelope: Envelope) -> tuple[AxisItem, ...] | None:
    """What GetPendingDocumentIds lists; None without a DocumentIds."""
    listed = _group(envelope, "DocumentIds")
    if listed is None:
        return None
    ids = (usable_doc_id(words(each)) for each in children(listed) if local(each) == "DocumentId")
    unique = dict.fromkeys(each for each in ids if each is not None)
    return tuple(AxisItem(axis_doc_id=each, kind=PacketKind.DOCUMENT, recipients=()) for each in unique)


def read_traces(envelope: Envelope) -> tuple[etree._Element, ...] | None:
    """The Status elements of GetTraces; None without a Traces."""
    listed = _group(envelope, "Traces")
    if listed is None:
        return None
    return tuple(each for each in children(listed) if local(each) == "Status")


def read_organizations(envelope: Envelope) -> Iterator[DirectoryRow | None]:
    """What GetOrganizations lists; None for an entry without a code."""
    for each in descendants(envelope.body, "Organization"):
        code = _first(each, "OrganId", "Id", "Code")
        if not code:
            yield None
            continue
        yield DirectoryRow(
            axis_id=code,
            parent_axis_id=_first(each, "OrganIdParent", "OrganParentId", "ParentOrganId", "ParentId"),
            code=OrganId(code),
            name=clip(_first(each, "OrganName", "Name")),
            email=clip(_first(each, "Email", "OrganEmail")),
            aliases=tuple(
                OrganId(other) for other in [_first(each, "OldCode", "OldOrganId")] if other and other != code
            ),
        )


def _first(element: etree._Element, *names: str) -> str:
    found = (words(child(element, name)) for name in names)
    return next((each for each in found if each), "")


def _group(envelope: Envelope, name: str) -> etree._Element | None:
    content = envelope.content
    if content is not None and local(content) == name:
        return content
    return next(descendants(content, name), None)
