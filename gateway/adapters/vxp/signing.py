"""How a request proves who sent it: signed headers, their order, the HMAC, the file hash. Pure; axis.md section 2."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime

from gateway.adapters.vxp.config import HashForm
from gateway.domain.ids import Digest
from gateway.domain.vntime import VIETNAM

PREFIX = "XroadVnpt-"
UNSIGNED = {"User-Agent": "JAVASDKAgent/1.0.0 XRoad/VPCP", "XroadVnpt-version": "3.0.201608"}
"""Headers the national SDK adds without signing them."""

ORDER = (
    "systemid",
    "servicetype",
    "messagetype",
    "level",
    "docId",
    "hash-file",
    "filePath",
    "AgencyCode",
    "from",
    "to",
    "fromDate",
    "pageSize",
    "pageIndex",
    "timestamp",
    "Content-Type",
    "status",
)
"""Logical names in the order in which the national Java SDK signs them; those of dates and pages, which it does not
know, stand before `timestamp`. The server goes by `sign-header-key`: any order verifies, this one is met in the field.
"""


def timestamp(instant: datetime) -> str:
    """`ddMMyyyyTHHmmss+0mmm` in Vietnam time: what looks like a zone offset are milliseconds, padded to four digits."""
    local = instant.astimezone(VIETNAM)
    return f"{local:%d%m}{local.year:04d}T{local:%H%M%S}+{local.microsecond // 1000:04d}"


def file_hash(sha256: Digest, form: HashForm) -> str:
    """Value of `hash-file` for a packet's SHA-256, taken without the trailing CR LF (axis.md 2.3)."""
    return sha256 if form is HashForm.PADDED else "".join(f"{byte:x}" for byte in bytes.fromhex(sha256))


def ordered(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters in the order in which they are signed; each name must be one of ORDER."""
    return {name: parameters[name] for name in sorted(parameters, key=ORDER.index)}


def sign(parameters: Mapping[str, str], secret: str) -> dict[str, str]:
    """All headers of a request whose logical parameters are these, in their given order.

    Args:
        parameters: Logical name to value; printable ASCII; `systemid`, `timestamp` and `Content-Type` among them.
        secret: The account's secret; its UTF-8 bytes are the key.

    Returns:
        Header name to value: prefixed parameters, the plain Content-Type, sign-header, its key list, its HMAC-SHA256.
    """
    prefixed = {PREFIX + name: value for name, value in parameters.items()}
    signed = json.dumps(prefixed, ensure_ascii=False, separators=(",", ":"))
    return {
        **prefixed,
        "Content-Type": parameters["Content-Type"],
        PREFIX + "sign-header-key": ";".join(parameters),
        PREFIX + "sign-header": signed,
        PREFIX + "hash-header": hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest(),
        **UNSIGNED,
    }
