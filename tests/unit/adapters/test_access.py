"""Tokens: how long they are kept, who fetches, what a refusal and a failure mean; and answers of token endpoints."""

import asyncio
import base64
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.access import BearerAccess, Partner, Token, TokenKeeper, read_life, read_token
from gateway.adapters.http import Broken
from tests.fakes.clock import SettableClock
from tests.make import NOW

HOUR = timedelta(hours=1)
MARGIN = timedelta(seconds=60)
DOWN = Broken(reason="down", processed=False)


class Login:
    """A peer that gives numbered tokens, when told to."""

    def __init__(self, clock, *, life=HOUR):
        self.clock, self.life = clock, life
        self.asked = 0
        self.down = False
        self.answer_now = asyncio.Event()
        self.answer_now.set()

    async def __call__(self):
        self.asked += 1
        number = self.asked
        await self.answer_now.wait()
        return DOWN if self.down else Token(value=f"t{number}", expires_at=self.clock.now() + self.life)


def keeping(**of_login):
    clock = SettableClock()
    login = Login(clock, **of_login)
    return clock, login, TokenKeeper(login, margin=MARGIN, clock=clock)


async def test_two_hundred_callers_one_request():
    """All who come while there is no token wait for one request."""
    _, login, keeper = keeping()
    login.answer_now.clear()
    callers = [asyncio.create_task(keeper.token()) for _ in range(200)]
    await asyncio.sleep(0)
    login.answer_now.set()
    assert {token.value for token in await asyncio.gather(*callers)} == {"t1"}
    assert login.asked == 1


async def test_a_failure_is_shared_and_rested_on():
    """All who wait hear the one failure, and so does who comes within the pause, which grows up to 15 seconds."""
    clock, login, keeper = keeping()
    login.down = True
    login.answer_now.clear()
    callers = [asyncio.create_task(keeper.token()) for _ in range(200)]
    await asyncio.sleep(0)
    login.answer_now.set()
    assert await asyncio.gather(*callers) == [DOWN] * 200
    for pause in (1, 2, 4, 8, 15, 15):
        asked = login.asked
        clock.advance(timedelta(seconds=pause, milliseconds=-1))
        assert await keeper.token() == DOWN
        assert login.asked == asked
        clock.advance(timedelta(milliseconds=1))
        assert await keeper.token() == DOWN
        assert login.asked == asked + 1
    clock.advance(timedelta(seconds=15))
    login.down = False
    assert isinstance(await keeper.token(), Token)


async def test_a_late_refusal_of_an_old_token_takes_nothing_away():
    """Only the very token that was refused is given up."""
    _, login, keeper = keeping()
    access = BearerAccess(keeper, also={"X": "y"})
    old = await access.headers()
    assert old == {"X": "y", "Authorization": "Bearer t1"}
    access.refused(old)
    new = await access.headers()
    assert new == {"X": "y", "Authorization": "Bearer t2"}
    for _ in range(100):
        access.refused(old)
        assert await access.headers() == new
    assert login.asked == 2


async def test_replaced_before_it_expires():
    """A token serves until the margin before its end, a short-lived one for half its life, any for a second."""
    for life, use in (
        (HOUR, HOUR - MARGIN),
        (timedelta(seconds=30), timedelta(seconds=15)),
        (-HOUR, timedelta(seconds=1)),
    ):
        clock, _, keeper = keeping(life=life)
        first = await keeper.token()
        clock.advance(use - timedelta(milliseconds=1))
        assert await keeper.token() == first
        clock.advance(timedelta(milliseconds=1))
        assert await keeper.token() != first


async def test_a_clock_set_back_holds_nobody_up():
    """Neither a pause nor a token outlives a clock that jumps back."""
    clock, login, keeper = keeping()
    login.down = True
    await keeper.token()
    clock.advance(-HOUR)
    login.down = False
    assert await keeper.token() == Token(value="t2", expires_at=NOW)
    clock.advance(-HOUR)
    assert (await keeper.token()).value == "t3"


