"""Verdicts on real signed PDFs, whole, damaged and hostile."""

import re
import time
import zlib
from collections import Counter
from datetime import timedelta
from random import Random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyhanko.sign.fields import SigSeedSubFilter

from gateway.domain.verdict import Verdict
from gateway.sandbox.pdf import make_pdf, sign_pdf
from gateway.security.pdf import judge_pdf
from gateway.security.trust import TrustAnchors
from tests.make import NOW
from tests.unit.security import craft


@pytest.fixture
def judge(file, anchors):
    def judge_bytes(content, *, at=NOW, under=anchors):
        file.write_bytes(content)
        return judge_pdf(file, under, at)

    return judge_bytes


def covered(pdf: bytes) -> list[int]:
    """Offsets under the digest of the only signature, its own dictionary left out."""
    _, end, start, length = map(int, re.search(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)\]", pdf).groups())
    dictionary = range(end - len(b"<<\n/Contents "), start + len(b"\n/ByteRange [0 00000 00000 00000]"))
    return [n for n in (*range(end), *range(start, start + length)) if n not in dictionary and n >= 4]


def changed(pdf: bytes, offset: int, value: int) -> bytes:
    return pdf[:offset] + bytes([value]) + pdf[offset + 1 :]


def test_trusted(judge, signed):
    """A signature under a configured root is intact, valid and trusted, with signer, time and what was not checked."""
    verdict = judge(signed)
    assert (verdict.verdict, verdict.reason, verdict.checked_at) == (Verdict.TRUSTED, "", NOW)
    (signature,) = verdict.signatures
    assert (signature.intact, signature.valid, signature.trusted) == (True, True, True)
    assert "Signer X" in signature.signer
    assert signature.signed_at == NOW
    assert signature.reason == "revocation not checked"


def test_unsigned(judge, unsigned):
    """A PDF without any signature is unsigned and nothing else is said."""
    verdict = judge(unsigned)
    assert (verdict.verdict, verdict.signatures, verdict.reason) == (Verdict.UNSIGNED, (), "")


def test_unknown_authority(judge, pki, unsigned):
    """A signature under a root that is not configured is intact and valid, not trusted, and says why."""
    verdict = judge(sign_pdf(unsigned, signer=pki.unknown_signer, signed_at=NOW))
    (signature,) = verdict.signatures
    assert verdict.verdict is Verdict.UNTRUSTED
    assert (signature.intact, signature.valid, signature.trusted) == (True, True, False)
    assert signature.reason == "the certificate chains to no configured trust anchor"


def test_no_anchors(judge, signed):
    """Under an empty trust list nothing is trusted; the machine's own list is not consulted."""
    assert judge(signed, under=TrustAnchors(roots=(), intermediates=())).verdict is Verdict.UNTRUSTED


def test_intermediate_alone_is_no_anchor(judge, pki, signed, anchors):
    """An intermediate helps to build a chain but ends none."""
    intermediate = pki.signing_intermediate.certificate.public_bytes(Encoding.DER)
    only = TrustAnchors(roots=(), intermediates=(intermediate,))
    assert judge(signed, under=only).verdict is Verdict.UNTRUSTED


@pytest.mark.parametrize("days", [0, 60])
def test_expired_signer(judge, pki, unsigned, days):
    """An expired certificate is not trusted, neither at signing time nor by merely claiming an earlier one."""
    verdict = judge(sign_pdf(unsigned, signer=pki.expired_signer, signed_at=NOW - timedelta(days=days)))
    assert verdict.verdict is Verdict.UNTRUSTED
    assert "expired on" in verdict.signatures[0].reason


def test_expired_since_then(judge, pki, unsigned):
    """Checked as of a time at which the certificate was valid, its signature is trusted."""
    then = NOW - timedelta(days=60)
    assert judge(sign_pdf(unsigned, signer=pki.expired_signer, signed_at=then), at=then).verdict is Verdict.TRUSTED


def test_claimed_time_outside_validity(judge, pki, unsigned):
    """A signature that claims to be older than its certificate is not trusted."""
    verdict = judge(sign_pdf(unsigned, signer=pki.signer, signed_at=NOW - timedelta(days=400)))
    assert verdict.verdict is Verdict.UNTRUSTED
    assert "signed outside the certificate's validity" in verdict.signatures[0].reason


def test_trusted_timestamp_keeps_an_expired_signature(judge, pki, unsigned):
    """A timestamp under a configured root proves the time of signing, so the certificate may have expired since."""
    then = NOW - timedelta(days=60)
    stamper = craft.make_timestamper(pki.signing_root, now=NOW, at=then)
    verdict = judge(craft.sign(unsigned, pki.expired_signer, timestamper=stamper))
    assert verdict.verdict is Verdict.TRUSTED
    assert verdict.signatures[0].signed_at == then


