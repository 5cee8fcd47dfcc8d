"""How the axis checks a signed call: XroadVnpt headers, the HMAC over their text, and the hash of the body.

Written from axis.md section 2 and on purpose not shared with the gateway's adapter: an axis that shared the
client's code would share its mistakes. The timestamp's form is checked, its age is not (section 2.1).
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.sandbox.codes import AxisCode, Refusal

PREFIX = "XroadVnpt-"

_ALWAYS_SIGNED = ("systemid", "timestamp", "Content-Type")
_NEVER_SIGNED = frozenset({"sign-header-key", "sign-header", "hash-header", "version"})
_TIMESTAMP = re.compile(r"(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])\d{4}T([01]\d|2[0-3])[0-5]\d[0-5]\d\+0\d{3}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedCall:
    """A call whose headers proved to come from the holder of the system's secret."""

    system_id: str
    parameters: Mapping[str, str]
    # logical names in lower case -> the signed values

    def get(self, name: str) -> str:
        """A parameter's value, empty when the call does not carry it."""
        return self.parameters.get(name.lower(), "")


def check_signature(
    raw_headers: Sequence[tuple[bytes, bytes]], secret_of: Callable[[str], str | None]
) -> SignedCall | Refusal:
    """Check a call's headers as axis.md section 2.1 says; any order and case of the real headers will do.

    Args:
        raw_headers: Names and values as received, not decoded.
        secret_of: The secret of a system id, None for an unknown one.
    """
    headers = _Headers(raw_headers)
    system_id, key_list = headers.text("systemid"), headers.text("sign-header-key")
    signed_text, claimed = headers.single("sign-header"), headers.text("hash-header")
    if system_id is None or key_list is None or signed_text is None or claimed is None:
        return _refuse("thieu hoac trung header bat buoc")
    secret = secret_of(system_id)
    if secret is None:
        return _refuse("SystemId khong ton tai")
    expected = hmac.new(secret.encode(), signed_text, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), claimed.encode()):
        return _refuse("hash-header khong dung")
    parameters = _read_parameters(signed_text, key_list)
    if parameters is None:
        return _refuse("sign-header khong khop voi sign-header-key")
    if problem := _find_mismatch(headers, parameters):
        return _refuse(problem)
    return SignedCall(system_id=system_id, parameters={name.lower(): value for name, value in parameters.items()})


def hash_matches(digest: bytes, hash_file: str) -> bool:
    """Whether hash-file names this SHA-256: padded, or with each byte below 0x10 written as one digit.

    The short form cannot be decoded, so both forms are recomputed and compared as text, any case (section 2.3).
    """
    return hash_file.lower() in {digest.hex(), "".join(f"{byte:x}" for byte in digest)}


class TrailingCrlf:
    """Removes exactly one CR LF from the end of a body that arrives in pieces; bodies without it pass as is."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Give the bytes that cannot be the end any more; the last two are held back."""
        data = self._held + chunk
        self._held = data[-2:]
        return data[:-2]

    def finish(self) -> bytes:
        """Give what was held back, unless it is the CR LF."""
        held, self._held = self._held, b""
        return b"" if held == b"\r\n" else held


class _Headers:
    """Real headers by lower-case name; a name that occurs twice has no single value."""

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, list[bytes]] = {}
        for name, value in raw:
            self._values.setdefault(name.decode("latin-1").lower(), []).append(value)

    def single(self, logical: str) -> bytes | None:
        return self.plain(PREFIX + logical)

    def plain(self, name: str) -> bytes | None:
        values = self._values.get(name.lower(), [])
        return values[0] if len(values) == 1 else None

    def text(self, logical: str) -> str | None:
        value = self.single(logical)
        try:
            return None if value is None else value.decode()
        except UnicodeDecodeError:
            return None

    def logical_names(self) -> set[str]:
        prefix = PREFIX.lower()
        return {name.removeprefix(prefix) for name in self._values if name.startswith(prefix)}


def _read_parameters(text: bytes, key_list: str) -> dict[str, str] | None:
    """The sign-header's members by logical name, None unless they are strings and exactly those of the key list."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        return None
    names = key_list.split(";")
    if [PREFIX + name for name in names] != [name for name, _ in pairs]:
        return None
    if len({name.lower() for name in names}) != len(names) or not all(isinstance(value, str) for _, value in pairs):
        return None
    return {name: value for name, (_, value) in zip(names, pairs, strict=True)}


def _find_mismatch(headers: _Headers, parameters: Mapping[str, str]) -> str | None:
    for name in _ALWAYS_SIGNED:
        if name not in parameters:
            return f"{name} khong duoc ky"
    for name, value in parameters.items():
        if headers.text(name) != value:
            return f"header {name} khac voi sign-header"
    unsigned = headers.logical_names() - {name.lower() for name in parameters} - _NEVER_SIGNED
    if unsigned:
        return f"header {min(unsigned)} khong duoc ky"
    plain = headers.plain("Content-Type")
    if plain is None or not _same_content_type(plain, parameters["Content-Type"].encode()):
        return "Content-Type khac voi sign-header"
    if not _TIMESTAMP.fullmatch(parameters["timestamp"]):
        return "timestamp khong dung dinh dang ddMMyyyyTHHmmss+SSSS"
    return None


def _same_content_type(plain: bytes, signed: bytes) -> bool:
    """Equal, or a multipart body, whose boundary the signer could not know."""
    return plain == signed or plain.lower().startswith(b"multipart/form-data;")


def _refuse(sentence: str) -> Refusal:
    return Refusal(code=AxisCode.BAD_SIGNATURE, sentence=f"Sai chu ky: {sentence}")
