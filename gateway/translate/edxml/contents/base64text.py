"""Base64 as it arrives: pieces of text of any length, white space tolerated, everything else exact."""

import pybase64

_SPACES = (b"\n", b"\r", b" ", b"\t")
_QUANTUM = 4


def encoded_length(size: int) -> int:
    """Characters of the base64 of so many bytes, without white space."""
    return _QUANTUM * -(-size // 3)


class Base64Error(ValueError):
    """The text is no base64; the message says why."""


class Base64Decoder:
    """Decodes piece by piece and holds at most three characters back."""

    def __init__(self) -> None:
        self.spaced = False
        """True if there was white space in the text."""
        self._rest = b""
        self._ended = False

    def feed(self, text: bytes) -> bytes:
        """The bytes that are complete with this piece. Raises Base64Error."""
        if any(space in text for space in _SPACES):  # looking is a tenth of the work of taking out
            text = text.translate(None, b"".join(_SPACES))
            self.spaced = True
        piece = self._rest + text if self._rest else text
        if not piece:
            return b""
        if self._ended:
            raise Base64Error("characters after the padding")
        whole = len(piece) - len(piece) % _QUANTUM
        self._rest = piece[whole:]
        try:
            decoded = pybase64.b64decode(piece[:whole], validate=True)
        except ValueError:
            raise Base64Error("a character outside the alphabet, or padding in the middle") from None
        self._ended = whole > 0 and piece[whole - 1] == ord("=")
        if self._ended and self._rest:
            raise Base64Error("characters after the padding")
        return decoded

    def finish(self) -> None:
        """Check that nothing is left over. Raises Base64Error."""
        if self._rest:
            raise Base64Error("its length is no multiple of four")
