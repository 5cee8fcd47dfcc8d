"""What every dialect's adapter promises by port Axis when something fails, over its own face of the simulated axis."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.adapters.http import Timeouts
from gateway.domain.errors import GatewayError
from gateway.domain.outcome import Absent, Accepted, CannotTell, Found, Rejected, SentQuery, Unavailable, Uncertain
from gateway.domain.packet import Draft, PacketKind, UnpackedStatus
from gateway.ports import Waiting
from tests.contract.axis_pair import (
    FILES,
    NOBODYS,
    PATIENT,
    Pair,
    attach,
    letter,
    pair_running,
    read_documents,
    send_letters,
)
from tests.contract.axis_worlds import SPOKEN, A, B, Can
from tests.contract.vxp_peer import RETRY, SystemClock
from tests.make import make_status

IMPATIENT = Timeouts(connect=2, read=5, write=5, total=0.8)
BRIEF = replace(RETRY, give_up_after=timedelta(seconds=0.1))


@pytest.fixture(params=SPOKEN, ids=lambda spoken: spoken.name)
async def pair(request) -> AsyncIterator[Pair]:
    async with pair_running(request.param) as started:
        yield started


def query(document, **changes):
    facts = {
        "sender_code": document.sender.organ_id,
        "recipient_codes": tuple(each.organ_id for each in document.to),
        "notation": document.code,
        "title": document.subject,
        "submitted_after": SystemClock().now() - timedelta(seconds=30),
    }
    return SentQuery(**{**facts, **changes})


async def assert_nothing_is_read(correspondent, item):
    """Neither lists nor the directory nor a packet."""
    for answer in (
        await correspondent.axis.waiting(PacketKind.DOCUMENT),
        await correspondent.axis.waiting(PacketKind.STATUS),
        await correspondent.axis.agencies(),
    ):
        assert isinstance(answer, Unavailable), answer
    async with correspondent.blobs.writer(limit=1 << 20) as writer:
        assert isinstance(await correspondent.axis.fetch(item, writer), Unavailable)


async def test_a_wrong_secret(pair):
    """A wrong secret is Unavailable everywhere: an operator mends it, nothing is lost meanwhile."""
    stranger = await pair.world.correspondent(pair.spoken, A, secret="wrong")
    answers = [
        await stranger.send(*attach(letter(), stranger, FILES[0])),
        await stranger.axis.waiting(PacketKind.DOCUMENT),
        await stranger.axis.waiting(PacketKind.STATUS),
        await stranger.axis.agencies(),
        await stranger.axis.settle(NOBODYS, done=True),
    ]
    assert [type(answer) for answer in answers] == [Unavailable] * len(answers), answers
    assert "wrong" not in repr([answer.reason for answer in answers if isinstance(answer, Unavailable)])


async def test_an_axis_that_is_down(pair):
    """Nothing leaves as sent and nothing is read; afterwards the same calls work."""
    await send_letters(pair, 1)
    a = await pair.world.correspondent(pair.spoken, A, retry=BRIEF)
    b = await pair.world.correspondent(pair.spoken, B, retry=BRIEF)
    await a.waiting()  # whatever has to be opened is open
    (item,) = (await b.waiting()).items
    await pair.world.fault("down")
    assert isinstance(await a.send(*attach(letter(), a, FILES[0])), Unavailable)
    await assert_nothing_is_read(b, item)
    assert len(await pair.world.records("accepted")) == 1
    await pair.world.cure("down")
    await send_letters(pair, 1)
    assert len(await read_documents(pair.b)) == 2


async def test_one_cut_connection_does_not_show(pair):
    """A reading call is repeated within seconds."""
    await send_letters(pair, 1)
    await pair.world.fault("down", 1)
    assert len((await pair.b.waiting()).items) == 1


async def test_a_lost_answer(pair):
    """It is Uncertain; the packet is found or refused as known where the dialect can, and else is sent twice."""
    document, objects = attach(letter(), pair.a, FILES[0])
    await pair.world.fault("answer-lost", 1)
    assert isinstance(await pair.a.send(document, objects), Uncertain)
    (taken,) = await pair.world.records("accepted")
    finding = await pair.a.axis.find(query(document))
    if pair.can(Can.LIST_SENT):
        assert finding == Found(axis_doc_id=taken["docId"])
        assert await pair.a.axis.find(query(letter())) == Absent()
        return
    assert isinstance(finding, CannotTell)
    assert not finding.passing
    again = await pair.a.send(document, objects)
    if pair.can(Can.REFUSE_REPEATS):
        assert isinstance(again, Rejected)
        assert again.known_as
    else:
        assert isinstance(again, Accepted)
    arrived = await read_documents(pair.b)
    assert {each.document_id for each in arrived} == {document.document_id}
    assert len(arrived) == (1 if pair.can(Can.REFUSE_REPEATS) else 2)


async def test_a_lost_answer_to_a_status(pair):
    """It is sent again without harm."""
    (document,) = await send_letters(pair, 1)
    assert await read_documents(pair.b)
    report = make_status(document)
    await pair.world.fault("reset-after", 1)
    assert isinstance(await pair.b.tell(report), Uncertain)
    assert isinstance(await pair.b.tell(report), Accepted)
    told = [each.report for each in await pair.a.read_all(PacketKind.STATUS) if isinstance(each, UnpackedStatus)]
    assert report.status_code in {each.status_code for each in told}


@pytest.mark.parametrize("fault", ["html", "html-502"])
async def test_a_page_is_no_list(pair, fault):
    """A web page instead of an answer is never an empty list, directory or packet, and leaves a sent packet open."""
    await send_letters(pair, 1)
    (item,) = (await pair.b.waiting()).items
    await pair.world.fault(fault)
    await assert_nothing_is_read(pair.b, item)
    assert isinstance(await pair.a.send(*attach(letter(), pair.a, FILES[0])), Uncertain | Unavailable)
    assert isinstance(await pair.b.axis.settle(item.axis_doc_id, done=True), Uncertain | Unavailable)


@pytest.mark.parametrize("fault", ["half-answer", "reset-after"])
async def test_an_answer_that_breaks_off(pair, fault):
    """A broken answer to a packet is Uncertain; to a list or a download it is Unavailable, and nothing is stored."""
    await send_letters(pair, 1)
    (item,) = (await pair.b.waiting()).items
    await pair.world.fault(fault)
    assert isinstance(await pair.a.send(*attach(letter(), pair.a, FILES[0])), Uncertain)
    assert isinstance(await pair.b.axis.waiting(PacketKind.DOCUMENT), Unavailable)
    stored = len(pair.b.blobs.objects)
    async with pair.b.blobs.writer(limit=1 << 20) as writer:
        fetched = await pair.b.axis.fetch(item, writer)
    if fault == "half-answer":
        assert isinstance(fetched, Unavailable)
        assert len(pair.b.blobs.objects) == stored
    await pair.world.cure(fault)
    assert len((await pair.b.waiting()).items) == 2


async def test_a_slow_axis(pair):
    """No call takes longer than its total time; a packet that left whole is Uncertain then."""
    hasty_a = await pair.world.correspondent(pair.spoken, A, timeouts=IMPATIENT)
    hasty_b = await pair.world.correspondent(pair.spoken, B, timeouts=IMPATIENT)
    for correspondent in (hasty_a, hasty_b):
        while not isinstance(await correspondent.axis.waiting(PacketKind.DOCUMENT), Waiting):
            pass  # whatever has to be opened is open in the end
    await pair.world.fault("slow")
    async with asyncio.timeout(30):
        assert isinstance(await hasty_a.send(*attach(letter(), hasty_a, FILES[0])), Uncertain)
        assert isinstance(await hasty_b.axis.waiting(PacketKind.DOCUMENT), Unavailable)
        assert isinstance(await hasty_b.axis.agencies(), Unavailable)
        assert isinstance(await hasty_b.axis.settle(NOBODYS, done=True), Uncertain)
    await pair.world.cure("slow")
    assert len((await pair.b.waiting()).items) == 1


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
async def test_a_packet_cut_on_our_side_does_not_arrive(pair, share):
    """A body that ends early is an error of ours or an outcome other than Accepted; the axis has nothing."""
    document, objects = attach(letter(), pair.a, FILES[0])
    translator = pair.a.translator
    draft = translator.draft_document(document, objects, recipients=document.to, hop=pair.a.hop)
    assert isinstance(draft, Draft)
    sealed = await translator.seal(draft)

    async def cut():
        left = int(sealed.length * share)
        async for chunk in translator.stream(draft):
            yield chunk[:left]
            left -= len(chunk[:left])
            if not left:
                return

    try:
        outcome = await pair.a.axis.submit(sealed, cut)
    except GatewayError:
        pass
    else:
        assert not isinstance(outcome, Accepted)
    assert await pair.world.records("accepted") == []
    assert not (await pair.b.waiting()).items
    assert isinstance(await pair.a.send(document, objects), Accepted)


@pytest.mark.parametrize(
    "pair", [each for each in SPOKEN if Can.LOG_IN in each.can], indirect=True, ids=lambda each: each.name
)
async def test_tokens_that_expire_in_the_middle_of_many_sends(pair):
    """Sixty sends at once with all tokens ended among them: one new token, and no document fails or doubles."""
    a = await pair.world.correspondent(pair.spoken, A, timeouts=PATIENT)
    documents = [letter() for _ in range(60)]
    sending = [asyncio.create_task(a.send(*attach(document, a, FILES[3]))) for document in documents]
    while sum(task.done() for task in sending) < 15:
        await asyncio.wait([task for task in sending if not task.done()], return_when=asyncio.FIRST_COMPLETED)
    await pair.world.expire_tokens()
    outcomes = await asyncio.gather(*sending)
    assert {type(outcome) for outcome in outcomes} == {Accepted}
    assert len(await pair.world.records("accepted")) == 60
    assert len(await pair.world.records("token_issued")) == 2
