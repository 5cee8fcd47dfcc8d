"""Brings an item's packet from the axis into the blobs."""

import structlog

from gateway.domain.outcome import Rejected, Unavailable
from gateway.domain.packet import AxisItem, Received
from gateway.ports import Admission, Axis, Blobs, Fetched

_log = structlog.get_logger()


class Fetcher:
    """The downloads of one account."""

    def __init__(self, *, axis: Axis, blobs: Blobs, admission: Admission, packet_limit: int) -> None:
        """`packet_limit` is the longest packet read, bytes."""
        self._axis = axis
        self._blobs = blobs
        self._admission = admission
        self._packet_limit = packet_limit

    async def fetch(self, item: AxisItem) -> Received | Rejected | Unavailable:
        """The packet, stored; nothing of it is recorded yet.

        Raises what the blobs raise, and STORAGE_FULL once there is no more room.
        """
        async with self._blobs.writer(limit=self._packet_limit) as writer:
            fetched = await self._axis.fetch(item, self._admission.guarded(writer))
        if isinstance(fetched, Fetched):
            return Received(account=self._axis.account, item=item, raw=fetched.stored)
        _log.warning("item.not_fetched", axis_doc_id=item.axis_doc_id, reason=fetched.reason)
        return fetched

    async def keep(self, item: AxisItem, data: bytes) -> Received | Rejected:
        """A packet that came with the list, stored like a fetched one; nothing of it is recorded yet.

        Raises what the blobs raise.
        """
        if len(data) > self._packet_limit:
            _log.warning("item.not_fetched", axis_doc_id=item.axis_doc_id, reason="too large")
            return Rejected(code="", reason=f"the packet has {len(data)} bytes, more than {self._packet_limit}")
        async with self._blobs.writer(limit=self._packet_limit) as writer:
            guarded = self._admission.guarded(writer)
            await guarded.write(data)
            return Received(account=self._axis.account, item=item, raw=await guarded.finish())
