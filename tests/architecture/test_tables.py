"""Tables that must cover a closed list of words."""

from collections.abc import Mapping
from enum import StrEnum
from string import Formatter

import pytest

from gateway.domain.errors import SENTENCES, ErrorCode
from gateway.domain.lifecycle import (
    DELIVERY_OF,
    ITEM_MOVES,
    MESSAGE_MOVES,
    RECEPTION_MOVES,
    UNSETTLED,
    DeliveryState,
    ItemState,
    MessageState,
    ReceptionState,
)
from gateway.rpc.errors import RETRY, STATUS


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def test_every_error_has_a_sentence_in_both_languages() -> None:
    """Each reason has an English and a Vietnamese sentence that are filled from the same facts."""
    assert SENTENCES.keys() == set(ErrorCode)
    for code, sentence in SENTENCES.items():
        assert sentence.en, code
        assert sentence.vi, code
        assert placeholders(sentence.en) == placeholders(sentence.vi), code
        assert all(name.isidentifier() for name in placeholders(sentence.en)), code


def test_every_error_has_a_status() -> None:
    """Each reason has its gRPC status; only such as may pass by themselves invite a retry."""
    assert STATUS.keys() == set(ErrorCode)
    assert {STATUS[code].name for code in RETRY} == {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}


@pytest.mark.parametrize(
    ("states", "moves", "start"),
    [
        (MessageState, MESSAGE_MOVES, MessageState.QUEUED),
        (ReceptionState, RECEPTION_MOVES, ReceptionState.WAITING),
        (ItemState, ITEM_MOVES, ItemState.FETCHED),
    ],
)
def test_every_state_is_in_its_table_and_can_be_reached(
    states: type[StrEnum], moves: Mapping[StrEnum, frozenset[StrEnum]], start: StrEnum
) -> None:
    """A lifecycle table has a line for each state, leads only to states, reaches all of them, and comes to an end."""
    assert moves.keys() == set(states)
    reached, waiting = set(), {start}
    while waiting:
        reached |= waiting
        waiting = {to for state in waiting for to in moves[state]} - reached
    assert reached == set(states)
    assert any(not targets for targets in moves.values())


def test_every_message_state_is_shown_to_vendors() -> None:
    """Each message state has the delivery state vendors see, and no delivery state is unused."""
    assert DELIVERY_OF.keys() == set(MessageState)
    assert set(DELIVERY_OF.values()) == set(DeliveryState)


def test_final_messages_hold_nobody_back() -> None:
    """A younger message waits for no message that is sent or given up."""
    assert set(MessageState) - UNSETTLED == {MessageState.SENT, MessageState.FAILED}
