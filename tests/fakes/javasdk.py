"""How the national Java SDK signs its calls (axis.md 2.1), for clients in tests; shares no code with the gateway."""

import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping

_MILLISECONDS = itertools.count()


def java_hash(digest: bytes) -> str:
    """SHA-256 as hash-file carries it: no zero in front of a byte below 0x10."""
    return "".join(f"{byte:x}" for byte in digest)


def sign(system_id: str, secret: str, parameters: Mapping[str, str], content_type: str) -> dict[str, str]:
    """All headers of a signed call."""
    timestamp = f"02032026T093000+{next(_MILLISECONDS) % 1000:04d}"
    logical = {"systemid": system_id, **parameters, "timestamp": timestamp, "Content-Type": content_type}
    members = {f"XroadVnpt-{name}": value for name, value in logical.items()}
    text = json.dumps(members, separators=(",", ":"), ensure_ascii=False)
    return {
        **members,
        "Content-Type": content_type,
        "User-Agent": "JAVASDKAgent/1.0.0 XRoad/VPCP",
        "XroadVnpt-version": "3.0.201608",
        "XroadVnpt-sign-header-key": ";".join(logical),
        "XroadVnpt-sign-header": text,
        "XroadVnpt-hash-header": hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest(),
    }
