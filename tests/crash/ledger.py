"""What the vendors' systems write down themselves, whatever the gateways say later."""

import time
from collections import Counter
from dataclasses import dataclass, field

Digests = tuple[tuple[str, str], ...]
"""File name and SHA-256, sorted: a gateway puts the main file first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A document whose SubmitDocument was answered OK."""

    name: str
    """Resource name."""
    number: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """One SIGKILL."""

    at: float
    gateway: str


@dataclass(slots=True, kw_only=True)
class Ledger:
    """All times are of the monotonic clock."""

    sent: dict[str, Sent] = field(default_factory=dict)
    """Document id -> what was accepted."""
    digests_sent: dict[int, Digests] = field(default_factory=dict)
    """Document number -> its files."""
    receptions: dict[str, set[str]] = field(default_factory=dict)
    """Document id -> names of its receptions."""
    handed_out: Counter[str] = field(default_factory=Counter)
    """Name of a reception -> times it came."""
    redelivered: int = 0
    """Times a reception came again before its acknowledgement was answered OK."""
    doubled: set[str] = field(default_factory=set)
    """Document ids that came under a second reception, or again after the acknowledgement was answered OK."""
    arrived: dict[str, Digests] = field(default_factory=dict)
    """Document id -> files as downloaded; only once acknowledged."""
    acknowledged: dict[str, float] = field(default_factory=dict)
    """Name of a reception -> when the acknowledgement was answered OK."""
    reported: set[str] = field(default_factory=set)
    """Document ids for which 03 and 06 were reported."""
    statuses: dict[str, list[str]] = field(default_factory=dict)
    """Document id -> status codes in the order of the sender's event stream."""
    moves: list[tuple[float, str]] = field(default_factory=list)
    """When a document was accepted or acknowledged, and by which gateway."""
    kills: list[Killed] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    """What should not happen, in words."""

    @property
    def progress(self) -> int:
        """Documents accepted plus documents arrived."""
        return len(self.sent) + len(self.arrived)

    def note_accepted(self, document_id: str, name: str, number: int, *, by: str) -> None:
        """SubmitDocument was answered OK."""
        self.sent[document_id] = Sent(name=name, number=number, at=time.monotonic())
        self.moves.append((time.monotonic(), by))

    def note_handed_out(self, document_id: str, name: str, *, asked_at: float) -> None:
        """A pull that began at `asked_at` was answered with this reception."""
        names = self.receptions.setdefault(document_id, set())
        if name not in names:
            names.add(name)
            if len(names) > 1:
                self.doubled.add(document_id)
        elif self.acknowledged.get(name, asked_at) < asked_at:
            self.doubled.add(document_id)
        else:
            self.redelivered += 1
        self.handed_out[name] += 1

    def note_acknowledged(self, document_id: str, name: str, digests: Digests, *, by: str) -> None:
        """AcknowledgeDocument was answered OK."""
        self.acknowledged.setdefault(name, time.monotonic())
        self.arrived.setdefault(document_id, digests)
        self.moves.append((time.monotonic(), by))

    def note_status(self, document_id: str, code: str) -> None:
        """The sender's stream brought a status."""
        self.statuses.setdefault(document_id, []).append(code)