def test_unknown_timestamp_proves_nothing(judge, pki, unsigned):
    """A timestamp under an unknown root does not save an expired certificate."""
    stamper = craft.make_timestamper(pki.unknown_root, now=NOW, at=NOW - timedelta(days=60))
    assert judge(craft.sign(unsigned, pki.expired_signer, timestamper=stamper)).verdict is Verdict.UNTRUSTED


def test_document_timestamp_is_nobodys_signature(judge, pki, unsigned, signed):
    """A document timestamp alone leaves a file unsigned; after a signature it does not harm; altered it shows."""
    stamper = craft.make_timestamper(pki.signing_root, now=NOW, at=NOW)
    stamped = craft.stamp(unsigned, stamper)
    assert judge(stamped).verdict is Verdict.UNSIGNED
    assert judge(changed(stamped, 900, stamped[900] ^ 1)).verdict is Verdict.ALTERED
    both = judge(craft.stamp(signed, stamper))
    assert (both.verdict, len(both.signatures)) == (Verdict.TRUSTED, 1)


def test_two_signatures(judge, pki, signed):
    """Both signatures are listed; a change under the second alone alters the file, the first stays intact."""
    twice = sign_pdf(signed, signer=pki.unknown_signer, signed_at=NOW, field_name="Signature2")
    verdict = judge(twice)
    assert verdict.verdict is Verdict.TRUSTED
    assert [s.trusted for s in verdict.signatures] == [True, False]
    offset = twice.index(b"/Reason", len(signed)) + 10
    verdict = judge(changed(twice, offset, twice[offset] ^ 1))
    assert verdict.verdict is Verdict.ALTERED
    assert [s.intact for s in verdict.signatures] == [True, False]


def test_one_changed_byte_is_altered(judge, signed):
    """Wherever a covered byte changes, outside the dictionary that says what is covered, the verdict is ALTERED."""
    draw = Random(2)
    verdicts = Counter()
    for offset in draw.sample(covered(signed), 150):
        verdicts[judge(changed(signed, offset, (signed[offset] + draw.randrange(1, 256)) % 256)).verdict] += 1
    assert verdicts == {Verdict.ALTERED: 150}


def test_changed_signature_dictionary(judge, signed):
    """A change in the words that say what is covered gives ALTERED or INVALID, never less."""
    _, end, start, _ = map(int, re.search(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)\]", signed).groups())
    for offset in (*range(end - 20, end + 1), *range(start - 1, start + 32)):
        for value in (ord(" "), ord("9"), signed[offset] ^ 0x80):
            if value != signed[offset]:
                verdict = judge(changed(signed, offset, value)).verdict
                assert verdict in {Verdict.ALTERED, Verdict.INVALID}, (offset, value)


def test_changed_signature_value(judge, signed):
    """A change in the signature value never raises and never makes the file unsigned; in its padding it is invalid."""
    _, end, start, _ = map(int, re.search(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)\]", signed).groups())
    draw = Random(3)
    for offset in draw.sample(range(end + 1, start - 1), 100):
        assert judge(changed(signed, offset, draw.randrange(256))).verdict is not Verdict.UNSIGNED
    for value in b"1 x":
        assert judge(changed(signed, start - 9, value)).verdict is Verdict.INVALID


def test_wrong_signature_value(judge, signed):
    """When only the signature value is wrong, the bytes are intact, the signature is not valid, the file is invalid."""
    start = signed.index(b"/Contents <3082") + len(b"/Contents <")
    length = int(signed[start + 4 : start + 8], 16) + 4
    last = start + 2 * length - 1
    verdict = judge(changed(signed, last, ord("1") if signed[last] != ord("1") else ord("2")))
    (signature,) = verdict.signatures
    assert verdict.verdict is Verdict.INVALID
    assert (signature.intact, signature.valid, signature.trusted) == (True, False, False)
    assert signature.reason == "the signature value does not fit the signer's key"


def test_certificate_not_yet_valid(judge, signed):
    """Checked as of a time before the certificate begins, its signature is not trusted and is called early."""
    verdict = judge(signed, at=NOW - timedelta(days=30))
    assert verdict.verdict is Verdict.UNTRUSTED
    assert "is not valid before 2026-03-01" in verdict.signatures[0].reason
    assert "claims to be signed after the time of this check" in verdict.signatures[0].reason


