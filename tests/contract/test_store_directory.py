"""Directory over a real database."""

from datetime import timedelta
from time import monotonic

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from gateway.domain.ids import AgencyId, OrganId
from gateway.domain.mandate import Mandate
from tests.contract.conftest import LISTED, OTHER, VENDOR_A, VENDOR_B
from tests.make import NOW, RECIPIENT, SENDER, make_directory_row


async def test_any_known_code_resolves_without_case_and_space(world):
    """Current codes and aliases lead to the agency, however they are spaced or cased; unknown ones are left out."""
    asked = [f" {SENDER.lower()} ", "15.01.h98", "nobody"]
    found = await world.store.directory.resolve(asked)
    assert {code: agency.code for code, agency in found.items()} == {asked[0]: SENDER, asked[1]: SENDER}


async def test_agency_carries_parent_and_aliases(world):
    """An agency is returned with its parent's id and code and its other codes."""
    agency = await world.store.directory.get(world.id(SENDER))
    assert agency is not None
    assert (agency.parent_id, agency.parent_code, agency.aliases) == (world.id("H98"), "H98", ("15.01.H98",))
    assert await world.store.directory.get(AgencyId("nobody")) is None


async def test_applying_the_same_listing_twice_changes_nothing(world):
    """A second identical apply reports no change."""
    assert await world.store.directory.apply(LISTED, at=NOW) == 0


async def test_a_changed_code_keeps_the_agency_and_stays_as_alias(world):
    """An agency whose code changes keeps its id; the former code still resolves to it, also after a further listing."""
    changed = [row for row in LISTED if row.code != SENDER]
    changed.append(make_directory_row("H98.15", axis_id=f"axis-{SENDER}", parent_axis_id="axis-H98"))
    assert await world.store.directory.apply(changed, at=NOW) == 1
    assert await world.store.directory.apply(changed, at=NOW) == 0
    found = await world.store.directory.resolve([SENDER, "H98.15", "15.01.H98"])
    assert {code: agency.id for code, agency in found.items()} == {SENDER: world.id(SENDER), "H98.15": world.id(SENDER)}
    assert found[SENDER].aliases == (SENDER,)


async def test_what_is_no_longer_listed_is_closed_and_can_come_back(world):
    """An unlisted agency stays known but inactive; listed again it is active under its old id."""
    without = [row for row in LISTED if row.code != OTHER]
    assert await world.store.directory.apply(without, at=NOW) == 1
    closed = (await world.store.directory.resolve([OTHER]))[OTHER]
    assert (closed.id, closed.active) == (world.id(OTHER), False)
    await world.store.directory.apply(LISTED, at=NOW)
    assert (await world.store.directory.resolve([OTHER]))[OTHER].active


async def test_an_active_agency_wins_a_code_over_a_closed_one(world):
    """After a merger the successor that lists the old code as alias is found, not the closed agency."""
    merged = [row for row in LISTED if row.code not in (OTHER, RECIPIENT)]
    merged.append(make_directory_row(RECIPIENT, parent_axis_id="axis-H99", aliases=(OTHER,)))
    await world.store.directory.apply(merged, at=NOW)
    assert (await world.store.directory.resolve([OTHER]))[OTHER].id == world.id(RECIPIENT)


async def test_a_current_code_wins_over_an_alias(world):
    """Where one agency's alias is another's current code, the current one is found."""
    listed = [*LISTED, make_directory_row("H97", aliases=(OTHER,))]
    await world.store.directory.apply(listed, at=NOW)
    assert (await world.store.directory.resolve([OTHER]))[OTHER].id == world.id(OTHER)


async def test_lineage_is_nearest_first_and_ends_in_a_loop(world):
    """The lineage climbs the parent links; two agencies that name each other as parent end it."""
    line = await world.store.directory.lineage(world.id(SENDER))
    assert [agency.code for agency in line] == [SENDER, "H98"]
    looped = [make_directory_row("A", parent_axis_id="axis-B"), make_directory_row("B", parent_axis_id="axis-A")]
    await world.store.directory.apply([*LISTED, *looped], at=NOW)
    a = (await world.store.directory.resolve(["A"]))["A"].id
    assert [agency.code for agency in await world.store.directory.lineage(a)] == ["A", "B"]
    assert [agency.code for agency in (await world.store.directory.lineages())[a]] == ["A", "B"]


