"""grpc.health.v1 alone on a plaintext listener, since kubelet probes cannot pass mutual TLS."""

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from gateway.rpc.listening import bound

ALIVE = "liveness"
"""Service name for liveness probes: SERVING as long as the process answers. The empty name means readiness."""


class HealthServer:
    """Answers probes; not ready until told so."""

    def __init__(self, *, listen: str) -> None:
        self._listen = listen
        self._servicer = health.aio.HealthServicer()
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),), maximum_concurrent_rpcs=100)

    async def start(self) -> int:
        """Listen. The port bound. Raises OSError when the address cannot be had."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, self._server)
        await self.set_ready(ready=False)
        await self._servicer.set(ALIVE, health_pb2.HealthCheckResponse.SERVING)
        port = bound(self._listen, lambda: self._server.add_insecure_port(self._listen))
        await self._server.start()
        return port

    async def set_ready(self, *, ready: bool) -> None:
        """Say whether vendor systems can be served: store reachable, keys usable, directory loaded, not draining."""
        serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
        await self._servicer.set("", serving if ready else not_serving)

    async def stop(self) -> None:
        """Stop answering; watchers are cut off."""
        await self._server.stop(None)
