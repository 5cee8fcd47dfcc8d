"""is_loopback: which addresses may be served without TLS."""

import pytest

from gateway.rpc.config import is_loopback


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.8.8.8:50051", "[::1]:443", "localhost:1"])
def test_addresses_of_this_machine_alone(listen):
    """127.0.0.0/8, ::1 and localhost are loopback."""
    assert is_loopback(listen)


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:1", "[::]:1", ":1", "10.0.0.1:1", "localhost.example.org:1", "127.0.0.1.example.org:1", ""]
)
def test_addresses_others_can_reach(listen):
    """Wildcards, other addresses and names that only look like loopback are not."""
    assert not is_loopback(listen)
