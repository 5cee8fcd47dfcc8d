"""Files that a reader would take for wrapping ZIPs although nobody wrapped them (edxml.md 4, "Zip rule").

A file called pdf or doc travels as it is; one whose bytes are an archive of one entry would be opened at the other end,
and arrive as something else. It has to travel in a wrapper of its own, which is what the reader then takes off.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway.domain.dialect import Dialect
from gateway.domain.document import Attachment
from gateway.domain.packet import StoredObject
from gateway.translate.edxml.codes import extension, is_wrapped
from gateway.translate.edxml.contents.objects import ObjectSource
from gateway.translate.edxml.contents.unwrap import TAIL, Tail, is_wrapper
from gateway.translate.edxml.contents.ziprecords import LOCAL_MAGIC


async def mistakable(
    attachments: Sequence[Attachment], objects: Sequence[StoredObject], source: ObjectSource, dialect: Dialect
) -> frozenset[int]:
    """Places of the attachments that travel as they are and would be opened; of a PDF only the beginning is read."""
    if not dialect.zip_rule:
        return frozenset()  # who wants no wrapping takes none off
    pairs = enumerate(zip(attachments, objects, strict=True))
    return frozenset([place for place, (one, stored) in pairs if await _is_mistakable(one.name, stored, source)])


async def _is_mistakable(name: str, stored: StoredObject, source: ObjectSource) -> bool:
    if is_wrapped(name) or extension(name) == "zip" or not await _begins_as_zip(stored, source):
        return False
    skipped = max(0, stored.size - TAIL)
    tail = Tail(skipped=skipped)
    async for chunk in source.stream(stored, offset=skipped):
        tail.feed(chunk)
    return is_wrapper(name, tail.single_entry())


async def _begins_as_zip(stored: StoredObject, source: ObjectSource) -> bool:
    beginning = replace(stored, size=min(stored.size, len(LOCAL_MAGIC)))  # else a whole range of it would be fetched
    async for chunk in source.stream(beginning):
        return chunk.startswith(LOCAL_MAGIC)
    return False