def test_foreign_bytes_in_the_room_of_the_value(judge, signed):
    """The room left by the signature value, which no digest covers, may hold zeros only."""
    at = signed.index(b"0" * 100 + b">\n/ByteRange")
    verdict = judge(signed[:at] + b"deadbeef" + signed[at + 8 :])
    assert verdict.verdict is Verdict.INVALID
    assert "foreign content behind the signature value" in verdict.signatures[0].reason


@pytest.mark.parametrize("word", [b"/FT /Sig", b"/AcroForm", b"/Type /Catalog", b"startxref", b"/SubFilter"])
def test_broken_structure_is_not_unsigned(judge, signed, word):
    """When the way to the signature is destroyed, the bytes still tell that the file was altered."""
    offset = signed.rindex(word) + 2
    assert judge(changed(signed, offset, ord("Q"))).verdict is Verdict.ALTERED


def test_removed_form_is_not_unsigned(judge, signed):
    """A later revision that hides the signature makes the file invalid, not unsigned, and not altered."""
    verdict = judge(craft.revise(signed, craft.drop_form))
    assert verdict.verdict is Verdict.INVALID
    assert verdict.signatures[0].reason == "the signature belongs to no signature field"


@pytest.mark.parametrize("change", [craft.add_note, craft.replace_page])
def test_later_revision_is_invalid(judge, signed, change):
    """A change after signing leaves the signature intact and valid, but the file invalid, with the reason."""
    verdict = judge(craft.revise(signed, change))
    (signature,) = verdict.signatures
    assert verdict.verdict is Verdict.INVALID
    assert (signature.intact, signature.valid) == (True, True)
    assert signature.reason.startswith("the file was changed after signing")
    assert "\n" not in signature.reason


def test_number_entered_between_two_signatures(judge, pki, signed):
    """What a clerk changed after the leader signed is vouched for by the agency's trusted signature over the result."""
    numbered = craft.revise(signed, craft.replace_page)
    verdict = judge(sign_pdf(numbered, signer=pki.signer, signed_at=NOW, field_name="Signature2"))
    assert verdict.verdict is Verdict.TRUSTED
    assert "a later trusted signature covers the whole file" in verdict.signatures[0].reason


def test_a_stranger_vouches_for_nothing(judge, pki, signed):
    """A later signature of an unknown authority does not excuse a change."""
    changed_page = craft.revise(signed, craft.replace_page)
    verdict = judge(sign_pdf(changed_page, signer=pki.unknown_signer, signed_at=NOW, field_name="Signature2"))
    assert verdict.verdict is Verdict.INVALID


def test_a_change_after_the_last_signature_is_invalid(judge, pki, signed):
    """Nobody vouches for what comes after the last signature."""
    twice = sign_pdf(signed, signer=pki.signer, signed_at=NOW, field_name="Signature2")
    assert judge(craft.revise(twice, craft.replace_page)).verdict is Verdict.INVALID


def test_harmless_revision(judge, signed):
    """New metadata, which no reader sees, does not harm."""
    assert judge(craft.revise(signed, craft.retitle)).verdict is Verdict.TRUSTED


def test_appended_bytes(judge, signed):
    """White space behind the end does not harm, anything else makes the file invalid."""
    assert judge(signed + b"\r\n\n").verdict is Verdict.TRUSTED
    assert judge(signed + b"<script>").verdict is Verdict.INVALID


def test_legacy_digest(judge, pki, unsigned):
    """SHA-1 is intact and valid but not trusted, and named."""
    verdict = judge(craft.sign(unsigned, pki.signer, digest="sha1", subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED))
    (signature,) = verdict.signatures
    assert verdict.verdict is Verdict.UNTRUSTED
    assert (signature.intact, signature.valid, signature.trusted) == (True, True, False)
    assert "legacy algorithm (sha1" in signature.reason


def test_certificate_not_meant_for_signing(judge, pki, unsigned):
    """A certificate whose key usage allows no signing of documents is not trusted."""
    ca_signed = craft.sign(unsigned, pki.signing_intermediate)
    verdict = judge(ca_signed)
    assert verdict.verdict is Verdict.UNTRUSTED
    assert verdict.signatures[0].reason == "the certificate may not be used to sign documents"


def test_certificate_without_key_usage(judge, pki, unsigned):
    """A certificate that does not limit what its key is for may sign documents (RFC 5280, section 4.2.1.3)."""
    unlimited = craft.make_unlimited_signer(pki.signing_root, now=NOW)
    assert judge(craft.sign(unsigned, unlimited)).verdict is Verdict.TRUSTED


