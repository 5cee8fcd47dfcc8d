from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.access import Token
from gateway.adapters.envelopes import Envelope, Word
from gateway.adapters.http import Broken
from gateway.adapters.langson.login import read_login
from gateway.adapters.langson.wire import form_of, read_unit, read_verdict, window
from gateway.domain.agency import DirectoryRow
from gateway.domain.packet import PacketKind
from tests.contract.vxp_peer import in_pieces, make_sealed
from tests.fakes.jsonvalues import JSON_VALUES
from tests.make import NOW

LIFE = timedelta(minutes=30)
MEMBERS = st.dictionaries(
    st.sampled_from(["success", "message", "docId", "data", "errorCode", "token", "orgCode"]), JSON_VALUES
)


@pytest.mark.parametrize(
    ("members", "word", "code", "doc_id"),
    [
        ({"success": True, "message": "ok", "docId": "d1"}, Word.OK, "", "d1"),
        ({"success": "true", "data": {"docId": "d1"}}, Word.OK, "", "d1"),
        ({"success": False, "data": {"docId": "", "errorCode": "18", "errorDesc": "x"}}, Word.FAIL, "18", ""),
        ({"success": False, "data": {"errorCode": 18}}, Word.FAIL, "18", ""),
        ({"success": False, "message": "x", "data": None}, Word.FAIL, "", ""),
        ({"success": True, "data": {"errorCode": "20"}}, Word.OK, "20", ""),
        ({"data": {"docId": "d1", "edocCode": "1/A"}}, Word.SILENT, "", "d1"),
        ({"errorCode": "15"}, Word.SILENT, "15", ""),
    ],
)
def test_verdicts(members, word, code, doc_id):
    """The verdict is in `success`; code and id count wherever the axis writes them."""
    found = read_verdict(members)
    assert isinstance(found, Envelope)
    assert (found.word, found.code, found.doc_id) == (word, code, doc_id)


@pytest.mark.parametrize("members", [{}, {"data": {}}, {"success": None}, {"code": "0", "data": {"token": "t"}}])
def test_no_verdict(members):
    """What says neither yes nor no is none."""
    assert read_verdict(members) is None


@given(MEMBERS)
def test_readers_are_total(members):
    """No answer makes a reader stumble."""
    read_verdict(members)
    read_unit(members)


@given(st.binary(max_size=200) | MEMBERS.map(lambda members: repr(members).encode()))
def test_logins_are_total(body):
    """No answer to a login makes the reader stumble."""
    assert isinstance(read_login(body, now=NOW, life=LIFE), Token | Broken)


@pytest.mark.parametrize(
    ("said", "life"),
    [("", LIFE), (',"expiresIn":60', timedelta(minutes=1)), (',"expiresIn":"x"', LIFE), (',"expiresIn":0', LIFE)],
)
def test_a_login(said, life):
    """The token lives as the answer says, or as the settings do."""
    body = f'{{"code":"0","message":"ok","data":{{"token":"abc"{said}}}}}'.encode()
    assert read_login(body, now=NOW, life=LIFE) == Token(value="abc", expires_at=NOW + life)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"data":null}',
        b'{"data":{"token":""}}',
        b'{"data":{"token":7}}',
        b'{"data":{"token":"a\\nb"}}',
        b'{"data":{"token":"' + b"x" * 20000 + b'"}}',
    ],
)
def test_no_login(body):
    """Without a token that a header can carry there is none, and asking again at once cannot help."""
    got = read_login(body, now=NOW, life=LIFE)
    assert isinstance(got, Broken)
    assert got.refused
    assert not got.processed


def test_a_refused_login_says_why():
    """Code and words of the axis are passed on."""
    got = read_login(b'{"code":401,"message":"Sai mat khau","data":{}}', now=NOW, life=LIFE)
    assert isinstance(got, Broken)
    assert "401: Sai mat khau" in got.reason


def test_units():
    """A unit stands below the one whose code it names."""
    row = {"orgCode": "H99.01", "orgName": "Sở\nNội vụ", "parentCode": "H99", "email": "a@b", "phone": "1"}
    assert read_unit(row) == DirectoryRow(
        axis_id="H99.01", parent_axis_id="H99", code="H99.01", name="Sở Nội vụ", email="a@b", aliases=()
    )
    assert read_unit({"orgCode": None, "orgName": "x"}) is None


def test_days_of_a_list():
    """Days are Vietnam's, and the last is the one after today."""
    late = datetime(2026, 12, 31, 18, 0, tzinfo=UTC)
    assert window(PacketKind.STATUS, since=late - timedelta(days=30), now=late) == {
        "messageType": "status",
        "fromDate": "2026/12/02",
        "toDate": "2027/01/02",
    }


@given(st.binary(max_size=300), st.sampled_from(PacketKind))
async def test_a_form_is_as_long_as_foretold(packet, kind):
    """The multipart body ends where its length says, with its boundary nowhere inside the packet."""
    body, content_type = form_of(make_sealed(packet, kind=kind), in_pieces(packet, 7))
    body.looks_back = False
    written = b"".join([chunk async for chunk in body.stream()])
    assert len(written) == body.length + len(body.trailer)
    boundary = content_type.partition("boundary=")[2].encode()
    parts = written.split(b"--" + boundary)
    assert len(parts) == 4
    assert parts[1].endswith(f'name="messageType"\r\n\r\n{kind.value}\r\n'.encode())
    assert parts[2].partition(b"\r\n\r\n")[2] == packet + b"\r\n"
    assert parts[3] == b"--\r\n"
