"""Recall, update and replacement through the real flows: what is refused, what leaves, and in which order."""

import re
from dataclasses import replace
from uuid import uuid4

import pytest

from gateway.domain.document import Business, BusinessType, OtherInfo, Priority, ResponseFor
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import OrganId
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.outcome import Rejected, Unavailable
from gateway.domain.packet import PacketKind
from tests.fakes.axis import Fate
from tests.fakes.fuse import Fuse
from tests.make import (
    make_attachment,
    make_directory_row,
    make_document,
    make_follower,
    make_organization,
    make_response_for,
)
from tests.scenarios.test_inbox import lease, report
from tests.scenarios.world import (
    LEASE,
    MINUTE,
    OURS,
    OURS_TOO,
    PDF,
    THEIRS,
    THEIRS_TOO,
    VENDOR,
    World,
    make_letter,
    run_until_idle,
    stored_keys,
    submit,
)

RECALL, UPDATE, REPLACE = BusinessType.RECALL, BusinessType.UPDATE, BusinessType.REPLACE
FILES = (make_attachment(PDF),)
DOWN = Unavailable(reason="no connection")
BAD = Rejected(code="18", reason="unknown receiver")


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def refused(gateway, document):
    """The fields that keep a document out; no byte of it may stay."""
    before = await stored_keys(gateway)
    with pytest.raises(GatewayError) as caught:
        await submit(gateway, document)
    assert caught.value.code is ErrorCode.INVALID_FIELD
    assert await stored_keys(gateway) == before
    return [violation.path.removeprefix("document.") for violation in caught.value.violations]


def arrivals(world):
    """What each recipient got on the axis, in order: the subjects of documents, the codes of statuses."""
    found = {}
    for packet in world.axis.taken:
        text = packet.data.decode()
        name = (re.findall("<edXML:Subject>([^<]*)<|StatusCode>([^<]*)<", text))[0]
        for recipient in packet.recipients:
            found.setdefault(recipient, []).append("".join(name))
    return found


@pytest.mark.parametrize("kind", [RECALL, UPDATE, REPLACE])
async def test_what_follows_a_document_names_it_whole(world, kind):
    """What leaves names the document by its marks as sent, whichever were given, in the place of its kind."""
    letter = make_letter()
    follower = make_follower(letter, kind, attachments=FILES)
    if kind is RECALL:
        bare = ResponseFor(organ_id=OrganId(""), code=letter.code, promulgation_date=letter.promulgation_date)
        follower = replace(follower, response_for=(bare,))
    async with world.gateway() as gateway:
        await submit(gateway, letter)
        result = await submit(gateway, follower)
        assert result.sent.document.document_id == follower.document_id
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
        assert {delivery.state for delivery in sent.deliveries} == {DeliveryState.SENT}
    packet = world.axis.taken[-1].data.decode()
    assert f"<edXML:BussinessDocType>{kind.value}<" in packet
    assert f"<edXML:DocumentId>{letter.document_id}<" in packet
    if kind is RECALL:
        reference = packet.partition("<edXML:ResponseFor>")[2].partition("</edXML:ResponseFor>")[0]
        for mark in (OURS, letter.code, letter.document_id, "2026"):
            assert mark in reference
        assert "<edXML:Subject>" in packet


async def test_a_recall_that_repeats_its_document_needs_no_file(world):
    """The same header and document id without attachments, the sender by an old code, is taken and sent."""
    letter = make_letter()
    recall = replace(
        letter,
        business_type=RECALL,
        response_for=(make_response_for(letter, organ_id="000.00.01.h98"),),
        business=Business(reason="Gửi nhầm"),
        attachments=(),
    )
    async with world.gateway() as gateway:
        await submit(gateway, letter)
        first = await submit(gateway, recall)
        again = await submit(gateway, recall, request_id=str(uuid4()))
        assert (again.repeated, again.sent.uid) == (True, first.sent.uid)
        assert not (await submit(gateway, replace(recall, business=Business(reason="khác")))).repeated
        await run_until_idle(gateway)
    assert len(world.axis.taken) == 3


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({"response_for": (ResponseFor(organ_id=OURS, document_id="unheard of"),)}, ["response_for[0]"]),
        ({"to": tuple(make_organization(c) for c in (THEIRS, OURS_TOO))}, ["to[1].organ_id"]),
        ({"sender": make_organization("H98.02")}, ["response_for[0].organ_id"]),
        ({"response_for": ()}, ["response_for"]),
        ({"business": Business()}, ["business.reason"]),
    ],
)
async def test_a_recall_of_something_else_is_refused(world, change, paths):
    """An unknown document, a stranger, another unit's document, none at all, no reason: each is named."""
    letter = make_letter()
    async with world.gateway() as gateway:
        acting = (await gateway.store.directory.resolve(["H98"]))["H98"]
        await submit(gateway, letter)
        recall = make_follower(letter, RECALL, **change)
        with pytest.raises(GatewayError) as caught:
            await submit(gateway, recall, agency=acting)
    assert [violation.path.removeprefix("document.") for violation in caught.value.violations] == paths


