"""The settings of several accounts, as the flows get them."""

from pathlib import Path

from gateway.bootstrap import configs
from gateway.domain.routing import LOCAL, Route
from gateway.flows.config import OnUnknown
from gateway.settings import Settings, load

_TEXT = """
[server]
listen = "127.0.0.1:0"
plaintext_loopback_vendor = "ioffice"
[signatures]
trust_dir = "{home}"
[delivery]
{delivery}
[axis.national]
endpoint = "http://127.0.0.1:1"
system_id = "00.99.W00"
secret = "hush"
agencies = ["H99"]
[axis.province]
endpoint = "http://127.0.0.1:2"
system_id = "00.99.W01"
secret = "hush"
agencies = ["H99.01", "H99.02"]
poll_seconds = 7
reconcile_minutes = 3
[[vendors]]
id = "ioffice"
serves = ["H99"]
{routes}
"""


def settings_of(folder: Path, *, routes: str = "", delivery: str = "") -> Settings:
    file = folder / "gateway.toml"
    file.write_text(_TEXT.format(home=folder, routes=routes, delivery=delivery), encoding="utf-8")
    return load(file)


def test_without_routes_everything_goes_by_the_first_account(tmp_path):
    """One route for all, one account; the directory is that account's as well."""
    settings = settings_of(tmp_path)
    assert configs.route_table(settings).routes == (Route(roots=(), accounts=("national",)),)
    assert configs.directory_accounts(settings) == ("national",)


def test_routes_and_directories_are_as_set(tmp_path):
    """Roots and accounts in the order given."""
    settings = settings_of(
        tmp_path,
        routes='[[routes]]\nagencies = ["H99.01"]\nvia = ["province", "national"]',
        delivery='directory_accounts = ["province", "national"]',
    )
    assert configs.route_table(settings).routes == (Route(roots=("H99.01",), accounts=("province", "national")),)
    assert configs.directory_accounts(settings) == ("province", "national")


def test_each_account_is_polled_and_compared_as_it_says(tmp_path):
    """Intervals are an account's own."""
    first, second = settings_of(tmp_path).axis.values()
    assert configs.inbound_policy(first).poll_interval > configs.inbound_policy(second).poll_interval
    assert configs.reconcile_policy(first).interval > configs.reconcile_policy(second).interval


def test_the_local_route_repeats_and_waits_for_nothing(tmp_path):
    """It receives for the agencies of all accounts, under the hop of the first, and sends again what is not known."""
    policy = configs.local_policy(settings_of(tmp_path))
    assert (policy.name, policy.hop, policy.on_unknown) == (LOCAL, "H99", OnUnknown.RESEND)
    assert policy.local_roots == {"H99", "H99.01", "H99.02"}
    assert not policy.settling_time
