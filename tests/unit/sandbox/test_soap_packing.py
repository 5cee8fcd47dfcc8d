"""Between SOAP messages and packet files: nothing of the header and no attachment is lost on the way."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.packet import NS102, PacketReader, PacketSummary
from gateway.sandbox.soap.packing import (
    Attached,
    arrived_status,
    attach,
    read_packet,
    status_of,
    write_document,
    write_status,
)
from gateway.sandbox.soap.scratch import Content, Scratch
from gateway.sandbox.soap.tree import Node, branch, leaf, read_tree, render
from gateway.sandbox.spool import Spool
from gateway.xmlsafe import XmlRefusedError
from tests.unit.sandbox.calls import make_document, make_status

_TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn", "Co"]), max_size=20)
_NAMES = st.sampled_from(["OrganId", "Subject", "Appendixes", "Direction", "BusinessNotes"])


def trees(names: st.SearchStrategy[str]) -> st.SearchStrategy[Node]:
    leaves = st.builds(leaf, names, _TEXT)
    return st.recursive(leaves, lambda inner: st.builds(lambda name, some: branch(name, *some), names, st.lists(inner)))


@given(st.lists(trees(_NAMES), max_size=4), st.lists(trees(_NAMES), max_size=3))
def test_headers_survive_the_way_into_a_packet_and_back(
    tmp_path_factory: pytest.TempPathFactory, message: list[Node], trace: list[Node]
) -> None:
    """MessageHeader and TraceHeaderList come back element for element, Business spelt right again."""
    folder = tmp_path_factory.mktemp("axis")
    business = branch("Business", leaf("BusinessDocType", "0"), leaf("Paper", "1"))
    header = branch("Header", branch("MessageHeader", *message), branch("TraceHeaderList", *trace, business))
    (folder / "packet").write_bytes(b"".join(write_document(header, [])))
    assert b"<edXML:BussinessDocType>" in (folder / "packet").read_bytes()
    with Scratch(Spool(folder)) as scratch:
        packet = read_packet(folder / "packet", scratch)
    assert list(map(render, packet.header)) == list(map(render, header.children))


def test_attachments_are_paired_by_id_then_name_then_place(tmp_path: Path) -> None:
    """cid: is ignored, then the name counts, then the position; an Attachment without Reference stays."""
    packet = make_document().decode()
    references = "".join(
        f"<edXML:Reference><edXML:ContentId>{cid}</edXML:ContentId><edXML:AttachmentName>{name}</edXML:AttachmentName>"
        "</edXML:Reference>"
        for cid, name in (("1", "a"), ("zz", "b"), ("yy", "c"), ("xx", "d"))
    )
    attachments = "".join(
        f"<Attachment><ContentId>{cid}</ContentId><AttachmentName>{name}</AttachmentName><FieldName>f</FieldName>"
        f"<edXML:ContentTransferEncoded xmlns:edXML='{NS102}'>{text}</edXML:ContentTransferEncoded></Attachment>"
        for cid, name, text in (("7", "b", "BBBB"), ("cid:cid:1", "x", "AAAA"), ("8", "y", "CCCC"), ("9", "z", ""))
    )
    head, _, tail = packet.partition('<edXML:edXMLManifest version="1.0"/>')
    tail = tail[: tail.index("<Attachment>")] + attachments + "</AttachmentEncoded></edXML>"
    manifest = f'<edXML:edXMLManifest version="1.0">{references}</edXML:edXMLManifest>'
    (tmp_path / "packet").write_text(head + manifest + tail)
    with Scratch(Spool(tmp_path)) as scratch:
        attached = read_packet(tmp_path / "packet", scratch).attached
        contents = [each.content and b"".join(each.content.read_base64()) for each in attached]
    assert contents == [b"AAAA", b"BBBB", b"CCCC", b""]
    assert [each.name for each in attached] == ["a", "b", "c", "d"]
    assert [[other.name for other in each.others] for each in attached] == [["FieldName"]] * 4


def test_an_attachment_keeps_its_facts(tmp_path: Path) -> None:
    """A Reference's names and unknown children are in the packet; one without an id gets a number."""
    (tmp_path / "data").write_bytes(b"\x00\x01")
    content = Content(path=tmp_path / "data", is_text=False)
    node = branch("Reference", leaf("AttachmentName", "a & b.pdf"), leaf("Extra", "e"), leaf("Description", "d"))
    node.attributes = {"xlink:type": "application/pdf"}
    attached = attach(node, content, "x/y")
    assert attached == Attached(
        content_id="",
        name="a & b.pdf",
        description="d",
        media_type="application/pdf",
        others=(leaf("Extra", "e"),),
        content=content,
    )
    written = b"".join(write_document(Node("Header"), [attached])).decode()
    assert "<edXML:ContentId>cid:part-1</edXML:ContentId>" in written
    assert "<ContentId>cid:part-1</ContentId><AttachmentName>a &amp; b.pdf</AttachmentName>" in written
    assert "<edXML:Extra>e</edXML:Extra>" in written
    assert ">AAE=<" in written


