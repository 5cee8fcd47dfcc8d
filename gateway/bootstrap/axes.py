"""Each account's adapter, by its dialect."""

from typing import Protocol, assert_never

import structlog

from gateway.adapters.access import BearerAccess, open_platform
from gateway.adapters.langson.axis import LangSonAxis
from gateway.adapters.langson.login import LoginAccess
from gateway.adapters.quangnam.axis import QuangNamAxis
from gateway.adapters.soap.axis import SoapAxis
from gateway.adapters.vxp.axis import VxpAxis
from gateway.bootstrap import configs, provincial
from gateway.observability.metrics import Metrics
from gateway.ports import Axis, Clock
from gateway.settings import (
    AxisAccount,
    AxisSettings,
    LangSonSettings,
    QuangNamSettings,
    SettingsError,
    SoapSettings,
    VxpSettings,
)

_log = structlog.get_logger()


class OpenAxis(Axis, Protocol):
    """An adapter that holds connections."""

    async def aclose(self) -> None:
        """Close them."""


def open_axis(name: str, axis: AxisAccount, *, clock: Clock, metrics: Metrics) -> OpenAxis:
    """The account's adapter, nothing opened yet. Raises SettingsError, OSError, ssl.SSLError for unusable files."""
    access = open_access(name, axis, clock=clock)
    match axis:
        case VxpSettings():
            return VxpAxis(account=configs.vxp_account(name, axis), clock=clock, metrics=metrics, access=access)
        case LangSonSettings():
            known = provincial.langson_account(name, axis)
            return LangSonAxis(account=known, clock=clock, metrics=metrics, access=access)
        case QuangNamSettings():
            unit = provincial.quangnam_account(name, axis)
            return QuangNamAxis(account=unit, clock=clock, metrics=metrics, access=access)
        case SoapSettings():
            organ = provincial.soap_account(name, axis)
            return SoapAxis(account=organ, clock=clock, metrics=metrics, access=access)
        case _:
            assert_never(axis)


async def bind(axis: Axis) -> None:
    """Read the peer's own WSDL, where the account names one, and log where it differs from what is sent.

    Raises SettingsError if it offers no way for documents to pass; one that cannot be read now does not hinder a start.
    """
    if not isinstance(axis, SoapAxis):
        return
    binding = await axis.bind()
    for problem in binding.problems:
        _log.error("soap.binding", account=axis.account, problem=problem)
    if binding.lacking:
        raise SettingsError([f"axis.{axis.account}.wsdl: {problem}" for problem in binding.problems])


def open_access(name: str, axis: AxisSettings, *, clock: Clock) -> BearerAccess | None:
    """Access to the platform in front of an account's peer, where there is one; the adapter closes it."""
    if axis.platform is None:
        return None
    return open_platform(configs.platform(name, axis, axis.platform), clock=clock)


def open_login(name: str, axis: AxisAccount, *, clock: Clock) -> LoginAccess | None:
    """The login that an account's calls begin with, where its dialect has one, for itself."""
    if not isinstance(axis, LangSonSettings):
        return None
    platform = open_access(name, axis, clock=clock)
    return LoginAccess(account=provincial.langson_account(name, axis), clock=clock, platform=platform)
