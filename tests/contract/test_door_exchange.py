"""The door over a real socket, store, blobs and flows: a document's whole life with nothing but an HTTP client."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from gateway.domain.document import Business, BusinessType, OtherInfo
from gateway.domain.lifecycle import ReceptionState
from tests.fakes import rpc_world
from tests.fakes.door_world import SECRET_A, SYSTEM_A, read_envelope, running
from tests.fakes.javasdk import sign
from tests.make import (
    NOW,
    RECIPIENT,
    SENDER,
    make_arrival,
    make_attachment,
    make_document,
    make_follower,
    make_organization,
    make_received,
    make_status,
    make_verified,
)


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path) as world:
        yield world


async def place(world, report):
    """A status that came from the axis."""
    received = make_received()
    await world.store.items.record(received, at=NOW)
    await world.store.items.place_status(received, report, at=NOW)


async def due_statuses(world):
    leased = await world.store.outbox.lease(
        "w", route=rpc_world.ROUTE, limit=50, lease_for=timedelta(seconds=1), at=world.under.clock.now()
    )
    world.under.clock.advance(timedelta(minutes=1))
    return [message.report for message in leased if message.report is not None]


async def arrive(world, **overrides):
    """A document for vendor B that came from the axis as this packet."""
    document = make_document(**overrides)
    packet = await world.packet_of(document)
    async with world.under.blobs.writer(limit=len(packet)) as writer:
        await writer.write(packet)
        raw = await writer.finish()
    received = make_received(raw=raw)
    await world.store.items.record(received, at=NOW)
    found = await world.store.directory.resolve([each.organ_id for each in document.to])
    arrival = make_arrival(document, account=received.account, item=received.item, recipients=tuple(found.values()))
    await world.store.items.store(arrival, receipts=(), at=NOW)
    return document, packet


async def test_a_document_goes_out_and_its_statuses_come_back(world):
    """SendEdoc gives a DocId, getSentEdocList follows it, statuses are listed, fetched and taken."""
    await world.a.call("countReceiveStatus")  # the first call: statuses count from here
    document = make_document()
    sent = await world.a.send(await world.packet_of(document), from_=SENDER, to=f'["{RECIPIENT}"]')
    assert (sent["status"], sent["ErrorDesc"]) == ("OK", "Thanh cong"), sent
    (line,) = (await world.a.call("getSentEdocList", servicetype="eDoc", messagetype="edoc", docId=sent["DocId"]))[
        "data"
    ]
    assert (line["senderDocId"], line["toCode"], line["sendStatus"]) == (sent["DocId"], RECIPIENT, "processing")
    assert (line["notation"], line["title"], line["receiveStatus"]) == (document.code, document.subject, "initial")
    await place(world, make_status(document, status_code="01"))
    await place(world, make_status(document, status_code="03"))
    assert (await world.a.call("countReceiveStatus", method="GET"))["count"] == 2
    first, second = await world.a.received("status")
    assert (first["from"], first["to"], first["messageType"]) == (RECIPIENT, SENDER, "status")
    packet = await world.a.packet(second["docId"])
    assert b"<edXML:StatusCode>03</edXML:StatusCode>" in packet
    assert await world.a.download(second["docId"]) == packet
    for _ in range(2):
        assert (await world.a.settle(second["docId"]))["status"] == "OK"
    assert [each["docId"] for each in await world.a.received("status")] == [first["docId"]]
    assert (await world.a.settle(first["docId"]))["status"] == "OK"
    assert await world.a.received("status") == []
    (line,) = (await world.a.call("getSentEdocList", docId=sent["DocId"]))["data"]
    assert (line["receiveStatus"], line["receiveStatusDesc"]) == ("done", "03 Da tiep nhan")


async def test_the_same_document_again_has_the_same_name(world):
    """Repeated, sendEdoc takes nothing a second time; other content under the same id is refused."""
    document = make_document()
    packet = await world.packet_of(document)
    first = await world.a.send(packet, from_=SENDER)
    again = await world.a.send(packet, body=packet, from_=SENDER)
    assert first["DocId"] == again["DocId"] != ""
    other = await world.a.send(await world.packet_of(replace(document, subject="V/v khac")), from_=SENDER)
    assert (other["status"], other["ErrorCode"], other["DocId"]) == ("FAIL", "22", "")


async def test_a_document_is_received_byte_for_byte(world):
    """What waits is listed until updateStatus; both ways of fetching give the axis's own bytes; done sends one 01."""
    _, packet = await arrive(world)
    assert (await world.b.call("countReceiveEdoc", b"{}"))["count"] == 1
    (line,) = await world.b.received()
    assert (line["from"], line["to"], line["status"]) == (SENDER, RECIPIENT, "initial")
    assert await world.b.packet(line["docId"]) == packet
    assert await world.b.download(line["docId"]) == packet
    assert (await world.b.settle(line["docId"], "processing"))["status"] == "OK"
    assert len(await world.b.received()) == 1
    for _ in range(2):
        assert (await world.b.settle(line["docId"]))["status"] == "OK"
    assert await world.b.received() == []
    assert [each["status"] for each in await world.b.received(status="done")] == ["done"]
    assert [report.status_code for report in await world.statuses_out()] == ["01"]


