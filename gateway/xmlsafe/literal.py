"""Literal XML: written exactly as told, prefixes included, and nothing that XML cannot carry."""

from collections.abc import Mapping

from gateway.domain.rules import NOT_IN_XML


class UnwritableTextError(ValueError):
    """The text has a character that XML 1.0 cannot carry; the domain's rules refuse such text before."""


def carries(text: str) -> bool:
    """True if XML 1.0 can carry every character of the text."""
    return NOT_IN_XML.search(text) is None


def escape(text: str) -> str:
    """Text as element content or attribute value. Raises UnwritableTextError."""
    if not carries(text):
        raise UnwritableTextError("the text has a character that XML cannot carry")
    for plain, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\r", "&#13;")):
        text = text.replace(plain, written)
    return text


class LiteralXml:
    """Writes XML exactly as told, prefixes included, two spaces a level; `cut` gives the bytes so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = ['<?xml version="1.0" encoding="UTF-8"?>\n']
        self._open: list[str] = []

    def open(self, name: str, /, **attributes: str) -> None:
        """A start tag on a line of its own."""
        self._pieces.append(f"{self._indent()}{_tag(name, attributes)}\n")
        self._open.append(name)

    def close(self) -> None:
        """The end tag of the innermost open element."""
        name = self._open.pop()
        self._pieces.append(f"{self._indent()}</{name}>\n")

    def leaf(self, name: str, text: str, /, **attributes: str) -> None:
        """An element with text, on one line. Raises UnwritableTextError."""
        self._pieces.append(f"{self._indent()}{_tag(name, attributes)}{escape(text)}</{name}>\n")

    def begin(self, name: str, /, **attributes: str) -> None:
        """A start tag whose content the caller writes between two cuts; `end` follows without white space."""
        self._pieces.append(f"{self._indent()}{_tag(name, attributes)}")
        self._open.append(name)

    def end(self) -> None:
        """The end tag of such an element."""
        self._pieces.append(f"</{self._open.pop()}>\n")

    def cut(self) -> bytes:
        """The bytes since the last cut."""
        text, self._pieces = "".join(self._pieces), []
        return text.encode()

    def _indent(self) -> str:
        return "  " * len(self._open)


def _tag(name: str, attributes: Mapping[str, str]) -> str:
    written = "".join(f' {key.replace("_", ":")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>"
