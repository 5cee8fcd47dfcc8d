"""What a reader of a packet finds otherwise than it was given: what a dialect leaves out, or the format cannot say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import islice

from gateway.domain.document import Attachment, AttachmentRole, Document
from gateway.domain.packet import PacketWarning
from gateway.translate.edxml.contents.attachments import kind_of, with_roles

NOT_CARRIED = "NOT_CARRIED"
"""Warning: what was given cannot be read from the packet again."""

_SHOWN = 200
"""Characters of what is found instead."""
_LISTED = 100
"""Fields that are named; of the rest only the number is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """One attachment in the order of the packet."""

    number: int
    """Its place in the document as given."""
    attachment: Attachment
    """Description and media type as given, empty where they were not."""
    role: AttachmentRole | None
    """As given."""
    head: bytes
    """The file's first bytes."""
    wrapped: bool
    """It travels in a ZIP, which hides its media type."""


def lost_fields(given: Document, said: Document) -> Iterator[PacketWarning]:
    """Fields beside attachments; `said` is what a reader makes of the packet."""
    found = _compare("document", replace(given, attachments=()), replace(said, trace=said.trace[: len(given.trace)]))
    yield from islice(found, _LISTED)
    more = sum(1 for _ in found)
    if more:
        yield PacketWarning(code=NOT_CARRIED, path="document", message=f"and {more} fields more")


def lost_files(written: Sequence[WrittenFile], said: Sequence[Attachment]) -> Iterator[PacketWarning]:
    """What attachments were given; `said` is what a reader makes of their words, in the same order."""
    kinds = [
        kind_of(one.attachment.name, one.head, "" if one.wrapped else one.attachment.media_type) for one in written
    ]
    seen = with_roles([replace(one, media_type=kind) for one, kind in zip(said, kinds, strict=True)])
    for one, found in zip(written, seen, strict=True):
        path = f"document.attachments[{one.number}]"
        given = one.attachment
        for name, ours, theirs in (
            ("attachment_name", given.name, found.name),
            ("description", given.description, found.description),
            ("field_name", given.field_name, found.field_name),
            ("mime_type", given.mime_type, found.mime_type),
            ("format", given.format, found.format),
            ("media_type", given.media_type.lower(), found.media_type.lower()),
            ("role", one.role, found.role),
        ):
            if ours and ours != theirs:
                yield _lost(f"{path}.{name}", theirs)


def _compare(path: str, ours: object, theirs: object) -> Iterator[PacketWarning]:
    if is_dataclass(ours):
        for field in fields(ours):
            place = f"{path}.{'from' if field.name == 'sender' else field.name}"
            yield from _compare(place, getattr(ours, field.name), getattr(theirs, field.name))
    elif isinstance(ours, tuple) and isinstance(theirs, tuple) and len(ours) == len(theirs):
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _compare(f"{path}[{i}]", one, other)
    elif ours and ours != theirs:
        yield _lost(path, theirs)


def _lost(path: str, found: object) -> PacketWarning:
    return PacketWarning(code=NOT_CARRIED, path=path, message=f"a reader of the packet finds {_shown(found)}")


def _shown(found: object) -> str:
    match found:
        case tuple() if found and is_dataclass(found[0]):
            return f"{len(found)} of them"
        case tuple() if found:
            return ", ".join(map(_shown, found))[:_SHOWN]
        case str() if found:
            return repr(str(found)[:_SHOWN])
        case _:
            return str(found) if found else "nothing"
