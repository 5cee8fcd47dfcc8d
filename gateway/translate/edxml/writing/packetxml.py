"""Literal packet XML: prefixed inside the envelope, bare outside, nothing for what is empty (edxml.md 1.2)."""

from collections.abc import Sequence

from gateway.domain.dialect import Shape
from gateway.translate.edxml.codes import NS102, PREFIX
from gateway.xmlsafe import LiteralXml

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XSD = "http://www.w3.org/2001/XMLSchema"


class PacketXml:
    """One packet's text as it grows. Every method that takes text raises UnwritableTextError."""

    def __init__(self, shape: Shape) -> None:
        """Begin with the root, the envelope and its header."""
        self.bare = LiteralXml()
        """Writes names as they are: for the outside of the envelope."""
        if shape is Shape.DOTNET:
            self.bare.open("edXML", xmlns_xsi=_XSI, xmlns_xsd=_XSD, xmlns=NS102)
        else:
            self.bare.open("edXML", xmlns=NS102)
        self.bare.open(f"{PREFIX}edXMLEnvelope", xmlns_edXML=NS102)
        self.open("edXMLHeader")

    def end(self) -> None:
        """The root's end."""
        self.bare.close()

    def cut(self) -> bytes:
        """The bytes since the last cut."""
        return self.bare.cut()

    def open(self, name: str, **attributes: str) -> None:
        """A prefixed start tag."""
        self.bare.open(f"{PREFIX}{name}", **attributes)

    def close(self, *names: str) -> None:
        """Close elements, innermost first; the names are for the reader's eye."""
        for _ in names:
            self.bare.close()

    def leaf(self, name: str, value: str) -> None:
        """A text; left out if it is empty."""
        if value:
            self.bare.leaf(f"{PREFIX}{name}", value)

    def number(self, name: str, value: int) -> None:
        """A count; 0 is absent."""
        if value > 0:
            self.leaf(name, str(value))

    def group(self, name: str, *leaves: tuple[str, str]) -> None:
        """A group of texts; left out if all are empty."""
        if any(value for _, value in leaves):
            self.open(name)
            for leaf, value in leaves:
                self.leaf(leaf, value)
            self.close(name)

    def texts(self, name: str, leaf: str, values: Sequence[str]) -> None:
        """A list of texts; left out if there are none."""
        self.group(name, *((leaf, value) for value in values))
