"""What follows from the signatures of a document: may it be submitted, must it be refused on arrival. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.document import AttachmentRole, BusinessType, Document
from gateway.domain.errors import ErrorCode, FieldViolation, GatewayError
from gateway.domain.verdict import SignatureVerdict, Verdict


class SubmitRule(StrEnum):
    """What a submitted document's signatures must be."""

    OFF = "off"
    """Anything is taken."""
    MAIN_SIGNED = "main_signed"
    """Every main file is signed, all its signatures intact and valid, whoever made them."""
    MAIN_TRUSTED = "main_trusted"
    """As MAIN_SIGNED, and at least one signature of each main file chains to an anchor."""


class AlteredRule(StrEnum):
    """What happens to a received document with a file that was altered after signing."""

    FLAG = "flag"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePolicy:
    """The settings `signatures.submit` and `signatures.inbound_altered`."""

    submit: SubmitRule = SubmitRule.MAIN_TRUSTED
    inbound_altered: AlteredRule = AlteredRule.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why a document cannot be submitted."""

    code: ErrorCode
    index: int | None
    """Of the attachment; None if the fault is that there is no main file."""
    attachment: str
    """Name of the attachment, or words that say that there is none."""
    detail: str
    """English; may be empty."""

    @property
    def path(self) -> str:
        """Field path in the contract."""
        return "document.attachments" if self.index is None else f"document.attachments[{self.index}]"

    def as_error(self) -> GatewayError:
        """The error to answer with."""
        bare = GatewayError(self.code, attachment=self.attachment, detail=self.detail)
        violation = FieldViolation(path=self.path, en=bare.english, vi=bare.vietnamese)
        return GatewayError(self.code, violations=[violation], attachment=self.attachment, detail=self.detail)


_CODES = {
    Verdict.ALTERED: ErrorCode.SIGNATURE_ALTERED,
    Verdict.INVALID: ErrorCode.SIGNATURE_INVALID,
    Verdict.UNSIGNED: ErrorCode.SIGNATURE_MISSING,
    Verdict.UNTRUSTED: ErrorCode.SIGNATURE_UNTRUSTED,
}


def objection(policy: SignaturePolicy, document: Document) -> Objection | None:
    """What speaks against submitting a document whose attachments carry their verdicts; None if nothing does.

    An altered file is refused in whatever role: sent on, it would be refused at the other end. Then each file of role
    MAIN is held to the rule; a main file that is no PDF counts as unsigned, and so does a document without one. Under
    OFF nothing is refused. A recall without attachments has nothing to sign; one with attachments is held to the rule.
    """
    bare_recall = document.business_type == BusinessType.RECALL and not document.attachments
    if policy.submit is SubmitRule.OFF or bare_recall:
        return None
    for index, attachment in enumerate(document.attachments):
        if attachment.verdict is not None and attachment.verdict.verdict is Verdict.ALTERED:
            return _object(ErrorCode.SIGNATURE_ALTERED, index, attachment.name, attachment.verdict)
    accepted = {Verdict.TRUSTED}
    if policy.submit is SubmitRule.MAIN_SIGNED:
        accepted.add(Verdict.UNTRUSTED)
    main = [(i, file) for i, file in enumerate(document.attachments) if file.role is AttachmentRole.MAIN]
    if not main:
        return _object(ErrorCode.SIGNATURE_MISSING, None, "MAIN (no main attachment / không có tệp chính)", None)
    for index, attachment in main:
        verdict = attachment.verdict.verdict if attachment.verdict else Verdict.UNSIGNED
        if verdict not in accepted:
            return _object(_CODES[verdict], index, attachment.name, attachment.verdict)
    return None


def refusal(policy: SignaturePolicy, document: Document) -> str:
    """The reason to refuse a received document, as it travels in status 02; empty if it is to be taken."""
    if policy.inbound_altered is AlteredRule.FLAG:
        return ""
    names = [
        file.name
        for file in document.attachments
        if file.verdict is not None and file.verdict.verdict is Verdict.ALTERED
    ]
    if not names:
        return ""
    listed = ", ".join(names)
    return f"Tệp đã bị thay đổi sau khi ký / altered after it was signed: {listed}"


def _object(code: ErrorCode, index: int | None, name: str, verdict: SignatureVerdict | None) -> Objection:
    reasons = [] if verdict is None else [verdict.reason, *(signature.reason for signature in verdict.signatures)]
    detail = "; ".join(dict.fromkeys(reason for reason in reasons if reason))
    return Objection(code=code, index=index, attachment=name, detail=detail)
