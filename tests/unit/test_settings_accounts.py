"""Accounts of every kind, routes, the door: what is accepted, and how mistakes are told."""

from pathlib import Path
from typing import Any

import pytest

from gateway.settings import (
    LangSonSettings,
    QuangNamSettings,
    Settings,
    SettingsError,
    SoapSettings,
    VxpSettings,
    load,
)

HEAD = """
[server]
listen = "127.0.0.1:0"
plaintext_loopback_vendor = "ioffice"
[signatures]
trust_dir = "{home}"
[[vendors]]
id = "ioffice"
serves = ["H99"]
door_system_id = "H99.QLVB"
door_secret_file = "{home}/secret"
"""
COMMON = 'agencies = ["H99"]\nendpoint = "https://axis.example/base"\n'
ACCOUNTS = {
    "vxp": f'[axis.one]\n{COMMON}system_id = "00.99.W00"\nsecret_file = "{{home}}/secret"\n',
    "soap": f'[axis.one]\nkind = "soap"\n{COMMON}organ_id = "H99"\ntoken_file = "{{home}}/secret"\n',
    "langson": (
        f'[axis.one]\nkind = "langson"\n{COMMON}system_id = "00.99.W00"\nsecret_file = "{{home}}/secret"\n'
        'username = "qlvb"\npassword_file = "{home}/secret"\n'
    ),
    "quangnam": (
        f'[axis.one]\nkind = "quangnam"\n{COMMON}secret_file = "{{home}}/secret"\n'
        '[axis.one.platform]\ntoken_url = "https://axis.example/token"\nconsumer_key = "key"\n'
        'consumer_secret_file = "{home}/secret"\n'
    ),
}
SECOND = ACCOUNTS["vxp"].replace("axis.one", "axis.two")


@pytest.fixture
def read(tmp_path: Path) -> Any:
    (tmp_path / "secret").write_text("hush-hush\n", encoding="utf-8")

    def read_config(*parts: str, head: str = HEAD) -> Settings:
        file = tmp_path / "gateway.toml"
        file.write_text("\n".join((head, *parts)).replace("{home}", str(tmp_path)), encoding="utf-8")
        return load(file)

    return read_config


def problems_of(read: Any, *parts: str, head: str = HEAD) -> str:
    with pytest.raises(SettingsError) as caught:
        read(*parts, head=head)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "section"),
    [("vxp", VxpSettings), ("soap", SoapSettings), ("langson", LangSonSettings), ("quangnam", QuangNamSettings)],
)
def test_each_kind_has_its_section(read: Any, kind: str, section: type) -> None:
    """The word `kind` decides which keys an account has; without one it is a VXP account."""
    account = read(ACCOUNTS[kind]).axis["one"]
    assert type(account) is section
    assert account.kind == kind


def test_kinds_have_their_own_defaults(read: Any) -> None:
    """A SOAP axis gets Bkav's packets and repetitions, a Lang Son one packets up to 50 MB."""
    soap, langson = read(ACCOUNTS["soap"]).axis["one"], read(ACCOUNTS["langson"]).axis["one"]
    assert (soap.dialect, soap.on_unknown) == ("bkav", "resend_new")
    assert (langson.dialect, langson.on_unknown, langson.max_packet_bytes) == ("national", "hold", 50 * 1024 * 1024)


def test_a_kind_does_not_take_the_keys_of_another(read: Any) -> None:
    """A key of another kind, a missing one and an unknown kind are told by the key as it is in the file."""
    assert "axis.one.hash_form: Extra inputs" in problems_of(read, ACCOUNTS["soap"] + 'hash_form = "padded"\n')
    assert "axis.one.username: Field required" in problems_of(
        read, ACCOUNTS["langson"].replace('username = "qlvb"\n', "")
    )
    assert problems_of(read, f'[axis.one]\nkind = "ftp"\n{COMMON}') == (
        "axis.one.kind: one of vxp, soap, langson, quangnam expected"
    )


