from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.backoff import Backoff
from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import MESSAGE_MOVES, MessageState
from gateway.domain.outcome import Absent, Accepted, CannotTell, Found, Rejected, Unavailable, Uncertain
from gateway.domain.packet import PacketKind
from gateway.flows.config import OnUnknown
from gateway.flows.settle import MOST_INTERRUPTIONS, MessageFacts, SettlePolicy, resend, settle, suspect
from tests.make import NOW

HOUR = timedelta(hours=1)
BACKOFF = Backoff(first=timedelta(seconds=30), factor=2, ceiling=HOUR, jitter=0.3, give_up_after=timedelta(hours=72))
ID = AxisDocId("axis-1")

outcomes = st.one_of(
    st.builds(Accepted, axis_doc_id=st.just(ID)),
    st.builds(
        Rejected,
        code=st.sampled_from(["18", ""]),
        reason=st.text(max_size=2000),
        known_as=st.none() | st.just(AxisDocId("axis-9")),
    ),
    st.builds(
        Unavailable,
        reason=st.text(max_size=2000),
        retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=2)),
    ),
    st.builds(Uncertain, reason=st.text(max_size=10)),
)
findings = st.one_of(
    st.builds(Found, axis_doc_id=st.just(ID)),
    st.just(Absent()),
    st.builds(CannotTell, reason=st.text(max_size=10), passing=st.booleans()),
)
policies = st.builds(
    SettlePolicy,
    backoff=st.builds(
        Backoff,
        first=st.timedeltas(timedelta(seconds=1), HOUR),
        factor=st.floats(1, 10),
        ceiling=st.timedeltas(timedelta(seconds=1), timedelta(days=1)),
        jitter=st.floats(0, 1),
        give_up_after=st.timedeltas(timedelta(0), timedelta(days=5)),
    ),
    settling_time=st.timedeltas(timedelta(0), HOUR),
    on_unknown=st.sampled_from(OnUnknown),
    longest_wait=st.none() | st.timedeltas(timedelta(seconds=1), HOUR),
)
draws = st.floats(0, 1, exclude_max=True)
facts = st.builds(
    MessageFacts,
    kind=st.sampled_from(PacketKind),
    attempts=st.integers(0, 500),
    created_at=st.datetimes(
        (NOW - timedelta(days=10)).replace(tzinfo=None), NOW.replace(tzinfo=None), timezones=st.just(NOW.tzinfo)
    ),
    settle_after=st.none()
    | st.datetimes(
        (NOW - timedelta(days=1)).replace(tzinfo=None),
        (NOW + timedelta(days=1)).replace(tzinfo=None),
        timezones=st.just(NOW.tzinfo),
    ),
    first_submitted_at=st.none() | st.just(NOW),
    deadline_at=st.none()
    | st.datetimes(
        (NOW - timedelta(days=1)).replace(tzinfo=None),
        (NOW + timedelta(days=4)).replace(tzinfo=None),
        timezones=st.just(NOW.tzinfo),
    ),
    interruptions=st.integers(0, 9),
    follows=st.booleans(),
)


def make_facts(kind=PacketKind.DOCUMENT, **overrides):
    values = {"kind": kind, "attempts": 0, "created_at": NOW - timedelta(minutes=1), "settle_after": None}
    return MessageFacts(**(values | overrides))


def make_policy(**overrides):
    values = {"backoff": BACKOFF, "settling_time": timedelta(minutes=2), "on_unknown": OnUnknown.HOLD}
    return SettlePolicy(**(values | overrides))


def decide(result, facts=None, policy=None):
    return settle(result, facts or make_facts(), policy or make_policy(), now=NOW, draw=0.0)


@given(outcomes, facts, policies, draws)
def test_after_an_attempt_every_move_is_legal(result, facts, policy, draw):
    """Whatever a submission gives, its settlement is a move that SUBMITTING allows."""
    settlement = settle(result, facts, policy, now=NOW, draw=draw)
    assert settlement.state in MESSAGE_MOVES[MessageState.SUBMITTING]
    assert settlement.counted
    assert len(settlement.reason) <= 1010


