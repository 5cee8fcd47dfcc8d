"""registerAgency, deleteAgency: forwarded to the axis account that receives for the unit's subtree."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from gateway.domain.agency import CODE_LIMIT, Agency, AgencyEntry, code_key, same_code
from gateway.domain.ids import OrganId
from gateway.domain.outcome import NOT_OFFERED, Accepted, Outcome, Rejected, Unavailable
from gateway.door.answers import DoorCode, Refusal
from gateway.door.bodies import Bodies
from gateway.door.calls import Answer, Call, authorise, find_agency
from gateway.ports import Axis, Directory

_log = structlog.get_logger()

_CODE = re.compile(rf"[0-9A-Za-z._-]{{1,{CODE_LIMIT}}}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """An axis account with which units are registered."""

    axis: Axis
    roots: frozenset[OrganId]
    """Codes of the agencies it receives for, with everything below them."""


class Units:
    """Changes units of the directory: at the axis, which lists them, and here once it does."""

    def __init__(
        self,
        *,
        bodies: Bodies,
        directory: Directory,
        registrars: Sequence[Registrar],
        refresh: Callable[[], Awaitable[object]],
    ) -> None:
        """`registrars` are at least one: the first is asked for units below nobody's roots."""
        self._bodies = bodies
        self._directory = directory
        self._registrars = registrars
        self._refresh = refresh
        self._refreshing: asyncio.Task[None] | None = None
        self._again = False

    async def register(self, call: Call) -> Answer:
        """Create a unit below an agency the vendor acts for, or update one of its own.

        Raises GatewayError AGENCY_NOT_PERMITTED, BrokenBodyError.
        """
        members = await self._bodies.members(call.request)
        if isinstance(members, Refusal):
            return members
        code, parent, name = (members.get(key, "").strip() for key in ("code", "pcode", "name"))
        if not code or not name:
            return Refusal(code=DoorCode.PROCESSING, sentence="code và name không được để trống")
        known = await find_agency(self._directory, code)
        if known is None and not _CODE.fullmatch(code):
            return Refusal(code=DoorCode.PROCESSING, sentence=f"code chỉ gồm tối đa {CODE_LIMIT} chữ, số, dấu . và -")
        if known is not None:
            await authorise(self._directory, call.vendor, code)
            code, parent = known.code, parent or known.parent_code or ""
        above = known
        if known is None or (parent and not same_code(parent, known.parent_code or "")):
            above = await authorise(self._directory, call.vendor, parent)
            parent = above.code
        assert above is not None
        unit = AgencyEntry(
            code=OrganId(code),
            parent_code=OrganId(parent),
            name=name,
            email=members.get("mail", ""),
            mobile=members.get("mobile", ""),
            fax=members.get("fax", ""),
        )
        return self._told(await (await self._registrar(above)).register(unit), call, code)

    async def deregister(self, call: Call) -> Answer:
        """Close a unit below an agency the vendor acts for. Raises GatewayError AGENCY_NOT_PERMITTED."""
        await self._bodies.small(call.request)
        unit = await authorise(self._directory, call.vendor, call.get("AgencyCode"))
        await authorise(self._directory, call.vendor, unit.parent_code or "")  # the topmost are the operator's to close
        return self._told(await (await self._registrar(unit)).deregister(unit.code), call, unit.code)

    async def stop(self) -> None:
        """End a synchronisation under way; the next one completes it."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await self._refreshing

    async def _registrar(self, unit: Agency) -> Axis:
        lineage = await self._directory.lineage(unit.id)
        for above in lineage:
            for each in self._registrars:
                if any(code_key(root) in {code_key(above.code), *map(code_key, above.aliases)} for root in each.roots):
                    return each.axis
        return self._registrars[0].axis

    def _told(self, outcome: Outcome, call: Call, code: str) -> Answer:
        if isinstance(outcome, Accepted):
            _log.info("door.unit_changed", vendor=call.vendor, code=code)
            self._refresh_soon()
            return {}
        if isinstance(outcome, Rejected):
            if outcome.code == NOT_OFFERED:
                return Refusal(code=DoorCode.PROCESSING, sentence="Trục không nhận đăng ký đơn vị qua cổng này")
            return Refusal(code=DoorCode.PROCESSING, sentence=f"Trục từ chối ({outcome.code}): {outcome.reason}")
        retry_after = outcome.retry_after if isinstance(outcome, Unavailable) else None
        return Refusal(
            code=DoorCode.SYSTEM, sentence="Trục chưa trả lời, hãy gửi lại yêu cầu sau", retry_after=retry_after
        )

    def _refresh_soon(self) -> None:
        """Fetch the directory anew, once for all changes made meanwhile: it is the nation's."""
        self._again = True
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh_while_asked())

    async def _refresh_while_asked(self) -> None:
        while self._again:
            self._again = False
            try:
                await self._refresh()
            except Exception:  # noqa: BLE001 - the loop that keeps the directory will do it in time
                _log.exception("door.refresh_failed")