@pytest.mark.parametrize(
    ("kind", "key"),
    [("vxp", "secret"), ("soap", "token"), ("langson", "secret"), ("langson", "password"), ("quangnam", "secret")],
)
def test_each_secret_is_given_once(read: Any, kind: str, key: str) -> None:
    """A secret comes from its key or from a file: never from both, never from neither, and no message repeats it."""
    lines = ACCOUNTS[kind].splitlines()
    (place,) = [i for i, line in enumerate(lines) if line.startswith(f"{key}_file")]
    inline = [*lines[:place], f'{key} = "open-sesame"', *lines[place + 1 :]]
    assert "open-sesame" not in repr(read("\n".join(inline)))
    both = problems_of(read, "\n".join([*inline[: place + 1], lines[place], *inline[place + 1 :]]))
    neither = problems_of(read, "\n".join(lines[:place] + lines[place + 1 :]))
    for problem in (both, neither):
        assert f"exactly one of {key} and {key}_file is required" in problem
        assert "open-sesame" not in problem
    wrong = problems_of(read, "\n".join([*lines[:place], f"{key} = 12345678", *lines[place + 1 :]]))
    assert f"axis.one.{key}" in wrong
    assert "12345678" not in wrong


@pytest.mark.parametrize("key", ["endpoint", "proxy"])
def test_a_password_in_a_url_is_refused_and_not_repeated(read: Any, key: str) -> None:
    """URLs have no user part; a refused one is not shown, since it may hold a password."""
    account = ACCOUNTS["vxp"].replace('endpoint = "https://axis.example/base"\n', "") if key == "endpoint" else None
    problem = problems_of(read, (account or ACCOUNTS["vxp"]) + f'{key} = "http://u:open-sesame@host:1"\n')
    assert f"axis.one.{key}" in problem
    assert "open-sesame" not in problem


@pytest.mark.parametrize(
    ("kind", "line", "expected"),
    [
        ("vxp", 'client_key = "{home}/secret"\n', "client_certificate and client_key come together"),
        ("soap", 'signing_certificate = "{home}/secret"\n', "signing_certificate and signing_key come together"),
        ("soap", 'attachments = "zip"\n', "axis.one.attachments"),
        ("soap", '[axis.one.username_token]\nusername = "u"\n', "exactly one of password and password_file"),
        ("quangnam", '[axis.one.platform.access_header]\naccess_key = "a"\n', "exactly one of secret_key"),
        ("vxp", '[axis.one.platform]\ntoken_url = "https://t"\nconsumer_key = "k"\n', "exactly one of consumer_secret"),
        ("vxp", 'ca_file = "{home}/none"\n', "axis.one.ca_file"),
    ],
)
def test_halves_are_refused(read: Any, kind: str, line: str, expected: str) -> None:
    """Certificates need their keys, tables below an account their secrets, and files must be there."""
    assert expected in problems_of(read, ACCOUNTS[kind] + line)


def test_quang_nam_needs_a_platform(read: Any) -> None:
    """Without a token endpoint no call of that facade could be made."""
    account = ACCOUNTS["quangnam"].partition("[axis.one.platform]")[0]
    assert "platform is required" in problems_of(read, account)