@given(st.sampled_from([MessageState.SUBMITTING, MessageState.UNCERTAIN]), findings, facts, policies, draws)
def test_after_a_question_every_move_is_legal(state, result, facts, policy, draw):
    """Whatever the axis says when asked, the settlement is allowed from both states in which it is asked."""
    settlement = settle(result, facts, policy, now=NOW, draw=draw)
    assert settlement.state in MESSAGE_MOVES[state]
    assert not settlement.counted


@given(
    st.builds(Rejected, code=st.just("18"), reason=st.just("no")) | st.builds(Unavailable, reason=st.just("x")),
    facts,
    policies,
)
def test_before_anything_left_every_move_is_legal(result, facts, policy):
    """What can go wrong before submission is a move that QUEUED allows."""
    assert settle(result, facts, policy, now=NOW, draw=0.0).state in MESSAGE_MOVES[MessageState.QUEUED]


@given(outcomes | findings, facts, policies, draws)
def test_due_never_before_now_or_the_peers_wish(result, facts, policy, draw):
    """An entry that waits has a due time, never in the past nor before retry-after; others have none."""
    settlement = settle(result, facts, policy, now=NOW, draw=draw)
    if settlement.state in (MessageState.QUEUED, MessageState.UNCERTAIN):
        wish = getattr(result, "retry_after", None) or timedelta(0)
        assert settlement.due_at is not None
        assert settlement.due_at >= NOW + wish
    else:
        assert settlement.due_at is None


@given(facts, policies, draws, st.booleans(), st.booleans())
def test_attempts_are_bounded_by_age(facts, policy, draw, lost, passing):
    """A message that only ever fails ends FAILED or, as a lost document, HELD or FAILED; never tried for ever."""
    policy = SettlePolicy(
        backoff=Backoff(
            first=timedelta(minutes=1), factor=2, ceiling=HOUR, jitter=0.5, give_up_after=policy.backoff.give_up_after
        ),
        settling_time=max(policy.settling_time, timedelta(minutes=1)),
        on_unknown=policy.on_unknown,
    )
    now, attempts, settle_after, state = NOW, 0, None, MessageState.QUEUED
    for _ in range(20_000):
        current = MessageFacts(kind=facts.kind, attempts=attempts, created_at=NOW, settle_after=settle_after)
        asked = state is MessageState.UNCERTAIN
        result = (
            CannotTell(reason="x", passing=passing)
            if asked
            else Uncertain(reason="x")
            if lost
            else Unavailable(reason="x")
        )
        settlement = settle(result, current, policy, now=now, draw=draw)
        state = settlement.state
        if settlement.due_at is None:
            break
        now, settle_after, attempts = settlement.due_at, settlement.settle_after, attempts + settlement.counted
    assert state in (MessageState.FAILED, MessageState.HELD)
    assert now - NOW <= policy.backoff.give_up_after + HOUR + policy.settling_time


@given(facts, policies)
def test_what_the_axis_has_is_sent_and_stays_sent(facts, policy):
    """Accepted and Found end in SENT with the axis's id, whatever the age; SENT has no way out."""
    for result in (Accepted(axis_doc_id=ID), Found(axis_doc_id=ID)):
        settlement = settle(result, facts, policy, now=NOW, draw=0.0)
        assert (settlement.state, settlement.axis_doc_id) == (MessageState.SENT, ID)
    assert not MESSAGE_MOVES[MessageState.SENT]


@given(facts, policies, draws, st.none() | st.just(AxisDocId("axis-9")))
def test_a_document_that_the_peer_has_already_was_taken_by_an_earlier_attempt(facts, policy, draw, known_as):
    """SENT under the peer's id if there was an attempt before whose packet it can be; else refused as any other."""
    settlement = settle(Rejected(code="M.Exist", reason="r", known_as=known_as), facts, policy, now=NOW, draw=draw)
    if known_as is not None and facts.first_submitted_at is not None:
        assert (settlement.state, settlement.axis_doc_id, settlement.counted) == (MessageState.SENT, known_as, True)
    else:
        assert (settlement.state, settlement.axis_doc_id) == (MessageState.FAILED, None)
        assert settlement.reason == "M.Exist: r"


