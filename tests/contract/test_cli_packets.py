"""`packet build`, `inspect`, `extract` as processes, and what they leave behind."""

import hashlib
import json
import os
import unicodedata
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from gateway.blobs.content import LocalBlobs
from gateway.pb.lgsp.gateway.v1 import document_pb2 as pb
from gateway.store import open_store
from tests.fakes.clock import SettableClock
from tests.fakes.terminal import Ended
from tests.fakes.terminal import run as run_command
from tests.make import NOW, make_received

CASES = Path(__file__).parents[1] / "cases" / "edxml"
PDF = b"%PDF-1.4\n% dummy\n%%EOF\n"
FIRST = "document.attachments[0]"
NFD = unicodedata.normalize("NFD", "Nguyễn Thị Phượng")


def run(*arguments: object, folder: Path | None = None) -> Ended:
    return run_command("packet", *arguments, folder=folder)


def organization(code: str) -> dict[str, str]:
    return {
        "organId": code,
        "organName": f"Sở thử nghiệm {code}",
        "organizationInCharge": "UBND tỉnh",
        "organAdd": "Số 1 <đường> & ngõ",
        "email": "a@example.test",
        "telephone": "0200 000",
        "fax": "0200 001",
        "website": "http://example.test/?a=1&b=2",
    }


def whole(business_type: str) -> dict[str, object]:
    """A document that uses every element; attachments are given in the test."""
    return {
        "documentId": "H99.01,2026/01/15,12/ABC-XYZ",
        "businessType": business_type,
        "from": organization("H99.01"),
        "to": [organization("H98.02"), organization("H98.03")],
        "codeNumber": "12",
        "codeNotation": "ABC-XYZ",
        "promulgationPlace": "Thị trấn",
        "promulgationDate": "2026-01-15",
        "documentType": {"type": 2, "typeDetail": 18, "typeName": "Công văn"},
        "subject": f"V/v thử nghiệm \U0001d49c📜 {NFD}",
        "content": "Nội dung ]]> <không> & 'trích'",
        "signerInfo": {"competence": "KT. CHỦ TỊCH", "position": "Giám đốc", "fullName": NFD},
        "dueDate": "2026-02-01",
        "toPlaces": ["Như trên;", "Lưu: VT"],
        "otherInfo": {
            "priority": "PRIORITY_FLASH_TIMED",
            "sphereOfPromulgation": "nội bộ",
            "typerNotation": "nvă",
            "promulgationAmount": 3,
            "pageAmount": 2,
            "appendixes": ["Phụ lục I", "Phụ lục II"],
            "direction": True,
            "replyFors": ["r1", "r2"],
            "referenceCodes": ["c1", "c2"],
        },
        "responseFor": [
            {
                "organId": "H98.02",
                "code": "5/XX",
                "promulgationDate": "2026-01-01",
                "documentId": "H98.02,2026/01/01,5/XX",
            },
            {"organId": "H98.03", "code": "6/YY", "promulgationDate": "2026-01-02", "documentId": "id-6"},
        ],
        "steeringType": "STEERING_TYPE_DIRECTIVE",
        "applicationType": "app",
        "taskCodes": ["t1", "t2"],
        "business": {
            "reason": "lý do",
            "documentId": "old-id",
            "documentInfoChanged": True,
            "documentReceiverChanged": True,
            "receivers": [{"receiverType": 1, "organId": "H98.04"}, {"receiverType": 0, "organId": "H98.05"}],
            "staffInfo": {
                "department": "Phòng",
                "staff": "Clerk",
                "mobile": "090",
                "email": "s@example.test",
                "departmentId": "d1",
                "staffId": "s1",
            },
            "paper": True,
            "replacements": [
                {"documentId": "rep-1", "organIds": ["H98.02", "H98.03"]},
                {"documentId": "rep-2", "organIds": ["H98.02"]},
            ],
        },
        "trace": [
            {"organId": "H99", "timestamp": "2026/01/15 08:00:00"},
            {"organId": "H97", "timestamp": "2026/01/15 08:10:00"},
        ],
        "attachments": [],
    }


