"""The normalised forms under which rows are found; what is shown is always as written."""

import re
import unicodedata

_DATE = re.compile(r"(?<![0-9])([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})(?![0-9])")


def document_key(document_id: str) -> str:
    """A DocumentId without outer space and case, its date with slashes and two digits (edXML 5.6)."""
    return _DATE.sub(lambda d: f"{d[1]}/{d[2]:0>2}/{d[3]:0>2}", document_id.strip()).upper()


def search_key(text: str) -> str:
    """Text as people type it when they search: no marks, no case, đ as d."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return " ".join(bare.lower().replace("đ", "d").split())
