"""The main job, told step by step; every claim of the last line is checked, none is assumed."""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime

import grpc
from google.rpc import error_details_pb2, status_pb2

from gateway.pb.lgsp.gateway.v1 import document_pb2, inbox_service_pb2
from gateway.sandbox.demo.processes import until
from gateway.sandbox.demo.stage import Stage
from gateway.sandbox.demo.vendors import File, Vendor, compose

SENDER = "H99.01"
RECIPIENTS = ("H98.02", "H98.31")
"""A department and a commune of the other province."""

EXPECTED_STATUSES = ["01", "03", "05", "06"]
"""What the first recipient reports, in this order; the second only acknowledges (01)."""

_WAIT = 30

Tell = Callable[[str, str], None]
"""Called with who does it and what happened."""


@dataclass(slots=True, kw_only=True)
class Result:
    """The last line of the demo."""

    ok: bool = False
    sent: int = 0
    """Deliveries the axis took."""
    received: int = 0
    """Documents the other side received with every byte in place."""
    statuses: list[str] = field(default_factory=list)
    """Codes in order of arrival at the sender, both recipients."""
    retries: int = 0
    """Attempts beyond the first, as the gateway counts them for the sender."""
    duplicates_suppressed: int = 0
    """Repetitions answered with the first document."""
    refused: int = 0
    """Submissions refused for their signature."""

    def as_json(self) -> dict[str, object]:
        """The object to print."""
        return asdict(self)


