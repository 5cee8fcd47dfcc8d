"""The dialects of the axis for the conformance suite: each over its own face of one simulated axis.

A dialect joins the suite with one function that opens an account, and one line in SPOKEN.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

import aiohttp
from prometheus_client import CollectorRegistry

from gateway.adapters.access import Platform, open_platform
from gateway.adapters.http import DIRECT, Timeouts
from gateway.adapters.langson.axis import LangSonAxis
from gateway.adapters.langson.config import LangSonAccount
from gateway.adapters.quangnam.axis import QuangNamAxis
from gateway.adapters.quangnam.config import QuangNamAccount
from gateway.adapters.soap.axis import SoapAxis
from gateway.adapters.soap.config import Attachments, SoapAccount
from gateway.adapters.vxp.axis import VxpAxis
from gateway.adapters.vxp.config import SentList, VxpAccount
from gateway.domain.backoff import Backoff
from gateway.domain.dialect import DIALECTS, NATIONAL, Dialect
from gateway.domain.document import Document, TraceHeader
from gateway.domain.ids import AccountName, OrganId
from gateway.domain.outcome import Outcome
from gateway.domain.packet import AxisItem, Draft, PacketKind, Received, StoredObject, Unpacked
from gateway.domain.status import StatusReport
from gateway.observability.metrics import Metrics
from gateway.ports import Axis, Fetched, Waiting
from gateway.sandbox.serve import Address, Running, SandboxOptions, running
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
from tests.contract.vxp_peer import RETRY, TIMEOUTS, SystemClock
from tests.fakes.blobs import MemoryBlobs

_PACKET_LIMIT = 1 << 30
_ANY_PORT = Address(host="127.0.0.1", port=0)


class Can(StrEnum):
    """What only some dialects can do."""

    LIST_SENT = "list_sent"
    """A packet whose answer was lost is found in the list of sent ones."""
    LIST_ACKNOWLEDGED = "list_acknowledged"
    REGISTER = "register"
    CARRY_STATUSES = "carry_statuses"
    """Statuses come with the list."""
    LOG_IN = "log_in"
    """Calls carry a token that the face hands out and that expires."""
    REFUSE_REPEATS = "refuse_repeats"
    """A document sent again is refused, and known as the first."""


class OpenAxis(Axis, Protocol):
    """An account with connections to close."""

    @abstractmethod
    async def aclose(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Party:
    """A system on the axis, and the units it speaks for."""

    system_id: str
    secret: str
    unit: str
    province: str
    timeouts: Timeouts = TIMEOUTS
    retry: Backoff = RETRY


A = Party(system_id="00.99.W00", secret="dummy-secret", unit="H99.01", province="H99")
B = Party(system_id="00.98.W00", secret="dummy-secret-98", unit="H98.01", province="H98")


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """One dialect: how to open an account on a running sandbox, and what to expect of it."""

    name: str
    open: Callable[[Running, Party], OpenAxis]
    can: frozenset[Can]
    packets: Dialect = NATIONAL


def vxp(sandbox: Running, party: Party) -> OpenAxis:
    account = VxpAccount(
        name=AccountName(f"vxp-{party.province}"),
        endpoint=f"{sandbox.axis.url}/base",
        system_id=party.system_id,
        secret=party.secret,
        timeouts=party.timeouts,
        retry=party.retry,
        sent_list=SentList.BY_SENDER,
    )
    return VxpAxis(account=account, clock=SystemClock(), metrics=Metrics(CollectorRegistry()))


def langson(sandbox: Running, party: Party) -> OpenAxis:
    assert sandbox.langson
    account = LangSonAccount(
        name=AccountName(f"langson-{party.province}"),
        endpoint=sandbox.langson.url,
        system_id=party.system_id,
        secret=party.secret,
        username=party.system_id,
        password=party.secret,
        timeouts=party.timeouts,
        retry=party.retry,
    )
    return LangSonAxis(account=account, clock=SystemClock(), metrics=Metrics(CollectorRegistry()))


def quangnam(sandbox: Running, party: Party) -> OpenAxis:
    assert sandbox.quangnam
    clock = SystemClock()
    account = QuangNamAccount(
        name=AccountName(f"quangnam-{party.province}"),
        endpoint=f"{sandbox.quangnam.url}/truclienthong/v1.0.0",
        secret=party.secret,
        timeouts=party.timeouts,
        retry=party.retry,
    )
    platform = Platform(
        token_url=f"{sandbox.quangnam.url}/token",
        consumer_key=party.system_id,
        consumer_secret=party.secret,
        scope="",
        margin=timedelta(minutes=1),
        life=timedelta(hours=1),
        partner=None,
        connection=DIRECT,
        timeouts=party.timeouts,
    )
    access = open_platform(platform, clock=clock)
    return QuangNamAxis(account=account, clock=clock, metrics=Metrics(CollectorRegistry()), access=access)


def soap(attachments: Attachments, sandbox: Running, party: Party) -> OpenAxis:
    assert sandbox.soap
    account = SoapAccount(
        name=AccountName(f"soap-{party.province}"),
        endpoint=f"{sandbox.soap.url}/services/edoc",
        organ_id=OrganId(party.system_id),
        token=party.secret,
        timeouts=party.timeouts,
        retry=party.retry,
        attachments=attachments,
    )
    return SoapAxis(account=account, clock=SystemClock(), metrics=Metrics(CollectorRegistry()))


SPOKEN = (
    Spoken(name="vxp", open=vxp, can=frozenset({Can.LIST_SENT, Can.LIST_ACKNOWLEDGED, Can.REGISTER})),
    Spoken(name="langson", open=langson, can=frozenset({Can.LOG_IN})),
    Spoken(name="quangnam", open=quangnam, can=frozenset({Can.LIST_ACKNOWLEDGED, Can.REGISTER, Can.LOG_IN})),
    *(
        Spoken(
            name=f"soap-{attachments}",
            open=partial(soap, attachments),
            can=frozenset({Can.CARRY_STATUSES, Can.REFUSE_REPEATS}),
            packets=DIALECTS["bkav"],
        )
        for attachments in Attachments
    ),
)


@dataclass(kw_only=True)
class Correspondent:
    """An account, the translator of its route, and a memory of objects."""

    axis: OpenAxis
    party: Party
    translator: EdxmlTranslator
    blobs: MemoryBlobs

    @property
    def hop(self) -> TraceHeader:
        return TraceHeader(organ_id=self.party.province, timestamp="2026/03/02 09:30:00")

    def put(self, *contents: bytes) -> tuple[StoredObject, ...]:
        return tuple(self.blobs.put(content) for content in contents)

    async def send(self, document: Document, objects: tuple[StoredObject, ...] = ()) -> Outcome:
        draft = self.translator.draft_document(document, objects, recipients=document.to, hop=self.hop)
        assert isinstance(draft, Draft)
        return await self.submit(draft)

    async def tell(self, report: StatusReport) -> Outcome:
        return await self.submit(self.translator.draft_status(report))

    async def submit(self, draft: Draft) -> Outcome:
        return await self.axis.submit(await self.translator.seal(draft), partial(self.translator.stream, draft))

    async def waiting(self, kind: PacketKind = PacketKind.DOCUMENT) -> Waiting:
        listed = await self.axis.waiting(kind)
        assert isinstance(listed, Waiting), listed
        return listed

    async def read(self, item: AxisItem, carried: bytes | None = None) -> Unpacked:
        """What the packet says, by the gateway's own reader."""
        if carried is None:
            async with self.blobs.writer(limit=_PACKET_LIMIT) as writer:
                fetched = await self.axis.fetch(item, writer)
            assert isinstance(fetched, Fetched), fetched
            raw = fetched.stored
        else:
            raw = self.blobs.put(carried)
        read = await self.translator.read(Received(account=self.axis.account, item=item, raw=raw))
        assert isinstance(read, Unpacked), read
        return read

    async def read_all(self, kind: PacketKind = PacketKind.DOCUMENT) -> list[Unpacked]:
        """Everything that waits, acknowledged as it is read."""
        listed = await self.waiting(kind)
        read = []
        for item in listed.items:
            read.append(await self.read(item, listed.carried.get(item.axis_doc_id)))
            await self.axis.settle(item.axis_doc_id, done=True)
        return read

    def contents(self, objects: tuple[StoredObject, ...]) -> list[bytes]:
        return [self.blobs.objects[stored.key] for stored in objects]


