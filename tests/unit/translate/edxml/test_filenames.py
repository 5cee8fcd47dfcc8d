"""Names of extracted files."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.translate.edxml.workbench.filenames import LIMIT, safe_names

NAMES = st.lists(
    st.text(max_size=60)
    | st.text("aA.\\/: \u202e\u0301é()2", max_size=8)
    | st.sampled_from(
        ["CON", "con.txt", "a.PDF", "A.pdf", "..", "", " ", "a (2).pdf", "ế" * 300 + ".docx", "x." + "y" * 300]
    ),
    max_size=6,
)


@given(names=NAMES)
@example(names=["a.pdf", "a.pdf", "a (2).pdf", "A.PDF"])
@example(names=["\u1ebf.pdf", "e\u0302\u0301.pdf"])
@example(names=["", "attachment-1"])
@example(names=["." * 300, "a." + "." * 300])
@example(names=["." * 3 + "\u00a0." * 90 + "a"])
def test_names_are_safe_and_distinct(names):
    """Every name is a plain file name within the limit on every operating system, and no two are the same."""
    safe = safe_names(names)
    assert len(safe) == len(names)
    keys = {unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()) for name in safe}
    assert len(keys) == len(names)
    for name in safe:
        assert 0 < len(name.encode()) <= LIMIT
        assert not set(name) & set('/\\:*?"<>|')
        assert not {unicodedata.category(each) for each in name} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert not name.startswith((".", " "))
        assert not name.endswith((".", " "))
        assert name.partition(".")[0].strip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Công văn số 12.pdf", "Công văn số 12.pdf"),
        ("hình 😀.png", "hình 😀.png"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\Windows\\a.exe", "C__Windows_a.exe"),
        (".bashrc", "bashrc"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\x00\nb.txt", "ab.txt"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("-rf", "_-rf"),
        ("COM¹", "_COM¹"),
        ("name. . ", "name"),
        ("", "attachment-1"),
        ("\u200b..", "attachment-1"),
        ("ế" * 100 + ".docx", "ế" * 65 + ".docx"),
        ("a." + "b" * 300, "a." + "b" * 198),
    ],
)
def test_what_becomes_of_a_name(name, safe):
    """Ordinary names stay as they are; from others only what is dangerous is taken."""
    assert safe_names([name]) == (safe,)


def test_the_same_name_again_gets_a_number():
    """Names are compared without regard to case, and a number in a name is no reason for a clash."""
    assert safe_names(["a.pdf", "A.PDF", "a (2).pdf", "a.pdf"]) == ("a.pdf", "A (2).PDF", "a (2) (2).pdf", "a (3).pdf")
