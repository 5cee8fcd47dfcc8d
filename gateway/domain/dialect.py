"""How one peer wants its packets: a preset, of which settings may change single habits. Facts: edxml.md 1, 2, 4.

The reader takes every form of every peer; what a dialect says about reading concerns meanings alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from gateway.domain.lengths import BKAV, LENGTHS


class Shape(StrEnum):
    """The outer form of packets where deployed software differs without need (edxml.md 1.2, 4)."""

    NATIONAL = "national"
    """The national Java SDK: prefixed ContentTransferEncoded, `cid:` in Reference and Attachment, no xlink."""
    DOTNET = "dotnet"
    """The .NET SDK: xsi and xsd declared, trace attributes, xlink in Reference, `cid:` in Reference only, its order."""


class StatusContainer(StrEnum):
    """The element that holds a status (edxml.md 1.6)."""

    MESSAGE_HEADER = "MessageHeader"
    STATUS = "Status"


class TypePractice(StrEnum):
    """What Type and TypeDetail say (edxml.md 2.1; no source is certain)."""

    AS_GIVEN = "as_given"
    """Class and number as the vendor gave them; class 2 where it gave none."""
    SDK = "sdk"
    """Type always 1, TypeDetail 0, as the Java SDK writes."""
    LIST_NUMBER = "list_number"
    """Type is the number in the administrative list, no TypeDetail, as the .NET SDK and Lang Son write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The habits of one peer."""

    shape: Shape = Shape.NATIONAL
    status_container: StatusContainer = StatusContainer.MESSAGE_HEADER
    zip_rule: bool = True
    """True: files other than pdf, doc, docx, zip travel alone in a ZIP (edxml.md 4).

    False: all files as they are; who reads by the rule then opens a ZIP of one entry that is not named zip.
    """
    type_practice: TypePractice = TypePractice.AS_GIVEN
    additions: bool = True
    """True: what a document says in elements of the national SDK's own is written too."""
    receiver_added: int = 1
    """The ReceiverType that means "added", 0 or 1; in the contract it is always 1 (edxml.md 1.4, a guess)."""
    priority_five_is_normal: bool = False
    """True: a received Priority 5 means 0, as in Bkav's table (edxml.md 2.2)."""
    lengths: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Technical limits that differ from LENGTHS."""

    def limit(self, name: str) -> int:
        """Characters the peer takes in a field; `name` is a key of LENGTHS."""
        return self.lengths.get(name, LENGTHS[name].technical)


NATIONAL = Dialect()

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "national": NATIONAL,
        "dotnet": Dialect(shape=Shape.DOTNET, type_practice=TypePractice.LIST_NUMBER),
        "bkav": Dialect(
            status_container=StatusContainer.STATUS,
            priority_five_is_normal=True,
            lengths=BKAV,
        ),
    },
)
"""The presets, by the word of the setting."""


def strictest(dialects: Iterable[Dialect]) -> Dialect:
    """The limits that each of several peers keeps; its other habits are nobody's."""
    several = tuple(dialects)
    return Dialect(lengths={name: min(dialect.limit(name) for dialect in several) for name in LENGTHS})
