"""A gateway's vendor side on a real socket: mutual TLS, real store, blobs and flows; only signatures are faked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
from google.rpc import error_details_pb2, status_pb2
from prometheus_client import CollectorRegistry

from gateway.blobs.content import LocalBlobs
from gateway.domain import rules, signing
from gateway.domain.dialect import NATIONAL
from gateway.domain.document import Document
from gateway.domain.ids import OrganId, VendorId
from gateway.domain.mandate import VendorSystem, mandates_over
from gateway.domain.routing import Route, RouteTable
from gateway.flows.admission import StorageAdmission
from gateway.flows.config import AccountPolicy, OnUnknown, ReceiptAt
from gateway.flows.routing import SubmissionAccount
from gateway.flows.statuses import InboxFlow
from gateway.flows.submission import SubmissionFlow
from gateway.flows.wakeups import LocalWakeups
from gateway.observability.metrics import Metrics
from gateway.pb.lgsp.gateway.v1 import (
    agency_service_pb2_grpc,
    document_pb2,
    document_service_pb2,
    document_service_pb2_grpc,
    inbox_service_pb2_grpc,
)
from gateway.rpc.config import RpcConfig, TlsFiles
from gateway.rpc.convert.outgoing import document_out
from gateway.rpc.server import RpcServer
from gateway.sandbox.pki import VENDOR_URI, Identity, Pki, make_pki
from gateway.store.store import Store, open_store
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
from tests.fakes.admission import Disk, make_admission
from tests.fakes.clock import SettableClock
from tests.fakes.migrated import new_store
from tests.fakes.signatures import FakeSignatures
from tests.make import (
    NOW,
    RECIPIENT,
    ROUTE,
    SENDER,
    make_acceptance,
    make_arrival,
    make_directory_row,
    make_document,
    make_received,
    make_verified,
)

UNIT = OrganId("000.01.15.H98")
"""A unit below SENDER."""

OLD_CODE = OrganId("000.99.15.H98")
"""An alias of SENDER."""

UNCLAIMED = OrganId("000.00.77.H97")
"""An agency that no vendor system serves."""

A, B, NOBODY = VendorId("vendor-a"), VendorId("vendor-b"), VendorId("vendor-x")

VENDORS = (
    VendorSystem(id=A, uri_sans=frozenset({VENDOR_URI + A}), certificate_sha256=frozenset(), serves=(SENDER,)),
    VendorSystem(id=B, uri_sans=frozenset({VENDOR_URI + B}), certificate_sha256=frozenset(), serves=(RECIPIENT,)),
)


ACCOUNT = AccountPolicy(
    name=ROUTE,
    local_roots=frozenset({SENDER}),
    hop=SENDER,
    packet_limit=10 * 1024 * 1024,
    recipients_per_message=100,
    settling_time=timedelta(minutes=1),
    dialect=NATIONAL,
    on_unknown=OnUnknown.HOLD,
)


@cache
def pki() -> Pki:
    """One throwaway PKI for all tests of a process; vendor-x has a good certificate and no place in the settings."""
    return make_pki(now=datetime.now(tz=UTC), gateways=("gateway",), vendors=(A, B, NOBODY))


@dataclass(kw_only=True)
class World:
    """A running gateway, seen from its vendors."""

    store: Store
    blobs: LocalBlobs
    clock: SettableClock
    wakeups: LocalWakeups
    metrics: Metrics
    disk: Disk
    admission: StorageAdmission
    signatures: FakeSignatures
    server: RpcServer
    port: int = 0
    _channels: list[grpc.aio.Channel] = field(default_factory=list)

    def channel(self, identity: Identity | None, *, servers_ca: bytes | None = None) -> grpc.aio.Channel:
        """A connection with this client certificate."""
        credentials = grpc.ssl_channel_credentials(
            root_certificates=servers_ca or pki().servers_ca.certificate_pem,
            private_key=identity.key_pem if identity else None,
            certificate_chain=identity.chain_pem if identity else None,
        )
        channel = grpc.aio.secure_channel(f"localhost:{self.port}", credentials)
        self._channels.append(channel)
        return channel

    def documents(self, vendor: VendorId = A) -> "document_service_pb2_grpc.DocumentServiceAsyncStub":
        return document_service_pb2_grpc.DocumentServiceStub(self.channel(pki().vendors[vendor]))

    def inbox(self, vendor: VendorId = B) -> "inbox_service_pb2_grpc.InboxServiceAsyncStub":
        return inbox_service_pb2_grpc.InboxServiceStub(self.channel(pki().vendors[vendor]))

    def agencies(self, vendor: VendorId = A) -> "agency_service_pb2_grpc.AgencyServiceAsyncStub":
        return agency_service_pb2_grpc.AgencyServiceStub(self.channel(pki().vendors[vendor]))

    async def close_channels(self) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def accept(self, document: Document | None = None, *, vendor: VendorId = A) -> str:
        """Put a sent document straight into the store, which makes one event per recipient; its resource name."""
        given = document or make_document()
        agency = (await self.store.directory.resolve([given.sender.organ_id]))[given.sender.organ_id]
        taken = await self.store.documents.accept(
            make_acceptance(given, agency=agency.id, vendor=vendor), at=self.clock.now()
        )
        self.wakeups.notify("events")
        return f"documents/{taken.sent.uid}"

    async def arrive(self, document: Document | None = None, content: bytes | None = None) -> None:
        """Put a received document straight into the store, with these bytes as its attachment."""
        given = document or make_document()
        objects = ()
        if content is not None:
            async with self.blobs.writer(limit=len(content)) as writer:
                await writer.write(content)
                objects = (await writer.finish(),)
        found = await self.store.directory.resolve([to.organ_id for to in given.to])
        received = make_received()
        await self.store.items.record(received, at=self.clock.now())
        arrival = make_arrival(
            given,
            account=received.account,
            item=received.item,
            recipients=tuple(found.values()),
            verified=make_verified(given, **({"objects": objects} if objects else {})),
        )
        await self.store.items.store(arrival, receipts=(), at=self.clock.now())
        self.wakeups.notify("inbox")


@asynccontextmanager
async def running(
    folder: Path, *, config: dict[str, Any] | None = None, parts: dict[str, Any] | None = None, quota: int = 0
) -> AsyncIterator[World]:
    """A gateway over real TLS; `config` changes RpcConfig, `parts` replaces what the server is wired with."""
    clock, wakeups, metrics = SettableClock(), LocalWakeups(), Metrics(CollectorRegistry())
    blobs, signatures = LocalBlobs(folder / "blobs", clock=clock), FakeSignatures()
    settings: dict[str, Any] = {"listen": "127.0.0.1:0", "tls": write_tls(folder)}
    async with AsyncExitStack() as cleanup:
        store = await open_store(new_store(folder / "gateway.db", filled=fill_directory))
        cleanup.push_async_callback(store.close)
        disk = Disk()
        admission = make_admission(disk, blob_index=store.blobs, metrics=metrics, quota=quota)
        wiring: dict[str, Any] = {
            "submissions": SubmissionFlow(
                documents=store.documents,
                directory=store.directory,
                blob_index=store.blobs,
                blobs=blobs,
                admission=admission,
                signatures=signatures,
                table=RouteTable(routes=(Route(roots=(), accounts=(ROUTE,)),)),
                accounts={
                    ROUTE: SubmissionAccount(
                        policy=ACCOUNT, translator=EdxmlTranslator(blobs=blobs, limits=Limits(), dialect=NATIONAL)
                    )
                },
                local=False,
                signature_policy=signing.SignaturePolicy(),
                limits=rules.Limits(),
                is_working_day=lambda _: True,
                clock=clock,
                metrics=metrics,
                wakeups=wakeups,
            ),
            "inbox": InboxFlow(
                receptions=store.receptions,
                directory=store.directory,
                receipt=ReceiptAt.VENDOR_ACK,
                dialects={ROUTE: NATIONAL},
                clock=clock,
                wakeups=wakeups,
            ),
            "documents": store.documents,
            "receptions": store.receptions,
            "directory": store.directory,
            "events": store.events,
            "blobs": blobs,
            "blob_index": store.blobs,
            "admission": admission,
            "wakeups": wakeups,
            "vendors": VENDORS,
            "clock": clock,
            "metrics": metrics,
        }
        server = RpcServer(config=RpcConfig(**(settings | (config or {}))), **(wiring | (parts or {})))
        cleanup.push_async_callback(server.stop, timedelta(0))
        world = World(
            store=store,
            blobs=blobs,
            clock=clock,
            wakeups=wakeups,
            metrics=metrics,
            disk=disk,
            admission=admission,
            signatures=signatures,
            server=server,
            port=await server.start(),
        )
        cleanup.push_async_callback(world.close_channels)
        yield world


async def fill_directory(store: Store) -> None:
    """Four agencies, and the mandates that follow from VENDORS."""
    rows = (
        make_directory_row(SENDER, aliases=(OLD_CODE,)),
        make_directory_row(UNIT, parent_axis_id=f"axis-{SENDER}"),
        make_directory_row(RECIPIENT),
        make_directory_row(UNCLAIMED),
    )
    await store.directory.apply(rows, at=NOW)
    await store.directory.set_mandates(mandates_over(await store.directory.lineages(), VENDORS))


def write_tls(folder: Path) -> TlsFiles:
    """The server's PEM files."""
    files = TlsFiles(certificate=folder / "tls.pem", key=folder / "tls.key", client_ca=folder / "vendors-ca.pem")
    files.certificate.write_bytes(pki().gateways["gateway"].chain_pem)
    files.key.write_bytes(pki().gateways["gateway"].key_pem)
    files.client_ca.write_bytes(pki().vendors_ca.certificate_pem)
    return files


