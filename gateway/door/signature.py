"""Checks who sent a request: the HMAC over the text of one header, then that this text is what the headers say.

Rules: axis.md 2. The client's side is written in adapters/vxp and shares nothing with this one but the facts.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from gateway.domain.vntime import from_vietnam
from gateway.door.answers import DoorCode, Refusal
from gateway.door.config import DoorVendor

_PREFIX = "xroadvnpt-"
_ALWAYS = ("systemid", "timestamp", "content-type")
_STAMP = re.compile(r"([0-9]{8}T[0-9]{6})\+[0-9]{4}", re.ASCII)
_NOBODY = hashlib.sha256(b"a system id that nobody has").hexdigest()
"""A secret for unknown system ids, so that they take the time and get the answer of a wrong secret."""
_WRONG = Refusal(code=DoorCode.BAD_SIGNATURE, sentence="Sai SystemId hoặc SecretKey (hash-header không đúng)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCall:
    """A request that came from the holder of a vendor system's secret."""

    vendor: DoorVendor
    parameters: Mapping[str, str]
    """Signed values by logical name in lower case; what is not signed is not here."""

    def get(self, name: str) -> str:
        """A parameter, empty where the call has none."""
        return self.parameters.get(name.lower(), "")


def check(
    raw_headers: Sequence[tuple[bytes, bytes]],
    vendors: Mapping[str, DoorVendor],
    *,
    now: datetime,
    skew: timedelta | None,
) -> SignedCall | Refusal:
    """Who calls and with which parameters; any order of names is good.

    Args:
        raw_headers: Names and values as received.
        vendors: Vendor systems by system id.
        now: The present instant.
        skew: Most that the timestamp may be off; None = it is not looked at.
    """
    headers = _Headers(raw_headers)
    system_id, names = headers.text("systemid"), headers.text("sign-header-key")
    signed, claimed = headers.single("sign-header"), headers.text("hash-header")
    if system_id is None or names is None or signed is None or claimed is None:
        return _refused("thiếu hoặc trùng header bắt buộc")
    vendor = vendors.get(system_id)
    if not _is_hmac(claimed, signed, _NOBODY if vendor is None else vendor.secret) or vendor is None:
        return _WRONG
    parameters = _members(signed, names)
    if parameters is None:
        return _refused("sign-header không khớp với sign-header-key")
    wrong = _mismatch(headers, parameters)
    if not wrong and skew is not None and not _is_near(parameters["timestamp"], now, skew):
        wrong = "timestamp quá cũ, quá mới hoặc không đúng dạng ddMMyyyyTHHmmss+SSSS"
    return _refused(wrong) if wrong else SignedCall(vendor=vendor, parameters=MappingProxyType(parameters))


def is_hash_of(claimed: str, digest: bytes) -> bool:
    """Whether `hash-file` names this SHA-256: padded, or with one digit for bytes below 0x10, in any case.

    The second form, Java's, cannot be decoded, so both are made and compared as text.
    """
    return claimed.strip().lower() in {digest.hex(), _unpadded(digest)}


def _is_hmac(claimed: str, signed: bytes, secret: str) -> bool:
    made = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    told = claimed.strip().lower().encode("utf-8", "replace")
    padded = hmac.compare_digest(made.hex().encode(), told)
    return hmac.compare_digest(_unpadded(made).encode(), told) or padded


def _unpadded(digest: bytes) -> str:
    return "".join(f"{byte:x}" for byte in digest)


def _members(signed: bytes, names: str) -> dict[str, str] | None:
    """The signed JSON by logical name; None unless it is strings, each name once, and those of the key list."""
    try:
        pairs = json.loads(signed, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        return None
    if not all(isinstance(value, str) for _, value in pairs):
        return None
    found = {name.lower(): value for name, value in pairs}
    listed = {_PREFIX + name.lower() for name in names.split(";")}
    if len(found) != len(pairs) or found.keys() != listed or len(listed) != len(names.split(";")):
        return None
    return {name.removeprefix(_PREFIX): value for name, value in found.items()}


def _mismatch(headers: "_Headers", parameters: Mapping[str, str]) -> str:
    """Where the headers say something else than what was signed; empty = nowhere."""
    for name in _ALWAYS:
        if name not in parameters:
            return f"{name} chưa được ký"
    for name, value in parameters.items():
        if headers.text(name) != value.strip(" \t"):
            return f"header {name} khác với sign-header"
    return ""


def _is_near(stamp: str, now: datetime, skew: timedelta) -> bool:
    """Vietnam time; what looks like a zone offset are milliseconds."""
    read = _STAMP.fullmatch(stamp)
    if read is None:
        return False
    try:
        local = datetime.strptime(read[1], "%d%m%YT%H%M%S")  # noqa: DTZ007 - the zone is put to it next
    except ValueError:
        return False
    return abs(from_vietnam(local) - now) <= skew


class _Headers:
    """Values of the signed headers by lower-case logical name; a name that comes twice has none."""

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, list[bytes]] = {}
        for name, value in raw:
            lower = name.decode("latin-1").lower()
            if lower.startswith(_PREFIX):
                self._values.setdefault(lower.removeprefix(_PREFIX), []).append(value.strip(b" \t"))

    def single(self, name: str) -> bytes | None:
        values = self._values.get(name, [])
        return values[0] if len(values) == 1 else None

    def text(self, name: str) -> str | None:
        value = self.single(name)
        try:
            return None if value is None else value.decode()
        except UnicodeDecodeError:
            return None


def _refused(why: str) -> Refusal:
    return Refusal(code=DoorCode.BAD_SIGNATURE, sentence=f"Sai chữ ký: {why}")
