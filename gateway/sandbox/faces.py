"""What every face of the axis is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.sandbox.core import Axis
from gateway.sandbox.faults import Faults
from gateway.sandbox.spool import Spool
from gateway.sandbox.tokens import Tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class AxisFace:
    """One dialect of the one axis."""

    axis: Axis
    spool: Spool
    faults: Faults
    now: Callable[[], datetime]
    rewrite_as: str | None
    # OrganId of the TraceHeader to append to accepted packets; None keeps the bytes as they came or were made


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenFace(AxisFace):
    """One that asks for a token with every call."""

    tokens: Tokens
