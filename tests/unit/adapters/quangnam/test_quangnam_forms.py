import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.quangnam.wire import json_of, read_unit, unit_of
from gateway.domain.agency import AgencyEntry, DirectoryRow
from gateway.domain.ids import OrganId
from gateway.domain.packet import PacketKind
from tests.contract.vxp_peer import in_pieces, make_sealed


@given(st.binary(max_size=300), st.sampled_from(PacketKind), st.integers(1, 50))
async def test_a_body_is_as_long_as_foretold(packet, kind, size):
    """The packet travels as base64 in one JSON object whose length is known before."""
    body = json_of(make_sealed(packet, kind=kind), in_pieces(packet, size))
    body.looks_back = False
    written = b"".join([chunk async for chunk in body.stream()])
    assert len(written) == body.length + len(body.trailer)
    assert json.loads(written) == {"messageType": kind.value, "edxml": base64.b64encode(packet).decode()}


def test_units():
    """A unit stands below the one whose id it names."""
    row = {"id": 7, "pid": "1", "code": "H99.01", "name": "Sở\nNội vụ"}
    assert read_unit(row) == DirectoryRow(
        axis_id="7", parent_axis_id="1", code="H99.01", name="Sở Nội vụ", email="", aliases=()
    )
    assert read_unit({"id": "8", "code": " "}) is None


def test_a_unit_to_register():
    """All members are there, empty where nothing is known."""
    entry = AgencyEntry(code=OrganId("H99.77"), parent_code=OrganId(""), name="Ban")
    assert json.loads(unit_of(entry)) == {
        "code": "H99.77",
        "pcode": "",
        "name": "Ban",
        "email": "",
        "mobile": "",
        "fax": "",
    }