async def test_lineages_of_many_are_those_of_each(world):
    """Asked for at once, each has the same lineage as alone, closed ones and loops too; unknown ones are left out."""
    looped = [make_directory_row("A", parent_axis_id="axis-B"), make_directory_row("B", parent_axis_id="axis-A")]
    await world.store.directory.apply([*LISTED, *looped], at=NOW)
    await world.store.directory.apply([row for row in (*LISTED, *looped) if row.code != OTHER], at=NOW)
    wanted = [agency.id for agency in (await world.store.directory.resolve([*world.agencies, "A", "B"])).values()]
    found = await world.store.directory.lineages_of([*wanted, AgencyId("unknown"), AgencyId("")])
    assert found == {agency: await world.store.directory.lineage(agency) for agency in wanted}
    assert len(found) == len(LISTED) + 2


async def test_lineages_of_thousands_take_few_statements(world):
    """A document for a whole country costs a handful of statements, however many recipients it has."""
    below = [make_directory_row(f"{n:04d}.H99", parent_axis_id="axis-H99") for n in range(3500)]
    await world.store.directory.apply([*LISTED, *below], at=NOW)
    ids = [agency.id for agency in (await world.store.directory.resolve([row.code for row in below])).values()]
    said = []

    def hear(_conn, _cursor, statement, *_):
        said.append(statement)

    sa.event.listen(Engine, "before_cursor_execute", hear)
    found = await world.store.directory.lineages_of(ids)
    sa.event.remove(Engine, "before_cursor_execute", hear)
    assert {line[-1].code for line in found.values()} == {"H99"}
    assert (len(found), len(said) < 30) == (3500, True)


async def test_lineages_cover_every_active_agency(world):
    """Mandates are computed from all active agencies, each with everything above it."""
    await world.store.directory.apply([row for row in LISTED if row.code != OTHER], at=NOW)
    found = await world.store.directory.lineages()
    codes = {line[0].code: tuple(agency.code for agency in line[1:]) for line in found.values()}
    assert codes == {"H98": (), SENDER: ("H98",), "H99": (), RECIPIENT: ("H99",)}


async def test_pages_join_up_and_filter(world):
    """Pages by code join without gap or repetition; parent, search text and closed agencies are filters."""
    directory = world.store.directory
    everything = {"parent": None, "query": "", "include_closed": False}
    first = await directory.page(after_code="", limit=2, **everything)
    second = await directory.page(after_code=first[-1].code, limit=9, **everything)
    assert [a.code for a in (*first, *second)] == [SENDER, RECIPIENT, OTHER, "H98", "H99"]
    below = await directory.page(after_code="", limit=9, parent=world.id("H99"), query="", include_closed=False)
    assert [a.code for a in below] == [RECIPIENT, OTHER]
    renamed = [*LISTED[:-1], make_directory_row(OTHER, name="Sở Đường bộ 100%")]
    await directory.apply(renamed, at=NOW)
    for query in ("so duong", "SỞ ĐƯỜNG", "100%", "23.h99"):
        hits = await directory.page(after_code="", limit=9, parent=None, query=query, include_closed=False)
        assert [a.code for a in hits] == [OTHER], query
    await directory.apply(LISTED[:-1], at=NOW)
    assert not await directory.page(after_code="", limit=9, parent=None, query="23.h99", include_closed=False)
    assert await directory.page(after_code="", limit=9, parent=None, query="23.h99", include_closed=True)


async def test_mandates_say_who_serves_and_who_may_act(world):
    """Serving and acting are kept apart, and a new set replaces the old one whole."""
    directory = world.store.directory
    ids = [world.id(code) for code in (SENDER, RECIPIENT, OTHER)]
    assert await directory.served(ids) == {ids[0]: VENDOR_A, ids[1]: VENDOR_B}
    assert await directory.may_act(VENDOR_B, world.id(SENDER))
    assert not await directory.may_act(VENDOR_A, world.id(RECIPIENT))
    assert await directory.serves(VENDOR_A, ids[0])
    assert not await directory.serves(VENDOR_B, ids[0]), "may act, does not receive"
    await directory.set_mandates([Mandate(vendor=VENDOR_B, agency=world.id(SENDER), serves=True)])
    assert await directory.served(ids) == {ids[0]: VENDOR_B}
    assert not await directory.may_act(VENDOR_A, world.id(SENDER))


async def test_a_national_directory_lands_quickly(store):
    """10,000 agencies, a tenth of the nation, apply in under 15 s; the same listing again changes nothing."""
    rows = [
        make_directory_row(
            f"{n:06d}.H{n % 63:02d}",
            parent_axis_id=f"axis-{n // 40:06d}.H{n // 40 % 63:02d}" if n >= 40 else "",
            aliases=(OrganId(f"OLD.{n}"),),
        )
        for n in range(10_000)
    ]
    clock = monotonic
    began = clock()
    assert await store.directory.apply(rows, at=NOW) == 10_000
    assert clock() - began < 15
    assert await store.directory.apply(rows, at=NOW + timedelta(days=1)) == 0
