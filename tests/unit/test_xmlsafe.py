"""The hardened parser and the literal serialiser."""

import time
from collections.abc import Iterable
from dataclasses import replace
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xmlsafe import (
    MIB,
    Bulk,
    End,
    Event,
    Limits,
    LiteralXml,
    PacketParser,
    Start,
    Text,
    UnwritableTextError,
    XmlFault,
    XmlRefusedError,
    carries,
    escape,
)

LIMITS = Limits()
PACKET = '<?xml version="1.0"?>\n<a xmlns="urn:a" xmlns:b="urn:b"><b:c d="1">một\r\nhai</b:c><e/><!-- x --><?y z?></a>'
SLICE = 128 * 1024


def events(
    raw: bytes, *, size: int = 1 << 20, slice_size: int = SLICE, limits: Limits = LIMITS, bulk: str = ""
) -> list[Event]:
    parser = PacketParser(limits, bulk={bulk}, slice_size=slice_size)
    found = [event for at in range(0, len(raw), size) for event in parser.feed(raw[at : at + size])]
    return [*found, *parser.finish()]


def joined(found: Iterable[Event]) -> list[Event]:
    """Pieces of one text put together; pieces of one bulk text too, without their places."""
    merged: list[Event] = []
    for event in found:
        last = merged[-1] if merged else None
        if isinstance(event, Text) and isinstance(last, Text):
            merged[-1] = Text(last.text + event.text)
        elif isinstance(event, Bulk) and isinstance(last, Bulk):
            merged[-1] = Bulk(last.data + event.data, 0)
        else:
            merged.append(Bulk(event.data, 0) if isinstance(event, Bulk) else event)
    return merged


def refusal(raw: bytes, **how) -> XmlRefusedError:
    with pytest.raises(XmlRefusedError) as refused:
        events(raw, **how)
    return refused.value


def fault(raw: bytes, **how) -> XmlFault:
    return refusal(raw, **how).fault


