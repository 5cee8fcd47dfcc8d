"""The login in front of every call of the Lang Son dialect: a bearer token for user name and password (axis.md 7)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus

import httpx

from gateway.adapters.access import LONGEST_TOKEN, Token, TokenKeeper, read_life, read_whole, refusal
from gateway.adapters.answers import clip, header_safe
from gateway.adapters.http import Access, Broken, Call, HttpClient, Repeat
from gateway.adapters.langson.config import LangSonAccount
from gateway.adapters.scalars import text
from gateway.ports import Clock

BEHIND_A_PLATFORM = "X-Authentication-Token"
"""Header of the login where a platform in front takes Authorization for its own token.

Taken from a product behind another province's platform (axis.md 10, item 2); a guess for Lang Son.
"""
_MARGIN = timedelta(minutes=2)
"""A login is replaced this long before it ends."""
_LONGEST_CALL = 30.0
"""Seconds: everything else waits for a login."""
_LONGEST_ANSWER = 64 * 1024


class LoginAccess(Access):
    """The account's login as headers, and those of a platform in front of it."""

    def __init__(self, *, account: LangSonAccount, clock: Clock, platform: Access | None) -> None:
        """Log in nowhere yet. Raises OSError or ssl.SSLError if a file of the account's connection cannot be used."""
        self._account = account
        self._clock = clock
        self._platform = platform
        self._http = HttpClient(connection=account.connection, concurrency=1, retry=account.retry, access=platform)
        self._keeper = TokenKeeper(self._log_in, margin=_MARGIN, clock=clock)

    async def headers(self) -> Mapping[str, str] | Broken:
        """The headers of one call."""
        token = await self._keeper.token()
        if isinstance(token, Broken):
            return token
        if self._platform is None:
            return {"Authorization": f"Bearer {token.value}"}
        front = await self._platform.headers()
        return front if isinstance(front, Broken) else {**front, BEHIND_A_PLATFORM: token.value}

    def refused(self, headers: Mapping[str, str]) -> None:
        """The peer answered 401 to these; behind a platform nobody can say whose token it meant."""
        if self._platform is None:
            self._keeper.refused(headers["Authorization"].removeprefix("Bearer "))
            return
        self._keeper.refused(headers[BEHIND_A_PLATFORM])
        self._platform.refused(headers)

    async def aclose(self) -> None:
        """Close the connections of the login, and the platform's."""
        await self._http.aclose()

    async def _log_in(self) -> Token | Broken:
        account = self._account
        members = {
            "username": account.username,
            "password": account.password,
            "applicationCode": account.application_code,
            "otp": "",
            "twoFactorProvider": "",
            "typeObjs": "",
        }
        call = Call(
            method="POST",
            url=f"{account.endpoint.rstrip('/')}/v1/auth/login?allow_anonymous=true",
            headers=lambda: {**account.system_headers, "Content-Type": "application/json"},
            body=json.dumps(members, separators=(",", ":")).encode(),
            timeouts=replace(account.timeouts, total=min(account.timeouts.total, _LONGEST_CALL)),
            repeat=Repeat.ANY_TIME,
        )
        got = await self._http.exchange(call, partial(_read, clock=self._clock, life=account.token_life))
        return replace(got, reason=clip(f"no login: {got.reason}")) if isinstance(got, Broken) else got


async def _read(response: httpx.Response, *, clock: Clock, life: timedelta) -> Token | Broken:
    body = await read_whole(response, limit=_LONGEST_ANSWER)
    if response.status_code != HTTPStatus.OK:
        return refusal(response, body or b"")
    return read_login(body or b"", now=clock.now(), life=life)


def read_login(body: bytes, *, now: datetime, life: timedelta) -> Token | Broken:
    """The token of `{code, message, data{token}}`; `life` counts where `expiresIn`, seconds, is absent. Pure."""
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        return _refused("the answer is no JSON object")
    data = members.get("data")
    facts = data if isinstance(data, dict) else {}
    value = facts.get("token")
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TOKEN or not header_safe(value):
        said = ": ".join(word for word in (text(members.get("code")), text(members.get("message"))) if word)
        return _refused(f"the answer holds no usable token ({said or 'it says nothing'})")
    return Token(value=value, expires_at=now + read_life(facts.get("expiresIn"), otherwise=life))


def _refused(why: str) -> Broken:
    return Broken(reason=why, processed=False, answered=True, refused=True)
