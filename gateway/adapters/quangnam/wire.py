"""The forms of the Quang Nam dialect: its JSON body with a packet, its rows (axis.md 7). Pure.

The names of the members of a packet sent are a guess; what is known is "base64 .edxml + type".
"""

import json
from collections.abc import Mapping

from gateway.adapters.answers import clip
from gateway.adapters.framing import base64_length, framed_as_base64
from gateway.adapters.http import PacketBody
from gateway.adapters.scalars import text
from gateway.domain.agency import AgencyEntry, DirectoryRow
from gateway.domain.ids import OrganId
from gateway.domain.packet import PacketKind, Sealed
from gateway.ports import PacketBytes

PACKET_MEMBER = "edxml"
KIND_MEMBER = "messageType"


def json_of(sealed: Sealed, packet: PacketBytes) -> PacketBody:
    """The body that sends a packet."""
    head = f'{{"{KIND_MEMBER}":"{sealed.draft.kind.value}","{PACKET_MEMBER}":"'.encode()
    return PacketBody(
        chunks=lambda: framed_as_base64(head, packet, sealed.length),
        length=len(head) + base64_length(sealed.length),
        trailer=b'"}',
        looks_back=sealed.draft.kind is PacketKind.DOCUMENT,  # a status is simply repeated
    )


def read_unit(row: Mapping[str, object]) -> DirectoryRow | None:
    """One unit of the directory; None without a code."""
    code = text(row.get("code"))
    if not code:
        return None
    return DirectoryRow(
        axis_id=text(row.get("id")),
        parent_axis_id=text(row.get("pid")),
        code=OrganId(code),
        name=clip(text(row.get("name"))),
        email="",
        aliases=(),
    )


def unit_of(unit: AgencyEntry) -> bytes:
    """The body that registers a unit."""
    members = {
        "code": unit.code,
        "pcode": unit.parent_code,
        "name": unit.name,
        "email": unit.email,
        "mobile": unit.mobile,
        "fax": unit.fax,
    }
    return json.dumps(members, separators=(",", ":")).encode()
