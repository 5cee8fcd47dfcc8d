"""One embedded signature of a PDF: pyHanko's findings put into our three words and one sentence."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms, x509
from pyhanko.sign.ades.report import AdESIndeterminate
from pyhanko.sign.diff_analysis import SuspiciousModification
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature, async_validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.policy_decl import DisallowWeakAlgorithmsPolicy

from gateway.domain.verdict import Signature
from gateway.domain.vntime import VIETNAM
from gateway.security.policy import SignatureRules
from gateway.security.raw import ByteRange, states_digest
from gateway.security.trust import TrustAnchors

_UNKNOWN = "unknown"
_LONGEST_DETAIL = 200
_PIECE = 1024 * 1024
_ALTERED = "the covered bytes were changed after signing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A signature and what it does to the file's verdict."""

    signature: Signature
    altered: bool
    """Its digest does not match."""
    flawed: bool
    """Something else makes the file's verdict INVALID."""
    byte_range: ByteRange | None
    """The covered range, if it has the usual form."""
    readable: bool = True
    """Whether the digest could be compared at all."""
    listed: bool = True
    """False for an unbroken document timestamp, which is nobody's signature."""
    changed_later: bool = False
    """The only flaw is that a later revision changed the file."""
    covers_file: bool = False
    """It covers the file to its end."""


