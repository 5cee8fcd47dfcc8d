"""What a parser gives: events, as tuples since a packet has many."""

from collections.abc import Mapping
from typing import NamedTuple


class Start(NamedTuple):
    """A start tag."""

    name: str
    """`{namespace}local`, or `local` outside every namespace."""
    attributes: Mapping[str, str]
    """Keys exactly as typed, prefixes and namespace declarations (`xmlns`, `xmlns:x`) included."""
    prefix: str
    """The element's prefix as typed, empty for none."""


class Text(NamedTuple):
    """A piece of character data; one text node may come in any number of pieces."""

    text: str


class Bulk(NamedTuple):
    """A piece of the text of a bulk element; line ends are normalised as XML demands, the rest is as typed.

    Text that is not ASCII has been judged as XML; ASCII text need not have been: it may have control characters or
    `]]>` in it, none of which is base64.
    """

    data: bytes
    """UTF-8."""
    offset: int
    """Index of its first byte in the packet; 0 = the packet has a reference there, such as `&#65;`."""


class End(NamedTuple):
    """An end tag."""

    name: str


Event = Start | Text | Bulk | End