MANY = [
    {"organId": f"H{i}", "organAdd": "ố" * 250, "organizationInCharge": "y" * 200, "organName": "z" * 200}
    for i in range(5000)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files to attach."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "main.pdf").write_bytes(PDF)
    (tmp_path / "in" / "note.txt").write_bytes("ghi chú".encode() * 1000)
    return tmp_path


def described(folder: Path, value: object) -> Path:
    file = folder / "document.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return file


def small(**fields: object) -> dict[str, object]:
    return {"from": {"organId": "H99.01"}, "to": [{"organId": "H98.02"}], "documentId": "d", **fields}


def inspected(packet: Path) -> dict[str, object]:
    done = run("inspect", packet, "--json")
    assert done.returncode == 0, done.stdout
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kind", ["NEW", "RECALL", "UPDATE", "REPLACE"])
def test_every_field_comes_back_unchanged(kind: str, folder: Path) -> None:
    """A document with every element, built and inspected, is the same JSON; attachments by name, size and digest."""
    value = whole(f"BUSINESS_TYPE_{kind}")
    name = f"{NFD} 📎.txt"
    value["attachments"] = [
        {
            "path": "in/note.txt",
            "attachmentName": name,
            "description": "Ghi chú",
            "fieldName": "file",
            "mimeType": "text/plain",
            "format": "txt",
        },
        {"path": "in/main.pdf", "role": "ATTACHMENT_ROLE_MAIN", "mediaType": "application/pdf", "description": "Chính"},
        {"content": "0M8R4KGxGuE=", "attachmentName": "b.doc", "description": "b"},
    ]
    done = run("build", described(folder, value), "-o", folder / "out.edxml", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, done.stderr, said["warnings"]) == (0, "", [])
    packet = (folder / "out.edxml").read_bytes()
    assert said == {
        "path": str(folder / "out.edxml"),
        "bytes": len(packet),
        "sha256": hashlib.sha256(packet).hexdigest(),
        "warnings": [],
    }
    found = inspected(folder / "out.edxml")
    noise = ["BUSINESS_ID_NOISE"] if kind == "NEW" else []
    assert [one["code"] for one in found["warnings"]] == noise
    document = found["document"]
    assert isinstance(document, dict)
    attachments = document.pop("attachments")
    value["attachments"] = []
    assert document == MessageToDict(ParseDict(value, pb.Document()))
    note = (folder / "in" / "note.txt").read_bytes()
    assert [(a["attachmentName"], a["sizeBytes"], a["sha256"], a["mediaType"], a["role"]) for a in attachments] == [
        (name, str(len(note)), hashlib.sha256(note).hexdigest(), "text/plain", "ATTACHMENT_ROLE_ANNEX"),
        ("main.pdf", str(len(PDF)), hashlib.sha256(PDF).hexdigest(), "application/pdf", "ATTACHMENT_ROLE_MAIN"),
        ("b.doc", "8", attachments[2]["sha256"], "application/msword", "ATTACHMENT_ROLE_ANNEX"),
    ]
    assert (attachments[0]["fieldName"], attachments[0]["format"], attachments[1]["description"]) == (
        "file",
        "txt",
        "Chính",
    )


def test_what_is_extracted_is_what_was_built_in(folder: Path) -> None:
    """Bytes and names come back, wrapped or not; the second time nothing is overwritten and nothing is left."""
    value = small(
        attachments=[{"path": "in/main.pdf"}, {"path": "in/note.txt", "attachmentName": "..\\\u202eMAIN.pdf"}]
    )
    value["attachments"].append({"content": "YQ==", "attachmentName": "MAIN.pdf"})  # type: ignore[attr-defined]
    value["attachments"].append({"content": "", "attachmentName": ".con"})  # type: ignore[attr-defined]
    packet = folder / "out.edxml"
    assert run("build", described(folder, value), "-o", packet).returncode != 0  # a folder in a name is refused
    value["attachments"][1]["attachmentName"] = "\u202eMAIN.txt"  # type: ignore[index]
    built = run("build", described(folder, value), "-o", packet)
    assert built.returncode == 0, built.stderr
    target = folder / "a" / "b"
    done = run("extract", packet, "-d", target, "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["kind"]) == (0, "document")
    expected = {
        "main.pdf": PDF,
        "MAIN.txt": (folder / "in" / "note.txt").read_bytes(),
        "MAIN (2).pdf": b"a",
        "_con": b"",
    }
    assert {each.name: each.read_bytes() for each in target.iterdir()} == expected
    assert [Path(one["file"]).name for one in said["files"]] == list(expected)
    assert [one["sha256"] for one in said["files"]] == [hashlib.sha256(d).hexdigest() for d in expected.values()]
    assert [one["name"] for one in said["files"]] == ["main.pdf", "\u202eMAIN.txt", "MAIN.pdf", ".con"]

    (target / "main.pdf").unlink()
    (target / "_con").write_bytes(b"mine")
    again = run("extract", packet, "-d", target, "--json")
    assert (again.returncode, json.loads(again.stdout)["error"]["code"]) == (2, "FILE_EXISTS")
    assert sorted(each.name for each in target.iterdir()) == sorted(set(expected) - {"main.pdf"})
    assert (target / "_con").read_bytes() == b"mine"


def test_extracting_a_status(folder: Path) -> None:
    """A status has nothing to extract: it is said, the folder is not made, the exit is 0."""
    done = run("extract", CASES / "status-plain" / "packet.edxml", "-d", folder / "x")
    assert done.returncode == 0
    assert "nothing to extract" in done.stdout
    assert not (folder / "x").exists()


def test_a_refused_packet_leaves_nothing(folder: Path) -> None:
    """Where the second attachment is broken the first is not left behind either, nor the folder."""
    done = run("extract", CASES / "document-base64-broken" / "packet.edxml", "-d", folder / "x" / "y", "--json")
    assert (done.returncode, set(json.loads(done.stdout))) == (2, {"error"})
    assert not (folder / "x").exists()


@pytest.mark.parametrize(
    ("value", "code", "path"),
    [
        ("no JSON", "JSON_MALFORMED", None),
        ("[]", "JSON_MALFORMED", None),
        ('{"subject": NaN}', "JSON_MALFORMED", None),
        ("[" * 50_000, "JSON_MALFORMED", None),
        (small(subjekt="x"), "INVALID_FIELD", "document.subjekt"),
        ({"to": [{"organId": "H98.02"}]}, "INVALID_FIELD", "document.from.organ_id"),
        ({"from": {"organId": "H99.01"}}, "INVALID_FIELD", "document.to"),
        (small(documentId=""), "ELEMENT_MISSING", None),
        (small(to=[{"organName": "B"}]), "INVALID_FIELD", "document.to[0].organ_id"),
        (small(subject="x" * 501), "INVALID_FIELD", "document.subject"),
        (small(subject="a\u0001b"), "INVALID_FIELD", "document.subject"),
        (small(trace=[{"organId": "a\u0000"}]), "INVALID_FIELD", "document.trace[0].organ_id"),
        (small(attachments=[{"path": "in/none"}]), "FILE_UNREADABLE", "document.attachments[0]"),
        (small(attachments=[{"path": "in"}]), "FILE_UNREADABLE", "document.attachments[0]"),
        (small(attachments=[{"path": "in/pipe"}]), "FILE_UNREADABLE", "document.attachments[0]"),
        (small(attachments=[{"path": "/dev/zero"}]), "FILE_UNREADABLE", "document.attachments[0]"),
        (small(attachments=[{"path": "a\u0000b"}]), "FILE_UNREADABLE", "document.attachments[0]"),
        (small(attachments=[{"path": "x" * 5000}]), "FILE_UNREADABLE", "document.attachments[0]"),
        (small(attachments=[{"path": "in/main.pdf", "sha256": "0" * 64}]), "DIGEST_MISMATCH", f"{FIRST}.sha256"),
        (small(attachments=[{"path": "in/main.pdf", "sizeBytes": "9"}]), "SIZE_MISMATCH", f"{FIRST}.size_bytes"),
        (small(attachments=[{"path": "in/huge"}]), "ATTACHMENT_TOO_LARGE", "document.attachments[0]"),
        (small(attachments=[{"path": "in/large.pdf"}] * 2), "PACKET_TOO_LARGE", "document"),
        (small(to=MANY), "XML_HEADER_TOO_LARGE", None),
    ],
)
def test_what_cannot_be_built_is_refused(value: object, code: str, path: str | None, folder: Path) -> None:
    """Exit 2, one JSON value that names code, path and sentence, and no file where there was none."""
    os.mkfifo(folder / "in" / "pipe")
    for name, size in (("huge", 301), ("large.pdf", 200)):
        with (folder / "in" / name).open("wb") as sparse:
            sparse.truncate(size * 1024 * 1024)
    file = described(folder, value)
    before = sorted(folder.iterdir())
    done = run("build", file, "-o", folder / "out.edxml", "--json")
    assert (done.returncode, done.stderr) == (2, "")
    error = json.loads(done.stdout)["error"]
    assert (error["code"], bool(error["message"])) == (code, True)
    if path is not None:
        assert error["path"] == path
    assert sorted(folder.iterdir()) == before


def test_a_giant_description_is_refused(folder: Path) -> None:
    """JSON beyond 64 MiB is not read to its end: large files are attached by path."""
    file = folder / "document.json"
    with file.open("wb") as sparse:
        sparse.truncate(65 * 1024 * 1024)
    done = run("build", file, "-o", folder / "out.edxml", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "JSON_TOO_LARGE")


def test_all_violations_are_named(folder: Path) -> None:
    """Whoever writes by hand mends everything in one round; without --json the lines stand on standard error."""
    value = small(subject="x" * 501, codeNumber="1" * 51, attachments=[{"path": "in/none"}])
    file = described(folder, value)
    done = run("build", file, "-o", folder / "out.edxml", "--json")
    said = json.loads(done.stdout)
    paths = ["document.attachments[0]", "document.code_number", "document.subject"]
    assert sorted(one["path"] for one in said["violations"]) == paths
    assert said["error"] == said["violations"][0]
    plain = run("build", file, "-o", folder / "out.edxml")
    assert (plain.returncode, plain.stdout, plain.stderr.count("\n")) == (2, "", 3)


def test_a_packet_that_was_there_survives_a_refusal(folder: Path) -> None:
    """The file is replaced whole or not touched."""
    out = folder / "out.edxml"
    out.write_text("earlier", encoding="utf-8")
    assert run("build", described(folder, small(attachments=[{"path": "none"}])), "-o", out).returncode == 2
    assert out.read_text(encoding="utf-8") == "earlier"
    assert run("build", described(folder, small(attachments=[{"path": "in/main.pdf"}])), "-o", out).returncode == 0
    assert out.read_bytes().startswith(b"<?xml")
    assert [each.name for each in folder.iterdir() if each.name.startswith(".")] == []


def test_hops(folder: Path) -> None:
    """Without a trace the sender is the first hop; --hop appends one, and a code that is there already is a loop."""
    out = folder / "out.edxml"
    file = described(folder, small())
    assert run("build", file, "-o", out).returncode == 0
    assert [hop["organId"] for hop in inspected(out)["document"]["trace"]] == ["H99.01"]  # type: ignore[index]
    file = described(folder, small(trace=[{"organId": "H99", "timestamp": "2026/01/15 08:00:00"}]))
    assert run("build", file, "-o", out, "--hop", "H97").returncode == 0
    trace = inspected(out)["document"]["trace"]  # type: ignore[index]
    assert [hop["organId"] for hop in trace] == ["H99", "H97"]
    assert trace[0]["timestamp"] == "2026/01/15 08:00:00"
    done = run("build", file, "-o", out, "--hop", "h99", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "TRACE_LOOP")


def test_what_is_missing_is_only_a_warning(folder: Path) -> None:
    """A thin packet can be built for a trial; what the standard misses and what gets lost is said."""
    value = small(
        documentId="",
        codeNumber="12",
        codeNotation="AB",
        promulgationDate="2026-01-15",
        subject="s",
        attachments=[
            {"path": "in/main.pdf", "role": "ATTACHMENT_ROLE_ANNEX", "mediaType": "text/plain"},
            {"path": "in/note.txt", "role": "ATTACHMENT_ROLE_MAIN"},
        ],
    )
    done = run("build", described(folder, value), "-o", folder / "out.edxml", "--json")
    said = json.loads(done.stdout)
    warned = {(one["code"], one["path"]) for one in said["warnings"]}
    assert done.returncode == 0
    assert ("NOT_STANDARD", "document.signer_info.full_name") in warned
    assert {path for code, path in warned if code == "NOT_CARRIED"} == {
        "document.attachments[0].media_type",
        "document.attachments[0].role",
        "document.attachments[1].role",
    }
    assert inspected(folder / "out.edxml")["document_id"] == "H99.01,2026/01/15,12/AB"


def test_dialects(folder: Path) -> None:
    """The peer's form is written, its shorter limits refuse, an unknown word is wrong usage."""
    out = folder / "out.edxml"
    file = described(folder, small(documentId="x" * 100, attachments=[{"path": "in/main.pdf"}]))
    assert run("build", file, "-o", out, "--dialect", "dotnet").returncode == 0
    assert b"xlink" in out.read_bytes()
    done = run("build", file, "-o", out, "--dialect", "bkav", "--json")
    assert json.loads(done.stdout)["error"]["path"] == "document.document_id"
    assert run("build", file, "-o", out, "--dialect", "other").returncode == 64


@pytest.mark.parametrize(
    "options",
    [
        ("-o", "/dev/null"),
        ("-o", "."),
        ("-o", "none/out.edxml"),
        ("-o", "out.edxml", "--account", "national"),
        ("-o", "out.edxml", "--account", "national", "--dialect", "bkav"),
    ],
)
def test_wrong_usage_of_build(options: tuple[str, ...], folder: Path) -> None:
    """An output that cannot be replaced by a file, and options that contradict each other, end with 64."""
    done = run("build", described(folder, small()), *options, folder=folder)
    assert (done.returncode, done.stdout) == (64, "")


def configuration(folder: Path, limits: str) -> Path:
    """A configuration that loads; nothing in it is started."""
    (folder / "trust").mkdir(exist_ok=True)
    file = folder / "gateway.toml"
    file.write_text(
        f"""
[server]
plaintext_loopback_vendor = "vendor"
[signatures]
trust_dir = "{folder / "trust"}"
[limits]
{limits}
[axis.national]
endpoint = "http://127.0.0.1:1/"
system_id = "id"
secret = "dummy"
agencies = ["H99"]
dialect = "dotnet"
max_packet_bytes = 3000
[store]
path = "{folder / "store" / "gateway.db"}"
[blobs]
path = "{folder / "blobs"}"
[[vendors]]
id = "vendor"
serves = ["H99"]
""",
        encoding="utf-8",
    )
    return file


def test_limits_of_a_configuration_hold_for_every_command(folder: Path) -> None:
    """The same [limits] refuse a packet in inspect, check, extract and build."""
    file = described(folder, small(attachments=[{"path": "in/note.txt"}]))
    out = folder / "out.edxml"
    assert run("build", file, "-o", out).returncode == 0
    config = configuration(folder, "attachment_bytes = 100")
    for arguments in (
        ("inspect", out),
        ("check", out),
        ("extract", out, "-d", folder / "x"),
        ("build", file, "-o", folder / "other.edxml"),
    ):
        done = run(*arguments, "--config", config, "--json")
        error = json.loads(done.stdout)["error"]
        assert (done.returncode, error["code"]) == (2, "ATTACHMENT_TOO_LARGE"), arguments
    assert not (folder / "x").exists()


def test_an_accounts_dialect_and_limit(folder: Path) -> None:
    """--account writes as that account's peer wants it, and refuses what its peer does not take."""
    out = folder / "out.edxml"
    config = configuration(folder, "depth = 64")
    file = described(folder, small(attachments=[{"path": "in/main.pdf"}]))
    done = run("build", file, "-o", out, "--config", config, "--account", "national")
    assert done.returncode == 0, done.stderr
    assert b"xlink" in out.read_bytes()
    file = described(folder, small(attachments=[{"path": "in/note.txt"}]))
    done = run("build", file, "-o", out, "--config", config, "--account", "national", "--json")
    assert json.loads(done.stdout)["error"]["code"] == "PACKET_TOO_LARGE"
    assert run("build", file, "-o", out, "--config", config, "--account", "other").returncode == 64


def test_original_of_an_unknown_item(folder: Path) -> None:
    """A store that is not there is refused with a code; nothing is made."""
    config = configuration(folder, "depth = 64")
    done = run("original", "national", "d1", "--config", config, "-o", folder / "out.edxml", "--json")
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "STORE_UNAVAILABLE"
    assert not (folder / "out.edxml").exists()
    assert run("original", "other", "d1", "--config", config, "-o", folder / "out.edxml").returncode == 64


async def test_an_original_comes_back_byte_for_byte(folder: Path) -> None:
    """What the axis gave is written as it came, whatever it is; an id nobody fetched is refused."""
    config = configuration(folder, "depth = 64")
    raw = b"<edXML>not even a packet"
    (folder / "store").mkdir()
    async with LocalBlobs(folder / "blobs", clock=SettableClock()).writer(limit=1000) as writer:
        await writer.write(raw)
        stored = await writer.finish()
    received = make_received(raw=stored)
    store = await open_store(folder / "store" / "gateway.db")
    try:
        await store.items.record(received, at=NOW)
    finally:
        await store.close()
    arguments = ("--config", config, "-o", folder / "out.edxml", "--json")
    done = run("original", "national", received.item.axis_doc_id, *arguments)
    assert done.returncode == 0, done.stdout
    sha256 = hashlib.sha256(raw).hexdigest()
    assert json.loads(done.stdout) == {"path": str(folder / "out.edxml"), "bytes": len(raw), "sha256": sha256}
    assert (folder / "out.edxml").read_bytes() == raw
    done = run("original", "national", "nobody", *arguments)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "UNKNOWN_ITEM")


def test_the_view_for_people(folder: Path) -> None:
    """What matters stands there in plain words; a stranger's text cannot steer the terminal."""
    value = small(subject="một\u202ehai [bold]ba[/]", attachments=[{"path": "in/main.pdf"}])
    assert run("build", described(folder, value), "-o", folder / "out.edxml").returncode == 0
    done = run("inspect", folder / "out.edxml")
    assert done.returncode == 0
    for shown in ("H99.01", "H98.02", "main.pdf", hashlib.sha256(PDF).hexdigest(), "một\\u202ehai [bold]ba[/]"):
        assert shown in done.stdout
    assert "\u202e" not in done.stdout
    refused = run("inspect", CASES / "refused-doctype" / "packet.edxml")
    assert refused.returncode == 2
    assert "XML_DOCTYPE" in refused.stdout


def test_a_strangers_text_stays_on_its_line(folder: Path) -> None:
    """`check` prints one line for each deviation, whatever line breaks and controls are in what was found."""
    text = "12\n0 deviations\u009b31m\u202e"
    value = small(to=[{"organId": text, "organName": "x"}], attachments=[{"path": "in/main.pdf"}])
    assert run("build", described(folder, value), "-o", folder / "out.edxml").returncode == 0
    done = run("check", folder / "out.edxml")
    assert done.returncode == 2
    *lines, last = done.stdout.split("\n")[:-1]
    assert last == f"{len(lines)} deviations"
    assert "12\\u000a0 deviations\\u009b31m\\u202e" in done.stdout


def test_what_no_packet_says_is_told(folder: Path) -> None:
    """A document as GetDocument gives it can be built; what has no place in a packet is warned of."""
    value = small(name="documents/1", deliveries=[{"organId": "H98.02"}], attachments=[{"path": "in/main.pdf"}])
    done = run("build", described(folder, value), "-o", folder / "out.edxml", "--json")
    assert done.returncode == 0
    told = [one["path"] for one in json.loads(done.stdout)["warnings"] if one["code"] == "NOT_CARRIED"]
    assert told == ["document.name", "document.deliveries"]


def test_a_change_of_no_known_kind_is_shown_as_it_is(folder: Path) -> None:
    """The view for people does not call every recipient that was not added removed."""
    value = small(
        businessType="BUSINESS_TYPE_UPDATE",
        business={"receivers": [{"receiverType": 1, "organId": "H98.02"}, {"receiverType": 0, "organId": "H98.03"}]},
    )
    assert run("build", described(folder, value), "-o", folder / "out.edxml").returncode == 0
    raw = (folder / "out.edxml").read_text()
    (folder / "out.edxml").write_text(raw.replace("ReceiverType>0<", "ReceiverType>7<"))
    shown = run("inspect", folder / "out.edxml").stdout
    assert "added: H98.02" in shown
    assert "changed (7): H98.03" in shown
