"""AgencyService over real TLS and the real store."""

import grpc
import pytest

from gateway.pb.lgsp.gateway.v1 import agency_service_pb2 as pb
from tests.fakes.rpc_world import OLD_CODE, UNCLAIMED, UNIT, B, refusal, running
from tests.make import RECIPIENT, SENDER


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path) as world:
        yield world


@pytest.mark.parametrize(("code", "by_alias"), [(SENDER, False), (f" {SENDER.lower()}", False), (OLD_CODE, True)])
async def test_any_known_form_resolves(world, code, by_alias):
    """Current and old codes lead to the current agency; only another code than its own counts as an alias."""
    answer = await world.agencies(B).ResolveAgency(pb.ResolveAgencyRequest(code=code))
    assert (answer.agency.code, answer.by_alias) == (SENDER, by_alias)
    assert list(answer.agency.alias_codes) == [OLD_CODE]


async def test_names_lead_back_to_agencies_and_parents(world):
    """A unit names its parent, whose resource name can be looked up."""
    stub = world.agencies()
    unit = (await stub.ResolveAgency(pb.ResolveAgencyRequest(code=UNIT))).agency
    assert unit.parent_code == SENDER
    parent = await stub.GetAgency(pb.GetAgencyRequest(name=unit.parent))
    assert (parent.code, parent.parent, parent.parent_code) == (SENDER, "", "")


async def test_served_here_says_whether_somebody_receives(world):
    """Agencies below a served root are served; those that no vendor system claims are not."""
    stub = world.agencies()
    listed = (await stub.ListAgencies(pb.ListAgenciesRequest())).agencies
    assert {agency.code: agency.served_here for agency in listed} == {
        SENDER: True,
        UNIT: True,
        RECIPIENT: True,
        UNCLAIMED: False,
    }


async def test_pages_cover_every_agency_once_in_order(world):
    """Following next_page_token gives all codes in order; the token is bound to its filters."""
    stub, seen, token = world.agencies(), [], ""
    while token or not seen:
        page = await stub.ListAgencies(pb.ListAgenciesRequest(page_size=1, page_token=token))
        seen += [agency.code for agency in page.agencies]
        if page.next_page_token:
            told = await refusal(stub.ListAgencies(pb.ListAgenciesRequest(page_token=page.next_page_token, query="x")))
            assert told.reason == "INVALID_PAGE_TOKEN"
        token = page.next_page_token
    assert seen == sorted([SENDER, UNIT, RECIPIENT, UNCLAIMED])


async def test_lists_can_be_narrowed(world):
    """By parent, any known form, and by text without case and marks."""
    stub = world.agencies()
    below = await stub.ListAgencies(pb.ListAgenciesRequest(parent=OLD_CODE))
    assert [agency.code for agency in below.agencies] == [UNIT]
    found = await stub.ListAgencies(pb.ListAgenciesRequest(query="so THU nghiem 000.00.77"))
    assert [agency.code for agency in found.agencies] == [UNCLAIMED]


@pytest.mark.parametrize(
    ("method", "request_", "reason", "status"),
    [
        ("ResolveAgency", pb.ResolveAgencyRequest(code="H00"), "AGENCY_UNKNOWN", grpc.StatusCode.NOT_FOUND),
        ("ResolveAgency", pb.ResolveAgencyRequest(), "INVALID_FIELD", grpc.StatusCode.INVALID_ARGUMENT),
        ("GetAgency", pb.GetAgencyRequest(name="agencies/none"), "AGENCY_UNKNOWN", grpc.StatusCode.NOT_FOUND),
        ("GetAgency", pb.GetAgencyRequest(name="H98"), "INVALID_FIELD", grpc.StatusCode.INVALID_ARGUMENT),
        ("ListAgencies", pb.ListAgenciesRequest(parent="H00"), "AGENCY_UNKNOWN", grpc.StatusCode.NOT_FOUND),
        ("ListAgencies", pb.ListAgenciesRequest(page_size=-1), "INVALID_FIELD", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_bad_questions_get_their_reason(world, method, request_, reason, status):
    """Unknown agencies and malformed requests are told apart."""
    told = await refusal(getattr(world.agencies(), method)(request_))
    assert (told.code, told.reason) == (status, reason)
