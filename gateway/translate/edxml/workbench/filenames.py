"""Names under which a stranger's attachments may lie in a folder of ours, on any operating system."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

LIMIT = 200
"""UTF-8 bytes of a name."""

_EXTENSION_LIMIT = 40
"""UTF-8 bytes of what still counts as an extension, dot included."""
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
_SEPARATING = re.compile(r'[/\\:*?"<>|]')
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, bidirectional overrides and other formatting, lone surrogates, line and paragraph separators."""


def safe_names(names: Sequence[str]) -> tuple[str, ...]:
    """One file name for each, at most LIMIT bytes, no two the same whatever a file system thinks of case or accents."""
    return tuple(_distinct(names))


def _distinct(names: Sequence[str]) -> Iterator[str]:
    taken: set[str] = set()
    for number, name in enumerate(names, 1):
        stem, extension = _split(_clean(name) or f"attachment-{number}")
        chosen, count = _fitted(stem, extension), 1
        while _key(chosen) in taken:
            count += 1
            chosen = _fitted(stem, f" ({count}){extension}")
        taken.add(_key(chosen))
        yield chosen


def _clean(name: str) -> str:
    visible = "".join(each for each in name if unicodedata.category(each) not in _INVISIBLE)
    plain = _SEPARATING.sub("_", visible).strip().lstrip(". ").rstrip(". ")
    taken = _RESERVED.fullmatch(plain) or plain.startswith("-")  # a dash would be an option of some command
    return f"_{plain}" if taken else plain


def _split(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    if not stem or len(f"{dot}{extension}".encode()) > _EXTENSION_LIMIT:
        return name, ""
    return stem, f".{extension}"


def _fitted(stem: str, ending: str) -> str:
    """The stem cut between two characters, so that both fit."""
    written, room = stem.encode(), LIMIT - len(ending.encode())
    if len(written) > room:
        stem = written[:room].decode(errors="ignore").rstrip(". ")
    return stem + ending


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
