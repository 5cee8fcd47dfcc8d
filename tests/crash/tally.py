"""Counts a run, from the sandbox axis's journal and the vendors' ledger; the gateways are not asked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.crash.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run says; documentation of each figure: docs/reliability.md."""

    store: str
    kills: int
    accepted: int
    arrived: int
    lost: int
    duplicated_vendor: int
    duplicated_axis: int
    redelivered: int
    recovered_s_max: float
    seconds: float

    digests_wrong: int
    statuses_missing: int
    statuses_misordered: int
    slowest_s: float
    troubles: tuple[str, ...]
    """One line for each document that went wrong, and each surprise."""

    @property
    def good(self) -> bool:
        """Nothing lost, doubled, changed or out of order, and no surprise."""
        return not self.troubles

    def as_json(self) -> dict[str, object]:
        """The members of the last line printed."""
        names = (
            *("store", "kills", "accepted", "arrived", "lost", "duplicated_vendor", "duplicated_axis"),
            *("redelivered", "recovered_s_max", "seconds"),
        )
        return {name: getattr(self, name) for name in names}


def tally(
    ledger: Ledger,
    records: Sequence[Mapping[str, Any]],
    *,
    store: str,
    replicas: bool,
    submitted: int,
    missing_statuses: Sequence[str],
    seconds: float,
) -> Figures:
    """Count.

    Args:
        ledger: The vendors' own records.
        records: The axis's journal.
        store: Its name.
        replicas: Whether every gateway can move every document.
        submitted: Documents the vendors wanted to send; one that was never accepted is a trouble, not a loss.
        missing_statuses: Document ids acknowledged by the receiver whose sender was never told 01.
        seconds: Length of the run.
    """
    lost = sorted(ledger.sent.keys() - ledger.arrived.keys())
    strangers = sorted(ledger.receptions.keys() - ledger.sent.keys())
    at_axis = doubled_at_axis(records)
    wrong = sorted(
        document_id
        for document_id, digests in ledger.arrived.items()
        if document_id in ledger.sent and digests != ledger.digests_sent[ledger.sent[document_id].number]
    )
    misordered = sorted(each for each in ledger.reported if not in_order(ledger.statuses.get(each, [])))
    troubles = [
        *(f"lost: {each}" for each in lost),
        *(f"came to the vendor twice: {each}" for each in sorted(ledger.doubled)),
        *(f"taken {times + 1} times by the axis: {each}" for each, times in sorted(at_axis.items())),
        *(f"arrived, but was never accepted: {each}" for each in strangers),
        *(f"its files changed on the way: {each}" for each in wrong),
        *(f"its sender was never told 01: {each}" for each in missing_statuses),
        *(f"03 and 06 did not come in this order: {each}: {ledger.statuses.get(each, [])}" for each in misordered),
        *ledger.surprises,
    ]
    if len(ledger.sent) < submitted:
        troubles.append(f"{submitted - len(ledger.sent)} documents were never accepted")
    return Figures(
        store=store,
        kills=len(ledger.kills),
        accepted=len(ledger.sent),
        arrived=len(ledger.arrived),
        lost=len(lost),
        duplicated_vendor=len(ledger.doubled),
        duplicated_axis=sum(at_axis.values()),
        redelivered=ledger.redelivered,
        recovered_s_max=round(slowest_recovery(ledger, replicas=replicas), 1),
        seconds=round(seconds, 1),
        digests_wrong=len(wrong),
        statuses_missing=len(missing_statuses),
        statuses_misordered=len(misordered),
        slowest_s=round(_slowest_way(ledger), 1),
        troubles=tuple(troubles),
    )


def doubled_at_axis(records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Document id and recipient -> times the axis accepted it beyond the first."""
    taken = Counter(
        f"{record['documentId']} to {recipient}"
        for record in records
        if record["event"] == "accepted" and record["messagetype"] == "edoc"
        for recipient in record["to"]
    )
    return {each: times - 1 for each, times in taken.items() if times > 1}


def in_order(codes: Sequence[str]) -> bool:
    """Whether 03 came, and 06 after it."""
    return "03" in codes and "06" in codes and codes.index("03") < codes.index("06")


def slowest_recovery(ledger: Ledger, *, replicas: bool) -> float:
    """Longest time in seconds from a kill to the next document moved by the killed gateway, or by any of its replicas.

    A kill after which there was nothing left to move says nothing.
    """
    waits = []
    for kill in ledger.kills:
        later = [at for at, by in ledger.moves if at > kill.at and (replicas or by == kill.gateway)]
        if later:
            waits.append(min(later) - kill.at)
    return max(waits, default=0.0)


def _slowest_way(ledger: Ledger) -> float:
    ways = [
        ledger.acknowledged[name] - ledger.sent[document_id].at
        for document_id, names in ledger.receptions.items()
        for name in names
        if name in ledger.acknowledged and document_id in ledger.sent
    ]
    return max(ways, default=0.0)
