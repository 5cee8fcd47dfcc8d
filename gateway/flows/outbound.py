"""One leased outbox entry: draft, seal, submit, settle; what may have been sent before is asked for first."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

import structlog

from gateway.domain.circuit import sign_of
from gateway.domain.document import BusinessType, TraceHeader
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.lifecycle import MessageState
from gateway.domain.outcome import (
    REASON_LIMIT,
    CannotTell,
    Finding,
    Outcome,
    Rejected,
    Unavailable,
    Uncertain,
)
from gateway.domain.packet import Draft, PacketDefect, PacketKind, Sealed
from gateway.domain.vntime import edxml_timestamp
from gateway.flows.asking import ask
from gateway.flows.breaker import Breaker
from gateway.flows.config import AccountPolicy, OnUnknown, OutboundPolicy
from gateway.flows.outages import is_outage
from gateway.flows.settle import MessageFacts, SettlePolicy, resend, settle, suspect
from gateway.flows.tenure import OF_THIS_ATTEMPT, LeaseEndedError
from gateway.flows.worker import LEASE_LOST
from gateway.observability.metrics import Metrics
from gateway.ports import Axis, Clock, LeasedMessage, OutboxQueue, PacketBytes, Settlement, Translator, Wakeups

_log = structlog.get_logger()

_T = TypeVar("_T")

_WRITE_AGAIN = timedelta(milliseconds=500)
"""Pause before an outcome is written again that the store could not take."""

_WRITE_FOR = timedelta(minutes=30)
"""How long an outcome is tried to be written. Late is harmless: the store looks at the lease."""

_MAYBE_SENT = frozenset({MessageState.SUBMITTING, MessageState.UNCERTAIN})
"""States in which a lease finds a message whose packet may already be at the axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundAccount:
    """An axis account with its rules."""

    axis: Axis
    translator: Translator
    policy: AccountPolicy
    breaker: Breaker
    """Hears of every call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Division:
    """The peer refused a packet for several recipients because of one of them."""

    reason: str


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """How far one attempt came."""

    state: MessageState
    """The message's state as the store has it."""


