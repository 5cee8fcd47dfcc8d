"""An axis in memory: takes packets, lists and hands out items, and answers as a test tells it to."""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import count

from gateway.domain.agency import AgencyEntry, DirectoryRow
from gateway.domain.ids import AccountName, AxisDocId, OrganId
from gateway.domain.outcome import (
    Absent,
    Accepted,
    CannotTell,
    Finding,
    Found,
    Outcome,
    Rejected,
    SentQuery,
    Unavailable,
    Uncertain,
)
from gateway.domain.packet import AxisItem, PacketKind, Sealed
from gateway.domain.sentlist import SentEntries, SentEntry
from gateway.ports import Axis, BlobWriter, DirectoryListing, Fetched, PacketBytes, Waiting
from tests.fakes.clock import SettableClock
from tests.make import ROUTE


class Fate(Enum):
    """What becomes of one submission besides a plain outcome."""

    TAKE = "take"
    LOSE_ANSWER = "taken, answer lost"
    LOSE_PACKET = "not taken, answer lost"


@dataclass(frozen=True, kw_only=True)
class TakenPacket:
    axis_doc_id: AxisDocId
    kind: PacketKind
    sender: OrganId
    recipients: tuple[OrganId, ...]
    data: bytes
    at: datetime


class FakeAxis(Axis):
    """`fates` are used up one a submission, then everything is taken. `askable` False: `find` cannot tell."""

    def __init__(
        self, *, account: AccountName = ROUTE, askable: bool = True, clock: SettableClock | None = None
    ) -> None:
        self._account = account
        self._clock = clock or SettableClock()
        self.askable = askable
        self.down = False
        self.fates: deque[Fate | Outcome | Exception] = deque()
        self.taken: list[TakenPacket] = []
        self.attempts = 0
        self.told: list[tuple[AxisDocId, bool]] = []
        self.forgets_settled = True
        self.rows: tuple[DirectoryRow, ...] = ()
        self.gives_once: frozenset[PacketKind] = frozenset()
        """Kinds whose packets come with the list, and are then forgotten."""
        self.lists_sent = True
        """False: what was sent is listed by id only."""
        self.failed: set[AxisDocId] = set()
        """Packets that their recipients could not take."""
        self.done: dict[AxisDocId, tuple[AxisItem, bytes]] = {}
        """Items acknowledged as done."""
        self._waiting: dict[AxisDocId, tuple[AxisItem, bytes]] = {}
        self._ids = count(1)

    @property
    def account(self) -> AccountName:
        return self._account

    def put(self, data: bytes, *, kind: PacketKind, recipients: Sequence[OrganId] = ()) -> AxisItem:
        """A packet for us, listed until it is settled."""
        item = AxisItem(axis_doc_id=self._next_id(), kind=kind, recipients=tuple(recipients))
        self._waiting[item.axis_doc_id] = (item, data)
        return item

    async def submit(self, sealed: Sealed, body: PacketBytes) -> Outcome:
        self.attempts += 1
        fate = self.fates.popleft() if self.fates else Fate.TAKE
        if isinstance(fate, Exception):
            raise fate
        data = b"".join([chunk async for chunk in body()])
        assert len(data) == sealed.length
        if fate is Fate.LOSE_PACKET:
            return Uncertain(reason="connection lost")
        if not isinstance(fate, Fate):
            return fate
        packet = TakenPacket(
            axis_doc_id=self._next_id(),
            kind=sealed.draft.kind,
            sender=sealed.draft.sender,
            recipients=sealed.draft.recipients,
            data=data,
            at=self._clock.now(),
        )
        self.taken.append(packet)
        if fate is Fate.LOSE_ANSWER:
            return Uncertain(reason="connection lost")
        return Accepted(axis_doc_id=packet.axis_doc_id)

    async def find(self, query: SentQuery) -> Finding:
        if not self.askable:
            return CannotTell(reason="this axis cannot be asked")
        if self.down:
            return CannotTell(reason="down", passing=True)
        for packet in self.taken:
            same = packet.sender == query.sender_code and packet.recipients == query.recipient_codes
            if same and query.title.encode() in packet.data and packet.axis_doc_id not in query.known_elsewhere:
                return Found(axis_doc_id=packet.axis_doc_id)
        return Absent()

    async def waiting(self, kind: PacketKind) -> Waiting | Unavailable:
        if self.down:
            return Unavailable(reason="down")
        found = [(item, data) for item, data in self._waiting.values() if item.kind is kind]
        if kind not in self.gives_once:
            return Waiting(items=tuple(item for item, _ in found))
        for item, _ in found:
            del self._waiting[item.axis_doc_id]
        return Waiting(items=tuple(item for item, _ in found), carried={item.axis_doc_id: data for item, data in found})

    async def acknowledged(self, kind: PacketKind, *, since: datetime) -> Waiting | Unavailable:
        if self.down:
            return Unavailable(reason="down")
        found = [(item, data) for item, data in self.done.values() if item.kind is kind]
        carried = {item.axis_doc_id: data for item, data in found} if kind in self.gives_once else {}
        return Waiting(items=tuple(item for item, _ in found), carried=carried)

    async def sent_list(self) -> SentEntries | CannotTell:
        if self.down or not self.lists_sent:
            return CannotTell(reason="down or by id only", passing=self.down)
        return SentEntries(self._entry(packet) for packet in self.taken)

    async def sent_packet(self, axis_doc_id: AxisDocId) -> SentEntries | CannotTell:
        if self.down:
            return CannotTell(reason="down", passing=True)
        return SentEntries(self._entry(packet) for packet in self.taken if packet.axis_doc_id == axis_doc_id)

    def _entry(self, packet: TakenPacket) -> SentEntry:
        number, notation, subject = (
            (re.findall(f"<edXML:{name}>([^<]*)<", packet.data.decode()) or [""])[0]
            for name in ("CodeNumber", "CodeNotation", "Subject")
        )
        return SentEntry(
            axis_doc_id=packet.axis_doc_id,
            kind=packet.kind.value,
            sender=packet.sender,
            recipients=packet.recipients,
            title=subject,
            notation=f"{number}/{notation}",
            sent_at=packet.at,
            failed=packet.axis_doc_id in self.failed,
        )

    async def fetch(self, item: AxisItem, writer: BlobWriter) -> Fetched | Rejected | Unavailable:
        held = self._waiting | self.done
        if item.axis_doc_id not in held:
            return Rejected(code="404", reason="no such item")
        await writer.write(held[item.axis_doc_id][1])
        return Fetched(stored=await writer.finish())

    async def settle(self, axis_doc_id: AxisDocId, *, done: bool) -> Outcome:
        if self.down:
            return Unavailable(reason="down")
        self.told.append((axis_doc_id, done))
        if done and axis_doc_id in self._waiting:
            self.done[axis_doc_id] = self._waiting[axis_doc_id]
        if self.forgets_settled:
            self._waiting.pop(axis_doc_id, None)
        return Accepted(axis_doc_id=axis_doc_id)

    async def register(self, unit: AgencyEntry) -> Outcome:
        row = DirectoryRow(
            axis_id=f"axis-{unit.code}",
            parent_axis_id=f"axis-{unit.parent_code}" if unit.parent_code else "",
            code=unit.code,
            name=unit.name,
            email=unit.email,
            aliases=(),
        )
        self.rows = (*(each for each in self.rows if each.code != unit.code), row)
        return Accepted(axis_doc_id=AxisDocId(unit.code))

    async def deregister(self, code: OrganId) -> Outcome:
        self.rows = tuple(each for each in self.rows if each.code != code)
        return Accepted(axis_doc_id=AxisDocId(code))

    async def agencies(self) -> DirectoryListing | Unavailable:
        return Unavailable(reason="down") if self.down else DirectoryListing(rows=self.rows)

    def _next_id(self) -> AxisDocId:
        return AxisDocId(f"axis-{next(self._ids):04}")
