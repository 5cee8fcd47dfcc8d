"""The sandbox's options as an operator writes them."""

from pathlib import Path
from typing import Any

import pytest

from gateway.sandbox.core import ItemsPer, System
from gateway.sandbox.faults import Fault, Wish
from gateway.sandbox.serve import SEEDED_SYSTEMS, Address, BadOptionError, SandboxOptions, read_options


def test_options_are_read() -> None:
    """Every option arrives; a secret may hold an equals sign."""
    assert read_options(
        listen="[::1]:8280",
        soap="127.0.0.1:1",
        langson="127.0.0.1:2",
        quangnam="127.0.0.1:3",
        control_port=9,
        systems=["00.99.W00=a=b"],
        data=Path("x"),
        faults=["down:2"],
        items_per="system",
        rewrite=True,
        slow_seconds=0.5,
    ) == SandboxOptions(
        listen=Address(host="::1", port=8280),
        soap=Address(host="127.0.0.1", port=1),
        langson=Address(host="127.0.0.1", port=2),
        quangnam=Address(host="127.0.0.1", port=3),
        control_port=9,
        systems=(System(id="00.99.W00", secret="a=b"),),
        data=Path("x"),
        faults=(Wish(fault=Fault.DOWN, count=2),),
        items_per=ItemsPer.SYSTEM,
        rewrite=True,
        slow_seconds=0.5,
    )
    assert read_options().systems == SEEDED_SYSTEMS
    assert Address(host="::1", port=1).url == "http://[::1]:1"


@pytest.mark.parametrize(
    "bad",
    [
        {"listen": "8280"},
        {"listen": ":80"},
        {"soap": "8280"},
        {"langson": "localhost"},
        {"quangnam": "localhost:99999"},
        {"listen": "localhost:99999"},
        {"systems": ["00.99.W00"]},
        {"systems": ["=topsecret"]},
        {"faults": ["flood"]},
        {"items_per": "packet"},
        {"slow_seconds": -1.0},
    ],
)
def test_bad_options_are_named(bad: dict[str, Any]) -> None:
    """The message begins with the option's name and never shows a secret."""
    with pytest.raises(BadOptionError) as caught:
        read_options(**bad)
    (name,) = bad
    assert str(caught.value).startswith(name.rstrip("s").replace("_", "-")[:4])
    assert "topsecret" not in str(caught.value)


def test_secrets_do_not_show() -> None:
    """Printing the options shows no secret."""
    assert "s3cret" not in repr(read_options(systems=["H99=s3cret"]))
