"""Who signed a request: the rules of axis.md 2, as decisions."""

import hashlib
import hmac
import json
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.vxp import signing
from gateway.domain.ids import VendorId
from gateway.door.answers import DoorCode, Refusal
from gateway.door.config import DoorVendor
from gateway.door.signature import SignedCall, check, is_hash_of
from tests.fakes.javasdk import java_hash
from tests.make import NOW

VENDOR = DoorVendor(id=VendorId("vendor-a"), system_id="00.99.W00", secret="bí mật")
VENDORS = {VENDOR.system_id: VENDOR}
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip)


def judge(headers, *, skew=None, now=NOW):
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return check(raw, VENDORS, now=now, skew=skew)


def parameters(**more):
    return {
        "systemid": VENDOR.system_id,
        **more,
        "timestamp": signing.timestamp(NOW),
        "Content-Type": "application/json",
    }


@given(st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z\-]{0,15}", fullmatch=True), TEXT), st.randoms())
def test_what_was_signed_is_what_is_read(more, draw):
    """Any parameters in any order of names; values come back as they were signed."""
    reserved = {"systemid", "timestamp", "content-type", "sign-header", "sign-header-key", "hash-header", "version"}
    mine = {name: value for name, value in more.items() if name.lower() not in reserved}
    mine = {name.lower(): (name, value) for name, value in mine.items()}
    shuffled = list(parameters(**dict(mine.values())).items())
    draw.shuffle(shuffled)
    call = judge(signing.sign(dict(shuffled), VENDOR.secret))
    assert isinstance(call, SignedCall), call
    assert call.vendor is VENDOR
    for name, value in shuffled:
        assert call.get(name) == value.strip()


@given(st.data())
def test_no_changed_byte_passes(data):
    """One character of one signed header, of the JSON, of the key list or of the HMAC changed: refused with 15."""
    headers = signing.sign(parameters(docId="x-1", status="done"), VENDOR.secret)
    names = sorted(name for name in headers if name.startswith("XroadVnpt-") and not name.endswith("version"))
    name = data.draw(st.sampled_from(names))
    place = data.draw(st.integers(0, len(headers[name]) - 1))
    letter = data.draw(st.sampled_from('x7;"{ '))
    changed = headers[name][:place] + letter + headers[name][place + 1 :]
    if changed.strip().lower() == headers[name].lower():
        return
    told = judge({**headers, name: changed})
    assert isinstance(told, Refusal)
    assert told.code is DoorCode.BAD_SIGNATURE


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_no_header_makes_it_fail(signed, other):
    """Whatever bytes a caller sends who knows the secret: an answer, never an exception."""
    made = hmac.new(VENDOR.secret.encode(), signed, hashlib.sha256).hexdigest().encode()
    raw = [
        (b"xroadvnpt-systemid", VENDOR.system_id.encode()),
        (b"XROADVNPT-sign-header", signed),
        (b"XroadVnpt-sign-header-key", other),
        (b"XroadVnpt-hash-header", made),
        (other, other),
    ]
    assert isinstance(check(raw, VENDORS, now=NOW, skew=timedelta(1)), Refusal)


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "{}", "[]", "null", '{"XroadVnpt-systemid":1}', '{"XroadVnpt-systemid":{"a":"b"}}', '"x"', "[[]]"],
)
def test_json_that_is_no_object_of_strings_is_refused(text):
    """Signed as it may be."""
    headers = signing.sign(parameters(), VENDOR.secret)
    headers["XroadVnpt-sign-header"] = text
    headers["XroadVnpt-hash-header"] = hmac.new(VENDOR.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert isinstance(judge(headers), Refusal)


def test_java_may_write_the_hmac_without_padding():
    """The short form of the same digest is taken, in any case."""
    for _ in range(20):
        headers = signing.sign(parameters(docId=str(random.random())), VENDOR.secret)
        digest = bytes.fromhex(headers["XroadVnpt-hash-header"])
        headers["XroadVnpt-hash-header"] = java_hash(digest).upper()
        assert isinstance(judge(headers), SignedCall)


def test_leaked_headers_are_no_parameters():
    """The SDK shares its headers between calls: what is not signed is not seen, and does no harm."""
    headers = signing.sign(parameters(), VENDOR.secret)
    call = judge({**headers, "XroadVnpt-docId": "of the call before"})
    assert isinstance(call, SignedCall)
    assert call.get("docId") == ""


@pytest.mark.parametrize("minutes", [-6, -4, 4, 6])
def test_the_window_counts_both_ways(minutes):
    """A stamp of the past or the future within the limit passes; without a limit any does."""
    headers = signing.sign(parameters(), VENDOR.secret)
    now = NOW + timedelta(minutes=minutes)
    assert isinstance(judge(headers, now=now), SignedCall)
    assert isinstance(judge(headers, now=now, skew=timedelta(minutes=5)), SignedCall) is (abs(minutes) < 5)


@pytest.mark.parametrize("stamp", ["", "32132026T000000+0000", "02032026T093000", "x" * 20, "02030000T093000+0000"])
def test_a_stamp_that_is_none_passes_without_a_window_alone(stamp):
    """Clients of other kits write others."""
    signed = signing.sign({**parameters(), "timestamp": stamp}, VENDOR.secret)
    assert isinstance(judge(signed), SignedCall)
    assert isinstance(judge(signed, skew=timedelta(days=1)), Refusal)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_hash_file_has_two_forms(content, other):
    """Padded and short, any case; of no other content."""
    digest = hashlib.sha256(content).digest()
    for form in (digest.hex(), digest.hex().upper(), java_hash(digest), java_hash(digest).upper()):
        assert is_hash_of(form, digest)
        assert is_hash_of(form, hashlib.sha256(other).digest()) is (content == other)


def test_the_signed_json_is_not_written_anew():
    """The HMAC is over the header's text: the same members with spaces are another text, good if signed as such."""
    members = {f"XroadVnpt-{name}": value for name, value in parameters().items()}
    text = json.dumps(members)
    headers = signing.sign(parameters(), VENDOR.secret) | {"XroadVnpt-sign-header": text}
    assert isinstance(judge(headers), Refusal)
    headers["XroadVnpt-hash-header"] = hmac.new(VENDOR.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert isinstance(judge(headers), SignedCall)