def test_the_environment_reaches_into_an_account(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of any kind of account, and one of a table below it, can be overridden by one variable each."""
    monkeypatch.setenv("LGSP_AXIS__ONE__LIST_DAYS", "7")
    assert read(ACCOUNTS["langson"]).axis["one"].list_days == 7
    monkeypatch.delenv("LGSP_AXIS__ONE__LIST_DAYS")
    monkeypatch.setenv("LGSP_AXIS__ONE__PLATFORM__MARGIN_SECONDS", "5")
    monkeypatch.setenv("LGSP_AXIS__ONE__SECRET_IN", "query")
    account = read(ACCOUNTS["quangnam"]).axis["one"]
    assert (account.platform.margin_seconds, account.secret_in) == (5, "query")
    assert account.platform.consumer_key == "key"


def test_routes_name_accounts(read: Any) -> None:
    """Several accounts, a route for a subtree with a fallback, and one for the rest."""
    routes = '[[routes]]\nagencies = ["G"]\nvia = ["two", "one"]\n[[routes]]\nvia = ["one"]\n'
    settings = read(ACCOUNTS["soap"], SECOND, routes)
    assert [(route.agencies, route.via) for route in settings.routes] == [(("G",), ("two", "one")), ((), ("one",))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[routes]]\nvia = ["three"]\n', "routes[0].via: no account three"),
        ("[[routes]]\nvia = []\n", "routes.0.via"),
        ('[[routes]]\nvia = ["one", "one"]\n', "an account twice in one via"),
        ('[[routes]]\nvia = ["one"]\n[[routes]]\nvia = ["two"]\n', "routes: given twice: the rest"),
        (
            '[[routes]]\nagencies = ["H98"]\nvia = ["one"]\n[[routes]]\nagencies = ["h98"]\nvia = ["two"]\n',
            "routes: given twice: H98",
        ),
        ('[delivery]\ndirectory_accounts = ["three"]\n', "delivery.directory_accounts: no account three"),
    ],
)
def test_wrong_routes_are_refused(read: Any, text: str, expected: str) -> None:
    """A route to an account that is not there, to none, or given twice is told."""
    assert expected in problems_of(read, ACCOUNTS["vxp"], SECOND, text)


def test_the_name_of_the_own_route_is_taken(read: Any) -> None:
    """No account may be called as the gateway's direct delivery is."""
    assert "local is the name of the gateway's own route" in problems_of(
        read, ACCOUNTS["vxp"].replace("axis.one", "axis.local")
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('listen = "0.0.0.0:8444"\n', "or plaintext = true"),
        ('listen = "0.0.0.0:8444"\ntls_key = "{home}/secret"\n', "tls_certificate and tls_key come together"),
        ('listen = "everywhere"\n', "door.listen"),
        ("clock_skew_minutes = -1\n", "door.clock_skew_minutes"),
    ],
)
def test_an_open_door_is_refused(read: Any, text: str, expected: str) -> None:
    """Beyond loopback the door needs TLS, or the word that it shall have none."""
    assert expected in problems_of(read, ACCOUNTS["vxp"], "[door]", text)


@pytest.mark.parametrize(
    "text",
    ['listen = "127.0.0.1:0"\n', 'listen = "0.0.0.0:8444"\nplaintext = true\n', ""],
)
def test_a_door_may_be_on_loopback_or_declared(read: Any, text: str) -> None:
    """Loopback needs no word, a protected network needs one, and without `listen` there is no door."""
    assert read(ACCOUNTS["vxp"], "[door]", text).door.clock_skew_minutes == 0


def test_a_door_needs_somebody_who_may_enter(read: Any) -> None:
    """A door without any vendor's system id is a mistake, and so are half an entry and an id given twice."""
    door = '[door]\nlisten = "127.0.0.1:0"\n'
    vendor = '[[vendors]]\nid = "two"\nserves = ["H98"]\ndoor_system_id = "H99.QLVB"\n'
    twice = f'{vendor}door_secret = "x"\n'
    assert "door_system_id given twice: H99.QLVB" in problems_of(read, ACCOUNTS["vxp"], twice, door)
    assert "door_system_id and exactly one of" in problems_of(read, ACCOUNTS["vxp"], vendor, door)
    lone = HEAD.replace('door_system_id = "H99.QLVB"\n', "").replace('door_secret_file = "{home}/secret"\n', "")
    assert "no vendor has a door_system_id" in problems_of(read, ACCOUNTS["vxp"], door, head=lone)