async def test_failing_an_item_refuses_it_once(world):
    """UpdateStatus fail tells the sender 02 with a reason; done afterwards is refused."""
    await arrive(world)
    (line,) = await world.b.received()
    for _ in range(2):
        assert (await world.b.settle(line["docId"], "fail"))["status"] == "OK"
    (report,) = await world.statuses_out()
    assert (report.status_code, "updateStatus" in report.description) == ("02", True)
    assert (await world.b.settle(line["docId"]))["ErrorCode"] == "22"
    assert [each["status"] for each in await world.b.received(status="fail")] == ["fail"]


async def test_a_pulled_document_is_settled_at_the_door(world):
    """A lease over gRPC does not keep the same vendor's other system from acknowledging."""
    await arrive(world)
    (entry,) = await world.store.receptions.lease(
        rpc_world.B, under=None, limit=1, lease_for=timedelta(minutes=1), at=NOW
    )
    (line,) = await world.b.received(status="processing")
    assert line["docId"] == entry.id
    assert (await world.b.settle(entry.id))["status"] == "OK"
    assert (await world.store.receptions.get(entry.id)).state is ReceptionState.ACKNOWLEDGED


@pytest.mark.parametrize("acknowledged", [False, True])
async def test_status_packets_become_reports(world, acknowledged):
    """01 acknowledges without a second 01, 03 and 05 are reported once each packet, whether or not it was settled."""
    document, _ = await arrive(world)
    (line,) = await world.b.received()
    if acknowledged:
        await world.b.settle(line["docId"])
    told = []
    for code, minute in (("01", 0), ("03", 1), ("03", 1), ("05", 2), ("05", 2), ("05", 3), ("01", 0)):
        report = make_status(
            document, status_code=code, timestamp=f"2026/03/02 10:0{minute}:00", description="đang làm"
        )
        told.append(await world.b.send(await world.status_of(report), messagetype="status", from_=RECIPIENT))
    assert {(each["status"], each["ErrorCode"]) for each in told} == {("OK", "0")}
    assert all(each["DocId"] for each in told)
    out = await world.statuses_out()
    assert [report.status_code for report in out] == ["01", "03", "05", "05"]
    assert out[1].description == "đang làm"
    assert await world.b.received() == []


@pytest.mark.parametrize("acknowledged", [False, True])
async def test_a_refusal_reaches_the_sender_even_late(world, acknowledged):
    """02 with its reason goes out once, also after updateStatus done; without a reason it is refused with the path."""
    document, _ = await arrive(world)
    (line,) = await world.b.received()
    if acknowledged:
        await world.b.settle(line["docId"])
    bare = make_status(document, status_code="02")
    told = await world.b.send(await world.status_of(bare), messagetype="status", from_=RECIPIENT)
    assert (told["ErrorCode"], "Description" in told["ErrorDesc"]) == ("22", True)
    packet = await world.status_of(replace(bare, description="Gửi nhầm nơi nhận"))
    for _ in range(2):
        assert (await world.b.send(packet, messagetype="status", from_=RECIPIENT))["status"] == "OK"
    out = await world.statuses_out()
    assert [report.status_code for report in out] == (["01"] if acknowledged else []) + ["02"]
    assert out[-1].description == "Gửi nhầm nơi nhận"


async def test_a_take_back_goes_to_the_recipient_behind_the_document(world):
    """13 names the recipient, goes by its packet's route after it, once per timestamp."""
    document = make_document()
    await world.a.send(await world.packet_of(document), from_=SENDER)
    report = make_status(
        document,
        sender=make_organization(SENDER),
        status_code="13",
        response_for=replace(make_status(document).response_for, organ_id=RECIPIENT),
        description="Gửi nhầm",
    )
    packet = await world.status_of(report)
    for _ in range(2):
        assert (await world.a.send(packet, messagetype="status", from_=SENDER))["status"] == "OK"
    assert await due_statuses(world) == []  # the document itself is not sent yet
    await world.store.database.write(
        lambda conn: conn.exec_driver_sql("UPDATE messages SET state = 'sent', due_at = NULL WHERE kind = 'edoc'")
    )
    (asked,) = await due_statuses(world)
    assert [asked] == await world.statuses_out()
    assert (asked.status_code, asked.response_for.organ_id, asked.description) == ("13", RECIPIENT, "Gửi nhầm")
    stranger = replace(report, response_for=replace(report.response_for, organ_id=rpc_world.UNCLAIMED))
    told = await world.a.send(await world.status_of(stranger), messagetype="status", from_=SENDER)
    assert told["ErrorCode"] == "10"