class Outbound:
    """Carries one message a step further, whatever happens on the way.

    `draw` gives numbers in [0, 1) that spread the waits.
    """

    def __init__(
        self,
        *,
        outbox: OutboxQueue,
        accounts: Mapping[AccountName, OutboundAccount],
        policy: OutboundPolicy,
        clock: Clock,
        metrics: Metrics,
        wakeups: Wakeups,
        draw: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._accounts = accounts
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._wakeups = wakeups
        self._draw = draw

    async def deliver(self, message: LeasedMessage) -> None:
        """Try or ask once, and settle. Raises only what the store raises when it cannot be used.

        A cancelled attempt is not counted; from begin_submit on it is left as it is, unknown, so that the next lease
        asks. Cancelled with LEASE_LOST it still writes an outcome that it has. An unforeseen exception, wherever it
        comes from, is logged and settled like a failure: unknown if anything may have left, else put off. So no message
        comes back at once for ever.
        """
        log = _log.bind(
            message_id=message.id,
            document_id=_document_id(message),
            route=message.route,
            kind=_kind(message),
            attempt=message.attempts + 1,
        )
        attempt = _Attempt(state=message.state)
        if message.interruptions:
            log.warning("attempt.was_cut_short", interruptions=message.interruptions, state=message.state)
        try:
            end = await self._advance(message, attempt, log)
            await self._finish(message, end, log)
        except asyncio.CancelledError:
            if attempt.state is MessageState.QUEUED:
                await self._apply(message, resend("interrupted", now=self._clock.now()), log, self._policy.lease_for)
            raise
        except Exception as error:
            if is_outage(error):
                raise
            log.exception("message.broke")
            await self._apply(message, self._settled(message, _broken(message, attempt)), log)

    async def _finish(
        self, message: LeasedMessage, end: Settlement | _Division | None, log: structlog.stdlib.BoundLogger
    ) -> None:
        match end:
            case None:
                log.warning("lease.lost")
            case _Division():
                await self._divide(message, end, log)
            case Settlement():
                await self._apply(message, end, log)

    async def _advance(
        self, message: LeasedMessage, attempt: _Attempt, log: structlog.stdlib.BoundLogger
    ) -> Settlement | _Division | None:
        account = self._accounts.get(message.route)
        given_up = suspect(message.state, _facts(message))
        if given_up is not None:
            return given_up
        result: Outcome | Finding | None
        if message.state in _MAYBE_SENT and message.report is not None:
            return resend("sent before, answer unknown; repeated", now=self._clock.now())
        if message.state in _MAYBE_SENT:
            result = await self._ask(message, account, log)
        else:
            result = await self._send(message, account, attempt, log)
        if result is None:
            return None
        if isinstance(result, Rejected) and result.known_as is not None and message.first_submitted_at is not None:
            result = await self._unless_anothers(message, result, result.known_as)
        if isinstance(result, Rejected | Unavailable) and _is_dividable(result, message, account):
            return _Division(reason=f"{result.code}: {result.reason}")
        return self._settled(message, result)

    async def _unless_anothers(self, message: LeasedMessage, result: Rejected, known_as: AxisDocId) -> Rejected:
        """The refusal, not known as what another packet is: a peer may tell those of one document apart by nothing."""
        others = await self._outbox.is_anothers(message, known_as)
        return replace(result, known_as=None) if others else result

    def _settled(self, message: LeasedMessage, result: Outcome | Finding) -> Settlement:
        account = self._accounts.get(message.route)
        return settle(result, _facts(message), self._rules(account), now=self._clock.now(), draw=self._draw())

    async def _send(
        self,
        message: LeasedMessage,
        account: OutboundAccount | None,
        attempt: _Attempt,
        log: structlog.stdlib.BoundLogger,
    ) -> Outcome | None:
        if account is None:
            return Unavailable(reason=f"no axis account named {message.route} is configured")
        sealed = await self._seal(message, account, log)
        if not isinstance(sealed, Sealed):
            return sealed
        attempt.state = MessageState.SUBMITTING
        try:
            begun = await self._outbox.begin_submit(message, at=self._clock.now())
        except Exception:
            attempt.state = MessageState.QUEUED  # refused, so nothing was written
            raise
        if not begun:
            return None
        try:
            stream = partial(account.translator.stream, sealed.draft)
            outcome = await account.axis.submit(sealed, partial(_while_leased, stream))
        except Exception as error:  # noqa: BLE001 - every end of an attempt is an outcome
            return _broken_off(error, log)
        account.breaker.heard(sign_of(outcome))
        return outcome

    async def _seal(
        self, message: LeasedMessage, account: OutboundAccount, log: structlog.stdlib.BoundLogger
    ) -> Sealed | Rejected | Unavailable:
        try:
            draft = await _draft(message, account)
            if isinstance(draft, PacketDefect):
                return Rejected(code=draft.code, reason=draft.message)
            sealed = await account.translator.seal(draft)
        except Exception as error:
            if is_outage(error):
                return Unavailable(reason="the files of the document cannot be read at the moment")
            log.exception("sealing.broke")
            return Unavailable(reason="unexpected error in the gateway before sending; see its log")
        limit = account.policy.packet_limit
        if sealed.length > limit:
            reason = f"the packet has {sealed.length} bytes, the axis account takes at most {limit}"
            return Rejected(code=ErrorCode.PACKET_TOO_LARGE, reason=reason)
        return sealed

    async def _ask(
        self, message: LeasedMessage, account: OutboundAccount | None, log: structlog.stdlib.BoundLogger
    ) -> Finding:
        if account is None:
            return CannotTell(reason=f"no axis account named {message.route} is configured")
        try:
            finding = await ask(message, account.axis, self._outbox)
        except Exception as error:
            if is_outage(error):
                raise
            log.exception("question.broke")
            return CannotTell(reason="unexpected error in the gateway while asking; see its log")
        account.breaker.heard(sign_of(finding))
        log.info("axis.asked", finding=type(finding).__name__)
        return finding

    def _rules(self, account: OutboundAccount | None) -> SettlePolicy:
        return SettlePolicy(
            backoff=self._policy.backoff,
            settling_time=account.policy.settling_time if account else timedelta(0),
            on_unknown=account.policy.on_unknown if account else OnUnknown.HOLD,
            longest_wait=account.breaker.longest_wait(self._policy.backoff.first) if account else None,
        )

    async def _divide(self, message: LeasedMessage, end: _Division, log: structlog.stdlib.BoundLogger) -> None:
        held = await self._write(
            lambda: self._outbox.divide(message, reason=end.reason[:REASON_LIMIT], at=self._clock.now())
        )
        if not held:
            log.warning("lease.lost")
            return
        log.info("message.divided", reason=end.reason, recipients=len(message.recipients))
        self._metrics.divided.labels(message.route).inc()
        self._wakeups.notify("events")
        self._wakeups.notify("outbox")

    async def _apply(
        self,
        message: LeasedMessage,
        wanted: Settlement,
        log: structlog.stdlib.BoundLogger,
        write_for: timedelta = _WRITE_FOR,
    ) -> None:
        settlement = await self._write(lambda: self._outbox.settle(message, wanted, at=self._clock.now()), write_for)
        if settlement is None:
            log.warning("lease.lost")
            return
        given_up = settlement.state in (MessageState.FAILED, MessageState.HELD)
        log.log(
            logging.WARNING if given_up else logging.INFO,
            "message.settled",
            state=settlement.state,
            reason=settlement.reason,
            due_at=settlement.due_at.isoformat() if settlement.due_at else "",
            axis_doc_id=settlement.axis_doc_id or "",
        )
        self._count(message, settlement)
        self._wakeups.notify("events")
        self._wakeups.notify("outbox")

    async def _write(self, write: Callable[[], Awaitable[_T]], write_for: timedelta = _WRITE_FOR) -> _T:
        """Write even when cancelled meanwhile, or when the store fails for no longer than `write_for`.

        What is known must not be forgotten: the message would have to be asked about, or held. A stop ends it after the
        try under way.
        """
        until = self._clock.now() + write_for
        while True:
            try:
                return await _ended(asyncio.ensure_future(write()))
            except GatewayError as error:
                if not is_outage(error) or self._clock.now() >= until:
                    raise
            await _ended(asyncio.ensure_future(asyncio.sleep(_WRITE_AGAIN.total_seconds())))

    def _count(self, message: LeasedMessage, settlement: Settlement) -> None:
        state = settlement.state
        if state is MessageState.SENT:
            self._metrics.delivered.labels(message.route, _kind(message)).inc()
            if message.report is not None:
                self._metrics.statuses.labels("out", message.report.status_code).inc()
        elif state in (MessageState.FAILED, MessageState.HELD):
            self._metrics.failed.labels(message.route, state).inc()
        elif settlement.counted:
            outcome = "uncertain" if state is MessageState.UNCERTAIN else "unavailable"
            self._metrics.retried.labels(message.route, outcome).inc()


async def _ended(step: asyncio.Future[_T]) -> _T:
    """Wait for a step of writing. A lost lease changes nothing: all has gone out. Another cancellation waits for it."""
    while True:
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError as cancelled:
            if cancelled.args == (LEASE_LOST,):
                continue
            await asyncio.gather(step, return_exceptions=True)
            raise


def _kind(message: LeasedMessage) -> PacketKind:
    return PacketKind.DOCUMENT if message.report is None else PacketKind.STATUS


def _document_id(message: LeasedMessage) -> str:
    """The document a packet carries or is about, for the log."""
    about = message.document or (message.report.response_for if message.report is not None else None)
    return about.document_id if about is not None else ""


async def _draft(message: LeasedMessage, account: OutboundAccount) -> Draft | PacketDefect:
    translator = account.translator
    if message.report is not None:
        return translator.draft_status(message.report)
    assert message.document is not None
    # The hop carries the time of acceptance, not of this attempt: every attempt sends the same bytes.
    hop = TraceHeader(organ_id=account.policy.hop, timestamp=edxml_timestamp(message.created_at))
    wrap = await translator.mistakable(message.document, message.objects)
    return translator.draft_document(
        message.document, message.objects, recipients=message.recipients, hop=hop, wrap=wrap
    )


def _facts(message: LeasedMessage) -> MessageFacts:
    return MessageFacts(
        kind=_kind(message),
        attempts=message.attempts,
        created_at=message.created_at,
        settle_after=message.settle_after,
        first_submitted_at=message.first_submitted_at,
        deadline_at=message.deadline_at,
        interruptions=message.interruptions,
        follows=message.document is not None and message.document.business_type != BusinessType.NEW,
    )


def _broken_off(error: Exception, log: structlog.stdlib.BoundLogger) -> Outcome:
    """What it means that sending raised: a body that broke off before its last byte, nobody can have processed."""
    if isinstance(error, LeaseEndedError):
        return Unavailable(reason="the gateway was held up for longer than its lease; the packet was broken off")
    if is_outage(error):
        return Unavailable(reason="the files of the document could not be read to the end while sending")
    log.error("submission.broke", exc_info=error)
    return Uncertain(reason="unexpected error in the gateway while sending; see its log")


async def _while_leased(stream: PacketBytes) -> AsyncIterator[bytes]:
    """The packet, broken off before it ends if the lease has ended meanwhile: its last bytes are the adapter's."""
    async for chunk in stream():
        yield chunk
    tenure = OF_THIS_ATTEMPT.get()
    if tenure is not None and not tenure.holds():
        raise LeaseEndedError


def _is_dividable(result: Rejected | Unavailable, message: LeasedMessage, account: OutboundAccount | None) -> bool:
    return account is not None and result.code in account.policy.divided_codes and len(message.recipients) > 1


def _broken(message: LeasedMessage, attempt: _Attempt) -> Outcome | Finding:
    """What a message is settled with that broke in a way nobody foresaw."""
    reason = "unexpected error in the gateway; see its log"
    if attempt.state is MessageState.QUEUED:
        return Unavailable(reason=reason)
    return CannotTell(reason=reason) if message.state in _MAYBE_SENT else Uncertain(reason=reason)
