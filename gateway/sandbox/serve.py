"""Starts and stops the sandbox: the faces of the axis, the loopback control endpoint, and the state on disk."""

import asyncio
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.sandbox.core import Axis, ItemsPer, System
from gateway.sandbox.directory import seed_directory
from gateway.sandbox.faults import Fault, Faults, Wish, read_wish
from gateway.sandbox.journal import Journal
from gateway.sandbox.langson import LangSonFace
from gateway.sandbox.quangnam import QuangNamFace
from gateway.sandbox.rest import RestFace
from gateway.sandbox.soap import SoapFace
from gateway.sandbox.spool import Spool
from gateway.sandbox.tokens import LIFE_SECONDS, Tokens
from gateway.sandbox.webapp import Face, make_axis_app, make_control_app

SEEDED_SYSTEMS = (
    System(id="00.99.W00", secret="dummy-secret"),  # noqa: S106 - the throwaway secret of axis.md's worked examples
    System(id="00.98.W00", secret="dummy-secret-98"),  # noqa: S106 - throwaway
)
"""The centres of provinces H99 and H98."""

HUB_CODE = "00.00.W00"
"""OrganId the axis writes into its own TraceHeader when told to rewrite packets."""

_MAX_HEADER = 256 * 1024
_LISTEN = re.compile(r"(?P<host>[^\s:]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})", re.ASCII)
_MAX_PORT = 65535


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where to listen, or where something listens; port 0 lets the system choose."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address as an HTTP base URL, without a final slash."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxOptions:
    """How to run the sandbox."""

    listen: Address = Address(host="127.0.0.1", port=0)
    # of the VXP REST face
    soap: Address | None = None
    langson: Address | None = None
    quangnam: Address | None = None
    # of the other faces of the same axis; None leaves one out
    control_port: int = 0
    # of the control endpoint, always on 127.0.0.1
    systems: tuple[System, ...] = SEEDED_SYSTEMS
    data: Path | None = None
    # created when missing, and continued from; None keeps everything in a temporary folder until the end
    faults: tuple[Wish, ...] = ()
    items_per: ItemsPer = ItemsPer.RECIPIENT
    rewrite: bool = False
    # append the axis's own TraceHeader to accepted packets instead of keeping their bytes
    slow_seconds: float = 2.0
    # delay of each answer under the fault `slow`
    token_seconds: float = LIFE_SECONDS
    # life of the tokens of the provincial faces


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """Where a started sandbox listens."""

    axis: Address
    control: Address
    soap: Address | None = None
    langson: Address | None = None
    quangnam: Address | None = None


class BadOptionError(Exception):
    """An option of the sandbox makes no sense; the message names it and never shows a secret."""


