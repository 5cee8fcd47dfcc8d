"""Hardened XML: a push parser for packets of any size, a literal serialiser. XML is parsed here and nowhere else."""

from gateway.xmlsafe.events import Bulk, End, Event, Start, Text
from gateway.xmlsafe.limits import MIB, Limits, XmlFault, XmlRefusedError
from gateway.xmlsafe.literal import LiteralXml, UnwritableTextError, carries, escape
from gateway.xmlsafe.parser import PacketParser

__all__ = [
    "MIB",
    "Bulk",
    "End",
    "Event",
    "Limits",
    "LiteralXml",
    "PacketParser",
    "Start",
    "Text",
    "UnwritableTextError",
    "XmlFault",
    "XmlRefusedError",
    "carries",
    "escape",
]
