"""Who is calling, and for which agency: certificates name vendor systems, requests name the acting agency."""

import hashlib
import ssl
from collections.abc import Collection, Sequence
from typing import Any

import grpc
import structlog

from gateway.domain.agency import Agency
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AgencyId, OrganId, VendorId
from gateway.domain.mandate import VendorSystem
from gateway.ports import Directory

Context = grpc.aio.ServicerContext[Any, Any]

_log = structlog.get_logger()


def identify(vendors: Sequence[VendorSystem], *, uri_sans: Collection[str], sha256: str) -> VendorId:
    """The one vendor system that a certificate names, by URI SAN or by its own SHA-256; the common name says nothing.

    Raises GatewayError IDENTITY_UNKNOWN when it names none, or more than one.
    """
    found = {
        vendor.id
        for vendor in vendors
        if sha256 in vendor.certificate_sha256 or not vendor.uri_sans.isdisjoint(uri_sans)
    }
    if len(found) != 1:
        raise GatewayError(ErrorCode.IDENTITY_UNKNOWN)
    return found.pop()


class Callers:
    """Names the vendor system behind a call and checks what it may do."""

    def __init__(
        self, vendors: Sequence[VendorSystem], directory: Directory, *, loopback_vendor: VendorId | None
    ) -> None:
        self._vendors = vendors
        self._directory = directory
        self._loopback_vendor = loopback_vendor

    def vendor(self, context: Context) -> VendorId:
        """The caller. Raises GatewayError IDENTITY_UNKNOWN."""
        if self._loopback_vendor is not None:
            return self._loopback_vendor
        presented = context.auth_context()
        pem = next(iter(presented.get("x509_pem_cert", ())), b"")
        if not pem:
            raise GatewayError(ErrorCode.IDENTITY_UNKNOWN)
        uri_sans = {uri.decode("utf-8", "replace") for uri in presented.get("peer_uri", ())}
        sha256 = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))).hexdigest()
        try:
            return identify(self._vendors, uri_sans=uri_sans, sha256=sha256)
        except GatewayError:
            # What an operator registers, should the caller be a vendor system of this province.
            _log.warning("caller.unknown", certificate_sha256=sha256, uri_sans=sorted(uri_sans))
            raise

    async def acting(self, context: Context, code: str) -> tuple[VendorId, Agency]:
        """The caller and the agency it acts for; `code` is any known form.

        Raises GatewayError IDENTITY_UNKNOWN, or AGENCY_NOT_PERMITTED for a foreign agency and, so that the directory
        of who may act cannot be probed by difference, for an unknown one.
        """
        vendor = self.vendor(context)
        return vendor, await authorise(self._directory, vendor, code)

    async def acting_if_named(self, context: Context, code: str) -> tuple[VendorId, AgencyId | None]:
        """As `acting`; no code means every agency the caller serves or acts for."""
        if not code:
            return self.vendor(context), None
        vendor, agency = await self.acting(context, code)
        return vendor, agency.id


async def authorise(directory: Directory, vendor: VendorId, code: str) -> Agency:
    """The acting agency behind a code. Raises GatewayError AGENCY_NOT_PERMITTED."""
    agency = await find_agency(directory, code)
    if agency is None or not await directory.may_act(vendor, agency.id):
        raise GatewayError(ErrorCode.AGENCY_NOT_PERMITTED, agency=code)
    return agency


async def find_agency(directory: Directory, code: str) -> Agency | None:
    """The current agency behind one code of any known form."""
    return next(iter((await directory.resolve({OrganId(code)})).values()), None)
