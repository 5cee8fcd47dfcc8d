"""The hardened parser and the literal serialiser."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xmlsafe import (
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
    literal_events,
)

LIMITS = Limits()
PACKET = '<?xml version="1.0"?>\n<a xmlns="urn:a" xmlns:b="urn:b"><b:c d="1">một\r\nhai</b:c><e/><!-- x --><?y z?></a>'


def events(raw: bytes, *, size: int = 1 << 20, limits: Limits = LIMITS, bulk: str = "") -> list[Event]:
    parser = PacketParser(limits, bulk={bulk})
    found = [event for at in range(0, len(raw), size) for event in parser.feed(raw[at : at + size])]
    return [*found, *parser.finish()]


def joined(found: list[Event]) -> list[Event]:
    """Pieces of one text put together."""
    merged: list[Event] = []
    for event in found:
        if isinstance(event, Text) and merged and isinstance(merged[-1], Text):
            merged[-1] = Text(merged[-1].text + event.text)
        else:
            merged.append(event)
    return merged


def fault(raw: bytes, **how) -> XmlFault:
    with pytest.raises(XmlRefusedError) as refused:
        events(raw, **how)
    return refused.value.fault


@given(st.integers(1, 200))
def test_the_same_events_however_the_bytes_are_cut(size):
    """Names come with their namespace, text whole, whatever the chunking."""
    assert joined(events(PACKET.encode(), size=size)) == [
        Start("{urn:a}a", {}),
        Start("{urn:b}c", {"d": "1"}),
        Text("một\nhai"),
        End("{urn:b}c"),
        Start("{urn:a}e", {}),
        End("{urn:a}e"),
        End("{urn:a}a"),
    ]


def test_utf8_whatever_the_declaration_says():
    """A .NET habit: UTF-8 bytes declared as UTF-16 are read as UTF-8."""
    assert events('<?xml version="1.0" encoding="utf-16"?><a>ệ</a>'.encode())[1] == Text("ệ")


@pytest.mark.parametrize("size", [1, 10, 1 << 20])
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
    ],
)
def test_what_is_no_packet_is_refused(raw, expected, size):
    """Each kind of bad XML has its own fault, whatever the chunking."""
    assert fault(raw, size=size) is expected


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


def test_a_fault_names_the_innermost_open_element():
    """The path stops where the packet went wrong, and the events before it are given."""
    parser = PacketParser(LIMITS, bulk=())
    found: list[Event] = []
    with pytest.raises(XmlRefusedError) as refused:
        found.extend(parser.feed(b'<a xmlns="urn:a"><b></c>'))
    assert refused.value.path == "a/b"
    assert found == [Start("{urn:a}a", {}), Start("{urn:a}b", {})]


def test_literal_events_keep_prefixes():
    """Names and declarations come as typed."""
    found = list(literal_events([b'<x:a xmlns:x="urn:x"', b"><x:b/></x:a>"]))
    assert found[0] == Start("x:a", {"xmlns:x": "urn:x"})
    assert found[1] == Start("x:b", {})


@pytest.mark.parametrize("raw", [b"<a>", b"<!DOCTYPE a><a/>"])
def test_literal_events_refuse_too(raw):
    """The second reader guards itself as well."""
    with pytest.raises(XmlRefusedError):
        list(literal_events([raw]))


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
