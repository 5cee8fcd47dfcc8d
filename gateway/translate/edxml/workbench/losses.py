"""What a reader of a packet finds otherwise than it was given: what a dialect leaves out, or the format cannot say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace

from gateway.domain.document import Attachment, AttachmentRole, Document
from gateway.domain.packet import PacketWarning
from gateway.translate.edxml.contents.attachments import kind_of, with_roles

NOT_CARRIED = "NOT_CARRIED"
"""Warning: what was given cannot be read from the packet again."""

_SHOWN = 200


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
    yield from _compare("document", replace(given, attachments=(), trace=()), said)
    if said.trace[: len(given.trace)] != given.trace:
        yield _lost("document.trace", said.trace)


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


def _kind(one: WrittenFile) -> str:
    return kind_of(one.attachment.name, one.head, "" if one.wrapped else one.attachment.media_type)


def _compare(path: str, given: object, said: object) -> Iterator[PacketWarning]:
    assert is_dataclass(given)
    for field in fields(given):
        ours, theirs = getattr(given, field.name), getattr(said, field.name)
        place = f"{path}.{'from' if field.name == 'sender' else field.name}"
        if is_dataclass(ours):
            yield from _compare(place, ours, theirs)
        elif ours and ours != theirs:
            yield _lost(place, theirs)


def _lost(path: str, found: object) -> PacketWarning:
    shown = repr(found)[:_SHOWN] if found else "nothing"
    return PacketWarning(code=NOT_CARRIED, path=path, message=f"a reader of the packet finds {shown}")