def test_self_issued_stranger(judge, pki, unsigned):
    """A certificate that is its own authority and no anchor is untrusted for that reason, not for its use."""
    verdict = judge(craft.sign(unsigned, pki.unknown_root))
    assert verdict.verdict is Verdict.UNTRUSTED
    assert verdict.signatures[0].reason == "the certificate chains to no configured trust anchor"


def test_encrypted(judge, unsigned):
    """An encrypted file is invalid, with the reason."""
    verdict = judge(craft.encrypt(unsigned))
    assert (verdict.verdict, verdict.reason) == (Verdict.INVALID, "the file is encrypted")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04 a docx", "the file is no PDF"),
        (b" " * 1024 + b"%PDF-1.7", "the file is no PDF"),
        (b"%PDF-1.7", "the PDF cannot be read (PdfReadError)"),
    ],
)
def test_not_readable(judge, content, reason):
    """What is no PDF, or nothing but its first line, is invalid, with the reason."""
    verdict = judge(content)
    assert (verdict.verdict, verdict.reason, verdict.signatures) == (Verdict.INVALID, reason, ())


def test_truncated(judge, signed):
    """Cut behind the signature value a file is altered; cut within, it is never trusted or unsigned."""
    _, end, start = map(int, re.search(rb"/ByteRange \[(\d+) (\d+) (\d+)", signed).groups())
    assert judge(signed[: start + 200]).verdict is Verdict.ALTERED
    for length in range(end + 50, len(signed) - 2, 397):
        assert judge(signed[:length]).verdict in {Verdict.ALTERED, Verdict.INVALID}


def test_missing_file(file, anchors):
    """A file that is not there is an error of the caller's, no verdict."""
    with pytest.raises(FileNotFoundError):
        judge_pdf(file, anchors, NOW)


def test_words_in_an_unsigned_file(judge):
    """A trace of a signature that belongs to nothing readable is invalid rather than unsigned."""
    assert judge(make_pdf(size=3000, title="about /ByteRange")).verdict is Verdict.INVALID


def test_signed_file_inside_a_signed_file(judge, pki, signed):
    """What lies under an intact signature is vouched for, even if it looks like a signature of its own."""
    outer = craft.revise(make_pdf(size=3000, title="Portfolio"), craft.enclose(signed))
    assert signed in outer
    assert judge(outer).verdict is Verdict.INVALID
    verdict = judge(sign_pdf(outer, signer=pki.signer, signed_at=NOW))
    assert (verdict.verdict, len(verdict.signatures)) == (Verdict.TRUSTED, 1)


def bomb(name: str) -> bytes:
    deep = 200_000
    stream = zlib.compress(zlib.compress(bytes(400_000_000), 1), 9)
    bombs = {
        "nested arrays": b"1 0 obj\n" + b"[" * deep + b"]" * deep + b"\nendobj\n",
        "nested dictionaries": b"1 0 obj\n" + b"<</A " * deep + b">>" * deep + b"\nendobj\n",
        "xref loop": b"xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 1 /Root 1 0 R /Prev 9 >>\n",
        "xref size": b"xref\n0 99999999999\n0000000000 65535 f \ntrailer\n<< /Size 99999999999 /Root 1 0 R >>\n",
        "inflating xref": b"1 0 obj\n<< /Type /XRef /Size 99999999 /W [1 4 2] /Root 1 0 R /Filter [/FlateDecode "
        b"/FlateDecode] /Length %d >>\nstream\n" % len(stream) + stream + b"\nendstream\nendobj\n",
    }
    return b"%PDF-1.7\n" + bombs[name] + b"startxref\n9\n%%EOF\n"


@pytest.mark.parametrize("name", ["nested arrays", "nested dictionaries", "xref loop", "xref size", "inflating xref"])
def test_bombs(judge, name):
    """A file made to exhaust its reader is invalid, within seconds."""
    content = bomb(name)
    began = time.monotonic()
    assert judge(content).verdict is Verdict.INVALID
    assert time.monotonic() - began < 10


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.data())
@example(b"\n1 0 obj\n<< >>\nendobj\n/ByteRange [0 1 2 3] startxref\n9\n%%EOF", None)
def test_garbage_never_raises(judge, signed, garbage, data):
    """Random bytes after a header, or in the middle of a signed file, give a verdict and no exception."""
    assert judge(b"%PDF-1.7" + garbage).verdict in set(Verdict)
    if data is not None and garbage:
        at = data.draw(st.integers(8, len(signed) - 1))
        mixed = signed[:at] + garbage + signed[at + len(garbage) :]
        assert mixed == signed or judge(mixed).verdict is not Verdict.UNSIGNED
