"""The VXP adapter reading from a scripted peer: lists, directory, packets, and everything that only looks like them."""

import asyncio
import base64
import gzip
import json

import pytest

from gateway.adapters.http import CHUNK
from gateway.adapters.vxp.config import FetchBy, SentList
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import Absent, CannotTell, Found, Rejected, SentQuery, Unavailable
from gateway.domain.packet import PacketKind
from gateway.ports import DirectoryListing, Fetched, Waiting
from tests.contract.vxp_peer import (
    ITEM,
    NOTHING,
    PACKET,
    SHORT,
    START,
    FileWriter,
    answering,
    axis_at,
    hang_up,
    peer_running,
)


async def test_an_endless_trickle_ends():
    """A list that comes byte by byte without end is stopped by the total time, and an endless one by its cap."""

    async def trickle(exchange):
        exchange.answer(b'{"data":[', length=1 << 40)
        while True:
            exchange.writer.write(b"1,")
            await exchange.writer.drain()
            await asyncio.sleep(0.001)

    async def flood(exchange):
        exchange.answer(b'{"data":[', length=1 << 40)
        while True:
            exchange.writer.write((b'{"a":"' + b"x" * 90 + b'"},') * 1_000)
            await exchange.writer.drain()

    async with peer_running(trickle) as peer, axis_at(peer.url, timeouts=SHORT) as axis:
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)
    async with peer_running(flood) as peer, axis_at(peer.url, max_list_bytes=1_000_000) as axis:
        answer = await axis.waiting(PacketKind.DOCUMENT)
        assert answer == Unavailable(reason="HTTP 200: the answer is longer than allowed")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><html></html>",
        b"junk",
        b"{}",
        b"[]",
        b"null",
        b'{"status":"OK"}',
        b'{"status":"UP"}',
        b'{"status":"FAIL","ErrorCode":"20","data":[]}',
        b'{"status":"OK","ErrorCode":"7","data":[]}',
        b'{"status":"OK","ErrorCode":"0","data":[',
        b'{"status":"OK","ErrorCode":"0","data":[]} trailing',
        b'{"status":"OK","ErrorCode":"0","data":"text"}',
        b'{"status":"OK","ErrorCode":"0","data":{"docId":"x"}}',
        b"\xff\xfe{}",
    ],
)
async def test_junk_is_no_empty_list(body):
    """Nothing but an axis's own good answer is read as "nothing is waiting", "nothing was sent" or "no agencies"."""
    async with (
        peer_running(answering(body)) as peer,
        axis_at(peer.url, sent_list=SentList.BY_SENDER) as axis,
    ):
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)
        assert isinstance(await axis.agencies(), Unavailable)
        assert isinstance(await axis.find(make_query()), CannotTell)


@pytest.mark.parametrize("body", [NOTHING, b'{"status":"OK","ErrorCode":0}', b'{"ErrorCode":"0","data":null}'])
async def test_an_empty_list(body):
    """A good envelope without items is an empty list of waiting items, but no directory."""
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        assert await axis.waiting(PacketKind.DOCUMENT) == Waiting(items=())
        assert isinstance(await axis.agencies(), Unavailable)


@pytest.mark.parametrize(
    ("fetch", "body"),
    [
        (FetchBy.DOWNLOAD, b""),
        (FetchBy.DOWNLOAD, b"<!doctype HTML><p>"),
        (FetchBy.DOWNLOAD, b'<?xml version="1.0"?>\n<html/>'),
        (FetchBy.DOWNLOAD, b"Bad Gateway"),
        (FetchBy.DOWNLOAD, NOTHING),
        (FetchBy.DOWNLOAD, b'{"status":"FAIL","ErrorCode":"21"}'),
        (FetchBy.GET, b"<edXML/>"),
        (FetchBy.GET, NOTHING),
        (FetchBy.GET, b'{"status":"OK","ErrorCode":"0","data":""}'),
        (FetchBy.GET, b'{"status":"OK","ErrorCode":"0","data":"PGE+"'),
        (FetchBy.GET, b'{"status":"OK","ErrorCode":"0","data":"PGE"}'),
        (FetchBy.GET, b'{"data":"PGE+","status":"FAIL","ErrorCode":"21"}'),
        (FetchBy.GET, b'{"data":"PGE+"}'),
    ],
)
async def test_no_packet(tmp_path, fetch, body):
    """What is no packet, or is not vouched for by a good envelope, is never stored as one."""
    writer = FileWriter(tmp_path / "raw")
    async with peer_running(answering(body)) as peer, axis_at(peer.url, fetch=fetch) as axis:
        assert isinstance(await axis.fetch(ITEM, writer), Unavailable)
    assert not writer.finished
    writer.close()


