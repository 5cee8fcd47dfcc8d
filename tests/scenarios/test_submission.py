import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from gateway.domain.dialect import DIALECTS
from gateway.domain.document import AttachmentRole, BusinessType, OtherInfo
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.verdict import Verdict
from tests.make import make_attachment, make_digest, make_organization
from tests.scenarios.world import (
    OURS,
    OURS_TOO,
    PACKET_LIMIT,
    PDF,
    THEIRS,
    THEIRS_TOO,
    VENDOR,
    World,
    make_letter,
    run_until_idle,
    store_bytes,
    stored_keys,
    submit,
)
from tests.scenarios.wrecks import wrecks


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def refused(gateway, document, **overrides):
    """Submit what must be refused; nothing of it may stay in the blob store."""
    before = await stored_keys(gateway)
    with pytest.raises(GatewayError) as caught:
        await submit(gateway, document, **overrides)
    assert await stored_keys(gateway) == before
    return caught.value


async def test_an_accepted_document_is_complete(world):
    """Codes are current, names filled in, the document id made, sizes and verdicts known, one delivery a recipient."""
    asked = make_letter(
        sender=make_organization("", organ_name=""),
        to=(make_organization("000.00.01.h99 ", organ_name=""),),
        document_id="",
        code_number="7",
        code_notation="TN",
        attachments=(make_attachment(PDF, size=-1, role=AttachmentRole.MAIN),),
    )
    async with world.gateway() as gateway:
        result = await submit(gateway, asked)
        document = result.sent.document
        assert gateway.count("documents_accepted", vendor=VENDOR, priority="normal") == 1
    assert (document.sender.organ_id, document.sender.organ_name) == (OURS, f"Sở thử nghiệm {OURS}")
    assert (document.to[0].organ_id, document.to[0].organ_name) == (THEIRS, f"Sở thử nghiệm {THEIRS}")
    assert document.document_id == f"{OURS},2026/03/02,7/TN"
    main = document.attachments[0]
    assert (main.role, main.size) == (AttachmentRole.MAIN, len(PDF))
    assert main.verdict.verdict is Verdict.TRUSTED
    assert [d.state for d in result.sent.deliveries] == [DeliveryState.QUEUED]


async def test_a_repeated_request_gets_the_first_answer(world):
    """The same request id and content: same document, counted as duplicate, its inline bytes gone again."""
    letter, request_id = make_letter(), str(uuid4())
    async with world.gateway() as gateway:
        first = await submit(gateway, letter, request_id=request_id)
        kept = await stored_keys(gateway)
        second = await submit(gateway, letter, request_id=request_id)
        assert (first.repeated, second.repeated) == (False, True)
        assert second.sent.uid == first.sent.uid
        assert await stored_keys(gateway) == kept
        assert gateway.count("duplicates_suppressed", side="vendor") == 1
        error = await refused(gateway, replace(letter, subject="other"), request_id=request_id)
        assert error.code is ErrorCode.REQUEST_ID_REUSED
        assert gateway.count("documents_refused", vendor=VENDOR, reason="REQUEST_ID_REUSED") == 1


async def test_a_document_id_stands_for_one_document_and_its_recipients(world):
    """A new request with a known document id: equal content is the first document again, anything else is refused."""
    letter = make_letter()
    async with world.gateway() as gateway:
        first = await submit(gateway, letter)
        kept = await stored_keys(gateway)
        again = await submit(gateway, letter)
        assert (again.repeated, again.sent.uid) == (True, first.sent.uid)
        assert await stored_keys(gateway) == kept
        for other in (replace(letter, subject="other"), replace(letter, to=letter.to[:1])):
            assert (await refused(gateway, other)).code is ErrorCode.DOCUMENT_ID_REUSED
        await run_until_idle(gateway)
    assert len(world.axis.taken) == 1


async def test_two_calls_at_once_make_one_document(world):
    """The same request twice at the same time: one takes, the other repeats; with other content it is refused."""
    letter, request_id, other_id = make_letter(), str(uuid4()), str(uuid4())
    async with world.gateway() as gateway:
        results = await asyncio.gather(*(submit(gateway, letter, request_id=request_id) for _ in range(3)))
        assert sorted(r.repeated for r in results) == [False, True, True]
        assert len({r.sent.uid for r in results}) == 1
        assert len(await stored_keys(gateway)) == 1
        clash = await asyncio.gather(
            *(submit(gateway, make_letter(), request_id=other_id) for _ in range(2)), return_exceptions=True
        )
        assert [r.code for r in clash if isinstance(r, GatewayError)] == [ErrorCode.REQUEST_ID_REUSED]
        assert len(await stored_keys(gateway)) == 1


