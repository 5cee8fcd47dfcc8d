"""The plan of a run."""

import pytest

from tests.crash.plan import AxisFault, DatabaseRestart, Kill, Plan, make_plan


def plan(seed: int, *, kills: int = 20, restarts: bool = True) -> Plan:
    return make_plan(seed=seed, kills=kills, documents=None, lanes=2, gateways=2, restarts=restarts)


def test_a_seed_gives_the_same_plan_again() -> None:
    """Equal arguments give equal plans, another seed gives another."""
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


@pytest.mark.parametrize("kills", [0, 1, 20, 100])
def test_a_plan_has_its_kills_and_its_faults(kills: int) -> None:
    """As many SIGKILLs as asked, second ones included; as many faults; a restart of the database for each ten."""
    acts = [event.act for event in plan(3, kills=kills).events]
    found = [act for act in acts if isinstance(act, Kill)]
    assert sum(1 if act.again_after is None else 2 for act in found) == kills
    assert sum(isinstance(act, AxisFault) for act in acts) == kills
    assert sum(isinstance(act, DatabaseRestart) for act in acts) == (max(1, kills // 10) if kills else 0)


def test_twenty_kills_show_every_fault_and_move_enough() -> None:
    """Each kind of fault occurs; more than 400 documents for 20 kills and more than 2,000 for 100, both lanes alike."""
    drawn = plan(5)
    names = {event.act.name for event in drawn.events if isinstance(event.act, AxisFault)}
    assert names == {"down", "slow", "html", "html-502", "answer-lost", "half-answer", "reset", "reset-after"}
    assert len(drawn.documents) > 400
    assert len(plan(5, kills=100).documents) > 2000
    assert sum(document.lane for document in drawn.documents) == len(drawn.documents) // 2


def test_events_come_while_documents_move() -> None:
    """Marks rise, and end before the work does."""
    marks = [event.mark for event in plan(5).events]
    assert marks == sorted(marks)
    assert 0 < marks[0] < marks[-1] < 1


def test_each_document_has_a_file_of_its_own() -> None:
    """No two documents carry the same files."""
    contents = [frozenset(document.files) for document in plan(5).documents]
    assert len(set(contents)) == len(contents)