@given(outcomes | findings, facts, policies, draws)
def test_only_what_is_resent_without_knowing_is_bound(result, facts, policy, draw):
    """A message stays with its account exactly where it is sent again though nobody could say that it is not there."""
    settlement = settle(result, facts, policy, now=NOW, draw=draw)
    assert settlement.bound == (isinstance(result, CannotTell) and settlement.state is MessageState.QUEUED)


def test_a_lost_answer_is_asked_about_after_the_settling_time():
    """A document whose answer was lost is UNCERTAIN until the axis's list can be believed."""
    settlement = decide(Uncertain(reason="lost"))
    assert settlement.state is MessageState.UNCERTAIN
    assert settlement.due_at == settlement.settle_after == NOW + timedelta(minutes=2)


def test_a_lost_status_is_sent_again():
    """A status whose answer was lost is queued with backoff: repeating it is harmless."""
    settlement = decide(Uncertain(reason="lost"), make_facts(PacketKind.STATUS))
    assert (settlement.state, settlement.due_at) == (MessageState.QUEUED, NOW + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("settle_after", "state", "due"),
    [
        (NOW - timedelta(seconds=1), MessageState.QUEUED, NOW),
        (NOW, MessageState.QUEUED, NOW),
        (NOW + timedelta(seconds=9), MessageState.UNCERTAIN, NOW + timedelta(seconds=9)),
        (None, MessageState.UNCERTAIN, NOW + timedelta(minutes=2)),
    ],
)
def test_absent_counts_only_after_the_settling_time(settle_after, state, due):
    """The axis's "not here" leads to a resend only once its list had time; a crash starts that time anew."""
    settlement = decide(Absent(), make_facts(settle_after=settle_after))
    assert (settlement.state, settlement.due_at) == (state, due)


def test_absent_past_the_age_limit_is_failed():
    """What certainly is not there and is too old is not sent any more."""
    old = make_facts(settle_after=NOW, created_at=NOW - timedelta(hours=72))
    assert decide(Absent(), old).state is MessageState.FAILED


@pytest.mark.parametrize(
    ("on_unknown", "age", "state"),
    [
        (OnUnknown.HOLD, HOUR, MessageState.HELD),
        (OnUnknown.RESEND, HOUR, MessageState.QUEUED),
        (OnUnknown.RESEND, timedelta(hours=72), MessageState.HELD),
    ],
)
def test_no_word_is_held_or_resent_as_the_setting_says(on_unknown, age, state):
    """Once settled, an axis that cannot tell leads to hold or resend; too old is held, never called failed."""
    facts = make_facts(settle_after=NOW, created_at=NOW - age)
    assert decide(CannotTell(reason="?"), facts, make_policy(on_unknown=on_unknown)).state is state


@pytest.mark.parametrize(("follows", "state"), [(False, MessageState.QUEUED), (True, MessageState.HELD)])
def test_what_follows_a_document_is_not_repeated_blindly(follows, state):
    """Where only a repeated new document is noticed by the peer, a recall, update or replacement is held."""
    facts = make_facts(settle_after=NOW, follows=follows)
    assert decide(CannotTell(reason="?"), facts, make_policy(on_unknown=OnUnknown.RESEND_NEW)).state is state


def test_no_word_within_the_settling_time_is_asked_again():
    """An axis that cannot be reached right after a crash is asked again before anyone is bothered."""
    settlement = decide(CannotTell(reason="?"))
    assert (settlement.state, settlement.due_at) == (MessageState.UNCERTAIN, NOW + timedelta(minutes=2))


def test_an_axis_out_of_reach_is_asked_again_until_too_old():
    """While the axis only cannot be reached the question waits with backoff, keeping the settled time; then HELD."""
    settled = NOW - timedelta(minutes=1)
    down = CannotTell(reason="down", passing=True)
    for on_unknown in OnUnknown:
        settlement = decide(down, make_facts(attempts=1, settle_after=settled), make_policy(on_unknown=on_unknown))
        assert (settlement.state, settlement.due_at) == (MessageState.UNCERTAIN, NOW + timedelta(seconds=30))
        assert settlement.settle_after == settled
    old = make_facts(attempts=1, settle_after=settled, created_at=NOW - timedelta(hours=72))
    assert decide(down, old).state is MessageState.HELD


