"""The connection test of one account: every step to the peer through the same parts as the running gateway's.

It opens no store and takes nothing that waits, so it may run beside the gateway.
"""

import secrets
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from gateway.adapters import reach
from gateway.adapters.http import Access, Broken
from gateway.adapters.soap.axis import SoapAxis
from gateway.blobs.content import LocalBlobs
from gateway.bootstrap import configs
from gateway.bootstrap.axes import OpenAxis, open_access, open_axis, open_login
from gateway.bootstrap.checks import account_problems
from gateway.bootstrap.parts import SystemClock
from gateway.bootstrap.way import Report, Way
from gateway.domain.ids import OrganId
from gateway.domain.probing import Line, Step, Trouble, trouble_of
from gateway.flows.probing import AxisTest, Seen, Sent
from gateway.observability.metrics import Metrics
from gateway.ports import Clock
from gateway.settings import AxisAccount, PlatformSettings, Settings, SettingsError, SoapSettings
from gateway.translate.edxml.translator import EdxmlTranslator

RETURNS_WITHIN = timedelta(seconds=60)
"""How long a status to ourselves is waited for."""
_UNREACHED = "not tried: the peer was not reached"
_NOT_LET_IN = "not tried: there is no token"
_UNSENT = "not tried: nothing was sent"