def plainly(raw: bytes, bulk: str) -> list[Event] | None:
    """What expat itself says of the whole packet in one call, names as typed; None if it refuses."""
    found: list[Event] = []
    names: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        names.append(name)
        found.append(Start(name, attributes, ""))

    def end(name: str) -> None:
        found.append(End(names.pop()))

    def text(data: str) -> None:
        found.append(Bulk(data.encode(), 0) if names[-1] == bulk else Text(data))

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    try:
        parser.Parse(raw, True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError:
        return None
    return joined(found)


PIECES = st.one_of(
    st.text("QUJD+/=\n ", min_size=1, max_size=30),
    st.sampled_from(
        [
            *("&amp;", "&#65;", "&#x1F600;", "&lt;", "\r\n", "\r", "]", "]]", "ệ", "\U0001f600", "a\u0301"),
            *("<!-- <k> & -->", "<?y <k> ?>", "<![CDATA[&amp;<k>]]>", "<![CDATA[QQ==]]>", "<![CDATA[]]]]>", "<e/>"),
        ]
    ),
)
TREES = st.recursive(
    PIECES,
    lambda below: st.builds(
        lambda name, content: f"<{name}>{''.join(content)}</{name.split()[0]}>",
        st.sampled_from(["k", "b", "k x='1'", 'b y="&lt;&#10;"']),
        st.lists(below, max_size=5),
    ),
    max_leaves=8,
)
PACKETS = st.builds(
    lambda start, content: f"{start}<a><k>{''.join(content)}</k></a>\n".encode(),
    st.sampled_from(["", "\ufeff", "<?xml version='1.0' encoding='latin-1'?>\r\n", "<!-- x -->"]),
    st.lists(TREES, max_size=6),
)
CUTS = st.one_of(st.integers(1, 12), st.integers(1, 300))


@given(PACKETS, CUTS, CUTS)
def test_cuts_and_the_short_way_change_nothing(raw, size, slice_size):
    """However a packet is cut, and whether its bulk text passes expat or not, the events are those of expat alone."""
    found = events(raw, size=size, slice_size=slice_size, bulk="k")
    assert joined(found) == plainly(raw, "k")
    for event in found:
        if isinstance(event, Bulk) and event.offset:
            there = raw[event.offset :].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            assert there.startswith(event.data)
        elif isinstance(event, Bulk):
            assert len(event.data.decode()) == 1


@given(PACKETS, st.data(), CUTS, CUTS)
def test_what_expat_refuses_is_refused(raw, data, size, slice_size):
    """A damaged packet has the same fate however it is cut; bulk text alone may keep what no base64 has in it."""
    at = data.draw(st.integers(0, len(raw) - 1))
    put = data.draw(st.sampled_from([b"", b"<", b"&", b"]]>", b"\x01", b"\xff", b"</k>", b"<x:y/>", b"\x00"]))
    raw = raw[:at] + put + raw[at + 1 :]
    expected = plainly(raw, "k")
    found: list[Event] | XmlFault
    try:
        found = joined(events(raw, size=size, slice_size=slice_size, bulk="k"))
    except XmlRefusedError as refused:
        found = refused.fault
    if isinstance(found, XmlFault):
        assert expected is None or found in {XmlFault.UNDECLARED_PREFIX, XmlFault.NOT_UTF8}
    else:
        strange = any(isinstance(event, Bulk) and {*b"]\x00\x01"} & {*event.data} for event in found)
        assert found == expected or (expected is None and strange)


def test_long_bulk_text_passes_expat_by():
    """The text of a bulk element comes as it lies in the packet, slice by slice, with its place."""
    text = b"QUJD" * 200_000
    raw = b"<a><k>" + text + b"</k></a>"
    found = [event for event in events(raw, bulk="k") if isinstance(event, Bulk)]
    assert b"".join(event.data for event in found) == text
    assert [event.offset for event in found] == [6, *range(SLICE, len(text) + 6, SLICE)]


@pytest.mark.parametrize("slice_size", [1, 3, SLICE])
@pytest.mark.parametrize(
    ("inside", "pieces"),
    [
        (b"QQ=&#61;", [(b"QQ=", 6), (b"=", 0)]),
        (b"&#81;Q==", [(b"Q", 0), (b"Q==", 11)]),
        (b"QQ<![CDATA[==]]>", [(b"QQ", 6), (b"==", 17)]),
        (b"QQ<!-- & -->==", [(b"QQ", 6), (b"==", 18)]),
        (b"QQ&amp;==", [(b"QQ", 6), (b"&", 0), (b"==", 13)]),
    ],
)
def test_bulk_text_that_lies_otherwise_says_so(inside, pieces, slice_size):
    """A reference has no place of its own, and what follows a section or comment stands where it stands."""
    found: list[tuple[bytes, int]] = []
    for event in events(b"<a><k>" + inside + b"</k></a>", slice_size=slice_size, bulk="k"):
        if isinstance(event, Bulk):
            follows = bool(found) and event.offset and event.offset == found[-1][1] + len(found[-1][0])
            if follows:
                found[-1] = (found[-1][0] + event.data, found[-1][1])
            else:
                found.append((event.data, event.offset))
    assert found == pieces


@pytest.mark.parametrize("slice_size", [1, 2, SLICE])
@pytest.mark.parametrize("bad", [b"\xff", b"\xe1\xbb", b"\xc0\xaf", b"\xed\xa0\x80"])
def test_bulk_text_is_utf8_too(bad, slice_size):
    """What is no UTF-8 is refused as such wherever it stands."""
    raw = b"<a><k>QQ==" + bad + b"QQ==</k></a>"
    assert fault(raw, slice_size=slice_size, bulk="k") is XmlFault.MALFORMED


@given(st.integers(1, 200), st.integers(1, 200))
def test_the_same_events_however_the_bytes_are_cut(size, slice_size):
    """Names come with their namespace and as typed, declarations among the attributes, text whole."""
    assert joined(events(PACKET.encode(), size=size, slice_size=slice_size)) == [
        Start("{urn:a}a", {"xmlns": "urn:a", "xmlns:b": "urn:b"}, ""),
        Start("{urn:b}c", {"d": "1"}, "b"),
        Text("một\nhai"),
        End("{urn:b}c"),
        Start("{urn:a}e", {}, ""),
        End("{urn:a}e"),
        End("{urn:a}a"),
    ]


def test_attributes_come_as_typed():
    """Prefixes of attributes stay, two prefixes of one namespace too, and xml: needs no declaration."""
    raw = b"<p:a xmlns:p='urn:a' xmlns:q='urn:a' xml:lang='vi' p:c='1' d='2'><b xmlns=''/></p:a>"
    found = events(raw)
    assert found[0] == Start(
        "{urn:a}a", {"xmlns:p": "urn:a", "xmlns:q": "urn:a", "xml:lang": "vi", "p:c": "1", "d": "2"}, "p"
    )
    assert found[1] == Start("b", {"xmlns": ""}, "")


@pytest.mark.parametrize("slice_size", [1, 2, SLICE])
def test_utf8_whatever_the_declaration_says(slice_size):
    """A .NET habit: UTF-8 bytes declared as UTF-16 are read as UTF-8; what was declared can be asked."""
    for declared in ("utf-16", "windows-1258", "no-such-thing"):
        parser = PacketParser(LIMITS, bulk=(), slice_size=slice_size)
        raw = f'<?xml version="1.0" encoding="{declared}"?><a>ệ</a>'.encode()
        assert joined([*parser.feed(raw), *parser.finish()])[1] == Text("ệ")
        assert parser.declared == declared


@pytest.mark.parametrize(("raw", "declared"), [(b"<a/>", None), (b"<?xml version='1.0'?><a/>", "")])
def test_no_declaration_differs_from_no_encoding(raw, declared):
    """A packet without a declaration is told from one whose declaration names no encoding."""
    parser = PacketParser(LIMITS, bulk=())
    assert [*parser.feed(raw), *parser.finish()]
    assert parser.declared == declared


@pytest.mark.parametrize("slice_size", [1, 2, SLICE])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_other_encodings_are_refused_by_name(encoding, slice_size):
    """Two bytes a character, with a byte order mark or without, is not read as something else."""
    assert fault('<?xml version="1.0"?><a/>'.encode(encoding), slice_size=slice_size) is XmlFault.NOT_UTF8


@pytest.mark.parametrize("size", [1, 10, SLICE])
@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", XmlFault.MALFORMED),
        (b"<a>", XmlFault.MALFORMED),
        (b"<a></b>", XmlFault.MALFORMED),
        (b"<a/><b/>", XmlFault.MALFORMED),
        (b"<a>\xff</a>", XmlFault.MALFORMED),
        (b"<a>\x01</a>", XmlFault.MALFORMED),
        (b"<a>&unknown;</a>", XmlFault.MALFORMED),
        (b"<!DOCTYPE a><a/>", XmlFault.DOCTYPE),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', XmlFault.DOCTYPE),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', XmlFault.DOCTYPE),
        (b'<a x:b="1"/>', XmlFault.UNDECLARED_PREFIX),
        (b"<a><x:b/></a>", XmlFault.UNDECLARED_PREFIX),
        (b'<a><x:b></x:b><c d="</a>', XmlFault.UNDECLARED_PREFIX),
        (b"<a xmlns:x=''/>", XmlFault.MALFORMED),
        (b"<a xmlns:x='urn:a&#10;b'/>", XmlFault.MALFORMED),
        (b"<a b='1' b='2'/>", XmlFault.MALFORMED),
        (b"<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", XmlFault.MALFORMED),
        (b"<a>]]></a>", XmlFault.MALFORMED),
        (b"<a><![CDATA[</a>", XmlFault.MALFORMED),
        (b"<a/>&amp;", XmlFault.MALFORMED),
        (b" <?xml version='1.0'?><a/>", XmlFault.MALFORMED),
    ],
)
def test_what_is_no_packet_is_refused(raw, expected, size):
    """Each kind of bad XML has its own fault, whatever the chunking."""
    assert fault(raw, size=size, slice_size=size) is expected


