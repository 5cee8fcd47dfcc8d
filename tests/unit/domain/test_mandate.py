from gateway.domain.ids import OrganId, VendorId
from gateway.domain.mandate import Mandate, VendorSystem, mandates_over
from tests.make import make_agency

PROVINCE, OFFICE, DESK = (
    make_agency("H98"),
    make_agency("H98.02", aliases=(OrganId("000.00.02.H98"),)),
    make_agency("X7"),
)
LINEAGES = {PROVINCE.id: (PROVINCE,), OFFICE.id: (OFFICE, PROVINCE), DESK.id: (DESK, OFFICE, PROVINCE)}


def make_vendor(name, *, serves=(), acts_for=()):
    return VendorSystem(
        id=VendorId(name), uri_sans=frozenset(), certificate_sha256=frozenset(), serves=serves, acts_for=acts_for
    )


def test_a_root_covers_its_subtree_by_parent_links():
    """Everything below a served root is served, whatever its code looks like."""
    found = mandates_over(LINEAGES, [make_vendor("a", serves=("H98",))])
    assert found == tuple(Mandate(vendor=VendorId("a"), agency=agency, serves=True) for agency in LINEAGES)


def test_the_closest_root_serves_and_the_others_may_act():
    """Of two vendors the one with the nearer root, named by an older code here, receives; at most one ever does."""
    vendors = [make_vendor("a", serves=("H98",)), make_vendor("b", serves=("000.00.02.H98",))]
    found = {(m.vendor, m.agency): m.serves for m in mandates_over(LINEAGES, vendors)}
    assert found == {
        ("a", PROVINCE.id): True,
        ("a", OFFICE.id): False,
        ("b", OFFICE.id): True,
        ("a", DESK.id): False,
        ("b", DESK.id): True,
    }


def test_roots_are_compared_as_codes_are_everywhere():
    """Case and outer space of a root in the settings do not matter."""
    found = mandates_over(LINEAGES, [make_vendor("a", serves=(" h98",), acts_for=("x7",))])
    assert {m.agency for m in found if m.serves} == set(LINEAGES)


def test_acting_is_not_receiving():
    """A vendor that only acts for a root serves nobody."""
    found = mandates_over(LINEAGES, [make_vendor("c", acts_for=("H98.02",))])
    assert {(m.agency, m.serves) for m in found} == {(OFFICE.id, False), (DESK.id, False)}