def test_statuses_are_read_from_both_containers(tmp_path: Path) -> None:
    """A status under MessageHeader or under Status is the same; written again it is a packet the axis takes."""
    for name, packet in (("a", make_status()), ("b", make_status().replace(b"MessageHeader", b"Status"))):
        (tmp_path / name).write_bytes(packet)
        with Scratch(Spool(tmp_path)) as scratch:
            status = status_of(read_packet(tmp_path / name, scratch))
        assert (status.name, status.value("ResponseFor", "OrganId"), status.value("StatusCode")) == (
            "Status",
            "H99.01",
            "03",
        )
        reader = PacketReader()
        reader.feed(write_status(status))
        summary = reader.finish()
        assert isinstance(summary, PacketSummary)
        assert (summary.from_code, summary.status_code) == ("H98.01", "03")


def test_the_axis_tells_arrival_of_the_document_itself(tmp_path: Path) -> None:
    """Status 01 names the document as its packet does."""
    (tmp_path / "packet").write_bytes(make_document())
    with Scratch(Spool(tmp_path)) as scratch:
        packet = read_packet(tmp_path / "packet", scratch)
    status = arrived_status(packet, reporter="H98.01", reporter_name="B", timestamp="2026/01/15 09:00:00")
    reader = PacketReader()
    reader.feed(write_status(status))
    summary = reader.finish()
    assert isinstance(summary, PacketSummary)
    assert (summary.document_id, summary.notation, summary.status_code) == (
        "H99.01,2026/01/15,12/ABC-XYZ",
        "12/ABC-XYZ",
        "01",
    )


def test_a_foreign_signature_keeps_its_namespace_and_loses_the_token() -> None:
    """XML-DSig elements declare their own namespace; KeyInfo with the token is left out."""
    dsig = "http://www.w3.org/2000/09/xmldsig#"
    token = branch("KeyInfo", leaf("OrganId", "H99.01"), leaf("Token", "secret"))
    signature = branch("Signature", token, Node("SignedInfo", dsig, children=[Node("Reference", dsig, {"URI": ""})]))
    written = b"".join(write_document(branch("Header", signature), [])).decode()
    assert f'<edXML:Signature><SignedInfo xmlns="{dsig}"><Reference URI="" xmlns="{dsig}"/></SignedInfo>' in written
    assert "secret" not in written


def test_trees_have_limits_and_their_files_go_away(tmp_path: Path) -> None:
    """More than 300 contents are refused, and no temporary file outlives the reading."""
    (tmp_path / "many").write_text("<a>" + "<AttachmentContent>eA==</AttachmentContent>" * 301 + "</a>")
    spool = Spool(tmp_path)
    with Scratch(spool) as scratch, pytest.raises(XmlRefusedError):
        read_tree(tmp_path / "many", scratch)
    assert list((tmp_path / "packets").iterdir()) == []
