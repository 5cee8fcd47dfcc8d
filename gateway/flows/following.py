"""Looks up what a submitted recall, update or replacement follows, and refuses it if that is not the sender's."""

from dataclasses import replace

from gateway.domain import following
from gateway.domain.agency import code_key
from gateway.domain.document import BusinessType, Document, Organization
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import DocumentUid, OrganId
from gateway.ports import Directory, Documents


async def owned(document: Document, sender: Organization, directory: Directory) -> Document:
    """A recall whose reference to the sender, left out or by another of its codes, has the sender's current code."""
    if document.business_type != BusinessType.RECALL:
        return document
    found = await directory.resolve([each.organ_id for each in document.response_for if each.organ_id.strip()])
    references = tuple(
        replace(each, organ_id=sender.organ_id)
        if not each.organ_id.strip() or (each.organ_id in found and found[each.organ_id].code == sender.organ_id)
        else each
        for each in document.response_for
    )
    return replace(document, response_for=references)


async def follow(document: Document, documents: Documents, directory: Directory) -> tuple[Document, DocumentUid | None]:
    """The submission with what it follows fully named, and that one's uid; a new document as it is.

    Raises GatewayError INVALID_FIELD if no such document is kept, or if a recall goes to an agency that never got it.
    """
    named = following.followed(document)
    if named is None:
        return document, None
    found = await documents.followed(named)
    recipients: frozenset[str] = frozenset()
    if found is not None:
        recipients = await _keys_now(document, found.recipients, directory)
    original = None if found is None else found.document
    violations = tuple(following.judge_followed(document, found=original, recipients=recipients))
    if violations:
        raise GatewayError(ErrorCode.INVALID_FIELD, violations=violations)
    assert found is not None
    return following.completed(document, found.document), found.uid


async def _keys_now(document: Document, sent_to: frozenset[OrganId], directory: Directory) -> frozenset[str]:
    """Code keys of the recipients; those that changed their code since are known by the current one, too."""
    keys = frozenset(code_key(code) for code in sent_to)
    if all(code_key(organization.organ_id) in keys for organization in document.to):
        return keys
    return keys | {code_key(agency.code) for agency in (await directory.resolve(sent_to)).values()}
