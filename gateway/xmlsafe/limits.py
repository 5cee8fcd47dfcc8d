"""What one packet may cost, and the word for each way of costing more or of being no XML."""

from dataclasses import dataclass
from enum import StrEnum

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one packet may cost; bytes unless said otherwise. The same values serve the service and the command line."""

    attachment: int = 300 * MIB
    """One attachment, decoded."""
    packet: int = 420 * MIB
    """The whole packet."""
    inflated: int = 512 * MIB
    """All unwrapped ZIP entries of a packet together."""
    ratio: int = 100
    """Inflated bytes per packed byte of a ZIP entry larger than `ratio_from`."""
    ratio_from: int = MIB
    """Size of a ZIP entry from which `ratio` counts."""
    attachments: int = 200
    """Number of attachments, and of References."""
    recipients: int = 5000
    """Number of To groups."""
    depth: int = 64
    """Nested elements."""
    elements: int = 100_000
    """Number of elements."""
    header: int = 4 * MIB
    """Everything that is not attachment content: names, attributes and declarations, text, comments."""
    silent: int = MIB
    """The longest tag, attribute or comment: bytes of which the parser can say nothing before it has them all."""


class XmlFault(StrEnum):
    """Why a packet is no XML that may be read."""

    MALFORMED = "XML_MALFORMED"
    NOT_UTF8 = "XML_NOT_UTF8"
    DOCTYPE = "XML_DOCTYPE"
    UNDECLARED_PREFIX = "XML_UNDECLARED_PREFIX"
    TOO_DEEP = "XML_TOO_DEEP"
    TOO_MANY_ELEMENTS = "XML_TOO_MANY_ELEMENTS"
    HEADER_TOO_LARGE = "XML_HEADER_TOO_LARGE"
    TOKEN_TOO_LARGE = "XML_TOKEN_TOO_LARGE"  # noqa: S105 - a token of XML, no secret
    PACKET_TOO_LARGE = "XML_PACKET_TOO_LARGE"


class XmlRefusedError(Exception):
    """The bytes are refused; nothing more can be read from the parser."""

    def __init__(self, fault: XmlFault, sentence: str, path: str = "") -> None:
        """Keep the fault, its sentence and the path of the innermost open element."""
        self.fault = fault
        self.sentence = sentence
        self.path = path
        super().__init__(sentence)