def test_entities_of_xml_itself_are_read():
    """The predefined entities and character references are no danger."""
    assert joined(events(b"<a>&lt;&amp;&#13;&#x1F600;</a>"))[1] == Text("<&\r\U0001f600")


@pytest.mark.parametrize(
    ("raw", "changed", "expected"),
    [
        (b"<a>" * 6 + b"</a>" * 6, {"depth": 5}, XmlFault.TOO_DEEP),
        (b"<a>" + b"<b/>" * 5 + b"</a>", {"elements": 5}, XmlFault.TOO_MANY_ELEMENTS),
        (b"<a>" + b"x" * 1000 + b"</a>", {"header": 900}, XmlFault.HEADER_TOO_LARGE),
        (b"<a><!--" + b"x" * 1000 + b"--></a>", {"header": 900}, XmlFault.HEADER_TOO_LARGE),
        (b"<a b='" + b"x" * 1000 + b"'/>", {"header": 900}, XmlFault.HEADER_TOO_LARGE),
        (b"<a><?x " + b"x" * 1000 + b"?></a>", {"header": 900}, XmlFault.HEADER_TOO_LARGE),
        (
            b"<a " + b" ".join(b"xmlns:b%d='u'" % i for i in range(120)) + b"/>",
            {"header": 900},
            XmlFault.HEADER_TOO_LARGE,
        ),
        (b"<a>" + b"<!---->" * 200 + b"</a>", {"header": 900}, XmlFault.HEADER_TOO_LARGE),
        (b"<a>" + b"<?x?>" * 200 + b"</a>", {"header": 900}, XmlFault.HEADER_TOO_LARGE),
        (b"<a>" + b"<![CDATA[]]>" * 200 + b"</a>", {"header": 900}, XmlFault.HEADER_TOO_LARGE),
        (b"<a>" + b"x" * 1000 + b"</a>", {"packet": 900}, XmlFault.PACKET_TOO_LARGE),
        (b"<a b='" + b"x" * 900_000 + b"'/>", {"silent": 300_000}, XmlFault.TOKEN_TOO_LARGE),
        (b"<a><!--" + b"x" * 900_000 + b"--></a>", {"silent": 300_000}, XmlFault.TOKEN_TOO_LARGE),
        (b"<a " + b" " * 900_000 + b"/>", {"silent": 300_000}, XmlFault.TOKEN_TOO_LARGE),
    ],
)
def test_each_limit_has_its_fault(raw, changed, expected):
    """One more than a limit allows is refused by name; under the defaults the same bytes pass."""
    assert fault(raw, limits=replace(LIMITS, **changed)) is expected
    assert events(raw)


