"""The worked examples of axis.md 2.2 to 2.4 are the yardstick."""

import hashlib
import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.answers import header_safe
from gateway.adapters.vxp.config import HashForm
from gateway.adapters.vxp.signing import ORDER, file_hash, ordered, sign, timestamp
from gateway.domain.ids import Digest

SECRET = "dummy-secret"
PACKET = b"<edXML>dummy 16</edXML>"
LIST_AGENCIES = {
    "systemid": "00.99.W00",
    "timestamp": "21112026T205043+0642",
    "Content-Type": "application/json",
}
SEND = {
    "Content-Type": "application/octet-stream",
    "timestamp": "21112026T205045+0007",
    "to": '["H98.01","H98.02"]',
    "from": "H99.01",
    "hash-file": "726230607d1ec1f4663c7c7ff638121b1a85940779c25eb7589d6dcffd0e",
    "messagetype": "edoc",
    "servicetype": "eDoc",
    "systemid": "00.99.W00",
}


def test_example_1():
    """The headers of getAgenciesList are those of worked example 1, byte for byte."""
    assert sign(ordered(LIST_AGENCIES), SECRET) == {
        "XroadVnpt-systemid": "00.99.W00",
        "XroadVnpt-timestamp": "21112026T205043+0642",
        "XroadVnpt-Content-Type": "application/json",
        "Content-Type": "application/json",
        "XroadVnpt-sign-header-key": "systemid;timestamp;Content-Type",
        "XroadVnpt-sign-header": '{"XroadVnpt-systemid":"00.99.W00","XroadVnpt-timestamp":"21112026T205043+0642",'
        '"XroadVnpt-Content-Type":"application/json"}',
        "XroadVnpt-hash-header": "93596747679878edbb6df7e040b11a672c4a8182e21d0368b044dafc694214a1",
        "User-Agent": "JAVASDKAgent/1.0.0 XRoad/VPCP",
        "XroadVnpt-version": "3.0.201608",
    }


def test_order_is_signed():
    """The same members in another order give the other hash of worked example 1."""
    turned = {name: LIST_AGENCIES[name] for name in ("timestamp", "systemid", "Content-Type")}
    assert sign(turned, SECRET)["XroadVnpt-hash-header"] == (
        "88fec90a4e7f67454ad2b68583c7636eb854d5a8dba02de167c88a4267753a95"
    )


def test_example_2():
    """The headers of sendEdoc are those of worked example 2, whatever order the parameters were put in."""
    headers = sign(ordered(SEND), SECRET)
    assert headers["XroadVnpt-sign-header-key"] == (
        "systemid;servicetype;messagetype;hash-file;from;to;timestamp;Content-Type"
    )
    assert headers["XroadVnpt-sign-header"] == (
        '{"XroadVnpt-systemid":"00.99.W00","XroadVnpt-servicetype":"eDoc","XroadVnpt-messagetype":"edoc",'
        f'"XroadVnpt-hash-file":"{SEND["hash-file"]}","XroadVnpt-from":"H99.01",'
        '"XroadVnpt-to":"[\\"H98.01\\",\\"H98.02\\"]","XroadVnpt-timestamp":"21112026T205045+0007",'
        '"XroadVnpt-Content-Type":"application/octet-stream"}'
    )
    assert headers["XroadVnpt-hash-header"] == "78ff2915ec4a85789072443fc80ce8b9f6f4c2b7198f1e023f43c44ca842ebe1"
    assert headers["XroadVnpt-to"] == '["H98.01","H98.02"]'


def test_example_2_without_to():
    """Without `to` the hash is the second one of worked example 2."""
    parameters = {name: value for name, value in SEND.items() if name != "to"}
    assert sign(ordered(parameters), SECRET)["XroadVnpt-hash-header"] == (
        "a9ea1478504caf8a87971f0ba0973544dbcfd9c144fa77fe4b898bdb8a2c332d"
    )


def test_file_hash_of_the_example():
    """hash-file drops the zero of each byte below 0x10, or keeps them all where the axis wants it so."""
    sha256 = Digest(hashlib.sha256(PACKET).hexdigest())
    assert file_hash(sha256, HashForm.SHORT) == SEND["hash-file"]
    assert file_hash(sha256, HashForm.PADDED) == "07026230607d1ec1f4663c7c7ff638121b1a085940779c25eb7589d6dcffd00e"


@given(st.binary(min_size=32, max_size=32))
def test_file_hash_length(digest):
    """The short form is 64 digits less one for each byte below 0x10."""
    assert len(file_hash(Digest(digest.hex()), HashForm.SHORT)) == 64 - sum(byte < 16 for byte in digest)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("timestamp", "Content-Type", "status", "docId", "systemid"), "systemid;docId;timestamp;Content-Type;status"),
        (("Content-Type", "level", "timestamp", "systemid"), "systemid;level;timestamp;Content-Type"),
        (("filePath", "docId", "systemid", "timestamp"), "systemid;docId;filePath;timestamp"),
    ],
)
def test_order_of_the_java_sdk(names, order):
    """Names are signed in the order in which the national SDK's hash map gives them."""
    assert ";".join(ordered(dict.fromkeys(names, ""))) == order


def test_timestamp_of_the_example():
    """The stamp is Vietnam time with milliseconds in place of a zone."""
    assert timestamp(datetime(2026, 11, 21, 13, 50, 43, 642_999, tzinfo=UTC)) == "21112026T205043+0642"


@given(st.datetimes(min_value=datetime(2, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the bound of a strategy
def test_timestamp_form(instant):
    """Every instant gives the documented form."""
    assert re.fullmatch(r"\d{8}T\d{6}\+0\d{3}", timestamp(instant))


@given(st.dictionaries(st.sampled_from(ORDER), st.text()).map(lambda values: {**values, "Content-Type": "x"}))
def test_signed_text_is_what_the_headers_say(parameters):
    """The signed JSON has exactly the prefixed headers, in the order of the key list."""
    headers = sign(ordered(parameters), SECRET)
    signed = json.loads(headers["XroadVnpt-sign-header"])
    keys = headers["XroadVnpt-sign-header-key"].split(";")
    assert list(signed) == [f"XroadVnpt-{name}" for name in keys]
    assert all(headers[name] == value for name, value in signed.items())


@pytest.mark.parametrize("value", ["H99\r\nX: y", "Hà Nội", " H99", "H99\t"])
def test_unsafe_header_values(value):
    """Values that would break or change a header are recognised."""
    assert not header_safe(value)
