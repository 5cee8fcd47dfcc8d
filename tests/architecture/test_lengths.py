"""The lengths that the contract's comments promise are those that the rules enforce."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.domain.dialect import DIALECTS
from gateway.domain.lengths import BKAV, LENGTHS

PROTO = Path(__file__).parents[2] / "proto" / "lgsp" / "gateway" / "v1"
NOT_WRITTEN = ("TraceHeader", "Delivery")
"""Messages that only the gateway fills."""
STATUS_TEXTS = ("RefuseDocumentRequest.reason", "ReportStatusRequest.description")
"""Both become the Description of a status packet."""


@dataclass(frozen=True)
class Field:
    comment: str

    @property
    def technical(self) -> int:
        """The limit of the comment; 0 if it names none."""
        found = re.search(r"(?<!Legal )(?<!legal )[Ll]imit (\d+)", self.comment)
        return int(found.group(1)) if found else 0

    @property
    def legal(self) -> int:
        found = re.search(r"[Ll]egal limit (\d+)", self.comment)
        return int(found.group(1)) if found else 0

    @property
    def element(self) -> str:
        """The innermost element of the comment."""
        found = re.search(r"\bElement\s+([A-Za-z/]+)", self.comment)
        return found.group(1).rpartition("/")[2] if found else ""

    @property
    def is_free_text(self) -> bool:
        """Not the gateway's own, and not of a form that fixes its length."""
        return not re.search(r"Output only|`yyyy-MM-dd`|hexadecimal", self.comment)


def texts(file: str) -> dict[str, Field]:
    """Every string field of a proto file by message and name."""
    found, message, comment = {}, "", []
    for line in (PROTO / file).read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text.startswith("//"):
            comment.append(text.removeprefix("//").strip())
            continue
        if opened := re.match(r"message (\w+) \{", text):
            message = opened.group(1)
        elif field := re.match(r"(?:repeated )?string (\w+) = \d+;", text):
            found[f"{message}.{field.group(1)}"] = Field(" ".join(comment))
        comment = []
    return found


DOCUMENT_TEXTS = {
    name: field
    for name, field in texts("document.proto").items()
    if field.is_free_text and not name.startswith(NOT_WRITTEN)
}


def test_every_text_that_a_vendor_writes_has_a_length():
    """The table of lengths and the contract name the same fields; StatusReport stands for the two status texts."""
    assert len(DOCUMENT_TEXTS) > 40
    assert set(LENGTHS) == {*DOCUMENT_TEXTS, "StatusReport.description"}


@pytest.mark.parametrize("name", DOCUMENT_TEXTS)
def test_the_comment_states_the_limits(name):
    """Limit, element and, where it is the smaller one, the legal limit are those of the table."""
    field, length = DOCUMENT_TEXTS[name], LENGTHS[name]
    assert (field.technical, field.element) == (length.technical, length.element)
    assert field.legal == (length.legal if length.legal < length.technical else 0)


@pytest.mark.parametrize("name", STATUS_TEXTS)
def test_the_status_texts_state_theirs(name):
    """Refusal and report promise what a status packet carries."""
    assert texts("inbox_service.proto")[name].technical == LENGTHS["StatusReport.description"].technical


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_peer_takes_more_than_the_contract_promises(dialect):
    """A dialect only lowers limits, so that the contract's are never too small a promise."""
    assert all(limit < LENGTHS[name].technical for name, limit in DIALECTS[dialect].lengths.items())
    assert DIALECTS["bkav"].lengths == BKAV
