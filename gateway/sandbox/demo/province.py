"""One province of the demo: its gateway's configuration, process and addresses."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from gateway.sandbox.demo.processes import Child, free_port, until

_AT_ONCE = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 50))

_CONFIG = """\
[server]
listen = "127.0.0.1:{grpc_port}"
tls_certificate = "{pki}/gateways/{gateway}.pem"
tls_key = "{pki}/gateways/{gateway}.key.pem"
client_ca = "{pki}/vendors-ca.pem"
drain_seconds = 5

[health]
listen = "127.0.0.1:{health_port}"

[metrics]
listen = "127.0.0.1:{metrics_port}"

[store]
path = "{home}/gateway.db"

[blobs]
path = "{home}/blobs"

[signatures]
trust_dir = "{pki}/trust"

[axis.national]
endpoint = "{axis_url}"
system_id = "{system_id}"
secret_file = "{home}/axis-secret"
agencies = ["{root}"]
sent_list = "by_sender"
settling_seconds = {settling_seconds}
poll_seconds = {poll_seconds}
connect_seconds = 2
read_seconds = 20

[delivery]
concurrency = 4
first_retry_seconds = {first_retry_seconds}
retry_ceiling_seconds = 5

[[vendors]]
id = "{vendor}"
uri_sans = ["{vendor_uri}"]
serves = ["{root}"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvinceSpec:
    """What makes one province."""

    gateway: str
    """Name of the gateway's server certificate, e.g. gateway-a."""
    vendor: str
    """Name of its vendor system's certificate, e.g. vendor-a."""
    vendor_uri: str
    root: str
    """Level-1 code that the vendor system serves, e.g. H99."""
    system_id: str
    secret: str = field(repr=False)
    first_retry_seconds: float = 0.5
    settling_seconds: float = 1.0
    poll_seconds: float = 0.5
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Settings that win over the configuration written, e.g. LGSP_STORE__URL; they may hold secrets."""
    role: str = "all"
    """What the process does."""


class Province:
    """A gateway that can be started, killed and started again on the same data."""

    def __init__(self, spec: ProvinceSpec, *, home: Path, pki: Path, axis_url: str) -> None:
        """Write the configuration below `home`; ports are chosen once and kept across restarts."""
        self.spec = spec
        self.home = home
        self.pki = pki
        self.grpc_port, self.health_port, self.metrics_port = free_port(), free_port(), free_port()
        home.mkdir(parents=True, exist_ok=True)
        secret_file = home / "axis-secret"
        secret_file.touch(mode=0o600)
        secret_file.write_text(spec.secret, encoding="utf-8")
        self.config = home / "gateway.toml"
        self.config.write_text(
            _CONFIG.format(
                grpc_port=self.grpc_port,
                health_port=self.health_port,
                metrics_port=self.metrics_port,
                pki=pki,
                home=home,
                axis_url=axis_url,
                gateway=spec.gateway,
                vendor=spec.vendor,
                vendor_uri=spec.vendor_uri,
                root=spec.root,
                system_id=spec.system_id,
                first_retry_seconds=spec.first_retry_seconds,
                settling_seconds=spec.settling_seconds,
                poll_seconds=spec.poll_seconds,
            ),
            encoding="utf-8",
        )
        self._child: Child | None = None

    @property
    def address(self) -> str:
        """`host:port` for vendor systems."""
        return f"localhost:{self.grpc_port}"

    @property
    def servers_ca(self) -> Path:
        """PEM of the authority behind the gateway's certificate."""
        return self.pki / "servers-ca.pem"

    @property
    def vendor_files(self) -> tuple[Path, Path]:
        """PEM certificate and key of the province's vendor system."""
        own = self.pki / "vendors" / self.spec.vendor
        return own.with_suffix(".pem"), own.with_suffix(".key.pem")

    @property
    def child(self) -> Child:
        """The running process."""
        assert self._child is not None, "not started"
        return self._child

    @property
    def running(self) -> bool:
        """Whether its process was started and has not ended."""
        return self._child is not None and self._child.running

    async def start(self, *, within: float = 60) -> None:
        """Start the gateway and wait until its health service says SERVING."""
        self._child = await Child.start(
            self.spec.gateway,
            ["serve", "--config", str(self.config), "--role", self.spec.role],
            log=self.home / "gateway.log",
            environment=self.spec.environment,
        )
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.health_port}", options=_AT_ONCE) as channel:
            await until(
                partial(self._is_ready, channel), within=within, what=f"{self.spec.gateway} ready", child=self._child
            )

    async def stop(self) -> None:
        """Stop the gateway gracefully, if it runs."""
        if self.running:
            await self.child.stop()

    async def kill(self) -> None:
        """SIGKILL the gateway and its workers."""
        await self.child.kill()

    async def _is_ready(self, channel: grpc.aio.Channel) -> bool:
        with socket.socket() as probe:  # costs next to nothing, and nobody listens for most of a start
            if probe.connect_ex(("127.0.0.1", self.health_port)):
                return False
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