@pytest.mark.parametrize("opening", [b"MIME-Version: 1.0", b"content-type: multipart/related", b"--part-1"])
async def test_the_older_form_is_taken_in(tmp_path, opening):
    """A packet of the MIME form is stored, so that the reader can refuse it by name."""
    writer = FileWriter(tmp_path / "raw")
    body = opening + b"\r\n\r\nsoap and more\r\n"
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        fetched = await axis.fetch(ITEM, writer)
    assert isinstance(fetched, Fetched)
    assert (tmp_path / "raw").read_bytes() == body


async def test_a_refused_download_is_final(tmp_path):
    """A download that the axis refuses for good is Rejected."""
    writer = FileWriter(tmp_path / "raw")
    body = b'{"status":"FAIL","ErrorCode":"10","ErrorDesc":"file hong"}'
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        assert await axis.fetch(ITEM, writer) == Rejected(code="10", reason="file hong")
    writer.close()


@pytest.mark.parametrize("delimited", [True, False])
async def test_a_cut_download_is_not_stored(tmp_path, delimited):
    """A download that ends early is Unavailable, whether HTTP announced its length or not, and is not begun again."""

    async def script(exchange):
        if delimited:
            exchange.answer(PACKET[:10], length=len(PACKET))
        else:
            exchange.writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + PACKET[:10])

    writer = FileWriter(tmp_path / "raw")
    async with peer_running(script) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.fetch(ITEM, writer), Unavailable)
        assert len(peer.exchanges) == 1
    assert not writer.finished
    writer.close()


async def test_downloads_as_they_come(tmp_path):
    """A download keeps a trailing line end, is begun again if no answer came, and may lack a length."""

    async def plain(exchange):
        exchange.writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + PACKET + b"\r\n")

    turns = iter((hang_up, plain))

    async def script(exchange):
        await next(turns)(exchange)

    async with peer_running(script) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.fetch(ITEM, FileWriter(tmp_path / "raw")), Fetched)
        assert peer.exchanges[-1].line == "GET /base/downloadEdoc HTTP/1.1"
    assert (tmp_path / "raw").read_bytes() == PACKET + b"\r\n"


async def test_an_embedded_packet_by_a_java_writer(tmp_path):
    """A getEdoc answer is read as Gson writes it, with members on both sides of the packet."""
    text = base64.b64encode(PACKET).decode().replace("=", "\\u003d")
    body = f'{{"ErrorDesc":"Thanh cong","data":"{text}","ErrorCode":"0","status":"OK"}}'.encode()
    async with peer_running(answering(body)) as peer, axis_at(peer.url, fetch=FetchBy.GET) as axis:
        assert isinstance(await axis.fetch(ITEM, FileWriter(tmp_path / "raw")), Fetched)
        assert peer.exchanges[0].header("XroadVnpt-sign-header-key") == (
            "systemid;docId;filePath;timestamp;Content-Type"
        )
    assert (tmp_path / "raw").read_bytes() == PACKET


async def test_a_failing_writer_is_not_the_axis(tmp_path):
    """An error of our own store comes through as it is."""

    class FullDisk(FileWriter):
        async def write(self, chunk: bytes) -> None:
            raise GatewayError(ErrorCode.STORE_UNAVAILABLE)

    writer = FullDisk(tmp_path / "raw")
    async with peer_running(answering(PACKET)) as peer, axis_at(peer.url) as axis:
        with pytest.raises(GatewayError) as caught:
            await axis.fetch(ITEM, writer)
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    writer.close()


