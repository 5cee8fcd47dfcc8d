"""AgencyService: the directory, open to every vendor system."""

from collections.abc import Sequence

from gateway.domain.agency import Agency, same_code
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AgencyId
from gateway.pb.lgsp.gateway.v1 import agency_service_pb2 as pb
from gateway.pb.lgsp.gateway.v1 import agency_service_pb2_grpc
from gateway.ports import Directory
from gateway.rpc.convert.form import Form
from gateway.rpc.identity import Callers, Context, find_agency
from gateway.rpc.tokens import agency_page_start, agency_page_token, filter_digest


class AgencyService(agency_service_pb2_grpc.AgencyServiceServicer):
    """Converts, asks the directory, renders."""

    def __init__(self, *, callers: Callers, directory: Directory) -> None:
        self._callers = callers
        self._directory = directory

    async def GetAgency(  # noqa: N802 - named by the contract
        self,
        request: pb.GetAgencyRequest,
        context: Context,  # noqa: ARG002 - gRPC passes it; the interceptor has identified the caller
    ) -> pb.Agency:
        """One agency by resource name."""
        form = Form()
        agency_id = AgencyId(form.resource("name", request.name, "agencies"))
        form.check()
        agency = await self._directory.get(agency_id)
        if agency is None:
            raise GatewayError(ErrorCode.AGENCY_UNKNOWN, agency=request.name)
        return (await self._shown([agency]))[0]

    async def ListAgencies(  # noqa: N802 - named by the contract
        self, request: pb.ListAgenciesRequest, context: Context
    ) -> pb.ListAgenciesResponse:
        """A page of agencies in the order of their codes."""
        form = Form()
        limit = form.count("page_size", request.page_size, default=100, highest=1000)
        form.check()
        bound_to = filter_digest(self._callers.vendor(context), request, paging=("page_size", "page_token"))
        after_code = agency_page_start(request.page_token, bound_to)
        parent = await self._known(request.parent) if request.parent else None
        found = await self._directory.page(
            after_code=after_code,
            limit=limit + 1,
            parent=None if parent is None else parent.id,
            query=request.query,
            include_closed=request.include_closed,
        )
        page = found[:limit]
        return pb.ListAgenciesResponse(
            agencies=await self._shown(page),
            next_page_token=agency_page_token(page[-1].code, bound_to) if len(found) > limit else "",
        )

    async def ResolveAgency(  # noqa: N802 - named by the contract
        self,
        request: pb.ResolveAgencyRequest,
        context: Context,  # noqa: ARG002 - gRPC passes it; the interceptor has identified the caller
    ) -> pb.ResolveAgencyResponse:
        """The current agency behind any known code form."""
        form = Form()
        form.required("code", request.code)
        form.check()
        agency = await self._known(request.code)
        return pb.ResolveAgencyResponse(
            agency=(await self._shown([agency]))[0], by_alias=not same_code(request.code, agency.code)
        )

    async def _known(self, code: str) -> Agency:
        agency = await find_agency(self._directory, code)
        if agency is None:
            raise GatewayError(ErrorCode.AGENCY_UNKNOWN, agency=code)
        return agency

    async def _shown(self, agencies: Sequence[Agency]) -> list[pb.Agency]:
        served = await self._directory.served([agency.id for agency in agencies])
        return [agency_out(agency, served_here=agency.id in served) for agency in agencies]


def agency_out(agency: Agency, *, served_here: bool) -> pb.Agency:
    """An agency of the directory."""
    return pb.Agency(
        name=f"agencies/{agency.id}",
        code=agency.code,
        display_name=agency.name,
        parent="" if agency.parent_id is None else f"agencies/{agency.parent_id}",
        parent_code=agency.parent_code or "",
        alias_codes=agency.aliases,
        email=agency.email,
        active=agency.active,
        served_here=served_here,
    )
