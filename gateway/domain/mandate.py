"""Which vendor system may speak for which agency: settings name roots, the directory's parent links give the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.agency import Agency, code_key
from gateway.domain.ids import AgencyId, OrganId, VendorId


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorSystem:
    """A vendor's document system (QLVB) as the settings know it."""

    id: VendorId
    uri_sans: frozenset[str]
    """URI subject alternative names that identify it."""
    certificate_sha256: frozenset[str]
    """SHA-256 of whole DER certificates, lower-case hexadecimal, that identify it."""
    serves: tuple[OrganId, ...]
    """Roots whose documents it receives; it may also act for them."""
    acts_for: tuple[OrganId, ...] = ()
    """Roots it may act for without receiving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """One vendor system's right over one agency."""

    vendor: VendorId
    agency: AgencyId
    serves: bool
    """True: its documents go to this vendor. At most one vendor serves an agency."""


def mandates_over(
    lineages: Mapping[AgencyId, Sequence[Agency]],
    vendors: Sequence[VendorSystem],
) -> tuple[Mandate, ...]:
    """All mandates over the given agencies.

    `lineages` maps an agency to itself and everything above it, nearest first. The closest root that a vendor serves
    wins; that two vendors serve the same root is a configuration error, refused when settings are read.
    """
    serving = {code_key(root): vendor.id for vendor in vendors for root in vendor.serves}
    acting: dict[str, set[VendorId]] = {}
    for vendor in vendors:
        for root in (*vendor.serves, *vendor.acts_for):
            acting.setdefault(code_key(root), set()).add(vendor.id)
    found: list[Mandate] = []
    for agency, lineage in lineages.items():
        codes = [code_key(code) for unit in lineage for code in (unit.code, *unit.aliases)]
        server = next((serving[code] for code in codes if code in serving), None)
        actors = set().union(*(acting.get(code, set()) for code in codes))
        found.extend(Mandate(vendor=v, agency=agency, serves=v == server) for v in sorted(actors))
    return tuple(found)
