"""`lgsp-gateway verify`: one file judged in this process, and the verdict as the command prints it."""

from datetime import datetime
from pathlib import Path
from typing import TypedDict

from gateway.domain.verdict import SignatureVerdict
from gateway.security.pdf import judge_pdf
from gateway.security.trust import load_anchors


class SignatureJson(TypedDict):
    """One signature."""

    signer: str
    intact: bool
    valid: bool
    trusted: bool
    signed_at: str | None
    """ISO 8601, UTC."""
    reason: str


class VerdictJson(TypedDict):
    """What `verify --json` prints."""

    verdict: str
    signatures: list[SignatureJson]


def verify_file(path: Path, trust_dir: Path, at: datetime) -> SignatureVerdict:
    """Judge a file against the anchors of a directory at an aware time. Blocking.

    Raises GatewayError INVALID_FIELD for a directory that cannot be used, OSError for a file that cannot be opened.
    """
    return judge_pdf(path, load_anchors(trust_dir), at)


def as_json(verdict: SignatureVerdict) -> VerdictJson:
    """The object `verify --json` prints; a reason about the whole file is for people and not part of it."""
    return {
        "verdict": verdict.verdict.value,
        "signatures": [
            {
                "signer": signature.signer,
                "intact": signature.intact,
                "valid": signature.valid,
                "trusted": signature.trusted,
                "signed_at": signature.signed_at.isoformat() if signature.signed_at else None,
                "reason": signature.reason,
            }
            for signature in verdict.signatures
        ],
    }
