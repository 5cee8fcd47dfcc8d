"""The vendors' systems of a run: senders, receivers and watchers, each writing its ledger."""

import asyncio
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc

from gateway.pb.lgsp.gateway.v1 import document_pb2
from gateway.pb.lgsp.gateway.v1.inbox_service_pb2 import ReceivedDocument
from gateway.sandbox.demo.province import Province
from gateway.sandbox.demo.vendors import File, Vendor, compose
from tests.crash.calls import AGAIN, Caller
from tests.crash.files import write_files
from tests.crash.ledger import Digests, Ledger
from tests.crash.plan import DocumentShape, Habit

WINDOW = 60
"""Documents on their way at a time, beyond which senders wait: the kills shall meet all parts of the way."""
LEASE = timedelta(seconds=10)
_BATCH = 8
_PRIORITIES = (
    document_pb2.PRIORITY_NORMAL,
    document_pb2.PRIORITY_URGENT,
    document_pb2.PRIORITY_VERY_URGENT,
    document_pb2.PRIORITY_FLASH,
    document_pb2.PRIORITY_FLASH_TIMED,
)
_STALL = 30.0
_PAUSE = 0.1
_IDLE = 0.4
"""Seconds after a pull that brought nothing: several receivers would keep a gateway busy with asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One direction in which documents go."""

    senders: tuple[str, ...]
    recipients: tuple[str, ...]
    sent_through: tuple[Province, ...]
    received_through: tuple[Province, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all vendors' systems of a run have in common."""

    ledger: Ledger
    documents: dict[int, DocumentShape]
    pool: Mapping[int, bytes]
    folder: Path
    issued: str
    """Date of issue of all documents."""
    stopping: asyncio.Event


async def send(desk: Desk, lane: Lane, documents: Iterable[DocumentShape], *, sender: int) -> None:
    """Hand over these documents one after the other; whatever happens, each with one request id."""
    caller = Caller.connect(lane.sent_through, agency=lane.senders[sender], first=sender)
    try:
        for shape in documents:
            await _room(desk.ledger)
            files = await asyncio.to_thread(write_files, shape, pool=desk.pool, folder=desk.folder)
            desk.ledger.digests_sent[shape.number] = tuple(sorted((file.name, file.sha256) for file in files))
            try:
                await _submit(desk, lane, shape, files, caller)
            except grpc.aio.AioRpcError as error:
                desk.ledger.surprises.append(f"document {shape.number} was refused: {_words(error)}")
            for file in files:
                file.path.unlink()
    finally:
        await caller.close()


async def receive(desk: Desk, lane: Lane, *, number: int) -> None:
    """Pull, download, acknowledge until told to stop."""
    caller = Caller.connect(lane.received_through, agency=lane.recipients[0], first=number)
    folder = desk.folder / f"in-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        async with asyncio.TaskGroup() as later:
            while not desk.stopping.is_set():
                pulled = await caller.call(lambda vendor: vendor.pull(most=_BATCH, ack_deadline=LEASE))
                for received in pulled.value:
                    desk.ledger.note_handed_out(received.document.document_id, received.name, asked_at=pulled.asked_at)
                    await _take(desk, caller, received, folder, later)
                if not pulled.value:
                    await asyncio.sleep(_IDLE)
    finally:
        await caller.close()


async def watch(desk: Desk, lane: Lane) -> None:
    """Follow the senders' events from the beginning, for ever."""
    caller, token = Caller.connect(lane.sent_through, agency=lane.senders[0]), ""
    try:
        while True:
            _, vendor = caller.current
            try:
                async for response in vendor.watch(resume_token=token, from_beginning=not token):
                    token = response.resume_token
                    if response.HasField("event") and response.event.WhichOneof("kind") == "status":
                        desk.ledger.note_status(response.event.document_id, response.event.status.status_code)
            except grpc.aio.AioRpcError as error:
                if error.code() not in AGAIN:
                    desk.ledger.surprises.append(f"the event stream was refused: {_words(error)}")
            caller.move_on()
            await asyncio.sleep(_PAUSE)
    finally:
        await caller.close()


async def last_status(lane: Lane, name: str) -> str:
    """What GetDocument says of a document's one delivery."""
    caller = Caller.connect(lane.sent_through, agency=lane.senders[0].rpartition(".")[0])
    try:
        answer = await caller.call(lambda vendor: vendor.get(name))
    finally:
        await caller.close()
    return answer.value.deliveries[0].last_status_code


async def _room(ledger: Ledger) -> None:
    """Wait while too many documents are on their way, but not for ever: some may be lost."""
    loop = asyncio.get_running_loop()
    seen, until = ledger.progress, loop.time() + _STALL
    while len(ledger.sent) - len(ledger.arrived) >= WINDOW and loop.time() < until:
        await asyncio.sleep(_PAUSE)
        if ledger.progress != seen:
            seen, until = ledger.progress, loop.time() + _STALL


async def _submit(desk: Desk, lane: Lane, shape: DocumentShape, files: Sequence[File], caller: Caller) -> None:
    document = compose(
        number=str(shape.number),
        subject=f"V/v thử nghiệm số {shape.number}",
        recipients=[lane.recipients[shape.recipient]],
        files=files,
        issued=desk.issued,
    )
    document.other_info.priority = _PRIORITIES[shape.priority]
    for attachment, file in zip(document.attachments, files, strict=True):
        if shape.inline:
            attachment.content = file.path.read_bytes()
        else:
            await caller.call(partial(Vendor.upload, file=file))
    request_id = str(uuid.uuid4())
    answer = await caller.call(lambda vendor: vendor.submit(document, request_id=request_id))
    taken = answer.value.document
    desk.ledger.note_accepted(taken.document_id, taken.name, shape.number, by=answer.gateway)


async def _take(desk: Desk, caller: Caller, received: ReceivedDocument, folder: Path, later: asyncio.TaskGroup) -> None:
    """One document handed out: as the plan says the first time, at once when it comes again."""
    shape = desk.documents.get(int(received.document.code_number))
    habit = shape.habit if shape and desk.ledger.handed_out[received.name] == 1 else Habit.AT_ONCE
    if habit is Habit.FORGETS:
        return
    try:
        digests = await _download(caller, received, folder)
        if habit is Habit.LATE:
            later.create_task(_acknowledge_late(desk, caller, received, digests))
            return
        await _acknowledge(desk, caller, received, digests)
        if shape is not None and shape.reports:
            await _report(desk, caller, received)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:  # the lease is lost: it comes again
            desk.ledger.surprises.append(f"{received.name} was refused: {_words(error)}")


async def _acknowledge_late(desk: Desk, caller: Caller, received: ReceivedDocument, digests: Digests) -> None:
    await asyncio.sleep(LEASE.total_seconds() + 1)
    try:
        await _acknowledge(desk, caller, received, digests)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:  # somebody else has it by now
            desk.ledger.surprises.append(f"{received.name} was refused late: {_words(error)}")


async def _acknowledge(desk: Desk, caller: Caller, received: ReceivedDocument, digests: Digests) -> None:
    answer = await caller.call(lambda vendor: vendor.acknowledge(received))
    desk.ledger.note_acknowledged(received.document.document_id, received.name, digests, by=answer.gateway)


async def _report(desk: Desk, caller: Caller, received: ReceivedDocument) -> None:
    if received.document.document_id in desk.ledger.reported:
        return
    for code in ("03", "06"):
        request_id = str(uuid.uuid4())
        await caller.call(partial(Vendor.report, received=received, status_code=code, request_id=request_id))
    desk.ledger.reported.add(received.document.document_id)


async def _download(caller: Caller, received: ReceivedDocument, folder: Path) -> Digests:
    found = []
    for attachment in received.document.attachments:
        answer = await caller.call(partial(Vendor.download, name=attachment.name, target=folder / "file"))
        found.append((attachment.attachment_name, answer.value))
    return tuple(sorted(found))


def _words(error: grpc.aio.AioRpcError) -> str:
    return f"{error.code().name} {error.details()}"
