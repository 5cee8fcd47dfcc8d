"""The strict check where no case of tests/cases reaches: what stands where nothing belongs, and is read by nobody."""

from pathlib import Path

import pytest

from gateway.domain.packet import PacketDefect
from gateway.translate.edxml.workbench.strict import check
from gateway.xmlsafe import Limits

CASES = Path(__file__).parents[3] / "cases" / "edxml"
HEADER = "edXML/edXMLEnvelope/edXMLHeader"
MESSAGE = f"{HEADER}/MessageHeader"
ENCODED = "edXML/AttachmentEncoded"


async def found(folder: Path, case: str, old: str, new: str) -> list[tuple[str, str]]:
    """Codes and paths for a case in which `old` was replaced by `new`."""
    raw = (CASES / case / "packet.edxml").read_text()
    assert raw.count(old) == 1
    file = folder / "packet.edxml"
    file.write_text(raw.replace(old, new))
    report = await check(file, Limits())
    assert not isinstance(report, PacketDefect)
    assert all(one.message for one in report)
    return [(str(one.code), one.path) for one in report]


async def test_the_unchanged_cases_have_no_deviations(tmp_path: Path) -> None:
    """What the tests below find comes from what they change."""
    assert await found(tmp_path, "document-plain", "<edXML:From>", "<edXML:From>") == []
    assert await found(tmp_path, "status-plain", "<edXML:From>", "<edXML:From>") == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<edXML:From>", "<edXML:From>stray", ("UNKNOWN", f"{MESSAGE}/From")),
        ("<edXML:MessageHeader>", "stray<edXML:MessageHeader>", ("UNKNOWN", HEADER)),
        ("<AttachmentEncoded>", "<AttachmentEncoded>stray", ("UNKNOWN", ENCODED)),
        ("<edXML:Subject>", "<edXML:Subject><edXML:b>x</edXML:b>", ("UNKNOWN", f"{MESSAGE}/Subject/b")),
        ("<edXML:Subject>", '<edXML:Subject><b xmlns="urn:b">x</b>', ("UNKNOWN", f"{MESSAGE}/Subject/b")),
        ("</edXML:edXMLHeader>", "</edXML:edXMLHeader><edXML:edXMLHeader/>", ("REPEATED", f"{HEADER}[2]")),
        ("</edXML:MessageHeader>", "</edXML:MessageHeader><edXML:MessageHeader/>", ("REPEATED", f"{MESSAGE}[2]")),
        ("<AttachmentEncoded>", "<AttachmentEncoded/><AttachmentEncoded>", ("REPEATED", f"{ENCODED}[2]")),
        ("<AttachmentEncoded>", "<AttachmentEncoded><Attach/>", ("UNKNOWN", f"{ENCODED}/Attach")),
        (
            "</edXML:edXMLManifest>",
            "<edXML:Ref/></edXML:edXMLManifest>",
            ("UNKNOWN", "edXML/edXMLEnvelope/edXMLBody/edXMLManifest/Ref"),
        ),
        ("<edXML:edXMLBody>", "<edXML:edXMLBody><edXML:Ref/>", ("UNKNOWN", "edXML/edXMLEnvelope/edXMLBody/Ref")),
        (
            "<edXML:AttachmentName>",
            "<edXML:AttachmentName>other-",
            ("REFERENCE_DIFFERS", f"{ENCODED}/Attachment/AttachmentName"),
        ),
    ],
)
async def test_what_a_document_holds_beside_itself(
    old: str, new: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    """Text between elements, elements in texts, a second header, another file name: each is told at its place."""
    assert await found(tmp_path, "document-plain", old, new) == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("</edXML:edXMLHeader>", "</edXML:edXMLHeader><edXML:edXMLHeader/>", ("REPEATED", f"{HEADER}[2]")),
        ("<edXML:edXMLHeader>", "stray<edXML:edXMLHeader>", ("UNKNOWN", "edXML/edXMLEnvelope")),
    ],
)
async def test_what_a_status_holds_beside_itself(old: str, new: str, expected: tuple[str, str], tmp_path: Path) -> None:
    """As above, in the other kind of packet."""
    assert await found(tmp_path, "status-plain", old, new) == [expected]


async def test_an_empty_envelope_hides_nothing(tmp_path: Path) -> None:
    """The envelope that is read is the one that is checked."""
    old, new = "<edXML:edXMLEnvelope", "<edXMLEnvelope/><edXML:edXMLEnvelope"
    codes = await found(tmp_path, "document-plain", old, new)
    assert ("REPEATED", "edXML/edXMLEnvelope[2]") in codes
    raw = (CASES / "document-plain" / "packet.edxml").read_text()
    subject = raw[raw.index("<edXML:Subject>") : raw.index("</edXML:Subject>") + len("</edXML:Subject>")]
    (tmp_path / "packet.edxml").write_text(raw.replace(old, new).replace(subject, ""))
    report = await check(tmp_path / "packet.edxml", Limits())
    assert not isinstance(report, PacketDefect)
    assert "MISSING" in {str(one.code) for one in report}
