"""The gRPC listener for vendor systems: mutual TLS, limits, reflection, drain."""

from collections.abc import Sequence
from datetime import timedelta

import grpc
import structlog
from grpc_reflection.v1alpha import reflection

from gateway.domain.mandate import VendorSystem
from gateway.observability.metrics import Metrics
from gateway.pb.lgsp.gateway.v1 import (
    agency_service_pb2,
    agency_service_pb2_grpc,
    document_service_pb2,
    document_service_pb2_grpc,
    inbox_service_pb2,
    inbox_service_pb2_grpc,
)
from gateway.ports import (
    Admission,
    BlobIndex,
    Blobs,
    Clock,
    Directory,
    Documents,
    EventLog,
    Inbox,
    Receptions,
    Submissions,
    Wakeups,
)
from gateway.rpc.agencies import AgencyService
from gateway.rpc.attachments import Downloads, Uploads
from gateway.rpc.config import RECEIVE_LIMIT, InsecureListenerError, RpcConfig, TlsFiles, is_loopback
from gateway.rpc.documents import DocumentService
from gateway.rpc.events import EventStreams
from gateway.rpc.identity import Callers
from gateway.rpc.inbox import InboxService
from gateway.rpc.interceptors import Guard
from gateway.rpc.listening import bound
from gateway.rpc.pauses import Pauses

SERVICES = (
    document_service_pb2.DESCRIPTOR.services_by_name["DocumentService"].full_name,
    inbox_service_pb2.DESCRIPTOR.services_by_name["InboxService"].full_name,
    agency_service_pb2.DESCRIPTOR.services_by_name["AgencyService"].full_name,
    reflection.SERVICE_NAME,
)

OPTIONS = (
    ("grpc.max_receive_message_length", RECEIVE_LIMIT),
    ("grpc.max_send_message_length", -1),  # one document is sent whatever its size; pages are cut
    ("grpc.max_concurrent_streams", 200),
    # A receive window that grows by itself reached tens of megabytes of an upload while the disk was slow.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1024 * 1024),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),  # a second gateway on this port must fail, not take half of the calls
)

_log = structlog.get_logger()


class RpcServer:
    """Serves the contract to vendor systems."""

    def __init__(
        self,
        *,
        config: RpcConfig,
        submissions: Submissions,
        inbox: Inbox,
        documents: Documents,
        receptions: Receptions,
        directory: Directory,
        events: EventLog,
        blobs: Blobs,
        blob_index: BlobIndex,
        admission: Admission,
        wakeups: Wakeups,
        vendors: Sequence[VendorSystem],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._config = config
        self._pauses = Pauses(wakeups, poll_interval=config.poll_interval)
        callers = Callers(vendors, directory, loopback_vendor=None if config.tls else config.loopback_vendor)
        self._guard = Guard(callers, metrics)
        self._documents = DocumentService(
            callers=callers,
            directory=directory,
            submissions=submissions,
            documents=documents,
            blobs=blobs,
            admission=admission,
            uploads=Uploads(
                config=config,
                callers=callers,
                blobs=blobs,
                blob_index=blob_index,
                admission=admission,
                clock=clock,
            ),
            streams=EventStreams(callers=callers, events=events, pauses=self._pauses),
        )
        self._inbox = InboxService(
            callers=callers,
            directory=directory,
            receptions=receptions,
            inbox=inbox,
            downloads=Downloads(
                callers=callers, directory=directory, documents=documents, receptions=receptions, blobs=blobs
            ),
            pauses=self._pauses,
            wakeups=wakeups,
            clock=clock,
        )
        self._agencies = AgencyService(callers=callers, directory=directory)
        self._server: grpc.aio.Server | None = None

    async def start(self) -> int:
        """Listen. The port bound.

        Raises InsecureListenerError for plaintext beyond loopback, OSError for unreadable files, also when the address
        cannot be had.
        """
        server = grpc.aio.server(
            interceptors=(self._guard,),
            options=OPTIONS,
            maximum_concurrent_rpcs=self._config.concurrent_calls,
        )
        document_service_pb2_grpc.add_DocumentServiceServicer_to_server(self._documents, server)
        inbox_service_pb2_grpc.add_InboxServiceServicer_to_server(self._inbox, server)
        agency_service_pb2_grpc.add_AgencyServiceServicer_to_server(self._agencies, server)
        reflection.enable_server_reflection(SERVICES, server)
        listen = self._config.listen
        if self._config.tls is not None:
            credentials = _credentials(self._config.tls)
            port = bound(listen, lambda: server.add_secure_port(listen, credentials))
        elif self._config.loopback_vendor is not None and is_loopback(listen):
            port = bound(listen, lambda: server.add_insecure_port(listen))
        else:
            raise InsecureListenerError("plaintext needs a loopback address and the vendor system that callers are")
        await server.start()
        self._server = server
        _log.info("rpc.listening", port=port, tls=self._config.tls is not None)
        return port

    async def stop(self, grace: timedelta) -> None:
        """Take no new calls, end the streams with SHUTTING_DOWN, give running calls `grace` to finish."""
        if self._server is not None:
            self._pauses.drain()
            await self._server.stop(grace.total_seconds())


def _credentials(files: TlsFiles) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(files.key.read_bytes(), files.certificate.read_bytes())],
        root_certificates=files.client_ca.read_bytes(),
        require_client_auth=True,
    )
