"""Tokens that open a peer: kept until shortly before they expire, fetched by one caller for all who wait.

`TokenKeeper` and `BearerAccess` serve every kind of token; `open_platform` is the LGSP platform's: OAuth2 client
credentials as WSO2 API Manager gives them, with header `lgspaccesstoken` where the platform wants it (axis.md 10).
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode

import httpx

from gateway.adapters.answers import clip, header_safe
from gateway.adapters.faultwords import fault_words
from gateway.adapters.http import CHUNK, Access, Broken, Call, Connection, HttpClient, Repeat, Timeouts
from gateway.domain.backoff import Backoff
from gateway.ports import Clock

LONGEST_TOKEN = 16 * 1024
"""Characters of a token; servers commonly take 8 KiB of headers."""
_LONGEST_ANSWER = 64 * 1024
_LONGEST_LIFE = timedelta(hours=24)
"""Believed at most: platforms write enormous numbers for tokens without an end."""
_SHORTEST_USE = timedelta(seconds=1)
_LONGEST_FETCH = 30.0
"""Seconds a token call may take with its repetitions: everything else waits for it."""
_REST = Backoff(
    first=timedelta(seconds=1),
    factor=2,
    ceiling=timedelta(seconds=15),
    jitter=0,
    give_up_after=timedelta.max,
)
"""After a failure callers are told that failure for so long, so that a broken or offended login is not stormed."""
_TRIES = Backoff(
    first=timedelta(seconds=0.5),
    factor=2,
    ceiling=timedelta(seconds=2),
    jitter=0.5,
    give_up_after=timedelta(seconds=5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a login gave."""

    value: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Held:
    token: Token
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class _Failed:
    broken: Broken
    since: datetime
    until: datetime


class TokenKeeper:
    """One token at a time for any number of callers."""

    def __init__(self, fetch: Callable[[], Awaitable[Token | Broken]], *, margin: timedelta, clock: Clock) -> None:
        """Fetch nothing yet.

        A token is replaced `margin` before it expires, or at half its life where it lives shorter than twice that.
        """
        self._fetch = fetch
        self._margin = margin
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._held: _Held | None = None
        self._failed: _Failed | None = None
        self._failures = 0
        """In a row."""
        self._fetches = 0
        """Ended, well or badly."""

    async def token(self) -> Token | Broken:
        """A token that is good now. Those who wait for one fetch share what came of it, a failure too."""
        known = self._known()
        if known is not None:
            return known
        seen = self._fetches
        async with self._one_at_a_time:
            if self._failed is not None and self._fetches != seen:
                return self._failed.broken
            return self._known() or await self._renew()

    def refused(self, value: str) -> None:
        """The peer refused this token: it is given to nobody any more. A token that came since then stays."""
        if self._held is not None and self._held.token.value == value:
            self._held = None

    def _known(self) -> Token | Broken | None:
        """The token, or the failure of a moment ago; neither outlives a clock that is set back."""
        now = self._clock.now()
        if self._held is not None and self._held.since <= now < self._held.until:
            return self._held.token
        if self._failed is not None and self._failed.since <= now < self._failed.until:
            return self._failed.broken
        return None

    async def _renew(self) -> Token | Broken:
        got = await self._fetch()
        now = self._clock.now()
        self._fetches += 1
        if isinstance(got, Broken):
            self._failures += 1
            self._failed = _Failed(got, now, now + _REST.delay(self._failures, 0))
            return got
        self._failures, self._failed = 0, None
        life = max(got.expires_at - now, timedelta(0))
        self._held = _Held(got, now, now + max(life - min(self._margin, life / 2), _SHORTEST_USE))
        return got


async def _nothing() -> None:
    """Close nothing."""


