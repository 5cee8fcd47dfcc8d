"""What the contract suites of the store share: an open, migrated, peopled store."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.agency import Agency
from gateway.domain.ids import AgencyId, OrganId, VendorId
from gateway.domain.mandate import Mandate
from gateway.ports.outbound import Acceptance
from gateway.store import Store, open_store, upgrade
from tests.fakes.copies import Copies
from tests.fakes.loops import carried_out
from tests.fakes.migrated import new_store
from tests.fakes.postgres import PostgresServer, running_postgres
from tests.make import NOW, RECIPIENT, SENDER, make_acceptance, make_directory_row, make_document, make_organization

VENDOR_A = VendorId("vendor-a")
VENDOR_B = VendorId("vendor-b")
OTHER = OrganId("000.00.23.H99")
LISTED = (
    make_directory_row("H98"),
    make_directory_row(SENDER, parent_axis_id="axis-H98", aliases=(OrganId("15.01.H98"),)),
    make_directory_row("H99"),
    make_directory_row(RECIPIENT, parent_axis_id="axis-H99", aliases=(OrganId("22.01.H99"),)),
    make_directory_row(OTHER, parent_axis_id="axis-H99"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A store with two provinces: vendor A serves H98 and below, vendor B RECIPIENT alone; nobody serves OTHER."""

    store: Store
    agencies: Mapping[str, Agency]

    def id(self, code: str) -> AgencyId:
        return self.agencies[code].id

    def acceptance(self, **overrides: Any) -> Acceptance:
        """A document from SENDER to RECIPIENT and OTHER, as vendor A submits it."""
        document = overrides.pop("document", None) or self.document()
        return make_acceptance(document, **({"agency": self.id(SENDER), "vendor": VENDOR_A} | overrides))

    @staticmethod
    def document(**overrides: Any) -> Any:
        to = (make_organization(RECIPIENT), make_organization(OTHER))
        return make_document(**({"to": to} | overrides))


on_sqlite = pytest.mark.parametrize("fresh_database", ["sqlite"], indirect=True)
"""For what is about a file."""
on_postgres = pytest.mark.parametrize("fresh_database", ["postgres"], indirect=True)
"""For what is about a server, or takes several writers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Databases of one kind for tests: a file in the folder that is given, or a database of the session's server."""

    empty: Callable[[Path], AbstractContextManager[Path | str]]
    peopled: Callable[[Path], AbstractContextManager[Path | str]]
    """With LISTED and the vendors' mandates."""
    agencies: Mapping[str, Agency]
    """LISTED, as all that are peopled know it."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of this process; whoever stops it starts it again."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def databases_in_files(tmp_path_factory) -> Databases:
    template = new_store(tmp_path_factory.mktemp("template") / "store.db")
    agencies = carried_out(_people(template))
    content = template.read_bytes()

    def peopled(folder: Path) -> AbstractContextManager[Path]:
        (folder / "store.db").write_bytes(content)
        return nullcontext(folder / "store.db")

    return Databases(
        empty=lambda folder: nullcontext(new_store(folder / "store.db")), peopled=peopled, agencies=agencies
    )


@pytest.fixture(scope="session")
def databases_on_a_server(postgres) -> Iterator[Databases]:
    migrated = postgres.create()
    upgrade(postgres.url(migrated))
    template = postgres.create(template=migrated)
    agencies = carried_out(_people(postgres.url(template)))
    empty, peopled = Copies(postgres, migrated), Copies(postgres, template)
    yield Databases(empty=lambda _: empty.one(), peopled=lambda _: peopled.one(), agencies=agencies)
    empty.close()
    peopled.close()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def fresh_database(request) -> Databases:
    """Makes databases, one for each test."""
    names = {"sqlite": "databases_in_files", "postgres": "databases_on_a_server"}
    return request.getfixturevalue(names[request.param])


@pytest.fixture
def store_path(request, tmp_path, fresh_database) -> Iterator[Path | str]:
    """A path or a URL, as open_store takes it."""
    make = fresh_database.peopled if "world" in request.fixturenames else fresh_database.empty
    with make(tmp_path) as where:
        yield where


@pytest.fixture
async def store(store_path) -> AsyncIterator[Store]:
    opened = await open_store(store_path)
    yield opened
    await opened.close()


@pytest.fixture
def world(store, fresh_database) -> World:
    return World(store=store, agencies=fresh_database.agencies)


async def _people(where: Path | str) -> Mapping[str, Agency]:
    store = await open_store(where)
    await store.directory.apply(LISTED, at=NOW)
    agencies = await store.directory.resolve([row.code for row in LISTED])
    mandates = [
        Mandate(vendor=VENDOR_A, agency=agencies["H98"].id, serves=True),
        Mandate(vendor=VENDOR_A, agency=agencies[SENDER].id, serves=True),
        Mandate(vendor=VENDOR_B, agency=agencies[RECIPIENT].id, serves=True),
        Mandate(vendor=VENDOR_B, agency=agencies[SENDER].id, serves=False),
    ]
    await store.directory.set_mandates(mandates)
    await store.close()
    return agencies
