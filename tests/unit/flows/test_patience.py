from datetime import timedelta

from gateway.domain.ids import AxisDocId
from gateway.flows.patience import LONGEST, TRIES, Patience
from tests.make import NOW

ITEM = AxisDocId("item")
FIRST = timedelta(seconds=30)


def test_what_breaks_is_tried_ever_more_seldom():
    """The pause doubles up to an hour; operators hear of it from the fifth break on."""
    patience, now, pauses, told = Patience(first=FIRST), NOW, [], []
    for _ in range(12):
        told.append(patience.broke(ITEM, at=now))
        begin = now
        while patience.waits(ITEM, at=now):
            now += timedelta(seconds=1)
        pauses.append(now - begin)
    assert pauses == sorted(pauses)
    assert pauses[0] <= FIRST
    assert pauses[-1] <= LONGEST
    assert pauses[-1] > LONGEST / 2
    assert told == [count >= TRIES for count in range(1, 13)]


def test_what_the_axis_does_not_give_is_asked_for_at_every_poll():
    """It holds back those behind it for five polls, then no more, until it worked."""
    patience = Patience(first=FIRST)
    for count in range(1, TRIES + 1):
        patience.missed(ITEM, at=NOW)
        assert not patience.waits(ITEM, at=NOW)
        assert patience.is_over(ITEM) == (count == TRIES)
    patience.forget(ITEM)
    assert not patience.is_over(ITEM)


def test_what_is_refused_waits_an_hour():
    """It holds nothing back meanwhile."""
    patience = Patience(first=FIRST)
    patience.refused(ITEM, at=NOW)
    assert patience.is_over(ITEM)
    assert patience.is_refused(ITEM)
    assert patience.waits(ITEM, at=NOW + timedelta(minutes=59))
    assert not patience.waits(ITEM, at=NOW + LONGEST)
    patience.broke(ITEM, at=NOW + LONGEST)
    assert not patience.is_refused(ITEM)


def test_items_no_longer_tried_are_forgotten():
    """What the axis does not list any more takes no room for ever."""
    patience = Patience(first=FIRST)
    patience.broke(ITEM, at=NOW)
    patience.forget_old(at=NOW + timedelta(hours=2))
    assert len(patience) == 1
    patience.forget_old(at=NOW + timedelta(days=2))
    assert len(patience) == 0
