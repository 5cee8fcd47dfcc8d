"""What the operations of the door are given and may answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.domain.agency import Agency
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import OrganId, VendorId
from gateway.door.answers import Refusal
from gateway.door.signature import SignedCall
from gateway.ports import Directory

Answer = Mapping[str, Any] | Refusal | web.StreamResponse
"""Members of a good answer, a refusal, or what was streamed already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request whose signature is good."""

    request: web.BaseRequest
    signed: SignedCall

    @property
    def vendor(self) -> VendorId:
        """Who calls."""
        return self.signed.vendor.id

    def get(self, name: str) -> str:
        """A signed parameter; empty where there is none."""
        return self.signed.get(name).strip()


async def find_agency(directory: Directory, code: str) -> Agency | None:
    """The current agency behind one code of any known form."""
    return (await directory.resolve([OrganId(code)])).get(code)


async def authorise(directory: Directory, vendor: VendorId, code: str) -> Agency:
    """The acting agency behind a code.

    Raises GatewayError AGENCY_NOT_PERMITTED for a foreign agency, and for an unknown one alike.
    """
    agency = await find_agency(directory, code)
    if agency is None or not await directory.may_act(vendor, agency.id):
        raise GatewayError(ErrorCode.AGENCY_NOT_PERMITTED, agency=code)
    return agency