@dataclass(slots=True, kw_only=True)
class _Play:
    stage: Stage
    tell: Tell
    now: datetime
    sender: Vendor
    receiver: Vendor
    result: Result
    taken_before: int
    """Documents that the axis had taken when the play began."""
    by_recipient: dict[str, list[str]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    delayed: bool = False


async def play(stage: Stage, *, tell: Tell, now: datetime, size: int = 1_000_000) -> Result:
    """Run the main job on a stage whose gateways are up; `size` of the signed PDF in bytes."""
    result = Result()
    async with AsyncExitStack() as stack:
        sender = Vendor.connect(stage.province_a, agency=SENDER)
        stack.push_async_callback(sender.close)
        receiver = Vendor.connect(stage.province_b, agency=RECIPIENTS[0])
        stack.push_async_callback(receiver.close)
        before = _taken(stage)
        it = _Play(
            stage=stage, tell=tell, now=now, sender=sender, receiver=receiver, result=result, taken_before=before
        )
        watching = asyncio.Event()
        watcher = asyncio.create_task(_watch(it, watching))
        try:
            await asyncio.wait_for(watching.wait(), _WAIT)
            signed, annex, unsigned = await asyncio.to_thread(stage.make_files, size=size, now=now)
            await _refuse_unsigned(it, unsigned)
            name = await _send_while_axis_is_down(it, [signed, annex])
            await _receive_and_report(it, [signed, annex])
            await _see_statuses(it, name)
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
    result.ok = _all_true(it)
    return result


async def _watch(it: _Play, watching: asyncio.Event) -> None:
    async for response in it.sender.watch():
        watching.set()
        if not response.HasField("event"):
            continue
        event = response.event
        if event.WhichOneof("kind") == "delivery":
            state = document_pb2.DeliveryState.Name(event.delivery.state).removeprefix("DELIVERY_STATE_").lower()
            it.delayed = it.delayed or event.delivery.state == document_pb2.DELIVERY_STATE_DELAYED
            it.tell("iOffice A", f"event: delivery to {event.recipient} is {state} {event.delivery.reason}".rstrip())
        else:
            it.result.statuses.append(event.status.status_code)
            it.by_recipient.setdefault(event.recipient, []).append(event.status.status_code)
            it.tell("iOffice A", f"event: {event.recipient} reports status {event.status.status_code}")
        it.changed.set()


async def _refuse_unsigned(it: _Play, unsigned: File) -> None:
    await it.sender.upload(unsigned)
    document = compose(
        number="15", subject="V/v thử nghiệm", recipients=RECIPIENTS, files=[unsigned], issued=_today(it)
    )
    try:
        await it.sender.submit(document)
    except grpc.aio.AioRpcError as error:
        english, vietnamese = _both_languages(error)
        if error.code() is grpc.StatusCode.FAILED_PRECONDITION and english and vietnamese:
            it.result.refused += 1
        it.tell("gateway A", f"refuses the unsigned PDF: {english} / {vietnamese}")


async def _send_while_axis_is_down(it: _Play, files: list[File]) -> str:
    it.stage.set_fault("down")
    it.tell("axis", "goes down")
    for file in files:
        await it.sender.upload(file)
        it.tell("iOffice A", f"uploads {file.name}, {file.size:,} bytes, sha256 {file.sha256[:12]}…")
    document = compose(
        number="16",
        subject="V/v triển khai liên thông văn bản điện tử",
        recipients=RECIPIENTS,
        files=files,
        issued=_today(it),
    )
    request_id = str(uuid.uuid4())
    first = await it.sender.submit(document, request_id=request_id)
    it.tell("gateway A", f"takes over {first.document.document_id} as {first.document.name}")
    again = await it.sender.submit(document, request_id=request_id)
    if again.repeated_request and again.document.name == first.document.name:
        it.result.duplicates_suppressed += 1
        it.tell("gateway A", "answers the repeated submit with the first document")
    await _wait(lambda: it.delayed, "the delivery is put off")
    it.stage.clear_fault("down")
    it.tell("axis", "comes back")
    return first.document.name


async def _receive_and_report(it: _Play, files: list[File]) -> None:
    waiting: list[inbox_service_pb2.ReceivedDocument] = []

    async def all_there() -> bool:
        waiting.extend(await it.receiver.pull())
        return len(waiting) >= len(RECIPIENTS)

    await until(all_there, within=_WAIT, what="the documents arrive in province B")
    for received in waiting:
        verdict = received.document.attachments[0].signature_verdict.signatures
        signer = verdict[0].signer if verdict else "nobody"
        it.tell("Q-Office B", f"pulls {received.document.document_id} for {received.recipient}, signed by {signer}")
        if await _is_whole(it, received, files):
            it.result.received += 1
        await it.receiver.acknowledge(received)
        it.tell("Q-Office B", f"acknowledges for {received.recipient}")
    # The second recipient only acknowledges; the first does the whole work.
    first = next(r for r in waiting if r.recipient == RECIPIENTS[0])
    for code in EXPECTED_STATUSES[1:]:
        await it.receiver.report(first, code)
        it.tell("Q-Office B", f"reports {code}")


async def _is_whole(it: _Play, received: inbox_service_pb2.ReceivedDocument, files: list[File]) -> bool:
    wanted = [(file.name, file.sha256) for file in files]
    target = it.stage.home / "received"
    target.mkdir(exist_ok=True)
    got = []
    for number, attachment in enumerate(received.document.attachments):
        digest = await it.receiver.download(attachment.name, target / f"{received.recipient}-{number}")
        got.append((attachment.attachment_name, digest))
        it.tell("Q-Office B", f"downloads {attachment.attachment_name}: sha256 {digest[:12]}… {_tick(got, wanted)}")
    return got == wanted


async def _see_statuses(it: _Play, name: str) -> None:
    await _wait(
        lambda: (
            it.by_recipient.get(RECIPIENTS[0]) == EXPECTED_STATUSES
            and it.by_recipient.get(RECIPIENTS[1]) == EXPECTED_STATUSES[:1]
        ),
        "all statuses come back",
    )
    document = await it.sender.get(name)
    for delivery in document.deliveries:
        it.result.sent += delivery.state == document_pb2.DELIVERY_STATE_SENT
    it.result.retries = max((delivery.attempts for delivery in document.deliveries), default=1) - 1


async def _wait(condition: Callable[[], bool], what: str) -> None:
    async def holds() -> bool:
        return condition()

    await until(holds, within=_WAIT, what=what)


def _all_true(it: _Play) -> bool:
    return (
        it.result.sent == len(RECIPIENTS)
        and it.result.received == len(RECIPIENTS)
        and it.by_recipient.get(RECIPIENTS[0]) == EXPECTED_STATUSES
        and it.result.retries >= 1
        and it.result.duplicates_suppressed == 1
        and it.result.refused == 1
        and _taken(it.stage) == it.taken_before + 1
    )


def _taken(stage: Stage) -> int:
    """Documents that the axis has taken, by its own journal."""
    return sum(1 for r in stage.records() if r.get("event") == "accepted" and r.get("messagetype") == "edoc")


def _both_languages(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    vietnamese = ""
    for key, value in error.trailing_metadata():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(_bytes(value)).details:
            message = error_details_pb2.LocalizedMessage()
            if detail.Unpack(message) and message.locale == "vi-VN":
                vietnamese = message.message
    return error.details() or "", vietnamese


def _today(it: _Play) -> str:
    return it.now.date().isoformat()


def _tick(got: list[tuple[str, str]], wanted: list[tuple[str, str]]) -> str:
    return "✓" if got == wanted[: len(got)] else "✗"


def _bytes(value: str | bytes) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else value