async def test_directory_falls_back():
    """An axis without the QD20 list is asked for the plain one; rows without a code are left out."""
    rows = [{"id": "1", "code": "H98.01", "name": "A", "oldCode": "000.00.01.H98"}, {"id": "2", "name": "B"}, 7]
    good = json.dumps({"status": "OK", "ErrorCode": "0", "data": rows}).encode()
    for how in ({"status": "404 Not Found"}, {"status": "200 OK"}):

        async def script(exchange, how=how):
            await exchange.body()
            if "QD20" in exchange.line:
                exchange.answer(b'{"status":"FAIL","ErrorCode":"21"}', **how)
            else:
                exchange.answer(good)

        async with peer_running(script) as peer, axis_at(peer.url) as axis:
            listing = await axis.agencies()
        assert isinstance(listing, DirectoryListing)
        assert [(row.code, row.aliases) for row in listing.rows] == [("H98.01", ("000.00.01.H98",))]
        assert peer.exchanges[0].header("XroadVnpt-level") == "1"


async def test_a_directory_of_the_real_size():
    """111,339 agencies are read in pieces, and the event loop turns between any two of them."""
    rows = ",".join(
        f'{{"id":"{n}","pid":"{n // 10}","code":"H98.{n}","name":"Đơn vị {n}","mail":"","oldCode":"","code102":""}}'
        for n in range(111_339)
    )
    body = f'{{"status":"OK","ErrorCode":"0","data":[{rows}]}}'.encode()
    turns = 0

    async def watch():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        watcher = asyncio.create_task(watch())
        listing = await axis.agencies()
        watcher.cancel()
    assert isinstance(listing, DirectoryListing)
    assert len(listing.rows) == 111_339
    assert turns > len(body) / CHUNK


async def test_compression_is_not_unpacked(tmp_path):
    """A compressed answer, which nobody asked for, is junk: no bomb is ever inflated."""
    how = {"headers": "Content-Encoding: gzip\r\n"}
    writer = FileWriter(tmp_path / "raw")
    async with peer_running(answering(gzip.compress(NOTHING), **how)) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)
        assert isinstance(await axis.fetch(ITEM, writer), Unavailable)
    assert peer.exchanges[0].header("Accept-Encoding") == "identity"
    writer.close()


def make_query():
    return SentQuery(
        sender_code="H99.01",
        recipient_codes=("H98.01",),
        notation="12/CV",
        title="V/v",
        submitted_after=START,
    )


def sent_rows(count, *, ours=False):
    row = {
        "messageType": "edoc",
        "fromCode": "H99.01",
        "toCode": "H98.01",
        "title": "V/v",
        "sentTime": START.timestamp(),
    }
    rows = [{**row, "senderDocId": f"d{n}", "notation": f"{n + 100}/CV"} for n in range(count)]
    if ours:
        rows[-1] |= {"senderDocId": "ours", "notation": "12/CV", "sentTime": "2026/11/21 20:50:50"}
    return rows


@pytest.mark.parametrize(
    ("second", "finding"),
    [
        (sent_rows(23, ours=True)[20:], Found(axis_doc_id=AxisDocId("ours"))),
        (sent_rows(23)[20:], Absent()),
        (sent_rows(20), Absent()),
        ([], Absent()),
        (None, CannotTell),
    ],
)
async def test_pages_of_sent_items(second, finding):
    """Where the list may be a page the next one is asked for; Absent needs the whole list."""

    async def script(exchange):
        await exchange.body()
        first = "pageIndex" not in exchange.header("XroadVnpt-sign-header-key")
        rows = sent_rows(20) if first else second
        envelope = {"status": "OK", "ErrorCode": "0", "data": rows}
        exchange.answer(json.dumps(envelope if rows is not None else {"status": "FAIL", "ErrorCode": "21"}).encode())

    async with peer_running(script) as peer, axis_at(peer.url, sent_list=SentList.BY_SENDER) as axis:
        found = await axis.find(make_query())
    assert found == finding or (finding is CannotTell and isinstance(found, CannotTell))
    last = peer.exchanges[-1]
    assert (last.header("XroadVnpt-pageSize"), last.header("XroadVnpt-pageIndex")) == ("20", "2")


@pytest.mark.parametrize("extra", [{"count": 5}, {"count": "5"}])
async def test_a_list_shorter_than_declared(extra):
    """A list that names more rows than it shows proves nothing."""
    body = json.dumps({"status": "OK", "ErrorCode": "0", "data": sent_rows(4), **extra}).encode()
    async with peer_running(answering(body)) as peer, axis_at(peer.url, sent_list=SentList.BY_SENDER) as axis:
        assert isinstance(await axis.find(make_query()), CannotTell)
