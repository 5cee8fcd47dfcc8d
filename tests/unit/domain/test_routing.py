"""Routes: which accounts lead to whom."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.ids import AccountName, AgencyId, OrganId
from gateway.domain.routing import LOCAL, Route, RouteTable, ways
from tests.make import make_agency

A, B, C = (AccountName(name) for name in "abc")
CODES = [OrganId(f"H{n}") for n in range(6)]
accounts = st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def tables(draw):
    """Routes with roots of their own, and maybe one for the rest."""
    roots = draw(st.lists(st.sampled_from(CODES), unique=True))
    cut = draw(st.integers(0, len(roots)))
    named = [Route(roots=tuple(part), accounts=draw(accounts)) for part in (roots[:cut], roots[cut:]) if part]
    rest = [Route(roots=(), accounts=draw(accounts))] if draw(st.booleans()) else []
    return RouteTable(routes=tuple(draw(st.permutations(named + rest))))


lineages = st.lists(st.sampled_from(CODES), unique=True, min_size=1).map(lambda codes: [make_agency(c) for c in codes])


@given(tables(), lineages)
def test_the_nearest_unit_that_a_route_names_decides(table, lineage):
    """Going up from the recipient, the first unit that is a root says the way; else the route for the rest, if any."""
    by_root = {root: route.accounts for route in table.routes for root in route.roots}
    rest = [route.accounts for route in table.routes if not route.roots]
    expected = next((by_root[unit.code] for unit in lineage if unit.code in by_root), rest[0] if rest else ())
    assert table.way_to(lineage) == expected
    assert table.names_agencies == bool(by_root)


@given(tables(), st.lists(lineages, max_size=8), st.data())
def test_every_recipient_has_exactly_one_way(table, several, data):
    """Each place stands once, ascending, under the way of its agency; who is served here goes directly."""
    found = {AgencyId(f"id-{n}"): lineage for n, lineage in enumerate(several)}
    recipients = list(found)
    local = data.draw(st.frozensets(st.sampled_from(recipients)) if recipients else st.just(frozenset()))
    parted = ways(table, recipients, found, local=local)
    assert sorted(place for places in parted.values() for place in places) == list(range(len(recipients)))
    for way, places in parted.items():
        assert list(places) == sorted(places)
        assert {(LOCAL,) if recipients[p] in local else table.way_to(found[recipients[p]]) for p in places} == {way}
    assert [places[0] for places in parted.values()] == sorted(places[0] for places in parted.values())


def test_a_unit_is_known_by_its_former_codes():
    """A root written with an alias, in other case, still means the agency; what is nearer wins all the same."""
    table = RouteTable(routes=(Route(roots=(OrganId("22.01.h99"),), accounts=(A,)), Route(roots=(), accounts=(B,))))
    renamed = make_agency("G12.01", aliases=(OrganId("22.01.H99"),))
    assert table.way_to([make_agency("G12.01.02"), renamed]) == (A,)
    assert table.way_to([make_agency("H99")]) == (B,)


def test_an_unknown_recipient_takes_the_route_for_the_rest():
    """Without a lineage nothing is guessed from the code; without such a route there is no way."""
    rest = RouteTable(routes=(Route(roots=(OrganId("H99"),), accounts=(A,)), Route(roots=(), accounts=(B,))))
    assert ways(rest, [AgencyId("x")], {}, local=frozenset()) == {(B,): (0,)}
    assert ways(RouteTable(routes=rest.routes[:1]), [AgencyId("x")], {}, local=frozenset()) == {(): (0,)}