def quieten() -> None:
    """Keep pyHanko from logging: what it would say is in the verdict, and its messages carry content."""
    for name in ("pyhanko", "pyhanko_certvalidator"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def judge_embedded(
    reader: Any, name: str, field: Any, *, anchors: TrustAnchors, at: datetime, rules: SignatureRules
) -> Finding:
    """Judge the signature of one filled field. Never raises for what a file may hold."""
    byte_range = _usual_range(field)
    try:
        embedded = EmbeddedPdfSignature(reader, field, name)
        intact = _digest_matches(embedded)
    except Exception as error:  # noqa: BLE001 - a hostile file may make the library fail in any way
        reason = f"the signature cannot be read ({type(error).__name__})"
        return _broken(byte_range, _UNKNOWN, reason, readable=False)
    if intact and embedded.sig_object_type == "/DocTimeStamp":
        return replace(_broken(byte_range, _signer(embedded), "", intact=True), flawed=False, listed=False)
    try:
        status = asyncio.run(_validate(embedded, anchors, at, rules, skip_diff=not intact))
        return _conclude(embedded, status, byte_range, at, intact=intact)
    except Exception as error:  # noqa: BLE001 - a hostile file may make the library fail in any way
        detail = _short(getattr(error, "failure_message", "") or type(error).__name__)
        reason = f"the signature cannot be checked ({detail})" if intact else _ALTERED
        return _broken(byte_range, _signer(embedded), reason, intact=intact, altered=not intact)


def _broken(
    byte_range: ByteRange | None,
    signer: str,
    reason: str,
    *,
    intact: bool = False,
    altered: bool = False,
    readable: bool = True,
) -> Finding:
    signature = Signature(signer=signer, intact=intact, valid=False, trusted=False, signed_at=None, reason=reason)
    return Finding(signature=signature, altered=altered, flawed=True, byte_range=byte_range, readable=readable)


def _usual_range(field: Any) -> ByteRange | None:
    try:
        numbers = tuple(int(number) for number in field.get_object()["/V"]["/ByteRange"])
    except Exception:  # noqa: BLE001 - a hostile file may make the library fail in any way
        return None
    if len(numbers) != 4 or min(numbers) < 0:  # noqa: PLR2004 - two pieces of offset and length
        return None
    return numbers


def _digest_matches(embedded: EmbeddedPdfSignature) -> bool:
    """Whether the covered bytes have the digest that the signature states.

    Without a stated one the signature value itself is over the bytes; whether it fits is then pyHanko's to find out.
    """
    return states_digest(embedded.signed_data, embedded.compute_digest) is not False


def _signer(embedded: EmbeddedPdfSignature) -> str:
    try:
        return str(embedded.signer_cert.subject.human_friendly)
    except Exception:  # noqa: BLE001 - a hostile file may make the library fail in any way
        return _UNKNOWN


async def _validate(
    embedded: EmbeddedPdfSignature, anchors: TrustAnchors, at: datetime, rules: SignatureRules, *, skip_diff: bool
) -> PdfSignatureStatus:
    certificate: Any = embedded.signer_cert
    # A certificate without the extension may be used for anything (RFC 5280, section 4.2.1.3).
    usages = rules.key_usages if certificate.key_usage_value is not None else frozenset()

    async def validate(moment: datetime) -> PdfSignatureStatus:
        status = await async_validate_pdf_signature(
            embedded,
            signer_validation_context=_context(anchors, moment, rules),
            ts_validation_context=_context(anchors, at, rules),
            key_usage_settings=KeyUsageConstraints(key_usage=usages),
            skip_diff=skip_diff,
        )
        assert isinstance(status, PdfSignatureStatus)
        return status

    status = await validate(at)
    proven = _proven_time(status)
    return await validate(proven) if proven else status


def _context(anchors: TrustAnchors, moment: datetime, rules: SignatureRules) -> ValidationContext:
    certificate: Any = x509.Certificate  # asn1crypto is untyped
    no_legacy: Any = DisallowWeakAlgorithmsPolicy  # its constructor carries no types
    return ValidationContext(
        trust_roots=[certificate.load(der) for der in anchors.roots],
        other_certs=[certificate.load(der) for der in anchors.intermediates],
        moment=moment,
        allow_fetching=False,
        revocation_mode="soft-fail",
        algorithm_usage_policy=no_legacy(weak_hash_algos=rules.legacy_digests, rsa_key_size_threshold=rules.rsa_bits),
    )


def _proven_time(status: PdfSignatureStatus) -> datetime | None:
    token = status.timestamp_validity
    return token.timestamp if token is not None and token.trusted else None


def _conclude(
    embedded: EmbeddedPdfSignature,
    status: PdfSignatureStatus,
    byte_range: ByteRange | None,
    at: datetime,
    *,
    intact: bool,
) -> Finding:
    intact = intact and status.intact
    proven = _proven_time(status)
    claimed = _utc(status.signer_reported_dt)
    certificate: Any = embedded.signer_cert
    starts, ends = certificate.not_valid_before, certificate.not_valid_after
    own_flaw = _own_flaw(embedded, status) if intact else ""
    later_change = _later_change(embedded, status) if intact and not own_flaw else ""
    flaw = own_flaw or later_change
    claim_fits = proven is not None or claimed is None or starts <= claimed <= ends
    trusted = status.trusted and claim_fits
    remarks = {
        _ALTERED: not intact,
        flaw: bool(flaw),
        f"signed outside the certificate's validity ({starts:%Y-%m-%d} to {ends:%Y-%m-%d})": not claim_fits,
        _distrust(status, starts, ends, proven or at): intact and status.valid and not status.trusted,
        "claims to be signed after the time of this check": claimed is not None and claimed > at,
        "revocation not checked": trusted,
    }
    signature = Signature(
        signer=_signer(embedded),
        intact=intact,
        valid=status.valid,
        trusted=trusted,
        signed_at=proven or claimed,
        reason="; ".join(remark for remark, applies in remarks.items() if applies),
    )
    return Finding(
        signature=signature,
        altered=not intact,
        flawed=bool(flaw),
        byte_range=byte_range,
        changed_later=bool(later_change),
        covers_file=status.coverage is SignatureCoverageLevel.ENTIRE_FILE,
    )


def _own_flaw(embedded: EmbeddedPdfSignature, status: PdfSignatureStatus) -> str:
    """What is wrong with the signature and its revision although the digest matches; empty if nothing is."""
    if not status.valid:
        return "the signature value does not fit the signer's key"
    if status.coverage < SignatureCoverageLevel.ENTIRE_REVISION:
        return "the signature does not cover its whole revision of the file"
    return _foreign_content(embedded)


def _later_change(embedded: EmbeddedPdfSignature, status: PdfSignatureStatus) -> str:
    if not status.docmdp_ok:
        known = isinstance(status.diff_result, SuspiciousModification)
        detail = f": {_short(status.diff_result)}" if known else " beyond what its author permitted"
        return f"the file was changed after signing{detail}"
    if status.coverage < SignatureCoverageLevel.ENTIRE_FILE and embedded.reader.xrefs.hybrid_xrefs_present:
        return "the file was extended after signing and has two contradicting object tables"
    return ""


def _foreign_content(embedded: EmbeddedPdfSignature) -> str:
    if _has_loose_end(embedded):
        return "there is foreign content behind the signed end of the file"
    # The room kept for the signature value is not covered by the digest; what the value leaves of it must be zeros.
    content_info: Any = cms.ContentInfo
    used = len(content_info.load(embedded.pkcs7_content).dump())
    if embedded.pkcs7_content[used:].strip(b"\0"):
        return "there is foreign content behind the signature value"
    return ""


def _has_loose_end(embedded: EmbeddedPdfSignature) -> bool:
    """Whether something other than white space follows the last revision although no later revision explains it."""
    if embedded.reader.xrefs.total_revisions > embedded.signed_revision + 1:
        return False
    _, _, start, length = embedded.byte_range
    stream = embedded.reader.stream
    stream.seek(start + length)
    return any(piece.strip() for piece in iter(lambda: stream.read(_PIECE), b""))


def _short(detail: object) -> str:
    return " ".join(str(detail).split())[:_LONGEST_DETAIL]


def _distrust(status: PdfSignatureStatus, starts: datetime, ends: datetime, moment: datetime) -> str:
    """Why a valid signature is not trusted."""
    if moment > ends:
        return (
            f"the signer's certificate expired on {ends:%Y-%m-%d}, and no trusted timestamp proves an earlier signing"
        )
    if moment < starts:
        return f"the signer's certificate is not valid before {starts:%Y-%m-%d}"
    problem = status.trust_problem_indic
    if problem is AdESIndeterminate.CHAIN_CONSTRAINTS_FAILURE and _is_self_issued(status):
        problem = None  # pyHanko's word for a certificate that is its own authority
    match problem:
        case None | AdESIndeterminate.NO_CERTIFICATE_CHAIN_FOUND:
            return "the certificate chains to no configured trust anchor"
        case AdESIndeterminate.CRYPTO_CONSTRAINTS_FAILURE | AdESIndeterminate.CRYPTO_CONSTRAINTS_FAILURE_NO_POE:
            return f"legacy algorithm ({status.md_algorithm}, {status.pkcs7_signature_mechanism})"
        case AdESIndeterminate.CHAIN_CONSTRAINTS_FAILURE:
            return "the certificate may not be used to sign documents"
        case _:
            return f"the certificate chain is not accepted ({getattr(problem, 'name', 'unknown')})"


def _is_self_issued(status: PdfSignatureStatus) -> bool:
    certificate: Any = status.signing_cert
    return bool(certificate.issuer == certificate.subject)


def _utc(instant: datetime | None) -> datetime | None:
    """UTC; a time without a zone, which some signing tools write, is Vietnam time."""
    if instant is None:
        return None
    return (instant if instant.tzinfo else instant.replace(tzinfo=VIETNAM)).astimezone(UTC)
