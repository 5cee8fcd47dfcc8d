"""The way to one address, told step by step: name, connection, proxy, TLS, HTTP."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.adapters import reach
from gateway.adapters.http import Connection, Timeouts
from gateway.adapters.reach import Answered, Failed, Handshake, Link, Place
from gateway.domain.probing import SKEW_TOLERATED, Line, Step, Trouble, Verdict
from gateway.flows.probing import Seen
from gateway.ports import Clock
from gateway.security.certificates import CertificateFacts, read_certificate

_BAD_REQUEST = 400


@dataclass(slots=True, kw_only=True)
class Report:
    """Tells lines as they come, and remembers whether one failed."""

    tell: Callable[[Line], None]
    held: bool = True

    def say(self, step: Step, seen: Seen, *, since: float, place: object = "") -> bool:
        """Tell how a step went that began at `since` of time.perf_counter; True if it went well."""
        verdict = Verdict.OK if seen.trouble is None else Verdict.FAILED
        self.held = self.held and verdict is Verdict.OK
        seconds = time.perf_counter() - since
        self.tell(
            Line(step=step, verdict=verdict, seconds=seconds, place=str(place), seen=seen.words, trouble=seen.trouble)
        )
        return verdict is Verdict.OK

    def skip(self, step: Step, why: str) -> None:
        """Tell that a step was not tried."""
        self.tell(Line(step=step, verdict=Verdict.SKIPPED, seconds=0.0, place="", seen=why))


@dataclass(slots=True, kw_only=True)
class Way:
    """To one address."""

    url: str
    connection: Connection
    timeouts: Timeouts
    clock: Clock
    report: Report
    skew: timedelta | None = None
    """The peer's clock less ours, once it told."""

    async def walk(self) -> bool:
        """Go as far as it leads; True if HTTP came back."""
        start = time.perf_counter()
        place = reach.place_of(self.url)
        nearest = reach.place_of(self.connection.proxy) if self.connection.proxy else place
        if isinstance(place, Failed) or isinstance(nearest, Failed):
            wrong = next(each for each in (place, nearest) if isinstance(each, Failed))
            return self.report.say(Step.DNS, _seen(wrong), since=start, place=self.url)
        link = await self._connect(nearest)
        if link is None:
            return False
        try:
            if not (await self._tunnel(link, place) and await self._shake_hands(link, place, nearest)):
                return False
        finally:
            link.close()
        return await self._ask(place)

    async def _connect(self, nearest: Place) -> Link | None:
        start = time.perf_counter()
        addresses = await reach.resolve(nearest, seconds=self.timeouts.connect)
        if isinstance(addresses, Failed):
            self.report.say(Step.DNS, _seen(addresses), since=start, place=nearest.host)
            return None
        whose = " (the proxy's)" if self.connection.proxy else ""
        self.report.say(Step.DNS, Seen(words=", ".join(addresses) + whose), since=start, place=nearest.host)
        start = time.perf_counter()
        link = await reach.connect(addresses, nearest.port, seconds=self.timeouts.connect)
        if isinstance(link, Failed):
            self.report.say(Step.TCP, _seen(link), since=start, place=nearest)
            return None
        self.report.say(Step.TCP, Seen(words=f"connected to {link.address}{whose}"), since=start, place=nearest)
        return link

    async def _tunnel(self, link: Link, place: Place) -> bool:
        if not self.connection.proxy:
            self.report.skip(Step.PROXY, "no proxy is configured")
            return True
        if self.connection.proxy.startswith("https:"):
            self.report.skip(Step.PROXY, "the proxy itself speaks TLS: tried with the HTTP step")
            return True
        if not place.tls:
            self.report.skip(Step.PROXY, "the proxy forwards plain calls: tried with the HTTP step")
            return True
        start = time.perf_counter()
        line = await reach.tunnel(link, place, seconds=self.timeouts.connect + self.timeouts.read)
        seen = _seen(line) if isinstance(line, Failed) else Seen(words=f"{line}, to {place}")
        return self.report.say(Step.PROXY, seen, since=start, place=self.connection.proxy)

    async def _shake_hands(self, link: Link, place: Place, nearest: Place) -> bool:
        if not place.tls:
            self.report.skip(Step.TLS, "plain HTTP is configured: secrets and documents can be read on the way")
            return True
        if self.connection.proxy and nearest.tls:
            self.report.skip(Step.TLS, "inside the proxy's TLS: tried with the HTTP step")
            return True
        start = time.perf_counter()
        made = await reach.shake_hands(link, place, self.connection, seconds=self.timeouts.connect)
        if isinstance(made, Handshake):
            facts = read_certificate(made.certificate)
            words = f"{made.version}, {made.cipher}{_facts(facts, self.clock.now())}"
            return self.report.say(Step.TLS, Seen(words=words), since=start, place=place)
        shown = await self._shown(place, nearest)
        facts = read_certificate(shown) if shown else None
        words = f"{made.words}{_facts(facts, self.clock.now())}"
        return self.report.say(Step.TLS, Seen(words=words, trouble=made.trouble), since=start, place=place)

    async def _shown(self, place: Place, nearest: Place) -> bytes | None:
        """The certificate that did not pass, over a connection of its own; None where the peer shows none."""
        seconds = self.timeouts.connect
        addresses = await reach.resolve(nearest, seconds=seconds)
        if isinstance(addresses, Failed):
            return None
        link = await reach.connect(addresses, nearest.port, seconds=seconds)
        if isinstance(link, Failed):
            return None
        try:
            if self.connection.proxy and isinstance(await reach.tunnel(link, place, seconds=seconds), Failed):
                return None
            return await reach.shown_certificate(link, place, seconds=seconds)
        finally:
            link.close()

    async def _ask(self, place: Place) -> bool:
        start = time.perf_counter()
        answered = await reach.ask(self.url, self.connection, timeouts=self.timeouts, clock=self.clock)
        seen = _seen(answered) if isinstance(answered, Failed) else Seen(words=_answer(answered))
        odd = isinstance(answered, Failed) or answered.status == _BAD_REQUEST
        if odd and not place.tls and not self.connection.proxy and await self._shown(place, place) is not None:
            seen = Seen(words=seen.words, trouble=Trouble.TLS_WANTED)
        if isinstance(answered, Answered):
            self.skew = answered.skew
        return self.report.say(Step.HTTP, seen, since=start, place=place)


def _seen(failed: Failed) -> Seen:
    return Seen(words=failed.words, trouble=failed.trouble)


def _answer(answered: Answered) -> str:
    to = f" to {answered.location}" if answered.location else ""
    server = f", server {answered.server}" if answered.server else ""
    return f"HTTP {answered.status}{to} to an unsigned HEAD{server}{_clock(answered.skew)}"


def _clock(skew: timedelta | None) -> str:
    if skew is None:
        return ", tells no time"
    if abs(skew) <= SKEW_TOLERATED:
        return ", its clock agrees with ours"
    return f", its clock is {abs(skew).total_seconds():.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} ours"


def _facts(facts: CertificateFacts | None, now: datetime) -> str:
    if facts is None:
        return ""
    names = f" for {', '.join(facts.names[:4])}" if facts.names else ""
    days = (facts.ends - now).days
    ends = f"ends {facts.ends:%Y-%m-%d}, {days} days left" if facts.ends > now else f"ended {facts.ends:%Y-%m-%d}"
    return f"; {facts.subject}{names}, issued by {facts.issuer}, {ends}"
