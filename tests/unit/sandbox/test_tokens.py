"""Tokens of the provincial faces."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.sandbox.journal import Journal
from gateway.sandbox.tokens import Tokens

START = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)


class Hands:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def now() -> Hands:
    return Hands()


@pytest.fixture
def tokens(tmp_path: Path, now: Hands) -> Iterator[Tokens]:
    journal = Journal(tmp_path, now=now)
    yield Tokens(journal=journal, now=now, life_seconds=60)
    journal.close()


def test_a_token_holds_for_its_life_at_its_face(tokens: Tokens, now: Hands) -> None:
    """A token names its system until its last second, at the face that gave it, as a bearer alone."""
    token = tokens.issue("langson", "00.99.W00")
    assert tokens.holder("langson", f"bearer {token}") == "00.99.W00"
    assert tokens.holder("quangnam", f"Bearer {token}") is None
    assert tokens.holder("langson", token) is None
    now.time += timedelta(seconds=59)
    assert tokens.holder("langson", f"Bearer {token}") == "00.99.W00"
    now.time += timedelta(seconds=1)
    assert tokens.holder("langson", f"Bearer {token}") is None


def test_a_new_token_leaves_the_older_good(tokens: Tokens) -> None:
    """Two logins of one system give two tokens, both good; ending all counts them."""
    first, second = tokens.issue("langson", "a"), tokens.issue("langson", "a")
    assert first != second
    assert tokens.holder("langson", f"Bearer {first}") == tokens.holder("langson", f"Bearer {second}") == "a"
    assert tokens.expire_all() == 2
    assert tokens.holder("langson", f"Bearer {second}") is None
    assert tokens.expire_all() == 0


def test_the_journal_knows_who_asked_but_no_token(tmp_path: Path, tokens: Tokens) -> None:
    """Each issue is one record with face and system, and the token is not in the file."""
    token = tokens.issue("quangnam", "a")
    written = (tmp_path / "journal.jsonl").read_text()
    assert '"event": "token_issued"' in written
    assert '"face": "quangnam", "system": "a"' in written
    assert token not in written
