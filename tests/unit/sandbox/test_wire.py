"""The axis's own signature check, apart from HTTP."""

import hashlib
import hmac
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.wire import SignedCall, TrailingCrlf, check_signature, hash_matches
from tests.fakes.javasdk import java_hash, sign

SECRETS = {"S1": "dummy-secret"}


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def check(headers: list[tuple[bytes, bytes]]) -> SignedCall | Refusal:
    return check_signature(headers, SECRETS.get)


def resign(headers: dict[str, str], text: str) -> list[tuple[bytes, bytes]]:
    """The headers with another sign-header text and the right HMAC for it."""
    digest = hmac.new(b"dummy-secret", text.encode(), hashlib.sha256).hexdigest()
    return raw({**headers, "XroadVnpt-sign-header": text, "XroadVnpt-hash-header": digest})


def make_headers(**parameters: str) -> dict[str, str]:
    return sign("S1", "dummy-secret", parameters, "application/json")


def test_good_call_gives_its_parameters_by_any_case() -> None:
    """A good call is known by its system and its parameters, whatever the case of the name asked for."""
    call = check(raw(make_headers(docId="64f0", to='["H98.01"]')))
    assert isinstance(call, SignedCall)
    assert (call.system_id, call.get("DOCID"), call.get("to"), call.get("from")) == ("S1", "64f0", '["H98.01"]', "")


def test_order_of_members_is_free_but_must_equal_the_key_list() -> None:
    """Members may come in any order as long as the key list has the same one (Java's HashMap order)."""
    headers = make_headers(docId="1")
    members = json.loads(headers["XroadVnpt-sign-header"])
    text = json.dumps(dict(reversed(members.items())), separators=(",", ":"))
    names = [name.removeprefix("XroadVnpt-") for name in json.loads(text)]
    assert isinstance(check(resign(headers, text)), Refusal)
    assert isinstance(check(resign({**headers, "XroadVnpt-sign-header-key": ";".join(names)}, text)), SignedCall)


@pytest.mark.parametrize(
    "change",
    [
        {"XroadVnpt-to": '["H98.01"]'},
        {"XroadVnpt-docId": "2"},
        {"Content-Type": "text/plain"},
        {"XroadVnpt-sign-header-key": "systemid;docId;timestamp;Content-Type;"},
        {"XroadVnpt-sign-header-key": "systemid;timestamp;Content-Type"},
        {"XroadVnpt-systemid": "S2"},
    ],
)
def test_headers_must_be_exactly_the_signed_ones(change: dict[str, str]) -> None:
    """An unsigned parameter, another value, another key list or an unknown system is a bad signature."""
    refusal = check(raw({**make_headers(docId="1"), **change}))
    assert isinstance(refusal, Refusal)
    assert refusal.code is AxisCode.BAD_SIGNATURE


@pytest.mark.parametrize("name", ["systemid", "docId", "sign-header", "sign-header-key", "hash-header"])
def test_missing_and_repeated_headers_are_refused(name: str) -> None:
    """Each header of a signed call comes exactly once."""
    headers = make_headers(docId="1")
    pairs = raw(headers)
    assert isinstance(check([pair for pair in pairs if pair[0] != f"XroadVnpt-{name}".encode()]), Refusal)
    assert isinstance(check([*pairs, (f"xroadvnpt-{name}".encode(), b"1")]), Refusal)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "null",
        "{",
        "[" * 100_000,
        '{"XroadVnpt-systemid":"S1","XroadVnpt-systemid":"S1"}',
        '{"XroadVnpt-systemid":1,"XroadVnpt-docId":"1","XroadVnpt-timestamp":"","XroadVnpt-Content-Type":""}',
        '{"XroadVnpt-systemid":{"a":"b"}}',
    ],
)
def test_hostile_sign_headers_are_refused(text: str) -> None:
    """Whatever text the holder of a secret signs, the check ends in a refusal, never in an exception."""
    assert isinstance(check(resign(make_headers(docId="1"), text)), Refusal)


@pytest.mark.parametrize("stamp", ["", "2026-11-21T20:50:43", "41112026T205043+0642", "21112026T205043+1000"])
def test_timestamp_must_have_its_form(stamp: str) -> None:
    """The timestamp is ddMMyyyyTHHmmss+ and milliseconds padded to four."""
    headers = make_headers()
    text = headers["XroadVnpt-sign-header"].replace(headers["XroadVnpt-timestamp"], stamp)
    assert isinstance(check(resign({**headers, "XroadVnpt-timestamp": stamp}, text)), Refusal)


def test_a_call_must_sign_the_three_constant_names() -> None:
    """A correctly signed call without Content-Type among its signed names is refused."""
    headers = make_headers()
    members = json.loads(headers["XroadVnpt-sign-header"])
    del members["XroadVnpt-Content-Type"], headers["XroadVnpt-Content-Type"]
    headers["XroadVnpt-sign-header-key"] = "systemid;timestamp"
    assert isinstance(check(resign(headers, json.dumps(members, separators=(",", ":")))), Refusal)


@given(st.binary(max_size=64))
def test_both_forms_of_the_hash_are_accepted(content: bytes) -> None:
    """Padded, short, upper and lower case all name the same digest; anything else does not."""
    digest = hashlib.sha256(content).digest()
    for text in (digest.hex(), java_hash(digest)):
        assert hash_matches(digest, text)
        assert hash_matches(digest, text.upper())
        assert not hash_matches(digest, text + "0")
    assert not hash_matches(digest, "")


@given(st.binary(max_size=40), st.booleans(), st.lists(st.integers(0, 42), max_size=6))
def test_exactly_one_crlf_is_taken_off(content: bytes, crlf: bool, cuts: list[int]) -> None:  # noqa: FBT001 - drawn by Hypothesis
    """However the body is cut into pieces, one trailing CR LF goes and everything else stays."""
    body = content + b"\r\n" if crlf else content
    bounds = [0, *sorted(cut for cut in cuts if cut <= len(body)), len(body)]
    end = TrailingCrlf()
    pieces = [end.feed(body[start:stop]) for start, stop in itertools.pairwise(bounds)]
    assert b"".join([*pieces, end.finish()]) == body.removesuffix(b"\r\n")
