"""Which account carries a document to which recipient. Pure; nothing is guessed from the form of a code.

A recipient takes the route of the nearest unit at or above it that a route names, else the route for all the rest. A
recipient served by this gateway takes LOCAL where settings say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.agency import Agency, code_key
from gateway.domain.ids import AccountName, AgencyId, OrganId

LOCAL = AccountName("local")
"""The route of documents between agencies that this gateway serves; no axis account may have this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where documents for some subtrees go."""

    roots: tuple[OrganId, ...]
    """Codes; empty = all that no other route names."""
    accounts: tuple[AccountName, ...]
    """At least one: the first is used, the others in this order while it is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The recipients of one document that go the same way."""

    accounts: tuple[AccountName, ...]
    """The account that carries them, and those that would instead, in order."""
    places: tuple[int, ...]
    """Places in the document's recipients, ascending."""
    together: int
    """Recipients that share one packet, at least 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """All routes of a gateway."""

    routes: tuple[Route, ...]

    @property
    def names_agencies(self) -> bool:
        """True if a recipient's lineage matters."""
        return any(route.roots for route in self.routes)

    def way_to(self, lineage: Sequence[Agency]) -> tuple[AccountName, ...]:
        """The accounts for an agency, given with everything above it, nearest first; empty if no route leads there."""
        by_root = {code_key(root): route.accounts for route in self.routes for root in route.roots}
        for unit in lineage:
            for code in (unit.code, *unit.aliases):
                if code_key(code) in by_root:
                    return by_root[code_key(code)]
        return next((route.accounts for route in self.routes if not route.roots), ())


def ways(
    table: RouteTable,
    recipients: Sequence[AgencyId],
    lineages: Mapping[AgencyId, Sequence[Agency]],
    *,
    local: frozenset[AgencyId],
) -> Mapping[tuple[AccountName, ...], tuple[int, ...]]:
    """Places of the recipients by the way they take, each way in the order in which it first comes up.

    `local` are those served here that go directly. The empty way has those to whom no route leads.
    """
    found: dict[tuple[AccountName, ...], list[int]] = {}
    for place, agency in enumerate(recipients):
        way = (LOCAL,) if agency in local else table.way_to(lineages.get(agency, ()))
        found.setdefault(way, []).append(place)
    return {way: tuple(places) for way, places in found.items()}
