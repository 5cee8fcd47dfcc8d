"""identify: exactly one vendor system, by URI SAN or certificate digest."""

import pytest

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import OrganId, VendorId
from gateway.domain.mandate import VendorSystem
from gateway.rpc.identity import identify

VENDORS = (
    VendorSystem(
        id=VendorId("a"), uri_sans=frozenset({"spiffe://x/a"}), certificate_sha256=frozenset(), serves=(OrganId("H98"),)
    ),
    VendorSystem(id=VendorId("b"), uri_sans=frozenset(), certificate_sha256=frozenset({"bb"}), serves=()),
)


@pytest.mark.parametrize(
    ("uris", "sha256", "vendor"),
    [({"spiffe://x/a"}, "", "a"), ({"https://else", "spiffe://x/a"}, "cc", "a"), (set(), "bb", "b")],
)
def test_one_match_names_the_vendor(uris, sha256, vendor):
    """A known URI SAN, or a known certificate digest, is enough."""
    assert identify(VENDORS, uri_sans=uris, sha256=sha256) == vendor


@pytest.mark.parametrize(
    ("uris", "sha256"),
    [(set(), "cc"), ({"spiffe://x/A"}, ""), ({"spiffe://x/a"}, "bb")],
    ids=["unknown", "other case", "two vendors at once"],
)
def test_no_match_and_two_matches_name_nobody(uris, sha256):
    """Unknown and ambiguous certificates are IDENTITY_UNKNOWN."""
    with pytest.raises(GatewayError) as caught:
        identify(VENDORS, uri_sans=uris, sha256=sha256)
    assert caught.value.code is ErrorCode.IDENTITY_UNKNOWN