async def test_validate_only_stores_nothing(world):
    """Everything is checked and completed, nothing is kept, nothing is sent; the request id stays free."""
    letter, request_id = make_letter(code_number="1" * 12), str(uuid4())
    async with world.gateway() as gateway:
        result = await submit(gateway, letter, request_id=request_id, validate_only=True)
        assert [w.path for w in result.warnings] == ["document.code_number"]
        assert result.sent.uid == ""
        assert not await stored_keys(gateway)
        assert await gateway.send_due() == 0
        error = await refused(gateway, replace(letter, subject=""), validate_only=True)
        assert error.code is ErrorCode.INVALID_FIELD
        assert not (await submit(gateway, letter, request_id=request_id)).repeated


@pytest.mark.parametrize(
    ("overrides", "code", "paths"),
    [
        (
            {"to": tuple(make_organization(c) for c in (THEIRS, "H97.01", "H97.02"))},
            ErrorCode.RECIPIENT_UNKNOWN,
            ["to[1].organ_id", "to[2].organ_id"],
        ),
        (
            {"to": tuple(make_organization(c) for c in (THEIRS, "000.00.01.H99"))},
            ErrorCode.INVALID_FIELD,
            ["to[1].organ_id"],
        ),
        ({"to": (make_organization(""),)}, ErrorCode.INVALID_FIELD, ["to[0].organ_id"]),
        ({"to": ()}, ErrorCode.INVALID_FIELD, ["to"]),
        ({"to": (make_organization("H97"),) * 5001}, ErrorCode.INVALID_FIELD, None),
        ({"sender": make_organization("H99.01")}, ErrorCode.AGENCY_NOT_PERMITTED, ["from.organ_id"]),
        ({"sender": make_organization("H98")}, ErrorCode.AGENCY_NOT_PERMITTED, ["from.organ_id"]),
        ({"sender": make_organization("H97")}, ErrorCode.AGENCY_UNKNOWN, ["from.organ_id"]),
        (
            {"business_type": BusinessType.RECALL},
            ErrorCode.INVALID_FIELD,
            ["response_for", "business.reason"],
        ),
        (
            {"other_info": OtherInfo(sphere_of_promulgation="Mật")},
            ErrorCode.INVALID_FIELD,
            ["other_info.sphere_of_promulgation"],
        ),
        ({"attachments": ()}, ErrorCode.INVALID_FIELD, ["attachments"]),
        (
            {"attachments": (make_attachment(PDF), make_attachment(b"unknown", role=AttachmentRole.ANNEX))},
            ErrorCode.ATTACHMENT_UNKNOWN,
            ["attachments[1].sha256"],
        ),
    ],
)
async def test_what_must_be_mended_is_named(world, overrides, code, paths):
    """Each fault is refused with its code and contract paths, all bad recipients at once; no bytes stay behind."""
    async with world.gateway() as gateway:
        error = await refused(gateway, make_letter(**overrides))
    assert error.code is code
    assert error.vietnamese
    if paths is not None:
        assert [v.path.removeprefix("document.") for v in error.violations] == paths


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.UNSIGNED, ErrorCode.SIGNATURE_MISSING),
        (Verdict.ALTERED, ErrorCode.SIGNATURE_ALTERED),
        (Verdict.INVALID, ErrorCode.SIGNATURE_INVALID),
        (Verdict.UNTRUSTED, ErrorCode.SIGNATURE_UNTRUSTED),
    ],
)
async def test_signatures_decide(world, verdict, code):
    """A main file that is not trusted is refused with the reason and the attachment named."""
    world.signatures.verdicts[make_digest(PDF)] = verdict
    async with world.gateway() as gateway:
        error = await refused(gateway, make_letter())
    assert error.code is code
    assert "Văn bản.pdf" in error.english


async def test_a_closed_recipient_is_refused(world):
    """An agency the directory no longer lists cannot be sent to."""
    async with world.gateway() as gateway:
        world.axis.rows = tuple(row for row in world.axis.rows if row.code != THEIRS)
        await gateway.directory.sync()
        error = await refused(gateway, make_letter())
    assert (error.code, [v.path for v in error.violations]) == (
        ErrorCode.RECIPIENT_UNKNOWN,
        ["document.to[0].organ_id"],
    )


async def test_the_acting_agency_may_send_for_units_below_it(world):
    """A unit below the acting agency may be the issuing one."""
    async with world.gateway() as gateway:
        acting = (await gateway.store.directory.resolve(["H98"]))["H98"]
        result = await submit(gateway, make_letter(), agency=acting)
    assert result.sent.document.sender.organ_id == OURS


