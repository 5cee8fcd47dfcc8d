"""The records of a ZIP of one entry, and the only form in which we write one."""

import struct

LOCAL = struct.Struct("<4sHHHHHIIIHH")
LOCAL_MAGIC = b"PK\x03\x04"
CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
CENTRAL_MAGIC = b"PK\x01\x02"
END = struct.Struct("<4sHHHHIIH")
END_MAGIC = b"PK\x05\x06"
FIELD_LIMIT = 65535
"""Bytes of a name, an extra field, a comment, at the most."""

ENCRYPTED = 0x0001
SIZES_BEHIND = 0x0008
"""Flag bit 3: sizes and checksum stand behind the data, as Java's ZipOutputStream writes them."""
UTF8 = 0x0800
STORED = 0
DEFLATED = 8

_VERSION = 20
_DOS_DATE = (2000 - 1980) << 9 | 1 << 5 | 1
"""1 January 2000: the archive says nothing about when it was made."""


def zip_frame(entry: str, *, size: int, crc: int) -> tuple[bytes, bytes]:
    """What stands before and behind the `size` bytes of a ZIP's only entry; its name must be ASCII.

    A stored entry with its checksum in front reads everywhere; deflate with a trailing descriptor would depend on the
    zlib at hand, so that a retry after an upgrade might send other bytes.
    """
    name = entry.encode("ascii")
    about = (STORED, 0, _DOS_DATE, crc, size, size, len(name), 0)
    local = LOCAL.pack(LOCAL_MAGIC, _VERSION, 0, *about) + name
    central = CENTRAL.pack(CENTRAL_MAGIC, _VERSION, _VERSION, 0, *about, 0, 0, 0, 0, 0) + name
    return local, central + END.pack(END_MAGIC, 0, 0, 1, 1, len(central), len(local) + size, 0)
