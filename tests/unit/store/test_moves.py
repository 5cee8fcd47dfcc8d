"""The lifecycle's tables, enforced."""

import pytest

from gateway.domain.lifecycle import ITEM_MOVES, MESSAGE_MOVES, RECEPTION_MOVES
from gateway.store.moves import IllegalMoveError, check


@pytest.mark.parametrize("moves", [MESSAGE_MOVES, RECEPTION_MOVES, ITEM_MOVES])
def test_only_the_tables_moves_pass(moves):
    """Every pair of states passes exactly if the table has it."""
    for before in moves:
        for after in moves:
            if after in moves[before]:
                check(moves, before, after)
            else:
                with pytest.raises(IllegalMoveError, match=f"{before.value} to {after.value}"):
                    check(moves, before, after)
