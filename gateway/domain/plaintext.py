"""Vietnamese for readers that know ASCII alone."""

import unicodedata


def without_marks(text: str) -> str:
    """The text in ASCII: marks dropped, đ as d, anything else that ASCII lacks as a question mark."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return bare.replace("đ", "d").replace("Đ", "D").encode("ascii", "replace").decode("ascii")
