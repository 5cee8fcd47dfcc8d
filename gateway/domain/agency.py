"""Agencies (cơ quan, đơn vị) and their codes. Codes are looked up, never taken apart: QĐ 20/2020/QĐ-TTg, edXML 5.5."""

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.ids import AgencyId, OrganId

CODE_LIMIT = 35
"""Characters of an identifier code, Amendment 1:2022."""

_OLD = re.compile(r"^[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}$")
_NEW = re.compile(r"^[A-Z][0-9]{2}(\.[0-9A-Z]+)*$")
_BUSINESS = re.compile(r"^[0-9]{10}(-?[0-9]{3})?$|^[0-9]{12}$")
_HUB = re.compile(r"(^|\.)W[0-9]{2}$|^W[0-9]{2}(\.|$)")


class CodeForm(StrEnum):
    """Shape of an identifier code; decides nothing, only warns."""

    OLD = "old"
    """QCVN 102:2016, level 1 last."""
    NEW = "new"
    """QĐ 20/2020, level 1 first."""
    BUSINESS = "business"
    """Registered number of an enterprise."""
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """One agency of the directory."""

    id: AgencyId
    code: OrganId
    """Current code."""
    name: str
    parent_id: AgencyId | None
    parent_code: OrganId | None
    aliases: tuple[OrganId, ...]
    """Other codes it is known by: code102, oldCode, codes of agencies merged into it."""
    email: str
    active: bool
    """False once the directory no longer lists it: nothing can be sent there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRow:
    """One agency as the axis lists it."""

    axis_id: str
    parent_axis_id: str
    code: OrganId
    name: str
    email: str
    aliases: tuple[OrganId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyEntry:
    """A unit as an agency above it registers it with an axis (axis.md 3, registerAgency)."""

    code: OrganId
    parent_code: OrganId
    """Code of the unit above; empty for a level-1 unit."""
    name: str
    email: str = ""
    mobile: str = ""
    fax: str = ""


def form_of(code: str) -> CodeForm:
    """The shape of a code."""
    if _OLD.match(code):
        return CodeForm.OLD
    if _NEW.match(code) and len(code) <= CODE_LIMIT:
        return CodeForm.NEW
    return CodeForm.BUSINESS if _BUSINESS.match(code) else CodeForm.OTHER


def is_hub(code: str) -> bool:
    """True for axis centres (`00.99.W00`), which connect others and are no addressees (edXML 5.1)."""
    return _HUB.search(code) is not None


def code_key(code: str) -> str:
    """The form in which codes compare: without outer space and case; nothing deeper is guessed."""
    return code.strip().upper()


def same_code(left: str, right: str) -> bool:
    """True if two codes are the same as they compare."""
    return code_key(left) == code_key(right)