def test_waits_grow_and_end():
    """Each failure waits longer than the one before; at the age limit the last reason is what remains."""
    first, third = (decide(Unavailable(reason="down"), make_facts(attempts=n)).due_at for n in (0, 2))
    assert (first, third) == (NOW + timedelta(seconds=30), NOW + timedelta(seconds=120))
    end = decide(Unavailable(reason="down"), make_facts(created_at=NOW - timedelta(hours=72)))
    assert (end.state, end.reason) == (MessageState.FAILED, "down (given up after 1 attempts in 72 hours)")


def test_a_refusal_shows_the_peers_code_and_words():
    """Rejected is final and carries code and reason."""
    settlement = decide(Rejected(code="18", reason="unknown receiver"))
    assert (settlement.state, settlement.reason) == (MessageState.FAILED, "18: unknown receiver")


def test_resend_is_no_attempt():
    """An interrupted attempt is due at once and not counted."""
    settlement = resend("interrupted", now=NOW)
    assert (settlement.state, settlement.due_at, settlement.counted) == (MessageState.QUEUED, NOW, False)


@pytest.mark.parametrize(
    ("left", "waits"),
    [
        (timedelta(minutes=40), timedelta(minutes=20)),
        (timedelta(seconds=40), timedelta(seconds=30)),
        (timedelta(hours=9), timedelta(minutes=60)),
        (timedelta(0), timedelta(minutes=60)),
    ],
)
def test_a_deadline_shortens_waits(left, waits):
    """Half of the time left, no less than the first wait; after the deadline the usual wait."""
    late = make_facts(attempts=20, deadline_at=NOW + left)
    assert decide(Unavailable(reason="down"), late).due_at == NOW + waits
    asked = make_facts(attempts=20, deadline_at=NOW + left, settle_after=NOW)
    assert decide(CannotTell(reason="down", passing=True), asked).due_at == NOW + waits


def test_an_outage_puts_nothing_off_for_long():
    """While the peer is down a message waits as long as the circuit says; the peer's own wish stands."""
    policy = make_policy(longest_wait=timedelta(minutes=1))
    assert decide(Unavailable(reason="down"), make_facts(attempts=20), policy).due_at == NOW + timedelta(minutes=1)
    wish = Unavailable(reason="maintenance", retry_after=timedelta(minutes=7))
    assert decide(wish, make_facts(attempts=20), policy).due_at == NOW + timedelta(minutes=7)


@given(facts, st.sampled_from([MessageState.QUEUED, MessageState.SUBMITTING, MessageState.UNCERTAIN]))
def test_who_ends_the_process_again_and_again_is_for_an_operator(facts, state):
    """After too many cut attempts in a row: FAILED if nothing can have left, else HELD; before, it goes on."""
    settlement = suspect(state, facts)
    assert (settlement is None) == (facts.interruptions < MOST_INTERRUPTIONS)
    if settlement is not None:
        assert settlement.state in MESSAGE_MOVES[state]
        harmless = state is MessageState.QUEUED or facts.kind is PacketKind.STATUS
        assert settlement.state is (MessageState.FAILED if harmless else MessageState.HELD)
        assert str(facts.interruptions) in settlement.reason


def test_what_is_held_says_when_and_how_often():
    """An operator reads what the axis said, when the packet first left and how many attempts ended; never too long."""
    facts = make_facts(attempts=3, settle_after=NOW, first_submitted_at=NOW)
    reason = decide(CannotTell(reason="by docId only"), facts).reason
    assert reason == "by docId only (first submitted 2026-03-02T02:30:00+00:00, 3 attempts ended)"
    long = decide(CannotTell(reason="x" * 2000), facts).reason
    assert len(long) == 1000
    assert long.endswith("3 attempts ended)")
