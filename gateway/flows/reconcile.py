"""Compares what an account's axis lists with what is recorded here: repairs what is safe, reports the rest."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from gateway.domain.errors import GatewayError
from gateway.domain.ids import AxisDocId, MessageId
from gateway.domain.lifecycle import ItemState, MessageState
from gateway.domain.outcome import CannotTell, Found, Rejected, Unavailable
from gateway.domain.packet import AxisItem, PacketKind, Received
from gateway.domain.reconciliation import DiscrepancyKind, compare_sent, failure_key
from gateway.domain.sentlist import CLOCK_SKEW, SentEntries, SentEntry
from gateway.flows.carried import CarriedPackets
from gateway.flows.claim import Claim
from gateway.flows.config import ReconcilePolicy
from gateway.flows.fetching import Fetcher
from gateway.flows.inbound import Intake
from gateway.flows.patience import Patience
from gateway.flows.periodic import Periodic
from gateway.observability.metrics import Metrics
from gateway.ports import (
    Axis,
    Blobs,
    Clock,
    Discrepancies,
    Discrepancy,
    InboundItems,
    OutboxQueue,
    Reconciliation,
    SentHere,
    SentMark,
    Unproven,
    Waiting,
    Wakeups,
)

_log = structlog.get_logger()

SHOW = timedelta(seconds=30)
"""Pause between two countings of what is open."""

_Key = TypeVar("_Key", bound=str)

_ASKED = 50
"""Sent packets asked about one by one in a round, and open ones asked about again."""
_COMPARED = 2_000
"""Sent packets held against one list in a round."""
_UNPROVEN = 200
"""Unproven messages looked up in a round."""
_FETCHED = 100
"""Missing items of a kind fetched in a round."""
_COMMITTED = timedelta(minutes=1)
"""By then what was sent at an instant is recorded with that instant. A mark set earlier would pass it by for ever."""
_SLACK = timedelta(hours=1)
"""How far before a window our own record of what the axis lists in it may lie, and the other way round."""
_OVERLAP = timedelta(days=1)
"""How far before the last comparison the next one of received items begins: it may take days to acknowledge one."""


class Reconciler:
    """The comparisons of one account. Run one per gateway and account: of several gateways one compares at a time."""

    def __init__(
        self,
        *,
        axis: Axis,
        intake: Intake,
        fetcher: Fetcher,
        blobs: Blobs,
        items: InboundItems,
        outbox: OutboxQueue,
        records: Reconciliation,
        discrepancies: Discrepancies,
        claim: Claim,
        policy: ReconcilePolicy,
        clock: Clock,
        metrics: Metrics,
        wakeups: Wakeups,
    ) -> None:
        self._axis = axis
        self._intake = intake
        self._fetcher = fetcher
        self._carried = CarriedPackets(account=axis.account, fetcher=fetcher, items=items, blobs=blobs, clock=clock)
        self._items = items
        self._outbox = outbox
        self._records = records
        self._discrepancies = discrepancies
        self._claim = claim
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._wakeups = wakeups
        self._due_at: datetime | None = None
        self._patience = {kind: Patience(first=SHOW) for kind in PacketKind}
        self._behind: frozenset[PacketKind] = frozenset()
        self._comparing = Periodic(name="reconcile", turn=self._turn, after_failure=SHOW)
        self._showing = Periodic(name="discrepancies", turn=self._show_turn, after_failure=SHOW)

    async def run(self) -> None:
        """Compare at the interval until `stop`, the first time once it has passed; count what is open all the time."""
        async with self._claim.kept():
            await asyncio.gather(self._comparing.run(), self._showing.run())

    def stop(self) -> None:
        """End; what was cut short is done by the next round."""
        self._comparing.stop()
        self._showing.stop()

    async def compare(self) -> None:
        """One round, if no other gateway does it: what was sent, then what was received."""
        if not await self._claim.seize():
            return
        await self._compare_sent()
        await self._catch_up(PacketKind)

    async def show(self) -> None:
        """Close what has settled itself, and set the gauges; a kind without any shows 0."""
        await self._close_handled()
        counts = await self._discrepancies.counts(self._axis.account)
        for kind in DiscrepancyKind:
            self._metrics.discrepancies.labels(self._axis.account, kind).set(counts.get(kind, 0))

    async def _turn(self) -> timedelta:
        interval = self._policy.interval
        if interval is None:
            return SHOW
        now = self._clock.now()
        if self._due_at is None:
            self._due_at = now + interval  # after a start the outbox and the poller come first
        if now >= self._due_at and await self._claim.seize():
            self._due_at = now + interval
            await self.compare()
        elif self._behind and await self._claim.seize():
            await self._catch_up(self._behind)
        return min(SHOW, interval)

    async def _show_turn(self) -> timedelta:
        await self.show()
        return SHOW

    # --- sent

    async def _compare_sent(self) -> None:
        listed = await self._axis.sent_list()
        if isinstance(listed, SentEntries):
            await self._hold_against(listed)
        elif not listed.passing:  # else it does not answer: the next round begins where this one would have
            await self._ask_one_by_one()

    async def _hold_against(self, listed: SentEntries) -> None:
        """Compare with a list read whole."""
        now = self._clock.now()
        since, until = now - self._policy.window, now - max(self._policy.settling_time, _COMMITTED)
        mark = await self._records.mark(self._axis.account, default=since)
        repaired = await self._prove(listed, since=since, at=now)
        again = await self._still_missing()
        fresh = await self._records.sent(self._axis.account, after=mark, until=until, limit=_COMPARED)
        known = await self._outbox.known_axis_ids(self._axis.account, since=mark.sent_at - _SLACK)
        ours = {each.axis_doc_id: each for each in (*again, *fresh)}
        reached = SentMark(sent_at=until, axis_doc_id="") if len(fresh) < _COMPARED else _mark_of(fresh[-1])
        explained = known | repaired
        compared = compare_sent(
            listed.entries, ours=ours.keys(), known=explained, newer_than=mark.sent_at, until=reached.sent_at
        )
        await self._report_sent([ours[id_] for id_ in compared.missing], at=now)
        await self._close_found([ours[id_].message for id_ in compared.listed], at=now)
        await self._report_unknown(compared.unknown, explained, at=now)
        await self._report_failures(compared.failed, listed.entries, since=since, at=now)
        await self._records.set_mark(self._axis.account, reached)

    async def _ask_one_by_one(self) -> None:
        """Ask about each packet once after it settled, and about missing ones again, those not seen for longest first.

        What is unproven has no id to ask by.
        """
        now = self._clock.now()
        since, until = now - self._policy.window, now - max(self._policy.settling_time, _COMMITTED)
        mark = await self._records.mark(self._axis.account, default=since)
        again = (await self._still_missing())[:_ASKED]
        fresh = await self._records.sent(self._axis.account, after=mark, until=until, limit=_ASKED)
        for each in (*again, *fresh):
            answer = await self._axis.sent_packet(each.axis_doc_id)
            if isinstance(answer, CannotTell):
                return
            if answer.entries:
                await self._close_found([each.message], at=now)
            else:
                await self._report_sent([each], at=now)
            failed = {failure_key(entry): entry for entry in answer.entries if entry.failed}
            await self._report_entries(DiscrepancyKind.RECIPIENT_FAILED, failed, at=now)
            if each in fresh:
                await self._records.set_mark(self._axis.account, _mark_of(each))

    async def _prove(self, listed: SentEntries, *, since: datetime, at: datetime) -> frozenset[AxisDocId]:
        """Look up what may have left: repair what is held or unknown, report what failed; the ids found."""
        account, found = self._axis.account, set[AxisDocId]()
        failed: dict[str, str] = {}
        unproven = await self._records.unproven(account, since=since, limit=_UNPROVEN)
        earliest = min((each.query.submitted_after for each in unproven), default=at)
        known = await self._outbox.known_axis_ids(account, since=earliest - 2 * CLOCK_SKEW)
        for each in sorted(unproven, key=lambda it: (it.state is MessageState.FAILED, it.query.submitted_after)):
            finding = listed.find(replace(each.query, known_elsewhere=known | found))
            if not isinstance(finding, Found):
                continue
            found.add(finding.axis_doc_id)
            if each.state is MessageState.FAILED:
                failed[each.message] = f"document_id={each.document_id} axis_doc_id={finding.axis_doc_id}"
            else:
                await self._repair(each, finding.axis_doc_id, at=at)
        await self._note(DiscrepancyKind.FAILED_BUT_LISTED, failed, at=at)
        gone = [each.key for each in await self._open(DiscrepancyKind.FAILED_BUT_LISTED) if each.key not in failed]
        await self._close(DiscrepancyKind.FAILED_BUT_LISTED, gone, outcome="no longer failed", at=at)
        return frozenset(found)

    async def _repair(self, unproven: Unproven, axis_doc_id: AxisDocId, *, at: datetime) -> None:
        if not await self._records.repair(unproven.message, axis_doc_id, at=at):
            return  # its worker was faster
        detail = f"document_id={unproven.document_id} axis_doc_id={axis_doc_id} was={unproven.state}"
        await self._note_repaired(DiscrepancyKind.SENT_REPAIRED, unproven.message, detail, at=at)
        self._wakeups.notify("events")
        self._wakeups.notify("outbox")

    async def _still_missing(self) -> Sequence[SentHere]:
        """Messages reported as missing, longest not looked at first; the rest was requeued, and its reports end."""
        missing = sorted(await self._open(DiscrepancyKind.SENT_MISSING), key=lambda each: each.last_seen_at)
        there = {each.message: each for each in await self._records.still_sent([MessageId(e.key) for e in missing])}
        requeued = [each.key for each in missing if each.key not in there]
        await self._close(DiscrepancyKind.SENT_MISSING, requeued, outcome="requeued", at=self._clock.now())
        return [there[MessageId(each.key)] for each in missing if each.key in there]

    async def _report_sent(self, missing: Sequence[SentHere], *, at: datetime) -> None:
        found = {each.message: f"document_id={each.document_id} axis_doc_id={each.axis_doc_id}" for each in missing}
        await self._note(DiscrepancyKind.SENT_MISSING, found, at=at)

    async def _close_found(self, messages: Sequence[MessageId], *, at: datetime) -> None:
        await self._close(DiscrepancyKind.SENT_MISSING, messages, outcome="listed after all", at=at)

    async def _report_unknown(
        self, unknown: Mapping[AxisDocId, SentEntry], explained: frozenset[AxisDocId], *, at: datetime
    ) -> None:
        await self._report_entries(DiscrepancyKind.SENT_UNKNOWN_HERE, unknown, at=at)
        gone = [each.key for each in await self._open(DiscrepancyKind.SENT_UNKNOWN_HERE) if each.key in explained]
        await self._close(DiscrepancyKind.SENT_UNKNOWN_HERE, gone, outcome="known after all", at=at)

    async def _report_failures(
        self, failed: Mapping[str, SentEntry], entries: Sequence[SentEntry], *, since: datetime, at: datetime
    ) -> None:
        recent = {key: each for key, each in failed.items() if each.sent_at is not None and each.sent_at >= since}
        await self._report_entries(DiscrepancyKind.RECIPIENT_FAILED, recent, at=at)
        taken = {failure_key(entry) for entry in entries} - failed.keys()
        gone = [each.key for each in await self._open(DiscrepancyKind.RECIPIENT_FAILED) if each.key in taken]
        await self._close(DiscrepancyKind.RECIPIENT_FAILED, gone, outcome="taken after all", at=at)

    async def _report_entries(self, kind: DiscrepancyKind, entries: Mapping[_Key, SentEntry], *, at: datetime) -> None:
        found = {
            key: f"from={each.sender} to={','.join(each.recipients)} notation={each.notation}"
            for key, each in entries.items()
        }
        await self._note(kind, found, at=at)

    # --- received

    async def _catch_up(self, kinds: Iterable[PacketKind]) -> None:
        """Compare what was received of these kinds; those with more missing than a round fetches come again soon."""
        self._behind = frozenset([kind for kind in kinds if await self._compare_received(kind)])

    async def _compare_received(self, kind: PacketKind) -> bool:
        """Fetch what was acknowledged at the axis and is not recorded here, as after a restore from a backup.

        True if more is missing than a round fetches, without counting what has failed so often that it waits.
        """
        account, now, patience = self._axis.account, self._clock.now(), self._patience[kind]
        mark = await self._records.received_mark(account, kind, default=now - self._policy.window)
        listed = await self._axis.acknowledged(kind, since=max(mark - _OVERLAP, now - self._policy.window))
        if not isinstance(listed, Waiting):
            return False
        patience.forget_old(at=now)
        states = await self._items.states(account, [item.axis_doc_id for item in listed.items])
        missing = [item for item in listed.items if item.axis_doc_id not in states]
        kept = await self._keep_carried(missing, listed)
        missing = [item for item in missing if item.axis_doc_id not in kept]
        open_ = [item for item in missing if not self._is_put_off(item)]
        for item in self._next(kind, open_):
            if not self._claim.held:
                return False
            refusal = await self._try(item)
            holds_back = isinstance(refusal, Unavailable) and not patience.is_over(item.axis_doc_id)
            if kind is PacketKind.STATUS and holds_back:
                break  # 06 must not come before its 03
        # Whatever was tried and is not in trouble was taken in.
        left = [item for item in missing if not patience.is_refused(item.axis_doc_id)]
        states = await self._items.states(account, [item.axis_doc_id for item in left])
        if len(states) == len(left):
            await self._records.set_received_mark(account, kind, now)
        return len(open_) > _FETCHED

    async def _keep_carried(self, missing: Sequence[AxisItem], listed: Waiting) -> set[AxisDocId]:
        """Record what came with the list, in its order; the poller takes in what is recorded. The ids of those."""
        kept = set[AxisDocId]()
        self._carried.add(listed, missing)
        for item in await self._carried.record(broke=self._report_broken):
            kept.add(item.axis_doc_id)
            detail = f"kind={item.kind} state={ItemState.FETCHED}"
            await self._note_repaired(DiscrepancyKind.RECEIVED_MISSING, item.axis_doc_id, detail, at=self._clock.now())
        return kept

    async def _report_broken(self, item: AxisDocId, error: Exception) -> bool:
        _log.error("item.broke", exc_info=error, account=self._axis.account, axis_doc_id=item)
        found = {item: f"{type(error).__name__}; see the log at item.broke"}
        await self._note(DiscrepancyKind.RECEIVED_MISSING, found, at=self._clock.now())
        return True

    def _is_put_off(self, item: AxisItem) -> bool:
        """True if it failed so often that it holds nothing back, and is not to be tried yet."""
        patience, id_ = self._patience[item.kind], item.axis_doc_id
        return patience.is_over(id_) and patience.waits(id_, at=self._clock.now())

    def _next(self, kind: PacketKind, missing: Sequence[AxisItem]) -> Sequence[AxisItem]:
        """Those to try in this round: statuses up to the first that has to wait, documents that failed often last."""
        patience, now = self._patience[kind], self._clock.now()
        waiting = [patience.waits(item.axis_doc_id, at=now) for item in missing]
        if kind is PacketKind.STATUS:
            return missing[: waiting.index(True) if True in waiting else None][:_FETCHED]
        due = [item for item, waits in zip(missing, waiting, strict=True) if not waits]
        return sorted(due, key=lambda item: patience.is_over(item.axis_doc_id))[:_FETCHED]

    async def _try(self, item: AxisItem) -> Rejected | Unavailable | None:
        """Bring an item; what cannot be brought is reported, and has to wait its turn."""
        refusal, patience, now = await self._bring(item), self._patience[item.kind], self._clock.now()
        match refusal:
            case None:
                patience.forget(item.axis_doc_id)
                return None
            case Rejected():
                patience.refused(item.axis_doc_id, at=now)
            case Unavailable():
                patience.broke(item.axis_doc_id, at=now)
        found = {item.axis_doc_id: f"kind={item.kind}: {refusal.reason}"}
        await self._note(DiscrepancyKind.RECEIVED_MISSING, found, at=now)
        return refusal

    async def _bring(self, item: AxisItem) -> Rejected | Unavailable | None:
        """Fetch an item and take it in; why that cannot be done.

        The axis was told of it before, perhaps by another system on the account: it is not told again.
        """
        fetched = await self._fetcher.fetch(item)
        if not isinstance(fetched, Received):
            return fetched
        account, at = self._axis.account, self._clock.now()
        try:
            state = await self._intake.accept(fetched)
            await self._items.told(account, [item.axis_doc_id], at=at)
        except GatewayError:
            raise
        except Exception as error:  # noqa: BLE001 - reported; one bad item stops no other
            _log.exception("item.broke", account=account, axis_doc_id=item.axis_doc_id)
            return Unavailable(reason=f"{type(error).__name__}; see the log at item.broke")
        detail = f"kind={item.kind} state={state}"
        await self._note_repaired(DiscrepancyKind.RECEIVED_MISSING, item.axis_doc_id, detail, at=at)
        return None

    async def _close_handled(self) -> None:
        """End reports of items that could not be taken in, once they were."""
        now = self._clock.now()
        for kind in (DiscrepancyKind.HANDLING_BROKE, DiscrepancyKind.RECEIVED_MISSING):
            keys = [AxisDocId(each.key) for each in await self._open(kind)]
            states = await self._items.states(self._axis.account, keys)
            handled = [id_ for id_, state in states.items() if state is not ItemState.FETCHED]
            await self._close(kind, handled, outcome="handled after all", at=now)

    # --- reports

    async def _open(self, kind: DiscrepancyKind) -> Sequence[Discrepancy]:
        return await self._discrepancies.open(self._axis.account, kind=kind)

    async def _note(self, kind: DiscrepancyKind, found: Mapping[_Key, str], *, at: datetime) -> None:
        if not found:
            return
        for key in sorted(await self._discrepancies.note(self._axis.account, kind, found, at=at)):
            _log.warning("discrepancy.found", account=self._axis.account, kind=kind, key=key, detail=found[key])

    async def _note_repaired(self, kind: DiscrepancyKind, key: str, detail: str, *, at: datetime) -> None:
        await self._discrepancies.note(self._axis.account, kind, {key: detail}, at=at)
        await self._discrepancies.close(self._axis.account, kind, [key], outcome="repaired", at=at)
        self._metrics.repaired.labels(self._axis.account, kind).inc()
        _log.info("discrepancy.repaired", account=self._axis.account, kind=kind, key=key, detail=detail)

    async def _close(self, kind: DiscrepancyKind, keys: Sequence[str], *, outcome: str, at: datetime) -> None:
        if keys:
            await self._discrepancies.close(self._axis.account, kind, keys, outcome=outcome, at=at)


def _mark_of(sent: SentHere) -> SentMark:
    return SentMark(sent_at=sent.sent_at, axis_doc_id=sent.axis_doc_id)
