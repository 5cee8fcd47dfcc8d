"""What the contract suites of the store share: an open, migrated, peopled store."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from gateway.domain.agency import Agency
from gateway.domain.ids import AgencyId, OrganId, VendorId
from gateway.domain.mandate import Mandate
from gateway.ports.outbound import Acceptance
from gateway.store import Store, open_store, upgrade
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

Fresh = Callable[[Path], AbstractContextManager[Path | str]]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of this process; whoever stops it starts it again."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def fresh_database(request, tmp_path_factory) -> Fresh:
    """Makes an empty, migrated database for a test: a file in its folder, or a database of the session's server."""
    if request.param == "sqlite":
        template = tmp_path_factory.mktemp("template") / "store.db"
        upgrade(template)
        return lambda folder: nullcontext(copyfile(template, folder / "store.db"))
    server = request.getfixturevalue("postgres")
    migrated = server.create()
    upgrade(server.url(migrated))

    @contextmanager
    def copied(_folder: Path) -> Iterator[str]:
        name = server.create(template=migrated)
        yield server.url(name)
        server.drop(name)

    return copied


@pytest.fixture
def store_path(tmp_path, fresh_database) -> Iterator[Path | str]:
    """A path or a URL, as open_store takes it."""
    with fresh_database(tmp_path) as where:
        yield where


@pytest.fixture
async def store(store_path) -> AsyncIterator[Store]:
    opened = await open_store(store_path)
    yield opened
    await opened.close()


@pytest.fixture
async def world(store) -> World:
    await store.directory.apply(LISTED, at=NOW)
    agencies = await store.directory.resolve([row.code for row in LISTED])
    mandates = [
        Mandate(vendor=VENDOR_A, agency=agencies["H98"].id, serves=True),
        Mandate(vendor=VENDOR_A, agency=agencies[SENDER].id, serves=True),
        Mandate(vendor=VENDOR_B, agency=agencies[RECIPIENT].id, serves=True),
        Mandate(vendor=VENDOR_B, agency=agencies[SENDER].id, serves=False),
    ]
    await store.directory.set_mandates(mandates)
    return World(store=store, agencies=agencies)
