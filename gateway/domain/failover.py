"""When what waits for one account goes to another. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.circuit import Circuit, Phase
from gateway.domain.ids import AccountName

_RECENT = timedelta(minutes=1)
"""A peer that was not heard failing for longer, and is not being probed, may be up again: its next message tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the accounts of a gateway stand."""

    down: frozenset[AccountName]
    """Long enough that what waits for them is to leave by others."""
    healthy: frozenset[AccountName]
    """Fit to take it over."""
    doubtful: frozenset[AccountName]
    """Not heard failing for so long that one message is to try: nothing else may be sent by them any more."""


def standing(circuits: Mapping[AccountName, Circuit], *, after: timedelta, at: datetime) -> Standing:
    """Who is down for at least `after`, who is not down at all, and of whom nobody knows; an account may be neither."""
    return Standing(
        down=frozenset(name for name, circuit in circuits.items() if _is_down(circuit, after, at)),
        healthy=frozenset(name for name, circuit in circuits.items() if circuit.phase(at) is Phase.CLOSED),
        doubtful=frozenset(name for name, circuit in circuits.items() if _is_doubtful(circuit, at)),
    )


def _is_down(circuit: Circuit, after: timedelta, at: datetime) -> bool:
    if circuit.down_since is None or at - circuit.down_since < after:
        return False
    return circuit.phase(at) is not Phase.CLOSED and not _is_doubtful(circuit, at)


def _is_doubtful(circuit: Circuit, at: datetime) -> bool:
    heard = circuit.opened_at
    return heard is not None and circuit.phase(at) is Phase.HALF_OPEN and not circuit.probing and at - heard > _RECENT
