"""The fault switches."""

import pytest

from gateway.sandbox.faults import Fault, Faults, Wish, read_wish


@pytest.mark.parametrize("name", list(Fault))
def test_every_fault_can_be_wished_by_name(name: str) -> None:
    """Each fault is read by its name, with and without a count."""
    assert read_wish(name) == Wish(fault=Fault(name))
    assert read_wish(f"{name}:3") == Wish(fault=Fault(name), count=3)


@pytest.mark.parametrize("text", ["", "flood", "down:", "down:0", "down:-1", "down:1.5", "down:x", "down:²", "DOWN"])
def test_nonsense_is_no_wish(text: str) -> None:
    """Unknown names and counts that are no positive number are not read."""
    assert read_wish(text) is None


def test_counted_faults_run_out_and_others_stay() -> None:
    """A counted fault meets so many requests; an uncounted one every request until switched off."""
    faults = Faults()
    faults.switch_on(Wish(fault=Fault.DOWN, count=2))
    faults.switch_on(Wish(fault=Fault.HTML))
    assert faults.describe() == {"down": 2, "html": None}
    assert [faults.take(Fault.DOWN) for _ in range(4)] == [True, True, False, False]
    assert [faults.take(Fault.HTML) for _ in range(4)] == [True] * 4
    assert not faults.is_on(Fault.DOWN)
    faults.switch_off(Fault.HTML)
    faults.switch_off(Fault.HTML)
    assert not faults.take(Fault.HTML)
    assert faults.describe() == {}