async def run(options: SandboxOptions, *, ready: Callable[[Running], None] | None = None) -> None:
    """Run the sandbox until SIGTERM or SIGINT, or until cancelled.

    Args:
        options: What to run.
        ready: Called once with the bound addresses, when both ports answer.

    Raises:
        OSError: A port or the data directory cannot be used.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with running(options) as addresses:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        try:
            if ready is not None:
                ready(addresses)
            await stopped.wait()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


@asynccontextmanager
async def running(options: SandboxOptions) -> AsyncIterator[Running]:
    """The sandbox as a context: serves inside it, is closed and (without `data`) forgotten after it."""
    with ExitStack() as stack:
        data = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-")))
        data.mkdir(parents=True, exist_ok=True)
        journal = Journal(data, now=_now)
        stack.callback(journal.close)
        faults = Faults()
        for wish in options.faults:
            faults.switch_on(wish)
        axis = Axis(
            systems=options.systems,
            directory=seed_directory(),
            journal=journal,
            items_per=options.items_per,
            faults=faults,
        )
        parts: dict[str, Any] = {
            "axis": axis,
            "spool": Spool(data),
            "faults": faults,
            "now": _now,
            "rewrite_as": HUB_CODE if options.rewrite else None,
        }
        tokens = Tokens(journal=journal, now=_now, life_seconds=options.token_seconds)
        control_app = make_control_app(axis, faults, tokens)
        control = Address(host="127.0.0.1", port=options.control_port)
        async with AsyncExitStack() as listeners:

            async def listen(face: Face, address: Address) -> Address:
                app = make_axis_app(face, slow_seconds=options.slow_seconds)
                return await listeners.enter_async_context(_listening(app, address))

            yield Running(
                axis=await listen(RestFace(**parts), options.listen),
                control=await listeners.enter_async_context(_listening(control_app, control)),
                soap=await listen(SoapFace(**parts), options.soap) if options.soap else None,
                langson=await listen(LangSonFace(**parts, tokens=tokens), options.langson) if options.langson else None,
                quangnam=await listen(QuangNamFace(**parts, tokens=tokens), options.quangnam)
                if options.quangnam
                else None,
            )


def read_options(
    *,
    listen: str = "127.0.0.1:0",
    soap: str = "",
    langson: str = "",
    quangnam: str = "",
    control_port: int = 0,
    systems: Sequence[str] = (),
    data: Path | None = None,
    faults: Sequence[str] = (),
    items_per: str = ItemsPer.RECIPIENT,
    rewrite: bool = False,
    slow_seconds: float = 2.0,
) -> SandboxOptions:
    """Read the options as an operator writes them.

    Args:
        listen: `HOST:PORT` of the VXP REST face; an IPv6 host in brackets.
        soap: The same of the eDoc SOAP face; empty = none.
        langson: The same of the Lang Son REST face; empty = none.
        quangnam: The same of the Quang Nam REST face; empty = none.
        control_port: Port of the control endpoint on 127.0.0.1.
        systems: `ID=SECRET` each; none means the seeded pair.
        data: Folder of the state.
        faults: `NAME` or `NAME:COUNT` each.
        items_per: `recipient` or `system`.
        rewrite: Whether accepted packets get the axis's TraceHeader.
        slow_seconds: Delay under the fault `slow`.

    Raises:
        BadOptionError: One of them cannot be read.
    """
    wishes = [read_wish(text) for text in faults]
    if None in wishes:
        raise BadOptionError(f"fault: NAME or NAME:COUNT expected, NAME one of {', '.join(Fault)}")
    if items_per not in set(ItemsPer):
        raise BadOptionError(f"items-per: one of {', '.join(ItemsPer)} expected, got {items_per!r}")
    if slow_seconds < 0:
        raise BadOptionError("slow-seconds: 0 or more expected")
    return SandboxOptions(
        listen=_read_address("listen", listen),
        soap=_read_address("soap", soap) if soap else None,
        langson=_read_address("langson", langson) if langson else None,
        quangnam=_read_address("quangnam", quangnam) if quangnam else None,
        control_port=control_port,
        systems=tuple(_read_system(text) for text in systems) or SEEDED_SYSTEMS,
        data=data,
        faults=tuple(wish for wish in wishes if wish is not None),
        items_per=ItemsPer(items_per),
        rewrite=rewrite,
        slow_seconds=slow_seconds,
    )


def _read_address(option: str, text: str) -> Address:
    place = _LISTEN.fullmatch(text)
    if place is None or int(place["port"]) > _MAX_PORT:
        raise BadOptionError(f"{option}: HOST:PORT expected, got {text!r}")
    return Address(host=place["host"].strip("[]"), port=int(place["port"]))


def _read_system(text: str) -> System:
    name, _, secret = text.partition("=")
    if not name or not secret:
        raise BadOptionError("system: ID=SECRET expected, neither of them empty")
    return System(id=name, secret=secret)


@asynccontextmanager
async def _listening(app: web.Application, address: Address) -> AsyncIterator[Address]:
    runner = web.AppRunner(
        app, access_log=None, max_line_size=_MAX_HEADER, max_field_size=_MAX_HEADER, shutdown_timeout=2.0
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port).start()
        host, port, *_ = runner.addresses[0]
        yield Address(host=host, port=port)
    finally:
        await runner.cleanup()


def _now() -> datetime:
    return datetime.now(tz=UTC)