def test_bulk_text_is_no_header():
    """The text of a bulk element may be as long as the packet; that of its neighbours, and inside it, may not."""
    limits = replace(LIMITS, header=900)
    assert events(b"<a><big>" + b"x" * 5000 + b"</big></a>", limits=limits, bulk="big")
    assert fault(b"<a><big/>" + b"x" * 5000 + b"</a>", limits=limits, bulk="big") is XmlFault.HEADER_TOO_LARGE
    deeper = b"<a><big><c>" + b"x" * 5000 + b"</c></big></a>"
    assert fault(deeper, limits=limits, bulk="big") is XmlFault.HEADER_TOO_LARGE


def test_bulk_text_in_crumbs_is_header():
    """References cost work each, so text made of little else counts; a reference at the end of each line does not."""
    limits = replace(LIMITS, header=900)
    assert fault(b"<a><k>" + b"&#65;" * 5000 + b"</k></a>", limits=limits, bulk="k") is XmlFault.HEADER_TOO_LARGE
    assert fault("<a><k>{}</k></a>".format("é\n" * 5000).encode(), limits=limits, bulk="k") is XmlFault.HEADER_TOO_LARGE
    lines = b"<a><k>" + (b"QUJD" * 19 + b"&#13;\n") * 5000 + b"</k></a>"
    assert events(lines, limits=limits, bulk="k")


def test_the_packet_limit_holds_past_expat_too():
    """Bulk text that does not go through expat counts as packet."""
    raw = b"<a><k>" + b"x" * MIB + b"</k></a>"
    assert events(raw, limits=replace(LIMITS, packet=len(raw)), bulk="k")
    assert fault(raw, limits=replace(LIMITS, packet=len(raw) - 1), bulk="k") is XmlFault.PACKET_TOO_LARGE