async def probe(
    settings: Settings,
    route: str,
    *,
    send_to_self: bool,
    tell: Callable[[Line], None],
    returns_within: timedelta = RETURNS_WITHIN,
) -> bool:
    """Test one account and tell each step as it ends; True if every step held."""
    report = Report(tell=tell)
    account = settings.axis.get(route)
    if account is None:
        words = f"no account {route!r}; there are {', '.join(settings.axis)}"
        seen = Seen(words=words, trouble=Trouble.CONFIGURATION)
        return report.say(Step.CONFIGURATION, seen, since=time.perf_counter())
    test = _Probe(
        route=route,
        account=account,
        settings=settings,
        report=report,
        clock=SystemClock(),
        send_to_self=send_to_self,
        returns_within=returns_within,
    )
    await test.run()
    return report.held


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    route: str
    account: AxisAccount
    settings: Settings
    report: Report
    clock: Clock
    send_to_self: bool
    returns_within: timedelta

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            axis = await self._open(stack)
            if axis is None:
                return
            way = self._way(self.account.endpoint)
            if not await way.walk():
                self._skip_rest(_UNREACHED, Step.TOKEN, Step.LOGIN)
            elif not await self._let_in():
                self._skip_rest(_NOT_LET_IN, Step.LOGIN)
            elif not await self._log_in():
                self._skip_rest(_NOT_LET_IN)
            else:
                await self._bind(axis)
                await self._call(axis, way.skew, stack)

    def _way(self, url: str) -> Way:
        return Way(
            url=url,
            connection=configs.connection(self.account),
            timeouts=configs.timeouts(self.account),
            clock=self.clock,
            report=self.report,
        )

    def _skip_rest(self, why: str, *before: Step) -> None:
        sending = (Step.SEND, Step.RETURN) if self.send_to_self else ()
        for step in (*before, Step.WSDL, Step.PERMISSION, Step.LIST, Step.DIRECTORY, *sending):
            self.report.skip(step, why)

    async def _open(self, stack: AsyncExitStack) -> OpenAxis | None:
        """The account's adapter; None after a failed line."""
        start, now, account = time.perf_counter(), self.clock.now(), self.account
        found = account_problems(account, now=now)
        axis = None
        try:
            axis = open_axis(self.route, account, clock=self.clock, metrics=Metrics(CollectorRegistry()))
            stack.push_async_callback(axis.aclose)
        except SettingsError as error:
            found += error.problems
        except (OSError, UnicodeError) as error:
            found += [] if isinstance(error, ssl.SSLError) and found else [str(error)]
        seen = Seen(words=f"{account.kind} at {account.endpoint}")
        if found:
            seen = Seen(words="; ".join(found), trouble=Trouble.CONFIGURATION)
        return axis if self.report.say(Step.CONFIGURATION, seen, since=start) else None

    async def _let_in(self) -> bool:
        """The platform's token, where there is a platform; the way to it is tried first if it is another place."""
        platform = self.account.platform
        if platform is None:
            self.report.skip(Step.TOKEN, "no platform is configured")
            return True
        if reach.place_of(platform.token_url) == reach.place_of(self.account.endpoint):
            return await self._token(platform)
        if await self._way(platform.token_url).walk():
            return await self._token(platform)
        self.report.skip(Step.TOKEN, _UNREACHED)
        return False

    async def _token(self, platform: PlatformSettings) -> bool:
        access = open_access(self.route, self.account, clock=self.clock)
        assert access is not None
        return await self._try_access(Step.TOKEN, access, "a token was given", platform.token_url)

    async def _log_in(self) -> bool:
        """The login, where the dialect has one."""
        login = open_login(self.route, self.account, clock=self.clock)
        if login is None:
            self.report.skip(Step.LOGIN, "this dialect has no login")
            return True
        return await self._try_access(Step.LOGIN, login, "logged in", self.account.endpoint)

    async def _try_access(self, step: Step, access: Access, good: str, place: str) -> bool:
        start = time.perf_counter()
        try:
            headers = await access.headers()
        finally:
            await access.aclose()
        seen = Seen(words=good)
        if isinstance(headers, Broken):
            seen = Seen(words=headers.reason, trouble=trouble_of(headers.reason))
        return self.report.say(step, seen, since=start, place=place)

    async def _bind(self, axis: OpenAxis) -> None:
        """What the peer's own WSDL says, where the account names one."""
        if not isinstance(axis, SoapAxis) or not isinstance(self.account, SoapSettings) or not self.account.wsdl:
            self.report.skip(Step.WSDL, "no WSDL of the peer's is configured")
            return
        start = time.perf_counter()
        binding = await axis.bind()
        seen = Seen(words="it fits what is sent")
        if binding.problems:
            seen = Seen(words="; ".join(binding.problems), trouble=Trouble.WSDL_DIFFERS)
        self.report.say(Step.WSDL, seen, since=start, place=self.account.wsdl)

    async def _call(self, axis: OpenAxis, skew: timedelta | None, stack: AsyncExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lgsp-probe-")))
        blobs = LocalBlobs(folder / "blobs", clock=self.clock)
        test = AxisTest(
            axis=axis,
            roots=tuple(OrganId(code) for code in self.account.agencies),
            translator=EdxmlTranslator(
                blobs=blobs,
                limits=configs.packet_limits(self.settings.limits),
                dialect=configs.dialect(self.account),
            ),
            blobs=blobs,
            clock=self.clock,
            skew=skew,
        )
        if isinstance(axis, SoapAxis):
            await self._timed(Step.PERMISSION, test.judged(axis.check_permission(), good="organ and token are good"))
        else:
            self.report.skip(Step.PERMISSION, "this dialect has no such question")
        listed = await self._timed(Step.LIST, test.list())
        await self._timed(Step.DIRECTORY, test.directory())
        if not self.send_to_self:
            return
        if isinstance(self.account, SoapSettings):
            why = "this axis gives statuses away once only: a test would take the gateway's own"
            self.report.say(Step.SEND, Seen(words=why, trouble=Trouble.NOTHING_HARMLESS), since=time.perf_counter())
            self.report.skip(Step.RETURN, _UNSENT)
        elif listed:
            await self._send(test)
        else:
            self.report.skip(Step.SEND, "not tried: the list call failed")
            self.report.skip(Step.RETURN, _UNSENT)

    async def _send(self, test: AxisTest) -> None:
        start = time.perf_counter()
        sent = await test.send(secrets.token_hex(4))
        if not isinstance(sent, Sent):
            self.report.say(Step.SEND, sent, since=start)
            self.report.skip(Step.RETURN, _UNSENT)
            return
        words = f"a status of {test.roots[0]} to itself was taken as {sent.axis_doc_id}"
        self.report.say(Step.SEND, Seen(words=words), since=start)
        await self._timed(Step.RETURN, test.comes_back(sent, within=self.returns_within))

    async def _timed(self, step: Step, work: Awaitable[Seen]) -> bool:
        start = time.perf_counter()
        return self.report.say(step, await work, since=start)
