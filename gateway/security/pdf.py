"""The signatures inside one PDF, judged without network: a plain function, run in the pool's processes and by the CLI.

Times. A certificate must be valid at the time that can be believed: that of a timestamp token whose authority chains to
an anchor, else the time of the check. A time that the signer merely claims cannot save an expired certificate, but one
outside the certificate's validity takes trust away. (The state at signing time is what counts: circular
TT 15/2025/TT-BKHCN, articles 5 and 6; without a trusted timestamp nothing proves that time.)
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields

from gateway.domain.verdict import Signature, SignatureVerdict, Verdict, sum_up
from gateway.security.embedded import Finding, judge_embedded, quieten
from gateway.security.header import HEADER, HEADER_WITHIN
from gateway.security.policy import SignatureRules
from gateway.security.raw import Trace, find_traces, gap_holds_value, matches_digest
from gateway.security.trust import TrustAnchors

_MOST_SIGNATURES = 100


def judge_pdf(path: Path, anchors: TrustAnchors, at: datetime, rules: SignatureRules | None = None) -> SignatureVerdict:
    """Judge every signature of a file. Blocking, and runs an event loop of its own.

    ALTERED only when a digest does not match; INVALID for every other defect, for files that cannot be read (damaged,
    encrypted, no PDF) and for changes after signing that pyHanko's analysis does not know to be harmless, unless a
    later trusted signature covers the whole file. A file in whose bytes any trace of a signature is left is never
    UNSIGNED.

    Args:
        path: The file; never written to.
        anchors: What ends a chain.
        at: Aware time of the check.
        rules: What a signature must look like; the deployed defaults if None.

    Raises:
        OSError: The file cannot be opened. Nothing else, whatever its content.
    """
    with path.open("rb") as file:
        head = file.read(HEADER_WITHIN)
        if HEADER not in head:
            reason = "the file is no PDF" if head else "the file is empty"
            return SignatureVerdict(verdict=Verdict.INVALID, signatures=(), checked_at=at, reason=reason)
        findings, problem = _structured(file, anchors, at, rules or SignatureRules())
        findings = _vouched(_completed(file, [_with_gap_checked(file, finding) for finding in findings]))
    signatures = tuple(finding.signature for finding in findings if finding.listed)
    if any(finding.altered for finding in findings):
        verdict = Verdict.ALTERED
    elif problem or any(finding.flawed for finding in findings):
        verdict = Verdict.INVALID
    else:
        verdict = sum_up(signatures)
    return SignatureVerdict(verdict=verdict, signatures=signatures, checked_at=at, reason=problem)


def _structured(
    file: BinaryIO, anchors: TrustAnchors, at: datetime, rules: SignatureRules
) -> tuple[list[Finding], str]:
    """The signatures that the PDF's structure leads to, and why it could not be followed to the end."""
    quieten()
    findings: list[Finding] = []
    try:
        reader: Any = PdfFileReader(file, strict=False)
        if reader.encrypted:
            return findings, "the file is encrypted"
        for name, _, field in enumerate_sig_fields(reader, filled_status=True):
            if len(findings) == _MOST_SIGNATURES:
                return findings, f"the file has more than {_MOST_SIGNATURES} signatures"
            findings.append(judge_embedded(reader, name, field, anchors=anchors, at=at, rules=rules))
    except Exception as error:  # noqa: BLE001 - a hostile file may make the library fail in any way
        return findings, f"the PDF cannot be read ({type(error).__name__})"
    return findings, ""


def _with_gap_checked(file: BinaryIO, finding: Finding) -> Finding:
    """The digest leaves the room of the signature value out, so nothing else may stand there."""
    if finding.altered or finding.byte_range is None or gap_holds_value(file, finding.byte_range):
        return finding
    reason = "there is foreign content beside the signature value"
    return replace(finding, signature=replace(finding.signature, reason=reason), flawed=True)


def _completed(file: BinaryIO, findings: list[Finding]) -> list[Finding]:
    """The findings, and one for each trace that neither belongs to one of them nor lies under an intact signature."""
    traces = list(find_traces(file))
    usable = {trace.byte_range for trace in traces if trace.byte_range}
    # What the structure could not read, the bare bytes sometimes can.
    kept = [finding for finding in findings if finding.readable or finding.byte_range not in usable]
    judged = {finding.byte_range for finding in kept if finding.byte_range}
    gaps = {byte_range[1] for byte_range in judged}
    intact = [finding.byte_range for finding in kept if finding.byte_range and finding.signature.intact]
    left = []
    for trace in traces:
        known = trace.byte_range in judged or trace.position in gaps
        vouched_for = any(
            trace.position < end or start <= trace.position < start + length for _, end, start, length in intact
        )
        # A trace without a usable range says nothing beside signatures that are all broken anyway.
        if not known and not vouched_for and (trace.byte_range or intact or not kept):
            left.append(_read_trace(file, trace))
    return kept + left


def _vouched(findings: list[Finding]) -> list[Finding]:
    """The findings, later changes excused where a trusted signature covers the whole file.

    That is the practice: the leader signs, the clerk enters number and date, the agency signs the result (decree
    30/2020/ND-CP, appendix I). The last signer then answers for all earlier revisions.
    """
    if not any(finding.covers_file and finding.signature.trusted and not finding.flawed for finding in findings):
        return findings
    return [_excused(finding) if finding.changed_later else finding for finding in findings]


def _excused(finding: Finding) -> Finding:
    reason = f"{finding.signature.reason}; a later trusted signature covers the whole file"
    return replace(finding, signature=replace(finding.signature, reason=reason), flawed=False)


def _read_trace(file: BinaryIO, trace: Trace) -> Finding:
    matches = matches_digest(file, trace.byte_range) if trace.byte_range else None
    reason = {
        True: "the signature belongs to no signature field",
        False: "the covered bytes were changed, and the signature is no longer reachable",
        None: "what remains of a signature cannot be read",
    }[matches]
    signature = Signature(
        signer="unknown", intact=bool(matches), valid=False, trusted=False, signed_at=None, reason=reason
    )
    return Finding(signature=signature, altered=matches is False, flawed=True, byte_range=trace.byte_range)
