"""The one form of ZIP that we write, against zipfile."""

import io
import zipfile
import zlib

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.packet import EncodedPart
from gateway.translate.edxml.contents.ziprecords import zip_frame
from tests.make import make_stored

NAMES = st.text("abcXYZ-0123.", min_size=1, max_size=60)


@given(NAMES, st.binary(max_size=200))
def test_a_frame_around_bytes_is_an_archive_of_them(name, data):
    """What stands before and behind makes an archive of just that entry, of the size foretold."""
    before, behind = zip_frame(name, size=len(data), crc=zlib.crc32(data))
    whole = before + data + behind
    assert len(whole) == EncodedPart(stored=make_stored(data), zip_entry=name).decoded_length
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        assert read.testzip() is None
        assert read.namelist() == [name]
        assert read.read(name) == data