async def test_a_caller_who_leaves_leaves_the_others():
    """If the caller who fetches is cancelled, the next one fetches."""
    _, login, keeper = keeping()
    login.answer_now.clear()
    first, *others = [asyncio.create_task(keeper.token()) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    login.answer_now.set()
    assert {token.value for token in await asyncio.gather(*others)} == {"t2"}
    assert login.asked == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(1, 5)),
        st.tuples(st.just("advance"), st.integers(1, 5000)),
        st.tuples(st.just("refuse"), st.integers(0, 10)),
        st.tuples(st.just("down"), st.booleans()),
    ),
    max_size=40,
)


@given(steps=STEPS)
async def test_whatever_happens(steps):
    """Callers of one moment agree and cost one request at most; nobody gets a token that is refused or over."""
    clock, login, keeper = keeping()
    refused, seen, ends = set(), [], {}
    for step, number in steps:
        match step:
            case "ask":
                before = login.asked
                got = await asyncio.gather(*(keeper.token() for _ in range(number)))
                assert len({repr(each) if isinstance(each, Broken) else each.value for each in got}) == 1
                assert login.asked - before <= 1
                if isinstance(got[0], Broken):
                    continue
                token = got[0]
                assert token.value not in refused
                assert token.expires_at > clock.now()
                if login.asked > before:
                    ends[token.value] = token.expires_at
                seen.append(token.value)
            case "advance":
                clock.advance(timedelta(seconds=number))
            case "refuse" if seen:
                value = seen[-1 - number % len(seen)]
                refused.add(value)
                keeper.refused(value)
            case "down":
                login.down = number
    if seen and seen[-1] not in refused and ends[seen[-1]] - clock.now() > MARGIN:
        asked = login.asked
        got = await keeper.token()
        assert login.asked == asked
        assert isinstance(got, Broken) or got.value == seen[-1]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(3600, 3600), ("300", 300), (1.5, 1.5), (9223372036854775, 86400), (10**400, 1800), ("1e999", 86400)]
    + [(each, 1800) for each in (None, 0, -1, "-5", "soon", "", True, [], {}, float("nan"), "nan")],
)
def test_lives(written, seconds):
    """expires_in counts as number or text, at most a day; what is senseless counts as absent."""
    assert read_life(written, otherwise=timedelta(seconds=1800)) == timedelta(seconds=seconds)


@given(
    body=st.one_of(
        st.binary(max_size=200), st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
    )
)
def test_any_answer_is_a_token_or_a_failure(body):
    """No answer of a token endpoint raises."""
    assert isinstance(read_token(body, now=NOW, life=HOUR), Token | Broken)


def test_answers_of_token_endpoints():
    """WSO2's answer is a token; others than Bearer, unprintable or endless ones, depth and HTML are failures."""
    good = {"access_token": "abc", "token_type": "Bearer", "expires_in": 300, "scope": "default"}

    def read(**changes):
        return read_token(json.dumps({**good, **changes}).encode(), now=NOW, life=HOUR)

    assert read() == Token(value="abc", expires_at=NOW + timedelta(seconds=300))
    assert read(token_type="bearer", expires_in=None) == Token(value="abc", expires_at=NOW + HOUR)
    for bad in (
        {"token_type": "MAC"},
        {"access_token": "a\r\nb"},
        {"access_token": "x" * 20_000},
        {"access_token": ""},
    ):
        failed = read(**bad)
        assert isinstance(failed, Broken)
        assert failed.refused
        assert not failed.processed
    for body in (b"[" * 60_000, b"<html>", b"", b"[]"):
        assert isinstance(read_token(body, now=NOW, life=HOUR), Broken)


def test_the_partner_header():
    """Header lgspaccesstoken is base64 of the JSON object of axis.md 10; neither it nor a token shows in a repr."""
    partner = Partner(
        access_key="ak", secret_key="hidden-one", app_name="Văn bản", partner_code="H99", partner_code_cus=""
    )
    assert json.loads(base64.b64decode(partner.header)) == {
        "AccessKey": "ak",
        "SecretKey": "hidden-one",
        "AppName": "Văn bản",
        "PartnerCode": "H99",
        "PartnerCodeCus": "",
    }
    assert "hidden-one" not in repr(partner)
    assert "abc" not in repr(Token(value="abc", expires_at=NOW))