async def test_foreign_documents_are_unknown(world):
    """Vendor A sees, fetches and settles nothing of vendor B's, and reports for none of its agencies."""
    document, _ = await arrive(world)
    (line,) = await world.b.received()
    assert await world.a.received() == []
    assert (await world.a.call("getEdoc", b"{}", docId=line["docId"]))["ErrorCode"] == "10"
    assert (await world.a.settle(line["docId"]))["ErrorCode"] == "10"
    told = await world.a.send(await world.status_of(make_status(document)), messagetype="status", from_=RECIPIENT)
    assert told["ErrorCode"] == "19"
    sent = await world.a.send(await world.packet_of(make_document()), from_=SENDER)
    assert (await world.b.call("getSentEdocList", docId=sent["DocId"]))["data"] == []


async def test_a_recall_follows_its_document(world):
    """Packets of type 1 take the same flow as everybody's: after the document, under a name of their own."""
    document = make_document()
    first = await world.a.send(await world.packet_of(document), from_=SENDER)
    recall = make_follower(document, BusinessType.RECALL, document_id=document.document_id)
    told = await world.a.send(await world.packet_of(recall), from_=SENDER)
    assert (told["status"], told["DocId"] != first["DocId"]) == ("OK", True), told
    lines = (await world.a.call("getSentEdocList", messagetype="edoc", docId=""))["data"]
    assert {line["senderDocId"] for line in lines} == {told["DocId"], first["DocId"]}


@pytest.mark.parametrize("kind", [BusinessType.RECALL, BusinessType.UPDATE])
async def test_a_follower_may_name_its_document_by_its_header_alone(world, kind):
    """Type 1 without ResponseFor, type 2 without Bussiness/DocumentId: the header repeated is the name."""
    document = make_document()
    assert (await world.a.send(await world.packet_of(document), from_=SENDER))["status"] == "OK"
    bare = replace(document, business_type=kind, business=Business(reason="Gửi nhầm"))
    told = [await world.a.send(await world.packet_of(bare), from_=SENDER) for _ in range(2)]
    assert {(each["status"], each["DocId"]) for each in told} == {("OK", told[0]["DocId"])}, told
    sent = await world.store.documents.get(told[0]["DocId"])
    named = [each.document_id for each in sent.document.response_for] or [sent.document.business.document_id]
    assert named == [document.document_id]
    stranger = replace(bare, document_id="another")
    assert (await world.a.send(await world.packet_of(stranger), from_=SENDER))["ErrorCode"] == "22"


async def test_a_packet_is_sent_whole_or_not_at_all(world):
    """A To without a code, a file without its bytes: refused with the place, nothing kept."""
    packet = await world.packet_of(make_document(to=(make_organization(RECIPIENT),)))
    nameless = packet.replace(
        b"<edXML:Code>", b"<edXML:To><edXML:OrganName>B</edXML:OrganName></edXML:To><edXML:Code>", 1
    )
    announced = packet.replace(
        b"</edXML:edXMLManifest>",
        b"<edXML:Reference><edXML:ContentId>cid:z</edXML:ContentId></edXML:Reference></edXML:edXMLManifest>",
    )
    for bad, place in ((nameless, "MessageHeader/To"), (announced, "edXMLManifest/Reference")):
        assert bad != packet
        told = await world.a.send(bad, from_=SENDER)
        assert (told["ErrorCode"], place in told["ErrorDesc"]) == ("22", True), told
    assert world.files() == []


async def test_statuses_are_narrowed_like_documents(world):
    """By the unit they are for and by day, however many others wait before them."""
    document = make_document()
    assert (await world.a.send(await world.packet_of(document), from_=SENDER))["status"] == "OK"
    await place(world, make_status(document))
    assert len(await world.a.received("status", to=f'["{rpc_world.OLD_CODE}"]', pageSize="1")) == 1
    assert await world.a.received("status", to=f'["{RECIPIENT}"]') == []
    day = NOW.strftime("%Y/%m/%d")
    assert len(await world.a.received("status", fromDate=day, toDate=day)) == 1
    assert await world.a.received("status", toDate="2026/01/01") == []


