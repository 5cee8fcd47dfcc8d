"""The circuit of one route while it runs: what is heard of the peer, and what follows from it."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from gateway.domain.circuit import Circuit, Phase, Sign
from gateway.domain.ids import MessageId
from gateway.flows.config import AccountPolicy
from gateway.flows.outages import log_failure
from gateway.observability.metrics import Metrics
from gateway.ports import Clock, OutboxQueue

_log = structlog.get_logger()

_SHOWN = {Phase.CLOSED: 0, Phase.HALF_OPEN: 1, Phase.OPEN: 2}

_MANY = 1_000
"""A call that brought back fewer has brought back all; going on would repeat at once what fails for its own reasons."""


class Breaker:
    """Keeps a Circuit, shows it, and brings back what an outage has put off. `draw` gives numbers in [0, 1)."""

    def __init__(
        self,
        *,
        account: AccountPolicy,
        outbox: OutboxQueue,
        clock: Clock,
        metrics: Metrics,
        draw: Callable[[], float],
    ) -> None:
        self._account = account
        self._outbox = outbox
        self._clock = clock
        self._draw = draw
        self._circuit = Circuit()
        self._probe: MessageId | None = None
        self._to_hasten = False
        self._gauge = metrics.circuit.labels(account.name)
        self._gauge.set(_SHOWN[Phase.CLOSED])

    @property
    def circuit(self) -> Circuit:
        """Where it stands."""
        return self._circuit

    def places(self, free: int) -> int:
        """How many of `free` attempts may begin now."""
        now = self._clock.now()
        self._gauge.set(_SHOWN[self._circuit.phase(now)])
        return self._circuit.places(free, now)

    def began(self, message: MessageId) -> None:
        """An attempt begins; unless the circuit is closed, it is the probe."""
        if self._circuit.phase(self._clock.now()) is not Phase.CLOSED:
            self._circuit, self._probe = self._circuit.probe_began(), message

    def ended(self, message: MessageId) -> None:
        """An attempt has ended, whatever came of it."""
        if message == self._probe:
            self._circuit, self._probe = self._circuit.probe_ended(), None

    def heard(self, sign: Sign) -> None:
        """Take note of what a call said of the peer."""
        now = self._clock.now()
        before = self._circuit
        self._circuit = before.heard(sign, self._account.circuit, at=now, draw=self._draw())
        was, phase = before.phase(now), self._circuit.phase(now)
        self._gauge.set(_SHOWN[phase])
        if was is Phase.CLOSED and phase is not Phase.CLOSED:
            _log.warning("circuit.opened", account=self._account.name, failures=self._circuit.failures)
        elif was is not Phase.CLOSED and phase is Phase.CLOSED:
            _log.info("circuit.closed", account=self._account.name, failures=before.failures)
            self._to_hasten = True

    def longest_wait(self, first: timedelta) -> timedelta | None:
        """Most that a failed message waits now; None = as long as its backoff says."""
        if self._circuit.phase(self._clock.now()) is Phase.CLOSED:
            return None
        return self._account.circuit.longest_wait(first)

    async def catch_up(self) -> None:
        """After an outage make due what it has put off: some thousands now, the rest at the next calls."""
        if not self._to_hasten:
            return
        try:
            self._to_hasten = await self._outbox.hasten(self._account.name, at=self._clock.now()) >= _MANY
        except Exception as error:  # noqa: BLE001 - a store that fails now may work at the next look
            log_failure("hastening.broke", error, account=self._account.name)
