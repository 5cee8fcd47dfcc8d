"""The seeded directory and its parent links."""

import pytest

from gateway.sandbox.directory import Agency, Directory, draw_agency, find_roots, is_centre, seed_directory


def test_seeded_units_hang_together() -> None:
    """Every unit's line ends at a level-1 code that its own code starts with; ids are unique."""
    directory = seed_directory()
    for agency in directory:
        *_, top = directory.line_of(agency.code)
        assert agency.code.split(".")[0] == top
    assert len({agency.id for agency in directory}) == len(list(directory))
    assert list(directory.line_of("H99.01.01")) == ["H99.01.01", "H99.01", "H99"]
    assert list(directory.line_of("H77")) == []


def test_old_codes_are_written_top_level_last() -> None:
    """Codes of before 2020 name levels 4, 3, 2, 1; the heir of a closed province keeps the old province's."""
    directory = seed_directory()
    old = {agency.code: agency.old_code for agency in directory}
    assert (old["H99"], old["H99.01"], old["H99.01.01"]) == ("000.00.00.H99", "000.00.01.H99", "000.01.01.H99")
    assert old["H98.20"] == old["H97.20"] == "000.00.20.H97"


@pytest.mark.parametrize(
    ("system_id", "roots"),
    [
        ("00.99.W00", ("H99",)),
        ("02.98.W00", ("H98",)),
        ("H98", ("H98",)),
        ("H99.01", ("H99.01",)),
        ("00.55.W00", ()),
        ("vxp.saas.03", ()),
        ("", ()),
    ],
)
def test_systems_find_their_agencies(system_id: str, roots: tuple[str, ...]) -> None:
    """An agency's code, a centre of a known province, or nothing."""
    assert find_roots(system_id, seed_directory()) == roots


@pytest.mark.parametrize(
    ("code", "parent"),
    [("H99.01.77", "H99.01"), ("H98.77.01", "H98"), ("H97.20.1", ""), ("H77", ""), ("000.00.77.H99", ""), ("x.y", "")],
)
def test_drawn_agencies_stand_below_the_nearest_open_unit(code: str, parent: str) -> None:
    """The parent is the longest known code before it, closed ones skipped; the id does not depend on the rest."""
    directory = seed_directory()
    agency = draw_agency(code, directory)
    directory.put(agency)
    assert list(directory.line_of(code))[1:2] == ([parent] if parent else [])
    assert draw_agency(code, Directory([])).id == agency.id


def test_centres_are_told_by_their_form() -> None:
    """NN.PP.Wnn is a centre, whether its province is known or not."""
    assert [is_centre(name) for name in ("00.99.W00", "00.55.W01", "H99", "W00", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_circular_parents_end() -> None:
    """Units that are each other's parent do not hang the axis."""
    a, b = Agency(id="1", pid="2", code="A", name="a"), Agency(id="2", pid="1", code="B", name="b")
    assert list(Directory([a, b]).line_of("A")) == ["A", "B"]
