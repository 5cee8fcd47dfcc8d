import pytest

from gateway.domain.lifecycle import (
    DELIVERY_OF,
    ITEM_MOVES,
    MESSAGE_MOVES,
    RECEPTION_MOVES,
    UNSETTLED,
    ItemState,
    MessageState,
    ReceptionState,
)


@pytest.mark.parametrize(
    ("moves", "states", "start", "final"),
    [
        (MESSAGE_MOVES, MessageState, MessageState.QUEUED, {MessageState.SENT}),
        (
            RECEPTION_MOVES,
            ReceptionState,
            ReceptionState.WAITING,
            {ReceptionState.ACKNOWLEDGED, ReceptionState.REFUSED},
        ),
        (ITEM_MOVES, ItemState, ItemState.FETCHED, {ItemState.SETTLED}),
    ],
)
def test_the_tables_are_whole(moves, states, start, final):
    """Every state has its row, is reached from the first one, and can reach a final one; final ones have no way out."""
    assert set(moves) == set(states)
    assert {state for state, after in moves.items() if not after} == final

    def reachable(state):
        found, todo = set(), [state]
        while todo:
            for after in moves[todo.pop()] - found:
                found.add(after)
                todo.append(after)
        return found

    assert reachable(start) | {start} == set(states)
    assert all(reachable(state) & final or state in final for state in states)


def test_every_message_state_shows_as_a_delivery():
    """Vendors see something for every state a message can be in; unsettled ones never look finished."""
    assert set(DELIVERY_OF) == set(MessageState)
    assert not {DELIVERY_OF[state] for state in UNSETTLED} & {
        DELIVERY_OF[MessageState.SENT],
        DELIVERY_OF[MessageState.FAILED],
    }