ENDLESS = {
    "attributes": (b"<a", b" a%07d='xxxxxxxxxxxxxx'", XmlFault.TOKEN_TOO_LARGE),
    "attribute": (b"<a b='", b"xxxxxxxxxxxxxxxxxxxxxxx%d", XmlFault.TOKEN_TOO_LARGE),
    "name": (b"<", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx%d", XmlFault.TOKEN_TOO_LARGE),
    "comment": (b"<a><!--", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx%d", XmlFault.TOKEN_TOO_LARGE),
    "comment in content": (b"<a><k>QQ<!--", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx%d", XmlFault.TOKEN_TOO_LARGE),
    "instruction": (b"<a><?x ", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx%d", XmlFault.TOKEN_TOO_LARGE),
    "reference": (b"<a><k>&", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx%d", XmlFault.TOKEN_TOO_LARGE),
    "doctype": (b"<!DOCTYPE ", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx%d", XmlFault.TOKEN_TOO_LARGE),
    "space before": (b"", b"                              \n", XmlFault.PACKET_TOO_LARGE),
    "space after": (b"<a/>", b"                              \n", XmlFault.PACKET_TOO_LARGE),
    "end tag": (b"<a></", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx%d", XmlFault.TOKEN_TOO_LARGE),
    "nesting": (b"", b"<a>", XmlFault.TOO_DEEP),
    "declarations": (
        b"<a>",
        b"<b xmlns:c%07d='urn:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'/>",
        XmlFault.HEADER_TOO_LARGE,
    ),
    "elements": (b"<a>", b"<b/>", XmlFault.TOO_MANY_ELEMENTS),
    "text": (b"<a>", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", XmlFault.HEADER_TOO_LARGE),
    "lines": (b"<a>", b"\n", XmlFault.HEADER_TOO_LARGE),
    "references": (b"<a><k>", b"&#65;", XmlFault.HEADER_TOO_LARGE),
    "section": (b"<a><![CDATA[", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", XmlFault.HEADER_TOO_LARGE),
    "comments": (b"<a><k>", b"<!---->", XmlFault.HEADER_TOO_LARGE),
    "content": (b"<a><k>", b"QUJDQUJDQUJDQUJD", XmlFault.PACKET_TOO_LARGE),
}


QUADRATIC = 15
"""Seconds of processor time. Half a second is usual; reading again what was read before would take minutes."""


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("size", [1500, MIB])
def test_endless_input_is_refused_early(name, size):
    """A packet without end is refused after little more than its limit, in linear time whatever the chunks."""
    start, again, expected = ENDLESS[name]
    limits = replace(LIMITS, packet=16 * MIB)
    numbered = b"%" in again
    block = b"".join(again % number if numbered else again for number in range(MIB // len(again)))
    parser = PacketParser(limits, bulk={"k"})
    taken = 0

    def read(chunk: bytes) -> None:
        nonlocal taken
        taken += len(chunk)
        for _ in parser.feed(chunk):
            pass

    def endlessly() -> None:
        read(start)
        while True:
            for at in range(0, len(block), size):
                read(block[at : at + size])

    begun = time.thread_time()
    with pytest.raises(XmlRefusedError) as refused:
        endlessly()
    assert refused.value.fault is expected
    most = {XmlFault.TOKEN_TOO_LARGE: 3 * MIB, XmlFault.PACKET_TOO_LARGE: 18 * MIB}.get(expected, 12 * MIB)
    assert taken < most
    assert time.thread_time() - begun < QUADRATIC


def test_long_header_text_is_read_whole():
    """Nothing of what expat reads itself is taken for an unfinished token."""
    raw = b"<a>" + b"x" * (3 * MIB) + b"</a>"
    assert joined(events(raw))[1] == Text("x" * (3 * MIB))


@pytest.mark.parametrize("size", [1, SLICE])
def test_a_fault_names_the_innermost_open_element(size):
    """The path stops where the packet went wrong, the sentence names the byte, and the events before it are given."""
    parser = PacketParser(LIMITS, bulk={"{urn:a}k"}, slice_size=size)
    found: list[Event] = []
    raw = b'<a xmlns="urn:a"><k>QQ==</k><b></c>'

    def read() -> None:
        for event in parser.feed(raw):
            found.append(event)  # noqa: PERF402 - what came before the fault is a claim
        found.extend(parser.finish())

    with pytest.raises(XmlRefusedError) as refused:
        read()
    assert refused.value.path == "a/b"
    assert refused.value.sentence == f"not well-formed XML: mismatched tag, at byte {raw.index(b'c>')}"
    assert found[-1] == Start("{urn:a}b", {}, "")


@pytest.mark.parametrize(
    "raw",
    [b'<!DOCTYPE a [<!ENTITY b "c">]>', b"<!DOCTYPE a>", b'<!DOCTYPE a PUBLIC "x" "urn:y" [', b"<!DOCTYPE a [%b;"],
)
def test_a_doctype_ends_the_reading_where_it_stands(raw):
    """The declaration is refused as such before anything in it is used."""
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 30))
    begun = time.thread_time()
    refused = refusal(raw + laughs + b"]><a>&l29;</a>")
    assert (refused.fault, refused.path) == (XmlFault.DOCTYPE, "")
    assert time.thread_time() - begun < QUADRATIC


@given(st.text().filter(carries))
def test_escaped_text_reads_back(text):
    """Whatever XML can carry survives as content and as attribute value, but for white space in attributes."""
    xml = LiteralXml()
    xml.leaf("a", text, b=text)
    found = joined(events(xml.cut()))
    assert "".join(event.text for event in found if isinstance(event, Text)) == text
    assert isinstance(found[0], Start)
    assert found[0].attributes["b"] == text.replace("\n", " ").replace("\t", " ")


@pytest.mark.parametrize("bad", ["\x00", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_carry_is_not_written(bad):
    """Control characters and surrogates end in an error."""
    assert not carries(f"a{bad}")
    with pytest.raises(UnwritableTextError):
        escape(f"a{bad}")


def test_the_writer_indents_and_cuts():
    """Elements stand two spaces deeper than their parents; cut pieces join to the whole."""
    xml = LiteralXml()
    xml.open("p:a", xmlns_p="urn:p")
    xml.begin("p:b")
    first = xml.cut()
    xml.end()
    xml.leaf("c", "<")
    xml.close()
    assert first + b"CONTENT" + xml.cut() == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<p:a xmlns:p="urn:p">\n  <p:b>CONTENT</p:b>\n  <c>&lt;</c>\n</p:a>\n'
    )
