"""The forms of the Lang Son dialect: its multipart body, its verdicts, its rows (axis.md 7). Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.adapters.answers import clip
from gateway.adapters.envelopes import Envelope, Word
from gateway.adapters.framing import framed
from gateway.adapters.http import PacketBody
from gateway.adapters.scalars import text
from gateway.domain.agency import DirectoryRow
from gateway.domain.ids import OrganId
from gateway.domain.packet import PacketKind, Sealed
from gateway.domain.vntime import edxml_date, vietnam_date
from gateway.ports import PacketBytes


def form_of(sealed: Sealed, packet: PacketBytes) -> tuple[PacketBody, str]:
    """The multipart body of sendEdoc and its Content-Type.

    The boundary is made of the packet's own digest, so that it cannot occur in the packet.
    """
    boundary = f"edoc-{sealed.sha256[:40]}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="messageType"\r\n\r\n{sealed.draft.kind.value}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="edocFile"; filename="{sealed.sha256[:16]}.edxml"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    body = PacketBody(
        chunks=lambda: framed(head, packet, sealed.length),
        length=len(head) + sealed.length,
        trailer=f"\r\n--{boundary}--\r\n".encode(),
        looks_back=sealed.draft.kind is PacketKind.DOCUMENT,  # a status is simply repeated
    )
    return body, f"multipart/form-data; boundary={boundary}"


def read_verdict(members: Mapping[str, object]) -> Envelope | None:
    """The verdict in `success`, with the error's code and words in `data` where it is a refusal.

    None without `success` and without anything that could stand for it: a docId or an error code.
    """
    data = members.get("data")
    facts: Mapping[str, object] = data if isinstance(data, dict) else {}
    code = text(facts.get("errorCode")) or text(members.get("errorCode"))
    doc_id = text(members.get("docId")) or text(facts.get("docId"))
    success = members.get("success")
    word = {"true": Word.OK, "false": Word.FAIL}.get(str(success).lower(), Word.SILENT)
    if word is Word.SILENT and not code and not doc_id:
        return None
    description = text(facts.get("errorDesc")) or text(members.get("message"))
    return Envelope(word=word, code=code, description=description, doc_id=doc_id)


def read_unit(row: Mapping[str, object]) -> DirectoryRow | None:
    """One unit of getAgenciesList, whose parent is named by its code; None without a code."""
    code = text(row.get("orgCode"))
    if not code:
        return None
    return DirectoryRow(
        axis_id=code,
        parent_axis_id=text(row.get("parentCode")),
        code=OrganId(code),
        name=clip(text(row.get("orgName"))),
        email=clip(text(row.get("email"))),
        aliases=(),
    )


def window(kind: PacketKind, *, since: datetime, now: datetime) -> dict[str, str]:
    """Parameters of a list, in Vietnam days; to the day after, should the last day be meant as its midnight."""
    return {
        "messageType": kind.value,
        "fromDate": edxml_date(vietnam_date(since)),
        "toDate": edxml_date(vietnam_date(now + timedelta(days=1))),
    }
