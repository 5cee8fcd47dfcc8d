"""What will happen in a run, drawn from the seed before anything starts."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, cycle, islice

DOCUMENTS_PER_KILL = 21
SPARE_DOCUMENTS = 40
"""Documents beyond those that go with the kills."""

_TIMED = {"down": (1.0, 4.0), "slow": (2.0, 5.0), "html": (0.5, 2.0), "html-502": (0.5, 2.0)}
"""Faults that last: shortest and longest time in seconds."""
_COUNTED = {"answer-lost": 4, "half-answer": 4, "reset": 6, "reset-after": 4}
"""Faults of single calls: most calls they meet."""

_PRIORITIES = (0, 0, 0, 0, 1, 2, 3, 4)


class FileKind(StrEnum):
    """What a file of a document is."""

    SIGNED = "signed"
    PDF = "pdf"
    WORD = "word"
    TEXT = "text"


class Habit(StrEnum):
    """How the receiving vendor treats a document the first time it is handed out."""

    AT_ONCE = "at_once"
    LATE = "late"
    """Acknowledges after the lease has run out."""
    FORGETS = "forgets"
    """Neither downloads nor acknowledges: as if the vendor's system had crashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileShape:
    """One file; kind, size and seed make its bytes. A signed one comes out of a pool, `seed` says which."""

    kind: FileKind
    size: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentShape:
    """One document of one recipient."""

    number: int
    """Its number (số); unique in the run."""
    lane: int
    sender: int
    recipient: int
    """Choose among the lane's agencies."""
    priority: int
    """0 to 4 as edXML writes it."""
    files: tuple[FileShape, ...]
    """At least one that no other document has."""
    inline: bool
    """The files travel inside the request instead of being uploaded before."""
    habit: Habit
    reports: bool
    """The receiving vendor reports 03 and then 06."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """SIGKILL of one gateway, which is started again at once."""

    victim: int
    again_after: float | None
    """Seconds into its new start at which it is killed once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisFault:
    """A fault of the axis, for a number of calls or of seconds."""

    name: str
    count: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseRestart:
    """PostgreSQL stops (`fast`, or `immediate` as in a crash) and starts again."""

    how: str
    down_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is done to the system, and when."""

    mark: float
    """Share of the work done (0 to 1) after which it happens."""
    delay: float
    """Seconds after that."""
    act: Kill | AxisFault | DatabaseRestart


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run."""

    documents: tuple[DocumentShape, ...]
    events: tuple[Event, ...]


def make_plan(*, seed: int, kills: int, documents: int | None, lanes: int, gateways: int, restarts: bool) -> Plan:
    """Draw a run. The same arguments give the same plan.

    Args:
        seed: Where the draws start.
        kills: SIGKILLs in all; as many faults of the axis go with them.
        documents: How many; None = by the kills.
        lanes: Directions documents take; they are spread evenly.
        gateways: Possible victims.
        restarts: Whether the database is restarted too: once in ten kills, at least once if there are any.
    """
    draw = random.Random(seed)
    count = kills * DOCUMENTS_PER_KILL + SPARE_DOCUMENTS if documents is None else documents
    acts = [
        *_kills(draw, kills, gateways),
        *_faults(draw, kills),
        *(_restarts(draw, max(1, kills // 10)) if restarts and kills else ()),
    ]
    draw.shuffle(acts)
    last = len(acts) + 2
    return Plan(
        documents=tuple(_document(draw, number, lanes) for number in range(1, count + 1)),
        events=tuple(
            Event(mark=index / last, delay=draw.uniform(0, 0.5), act=act) for index, act in enumerate(acts, start=1)
        ),
    )


def _kills(draw: random.Random, kills: int, gateways: int) -> Iterator[Kill]:
    left = kills
    while left:
        twice = left > 1 and draw.random() < 0.15
        yield Kill(victim=draw.randrange(gateways), again_after=draw.uniform(0.2, 2.5) if twice else None)
        left -= 2 if twice else 1


def _faults(draw: random.Random, count: int) -> Iterator[AxisFault]:
    names = [*_TIMED, *_COUNTED]
    draw.shuffle(names)
    for name in islice(cycle(names), count):
        if name in _TIMED:
            yield AxisFault(name=name, seconds=draw.uniform(*_TIMED[name]))
        else:
            yield AxisFault(name=name, count=draw.randint(1, _COUNTED[name]))


def _restarts(draw: random.Random, count: int) -> Iterator[DatabaseRestart]:
    for how in islice(cycle(("fast", "fast", "immediate")), draw.randrange(3), None):
        if count == 0:
            return
        count -= 1
        yield DatabaseRestart(how=how, down_seconds=draw.uniform(0, 3))


def _document(draw: random.Random, number: int, lanes: int) -> DocumentShape:
    files = list(chain([_own_file(draw, number)], _further(draw)))
    draw.shuffle(files)
    return DocumentShape(
        number=number,
        lane=number % lanes,
        sender=draw.randrange(3),
        recipient=draw.randrange(3),
        priority=draw.choice(_PRIORITIES),
        files=tuple(files),
        inline=sum(file.size for file in files) < 64 * 1024 and draw.random() < 0.5,
        habit=draw.choices(list(Habit), weights=(92, 4, 4))[0],
        reports=draw.random() < 0.1,
    )


def _own_file(draw: random.Random, number: int) -> FileShape:
    kind = draw.choice((FileKind.PDF, FileKind.WORD, FileKind.TEXT))
    size = draw.choice((2_000, 8_000, 20_000, 50_000, 70_000, 200_000))
    return FileShape(kind=kind, size=size, seed=number)


def _further(draw: random.Random) -> Sequence[FileShape]:
    if draw.random() < 0.1:
        return [FileShape(kind=FileKind.SIGNED, size=30_000, seed=draw.randrange(4))]
    return []