@dataclass(kw_only=True)
class AxisWorld:
    """A running sandbox with all faces that SPOKEN needs."""

    sandbox: Running
    session: aiohttp.ClientSession
    stack: AsyncExitStack

    async def correspondent(self, spoken: Spoken, party: Party, **changes: Any) -> Correspondent:
        axis = spoken.open(self.sandbox, replace(party, **changes))
        self.stack.push_async_callback(axis.aclose)
        blobs = MemoryBlobs()
        translator = EdxmlTranslator(blobs=blobs, limits=Limits(), dialect=spoken.packets)
        return Correspondent(axis=axis, party=party, translator=translator, blobs=blobs)

    async def fault(self, name: str, count: int | None = None) -> None:
        wish = {"name": name} if count is None else {"name": name, "count": count}
        async with self.session.post(f"{self.sandbox.control.url}/faults", json=wish) as answer:
            assert answer.status == 200

    async def cure(self, name: str) -> None:
        async with self.session.delete(f"{self.sandbox.control.url}/faults/{name}") as answer:
            assert answer.status == 200

    async def expire_tokens(self) -> None:
        async with self.session.post(f"{self.sandbox.control.url}/tokens/expire") as answer:
            assert answer.status == 200

    async def records(self, event: str) -> list[dict[str, Any]]:
        async with self.session.get(f"{self.sandbox.control.url}/records") as answer:
            return [record for record in await answer.json() if record["event"] == event]


@asynccontextmanager
async def axis_world(*, slow_seconds: float = 1.0) -> AsyncIterator[AxisWorld]:
    """A fresh simulated axis."""
    names = {spoken.name for spoken in SPOKEN}
    options = SandboxOptions(
        slow_seconds=slow_seconds,
        soap=_ANY_PORT if any(name.startswith("soap") for name in names) else None,
        langson=_ANY_PORT if "langson" in names else None,
        quangnam=_ANY_PORT if "quangnam" in names else None,
    )
    async with running(options) as sandbox, aiohttp.ClientSession() as session, AsyncExitStack() as stack:
        yield AxisWorld(sandbox=sandbox, session=session, stack=stack)