async def test_uploaded_bytes_may_be_named(world):
    """An attachment named by digest alone is found among the vendor's uploads and gets its true size."""
    async with world.gateway() as gateway:
        stored = await store_bytes(gateway.blobs, b"annex")
        expires = world.clock.now() + timedelta(hours=1)
        await gateway.store.blobs.register_upload(VENDOR, stored, expires_at=expires)
        annex = make_attachment(b"annex", size=-1, name="a.docx", role=AttachmentRole.ANNEX)
        result = await submit(gateway, make_letter(attachments=(make_attachment(PDF), annex)))
    assert [a.size for a in result.sent.document.attachments] == [len(PDF), 5]


async def test_too_large_a_packet_is_refused_at_once(world):
    """What cannot fit through the account is refused with both sizes instead of failing later."""
    world.packet_limit = 1000
    async with world.gateway() as gateway:
        error = await refused(gateway, make_letter())
    assert error.code is ErrorCode.PACKET_TOO_LARGE
    assert "1000" in error.english


async def test_a_crash_between_any_two_steps_of_submitting(tmp_path):
    """Wherever the process dies, the repeated request has one document, whole, delivered once; no bytes are left."""
    base = World(tmp_path / "base")
    base.folder.mkdir()
    letter, request_id = make_letter(), str(uuid4())
    *crashed, ended = await wrecks(base, lambda gateway: submit(gateway, letter, request_id=request_id), least=8)
    for world in (*crashed, ended):
        async with world.gateway() as gateway:
            again = await submit(gateway, letter, request_id=request_id)
            assert again.repeated or world is not ended
            await run_until_idle(gateway)
            sent = await gateway.store.documents.get(again.sent.uid)
            assert {d.state for d in sent.deliveries} == {DeliveryState.SENT}
            world.clock.advance(timedelta(days=3650))
            await gateway.upkeep.collect_orphans()
            assert len(await stored_keys(gateway)) == 1
        assert len(world.axis.taken) == 1


@pytest.mark.parametrize("together", [2, 100])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_cap_is_judged_to_the_byte(tmp_path, dialect, together):
    """What the account's cap just holds is accepted and sent, whatever the dialect; a byte less refuses at submission.

    The largest share of the recipients counts, with its addresses, and what a ZIP around a file adds.
    """
    to = (
        make_organization(THEIRS, organ_add="Số 1 đường Thử <Nghiệm> & 'Mẫu'"),
        make_organization(THEIRS_TOO, organ_add="Đ" * 250, email="x" * 100),
        make_organization(OURS_TOO, organ_add="Đ" * 250, email="x" * 100, website='"' * 100),
    )
    sheet, note = b"rows" * 1000, b"text!"
    attachments = (
        make_attachment(PDF),
        make_attachment(sheet, size=len(sheet), name="bảng.xlsx", role=AttachmentRole.ANNEX),
        make_attachment(note, size=len(note), name="note", media_type="text/plain", role=AttachmentRole.ANNEX),
    )

    async def sent_under(limit):
        world = World(tmp_path / str(limit))
        world.folder.mkdir()
        world.packet_limit, world.dialect, world.recipients_per_message = limit, DIALECTS[dialect], together
        async with world.gateway() as gateway:
            inline = {one.digest: one for one in [await store_bytes(gateway.blobs, b) for b in (PDF, sheet, note)]}
            result = await submit(gateway, make_letter(to=to, attachments=attachments), inline=inline)
            await run_until_idle(gateway)
            sent = await gateway.store.documents.get(result.sent.uid)
            assert {d.state for d in sent.deliveries} == {DeliveryState.SENT}
        assert len(world.axis.taken) == -(-len(to) // together)
        return max(len(packet.data) for packet in world.axis.taken)

    largest = await sent_under(PACKET_LIMIT)
    assert await sent_under(largest) == largest
    with pytest.raises(GatewayError) as caught:
        await sent_under(largest - 1)
    assert caught.value.code is ErrorCode.PACKET_TOO_LARGE
    assert str(largest) in caught.value.english
    assert str(largest - 1) in caught.value.english


async def test_the_peers_dialect_limits_a_submission(world):
    """What the account's peer has no room for is refused before acceptance, with the field."""
    world.dialect = DIALECTS["bkav"]
    async with world.gateway() as gateway:
        error = await refused(gateway, make_letter(code_number="1" * 12))
        assert [violation.path for violation in error.violations] == ["document.code_number"]
        await submit(gateway, make_letter(code_number="1" * 11))
