"""Accounts of provincial axes from their settings to the simulated axis: the wiring as a whole."""

from contextlib import aclosing
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gateway.bootstrap.axes import open_axis
from gateway.domain.outcome import Accepted, Unavailable
from gateway.domain.packet import PacketKind
from gateway.observability.metrics import Metrics
from gateway.ports import DirectoryListing, Waiting
from gateway.sandbox.serve import Address, SandboxOptions, running
from gateway.settings import LangSonSettings, QuangNamSettings
from tests.contract.vxp_peer import SystemClock, in_pieces, make_sealed
from tests.unit.sandbox.calls import make_document

ANY_PORT = Address(host="127.0.0.1", port=0)
SYSTEM, SECRET = "00.99.W00", "dummy-secret"


def langson(url: str, **changes: Any) -> LangSonSettings:
    said: dict[str, Any] = {"username": SYSTEM, "password": SECRET, "system_id": SYSTEM, "secret": SECRET}
    return LangSonSettings(**{"kind": "langson", "endpoint": url, "agencies": ("H99",), **said, **changes})


def quangnam(url: str, **changes: Any) -> QuangNamSettings:
    platform = {"token_url": f"{url}/token", "consumer_key": SYSTEM, "consumer_secret": SECRET}
    said: dict[str, Any] = {"endpoint": f"{url}/truclienthong/v1.0.0/", "secret": SECRET, "platform": platform}
    return QuangNamSettings(**{"kind": "quangnam", "agencies": ("H99",), **said, **changes})


@pytest.mark.parametrize(
    ("make", "changes", "good"),
    [
        (langson, {}, True),
        (langson, {"password": "other"}, False),
        (langson, {"secret": "other"}, False),
        (quangnam, {}, True),
        (quangnam, {"secret_in": "query"}, True),
        (quangnam, {"secret": "other"}, False),
    ],
)
async def test_from_settings_to_the_axis(make, changes, good):
    """With the right secrets everything is offered; with one wrong nothing is, and that may pass."""
    async with running(SandboxOptions(langson=ANY_PORT, quangnam=ANY_PORT)) as sandbox:
        at = sandbox.langson if make is langson else sandbox.quangnam
        assert at
        section = make(at.url, **changes)
        axis = open_axis("province", section, clock=SystemClock(), metrics=Metrics(CollectorRegistry()))
        packet = make_document()
        async with aclosing(axis):
            sent = await axis.submit(make_sealed(packet), in_pieces(packet))
            listed = await axis.waiting(PacketKind.DOCUMENT)
            units = await axis.agencies()
    kinds = (Accepted, Waiting, DirectoryListing) if good else (Unavailable, Unavailable, Unavailable)
    assert tuple(type(each) for each in (sent, listed, units)) == kinds