async def test_the_header_to_chooses_among_the_packets_recipients(world):
    """A subset is sent to alone, under any code; others are refused with 18, and so is what is no list."""
    to = (make_organization(RECIPIENT), make_organization(rpc_world.UNCLAIMED))
    packet = await world.packet_of(make_document(to=to))
    for bad in ('["H01.99"]', '["000.00.22.H99", "H01.99"]', "[null]", '["A","a"]', "[", '[" "]'):
        told = await world.a.send(packet, from_=SENDER, to=bad)
        assert (told["status"], told["ErrorCode"], told["DocId"]) == ("FAIL", "18", ""), bad
    told = await world.a.send(packet, from_=SENDER, to=f'["{RECIPIENT.lower()}"]')
    (line,) = (await world.a.call("getSentEdocList", docId=told["DocId"]))["data"]
    assert line["toCode"] == RECIPIENT
    rest = await world.a.send(packet, from_=SENDER, to=f'["{rpc_world.UNCLAIMED}"]')
    assert (rest["ErrorCode"], "hoac noi nhan khac" in rest["ErrorDesc"]) == ("22", True), rest


@pytest.mark.parametrize(
    ("header", "code"), [("", "0"), ("00.98.W00", "0"), (SENDER, "0"), (rpc_world.OLD_CODE, "0"), (RECIPIENT, "19")]
)
async def test_the_header_from_names_the_system_or_an_agency_of_its_own(world, header, code):
    """The system id, a centre, the agency under any code, or nothing; a foreign agency is refused with 19."""
    told = await world.a.send(await world.packet_of(make_document()), **({"from_": header} if header else {}))
    assert told["ErrorCode"] == code


async def test_a_foreign_sender_in_the_packet_is_refused(world):
    """The packet's own From must be an agency of the vendor's, whatever the header says."""
    packet = await world.packet_of(make_document(sender=make_organization(RECIPIENT), to=(make_organization(SENDER),)))
    for header in (SENDER, "00.98.W00"):
        assert (await world.a.send(packet, from_=header))["ErrorCode"] == "19"


async def test_defects_name_the_place(world):
    """Missing elements, unknown and closed recipients and unsigned files: the code of the list, the path, no DocId."""
    for code, said, overrides in (
        ("22", "SignerInfo/FullName", {"signer_info": replace(make_document().signer_info, full_name="")}),
        ("22", "PromulgationInfo/Place", {"promulgation_place": ""}),
        ("22", "OtherInfo/SphereOfPromulgation", {"other_info": OtherInfo(sphere_of_promulgation="Mật")}),
        ("18", "To[0]/OrganId", {"to": (make_organization("H01.99"),)}),
    ):
        told = await world.a.send(await world.packet_of(make_document(**overrides)), from_=SENDER)
        assert (told["ErrorCode"], said in told["ErrorDesc"], told["DocId"]) == (code, True, ""), told
    rows = [rpc_world.make_directory_row(SENDER), rpc_world.make_directory_row(RECIPIENT)]
    await world.store.directory.apply(rows, at=NOW)
    closed = await world.packet_of(make_document(to=(make_organization(rpc_world.UNCLAIMED),)))
    assert (await world.a.send(closed, from_=SENDER))["ErrorCode"] == "23"


async def test_storage_that_is_full_invites_a_retry(world):
    """STORAGE_FULL is code 20 with Retry-After; nothing stays behind."""
    world.under.disk.free = 0
    packet = await world.packet_of(make_document(attachments=(make_attachment(),)))
    before = world.files()
    parameters = {"messagetype": "edoc", "hash-file": sha256(packet).hexdigest(), "from": SENDER}
    headers = sign(SYSTEM_A, SECRET_A, parameters, "application/octet-stream")
    async with world.session.post(f"{world.a.url}/sendEdoc", data=packet, headers=headers) as answer:
        told = read_envelope("sendEdoc", await answer.read())
        assert (answer.status, answer.headers["Retry-After"]) == (200, "60")
    assert (told["ErrorCode"], told["DocId"], world.files()) == ("20", "", before)


async def test_a_packet_that_is_split_while_it_is_read_stays_whole(world):
    """The raw object goes away under the reader; what is left is read from the parts."""
    content = b"%PDF-1.7 " + b"x" * 2_000_000
    document = make_document()
    packet = await world.packet_of(document, content)
    translator = world.door._operations.packets.translator
    async with world.under.blobs.writer(limit=len(packet)) as writer:
        await writer.write(packet)
        raw = await writer.finish()
    received = make_received(raw=raw)
    await world.store.items.record(received, at=NOW)
    unpacked = await translator.read(received)
    verified = make_verified(unpacked.document, objects=unpacked.objects)
    found = await world.store.directory.resolve([each.organ_id for each in document.to])
    arrival = make_arrival(unpacked.document, item=received.item, recipients=tuple(found.values()), verified=verified)
    await world.store.items.store(arrival, receipts=(), at=NOW)
    (line,) = await world.b.received()
    chunks = (await world.door._operations.packets._open(rpc_world.B, line["docId"]))[2]
    read = await anext(chunks)
    parts = await translator.split(received, unpacked.spans)
    await world.under.blobs.discard(await world.store.items.split(received, parts))
    read += b"".join([chunk async for chunk in chunks])
    assert read == packet
    assert await world.b.packet(line["docId"]) == packet