async def test_updates_and_replacements_of_something_else_are_refused(world):
    """What this gateway never sent for the agency cannot be updated or replaced; validate_only says so, too."""
    letter = make_letter()
    async with world.gateway() as gateway:
        assert await refused(gateway, make_follower(letter, UPDATE, attachments=FILES)) == ["business.document_id"]
        replacement = make_follower(letter, REPLACE, attachments=FILES)
        assert await refused(gateway, replacement) == ["business.replacements[0].document_id"]
        with pytest.raises(GatewayError):
            await submit(gateway, make_follower(letter, RECALL), validate_only=True)


async def test_an_update_may_go_to_new_recipients_and_its_recall_to_all(world):
    """A recall by the document id that an update kept goes to those of both."""
    letter = make_letter(to=(make_organization(THEIRS),))
    update = make_follower(
        letter, UPDATE, document_id=letter.document_id, to=(make_organization(THEIRS_TOO),), attachments=FILES
    )
    recall = make_follower(letter, RECALL, to=tuple(make_organization(c) for c in (THEIRS, THEIRS_TOO)))
    async with world.gateway() as gateway:
        await submit(gateway, letter)
        assert await refused(gateway, recall) == ["to[1].organ_id"]
        await submit(gateway, update)
        assert not (await submit(gateway, recall)).repeated


async def test_a_recipient_that_changed_its_code_can_be_asked_back(world):
    """A document sent under an agency's former code is recalled under the one it has now."""
    letter = make_letter(to=(make_organization(THEIRS),))
    async with world.gateway() as gateway:
        await submit(gateway, letter)
        moved = make_directory_row("H99.77", axis_id=f"axis-{THEIRS}", parent_axis_id="axis-H99")
        world.axis.rows = tuple(moved if row.code == THEIRS else row for row in world.axis.rows)
        await gateway.directory.sync()
        assert not (await submit(gateway, make_follower(letter, RECALL, to=(make_organization("H99.77"),)))).repeated


async def test_a_recall_that_looks_like_its_document_is_not_taken_for_it(world):
    """Same number, title and recipients, the answer lost half a minute later: the document's entry proves nothing."""
    letter = make_letter(subject="letter")
    recall = make_follower(letter, RECALL, subject="letter", document_id=letter.document_id)
    async with world.gateway() as gateway:
        await submit(gateway, letter)
        await gateway.send_due()
        world.clock.advance(MINUTE / 2)
        world.axis.fates.append(Fate.LOSE_PACKET)
        await submit(gateway, recall)
        await run_until_idle(gateway)
    assert arrivals(world) == {THEIRS: ["letter"] * 2, THEIRS_TOO: ["letter"] * 2}


@pytest.mark.parametrize("together", [1, 100])
@pytest.mark.parametrize(
    "fates",
    [
        [DOWN, DOWN, Fate.TAKE, DOWN],
        [Fate.LOSE_ANSWER, DOWN, Fate.LOSE_PACKET, Fate.LOSE_ANSWER],
        [BAD, DOWN, Fate.TAKE, Fate.LOSE_PACKET, BAD],
        [BAD, BAD, Fate.TAKE, BAD, Fate.LOSE_ANSWER],
        [Rejected(code="22", reason="malformed"), DOWN],
    ],
)
async def test_the_axis_gets_a_document_before_its_recall(world, fates, together):
    """Down, uncertain, divided, refused, and four crashes: each recipient gets them in order, once each.

    Statuses 03 and 06 of a received document go out between.
    """
    world.recipients_per_message, world.divided_codes = together, frozenset({"18"})
    received = make_document(sender=make_organization(THEIRS), to=(make_organization(OURS),), attachments=FILES)
    world.axis.put(await world.document_packet(received), kind=PacketKind.DOCUMENT)
    letter = make_letter(subject="letter")
    urgent = OtherInfo(priority=Priority.FLASH)
    recall = make_follower(letter, RECALL, subject="recall", other_info=urgent, attachments=FILES)
    async with world.gateway() as gateway:
        entry = await lease(gateway)
        await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        await submit(gateway, letter)
        await submit(gateway, recall)
        for number, code in enumerate(("03", "06")):
            await report(gateway, entry, code, request_id=str(number))
    world.axis.fates.extend(fates)
    for step in (4, 11, 18, 25):
        async with world.gateway(Fuse(step)) as gateway:
            while await gateway.send_due():
                pass
        world.clock.advance(LEASE + MINUTE)
    async with world.gateway() as gateway:
        await run_until_idle(gateway, turns=60)
    got = arrivals(world)
    for recipient in (THEIRS, THEIRS_TOO):
        subjects = [name for name in got.get(recipient, ()) if name in ("letter", "recall")]
        assert subjects in (["letter", "recall"], ["letter"], ["recall"])
        failed = any(isinstance(fate, Rejected) for fate in fates)
        assert failed or subjects == ["letter", "recall"]
    statuses = [name for name in got[THEIRS] if name in ("03", "06")]
    assert statuses == sorted(statuses)
    assert "06" in statuses
