"""What the signatures inside a file are worth: intact, valid and trusted kept apart, with reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """The sum over a file's signatures."""

    TRUSTED = "trusted"
    """Every signature is intact and valid, at least one chains to a trust anchor."""
    UNTRUSTED = "untrusted"
    """Intact and valid, but none chains to a configured anchor."""
    INVALID = "invalid"
    """A signature value is wrong or unreadable, or a later revision changed what it must not."""
    ALTERED = "altered"
    """A signature's digest does not match the bytes it covers."""
    UNSIGNED = "unsigned"
    """No signature at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature of a file."""

    signer: str
    """Subject of the signer's certificate, readable form."""
    intact: bool
    """The digest matches the covered bytes."""
    valid: bool
    """The signature value verifies under the signer's key."""
    trusted: bool
    """The certificate chains to a configured trust anchor."""
    signed_at: datetime | None
    """Time the signature claims, UTC."""
    reason: str
    """What is wrong or unknown, English; empty when there is nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureVerdict:
    """The signatures of one file and what they add up to."""

    verdict: Verdict
    signatures: tuple[Signature, ...]
    checked_at: datetime
    reason: str = ""
    """Why the file as a whole could not be judged, e.g. an unreadable PDF; empty otherwise."""


def sum_up(signatures: Sequence[Signature]) -> Verdict:
    """The verdict over all signatures: the worst defect wins, then trust by any one suffices."""
    if not signatures:
        return Verdict.UNSIGNED
    if any(not s.intact for s in signatures):
        return Verdict.ALTERED
    if any(not s.valid for s in signatures):
        return Verdict.INVALID
    return Verdict.TRUSTED if any(s.trusted for s in signatures) else Verdict.UNTRUSTED
