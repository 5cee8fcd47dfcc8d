"""The wiring: settings in, a running gateway out. The only place that knows all parts."""

from gateway.bootstrap.checks import peer_problems, problems
from gateway.bootstrap.roles import Role
from gateway.bootstrap.running import Gateway, serve

__all__ = ["Gateway", "Role", "peer_problems", "problems", "serve"]