def make_request(content: bytes = b"%PDF-1.7 inline", **overrides: Any) -> document_service_pb2.SubmitDocumentRequest:
    """A submission from SENDER to RECIPIENT with one small PDF inside."""
    document = document_out(make_document(document_id=""), name="")
    document.ClearField("attachments")
    document.attachments.append(document_pb2.Attachment(attachment_name="Văn bản.pdf", content=content))
    values: dict[str, Any] = {"agency": SENDER, "request_id": str(uuid4()), "document": document}
    return document_service_pb2.SubmitDocumentRequest(**(values | overrides))


def upload_of(
    content: bytes, *, chunk: int = 64 * 1024, **metadata: Any
) -> Iterable[document_service_pb2.UploadAttachmentRequest]:
    """The messages of an upload; `metadata` overrides what is declared."""
    declared: dict[str, Any] = {
        "agency": SENDER,
        "attachment_name": "Văn bản.pdf",
        "media_type": "application/pdf",
        "size_bytes": len(content),
        "sha256": sha256(content).hexdigest(),
    }
    request = document_service_pb2.UploadAttachmentRequest
    yield request(metadata=document_service_pb2.UploadMetadata(**(declared | metadata)))
    for start in range(0, len(content), chunk):
        yield request(chunk=content[start : start + chunk])


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What a failed call says, unpacked."""

    code: grpc.StatusCode
    message: str
    reason: str
    facts: dict[str, str]
    vietnamese: str
    violations: dict[str, tuple[str, str]]
    """Path -> English and Vietnamese."""
    retry_seconds: float | None
    request_id: str


async def refusal(call: Callable[[], Awaitable[Any]] | Awaitable[Any]) -> Refusal:
    """The error of a call that must fail with details of ours."""
    try:
        answer = await (call() if callable(call) else call)
    except grpc.aio.AioRpcError as error:
        return read_refusal(error)
    raise AssertionError(f"the call was answered: {answer}")


def read_refusal(error: grpc.aio.AioRpcError) -> Refusal:
    """The details of an error; fails when they are missing."""
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    details: dict[type[Any], Any] = {}
    for kind in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.LocalizedMessage,
        error_details_pb2.BadRequest,
        error_details_pb2.RetryInfo,
        error_details_pb2.RequestInfo,
    ):
        details[kind] = kind()
        present = [each for each in status.details if each.Unpack(details[kind])]
        assert len(present) <= 1
        if not present:
            details[kind] = None
    info, localized = details[error_details_pb2.ErrorInfo], details[error_details_pb2.LocalizedMessage]
    assert info.domain == "lgsp-gateway"
    assert localized.locale == "vi-VN"
    bad, retry = details[error_details_pb2.BadRequest], details[error_details_pb2.RetryInfo]
    request_id = details[error_details_pb2.RequestInfo].request_id
    assert trailers["x-request-id"] == request_id
    return Refusal(
        code=error.code(),
        message=status.message,
        reason=info.reason,
        facts=dict(info.metadata),
        vietnamese=localized.message,
        violations={v.field: (v.description, v.localized_message.message) for v in bad.field_violations} if bad else {},
        retry_seconds=None if retry is None else retry.retry_delay.ToTimedelta().total_seconds(),
        request_id=request_id,
    )


async def first_of(stream: AsyncIterator[Any], count: int, *, within: float = 10) -> list[Any]:
    """The next messages of a stream."""
    found: list[Any] = []
    async with asyncio.timeout(within):
        while len(found) < count:
            found.append(await anext(stream))
    return found