class BearerAccess(Access):
    """A kept token as `Authorization: Bearer`, with headers that are always the same."""

    def __init__(
        self,
        keeper: TokenKeeper,
        *,
        also: Mapping[str, str] | None = None,
        close: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """Take a keeper; `close` closes what the keeper fetches with."""
        self._keeper = keeper
        self._also = also or {}
        self._close = close

    async def headers(self) -> Mapping[str, str] | Broken:
        """The headers of one call."""
        token = await self._keeper.token()
        if isinstance(token, Broken):
            return token
        return {**self._also, "Authorization": f"Bearer {token.value}"}

    def refused(self, headers: Mapping[str, str]) -> None:
        """The peer answered 401 to these."""
        self._keeper.refused(headers["Authorization"].removeprefix("Bearer "))

    async def aclose(self) -> None:
        """Close the connections of the token call."""
        await self._close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """Members of header `lgspaccesstoken`."""

    access_key: str
    secret_key: str = field(repr=False)
    app_name: str
    partner_code: str
    partner_code_cus: str

    @property
    def header(self) -> str:
        """Base64 of the JSON object, in the order in which it was met."""
        members = {
            "AccessKey": self.access_key,
            "SecretKey": self.secret_key,
            "AppName": self.app_name,
            "PartnerCode": self.partner_code,
            "PartnerCodeCus": self.partner_code_cus,
        }
        return base64.b64encode(json.dumps(members, separators=(",", ":")).encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """An LGSP platform's account; the settings turn into this."""

    token_url: str
    consumer_key: str
    consumer_secret: str = field(repr=False)
    scope: str
    """"" = the platform's default."""
    margin: timedelta
    life: timedelta
    """Of a token whose answer does not say it."""
    partner: Partner | None
    connection: Connection
    timeouts: Timeouts


def open_platform(platform: Platform, *, clock: Clock) -> BearerAccess:
    """Access to the platform, nothing fetched yet.

    Raises OSError or ssl.SSLError if a file of the connection cannot be used.
    """
    http = HttpClient(connection=platform.connection, concurrency=1, retry=_TRIES)
    endpoint = _TokenEndpoint(platform=platform, http=http, clock=clock)
    keeper = TokenKeeper(endpoint.fetch, margin=platform.margin, clock=clock)
    return BearerAccess(keeper, also=_partner_header(platform), close=http.aclose)


def _partner_header(platform: Platform) -> Mapping[str, str]:
    return {"lgspaccesstoken": platform.partner.header} if platform.partner else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _TokenEndpoint:
    platform: Platform
    http: HttpClient
    clock: Clock

    async def fetch(self) -> Token | Broken:
        """Ask for a token by client credentials."""
        platform = self.platform
        basic = base64.b64encode(f"{platform.consumer_key}:{platform.consumer_secret}".encode()).decode()
        headers = {
            **_partner_header(platform),
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        scope = {"scope": platform.scope} if platform.scope else {}
        call = Call(
            method="POST",
            url=platform.token_url,
            headers=lambda: headers,
            body=urlencode({"grant_type": "client_credentials", **scope}).encode(),
            timeouts=replace(platform.timeouts, total=min(platform.timeouts.total, _LONGEST_FETCH)),
            repeat=Repeat.ANY_TIME,
        )
        got = await self.http.exchange(call, self._read)
        return replace(got, reason=clip(f"no platform token: {got.reason}")) if isinstance(got, Broken) else got

    async def _read(self, response: httpx.Response) -> Token | Broken:
        body = await read_whole(response, limit=_LONGEST_ANSWER)
        if response.status_code != HTTPStatus.OK:
            return refusal(response, body or b"")
        if body is None:
            return Broken(reason="the answer is too long", processed=False, answered=True, refused=True)
        return read_token(body, now=self.clock.now(), life=self.platform.life)


async def read_whole(response: httpx.Response, *, limit: int) -> bytes | None:
    """The body; None if it is longer than `limit` bytes."""
    body = bytearray()
    async for chunk in response.aiter_raw(CHUNK):
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def refusal(response: httpx.Response, body: bytes) -> Broken:
    """A login that was not answered with 200: final for the moment unless the peer's trouble is passing."""
    status = response.status_code
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    words = fault_words(body, response.headers.get("Content-Type", ""))
    reason = clip(f"HTTP {status}: {words}" if words else f"HTTP {status}")
    return Broken(reason=reason, processed=False, answered=True, refused=not passing)


def read_token(body: bytes, *, now: datetime, life: timedelta) -> Token | Broken:
    """The token of an OAuth2 answer; `life` counts where `expires_in` is absent or senseless. Pure."""
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        return _no_token("the answer is no JSON object")
    value, kind = members.get("access_token"), members.get("token_type")
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TOKEN or not header_safe(value):
        return _no_token("the answer holds no usable access_token")
    if kind is not None and str(kind).lower() != "bearer":
        return _no_token("the answer's token_type is not Bearer")
    return Token(value=value, expires_at=now + read_life(members.get("expires_in"), otherwise=life))


def read_life(seconds: object, *, otherwise: timedelta) -> timedelta:
    """`expires_in` as a number or its text; `otherwise` where it is none or not positive; at most a day. Pure."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | str):
        return otherwise
    try:
        life = float(seconds[:32] if isinstance(seconds, str) else seconds)
    except (ValueError, OverflowError):
        return otherwise
    return timedelta(seconds=min(life, _LONGEST_LIFE.total_seconds())) if life > 0 else otherwise


def _no_token(why: str) -> Broken:
    return Broken(reason=why, processed=False, answered=True, refused=True)
