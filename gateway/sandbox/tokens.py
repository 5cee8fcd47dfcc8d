"""Bearer tokens (mã truy cập) that the provincial faces of the axis hand out; each issue is noted in the journal."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.sandbox.journal import Journal

LIFE_SECONDS = 1800.0
"""Life of a login of the Lang Son axis (axis.md section 7)."""


class Tokens:
    """The tokens now good, each at one face and for one system; a restart forgets them all."""

    def __init__(
        self,
        *,
        journal: Journal,
        now: Callable[[], datetime],
        life_seconds: float = LIFE_SECONDS,
        new_token: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self.life_seconds = life_seconds
        self._journal = journal
        self._now = now
        self._new_token = new_token
        self._good: dict[tuple[str, str], tuple[str, datetime]] = {}

    def issue(self, face: str, system_id: str) -> str:
        """A new token; the older ones stay good. The journal gets who asked, never the token."""
        now, token = self._now(), self._new_token()
        self._good = {key: (holder, end) for key, (holder, end) in self._good.items() if end > now}
        self._good[face, token] = (system_id, now + timedelta(seconds=self.life_seconds))
        self._journal.append("token_issued", {"face": face, "system": system_id})
        return token

    def holder(self, face: str, authorization: str) -> str | None:
        """The system that was given the token of an Authorization header; None for any but a good one."""
        scheme, _, token = authorization.partition(" ")
        held = self._good.get((face, token.strip()))
        if scheme.lower() != "bearer" or held is None or held[1] <= self._now():
            return None
        return held[0]

    def expire_all(self) -> int:
        """End every token at once, as a restarted axis does; gives how many were good."""
        ended = sum(end > self._now() for _, end in self._good.values())
        self._good.clear()
        return ended
