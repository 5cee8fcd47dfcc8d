import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.blobs.s3 import Bucket
from gateway.bootstrap import configs, problems
from gateway.domain.admission import Terms
from gateway.domain.dialect import DIALECTS, Dialect, StatusContainer, TypePractice
from gateway.settings import SettingsError, StoreSettings, VxpSettings, database_of, load, secret_of

BASE = """
[server]
listen = "127.0.0.1:0"
plaintext_loopback_vendor = "ioffice"
[signatures]
trust_dir = "{home}"
[axis.national]
endpoint = "http://127.0.0.1:1"
system_id = "00.99.W00"
secret_file = "{home}/secret"
agencies = ["H99"]
[[vendors]]
id = "ioffice"
serves = ["H99"]
"""


@pytest.fixture
def write(tmp_path: Path) -> Any:
    (tmp_path / "secret").write_text(" hush-hush \n", encoding="utf-8")

    def write_config(text: str = BASE, **changes: str) -> Path:
        text = text.replace("{home}", str(tmp_path))
        for old, new in changes.items():
            text = re.sub(rf"^{old} = .*$", new, text, flags=re.MULTILINE)
        file = tmp_path / "gateway.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write_config


def problems_of(file: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load(file)
    return str(caught.value)


def test_a_small_file_is_enough(write: Any) -> None:
    """A handful of keys makes a configuration; the rest has defaults, the secret is stripped."""
    settings = load(write())
    assert settings.delivery.receipt == "vendor_ack"
    account = settings.axis["national"]
    assert isinstance(account, VxpSettings)
    assert account.sent_list == "by_docid"
    assert secret_of("axis.national.secret", account.secret, account.secret_file) == "hush-hush"


def test_the_environment_wins_over_the_file(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of a section below a name can be overridden by one variable."""
    monkeypatch.setenv("LGSP_AXIS__NATIONAL__ON_UNKNOWN", "resend")
    monkeypatch.setenv("LGSP_DELIVERY__CONCURRENCY", "9")
    settings = load(write())
    assert settings.axis["national"].on_unknown == "resend"
    assert settings.axis["national"].endpoint == "http://127.0.0.1:1"
    assert settings.delivery.concurrency == 9


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("endpoint", 'endpoint = "ftp://x"', "axis.national.endpoint"),
        ("endpoint", 'endpont = "http://x"', "axis.national.endpont"),
        ("listen", 'listen = "0.0.0.0:8443"', "loopback"),
        ("plaintext_loopback_vendor", "", "mutual TLS"),
        ("plaintext_loopback_vendor", 'plaintext_loopback_vendor = "other"', "names no vendor"),
        ("agencies", "agencies = []", "axis.national.agencies"),
        ("secret_file", 'secret_file = "/nowhere/at/all"', "axis.national.secret_file"),
        ("secret_file", "", "exactly one of secret and secret_file"),
        ("trust_dir", 'trust_dir = "/nowhere/at/all"', "signatures.trust_dir"),
        ("serves", 'serves = ["H99"]\n[[vendors]]\nid = "second"\nserves = ["H99"]', "serves given twice: H99"),
        ("serves", 'serves = ["H99"]\n[[vendors]]\nid = "second"\nserves = ["h99"]', "serves given twice: H99"),
    ],
)
def test_a_wrong_key_is_named(write: Any, old: str, new: str, expected: str) -> None:
    """Each mistake is refused with the key or the rule it breaks."""
    assert expected in problems_of(write(**{old: new}))


def test_all_problems_come_at_once(write: Any) -> None:
    """Two mistakes give two lines."""
    text = problems_of(write(endpoint='endpoint = "ftp://x"', agencies="agencies = []"))
    assert len(text.splitlines()) == 2


def test_a_secret_is_never_shown(write: Any) -> None:
    """Neither a repr nor an error repeats a secret given in the file."""
    good = load(write(secret_file='secret = "open-sesame"'))
    assert "open-sesame" not in repr(good)
    assert "open-sesame" not in problems_of(write(secret_file='secret = "open-sesame"\nsecret_file = "x"'))
    assert "12345678" not in problems_of(write(secret_file="secret = 12345678"))


def test_a_file_that_is_no_toml_is_refused(write: Any) -> None:
    """A syntax error is told with its place."""
    assert "not valid TOML" in problems_of(write("[server"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    assert "none.toml" in problems_of(tmp_path / "none.toml")


def dialect_of(file: Path) -> Dialect:
    settings = load(file)
    return configs.account_policy("national", settings.axis["national"], settings.limits).dialect


@pytest.mark.parametrize("name", DIALECTS)
def test_a_preset_is_taken_whole(write: Any, name: str) -> None:
    """Each word of `dialect` is the preset of that name, and without the key it is the national one."""
    assert dialect_of(write(agencies=f'agencies = ["H99"]\ndialect = "{name}"')) == DIALECTS[name]
    assert dialect_of(write()) == DIALECTS["national"]


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ('status_container = "MessageHeader"', "status_container", StatusContainer.MESSAGE_HEADER),
        ("zip_rule = false", "zip_rule", False),
        ('type_practice = "sdk"', "type_practice", TypePractice.SDK),
        ("additions = false", "additions", False),
        ("receiver_added = 0", "receiver_added", 0),
        ("priority_five_is_normal = false", "priority_five_is_normal", False),
    ],
)
def test_one_habit_can_be_changed(write: Any, line: str, field: str, value: object) -> None:
    """A key beside `dialect` changes that habit and no other, false and 0 included."""
    changed = dialect_of(write(agencies=f'agencies = ["H99"]\ndialect = "bkav"\n{line}'))
    assert changed == replace(DIALECTS["bkav"], **{field: value})
    assert changed != DIALECTS["bkav"]


def test_habits_can_come_from_the_environment(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of the environment become what the file would say."""
    monkeypatch.setenv("LGSP_AXIS__NATIONAL__RECEIVER_ADDED", "0")
    monkeypatch.setenv("LGSP_AXIS__NATIONAL__ZIP_RULE", "false")
    assert dialect_of(write()) == replace(DIALECTS["national"], receiver_added=0, zip_rule=False)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('dialect = "vnpt"', "dialect"),
        ("receiver_added = 2", "receiver_added"),
        ('type_practice = ""', "type_practice"),
    ],
)
def test_an_unknown_habit_is_refused(write: Any, line: str, key: str) -> None:
    """A word outside the lists names its key."""
    assert f"axis.national.{key}" in problems_of(write(agencies=f'agencies = ["H99"]\n{line}'))


def test_attachments_may_go_into_a_bucket(write: Any, tmp_path: Path) -> None:
    """A bucket's keys arrive where it is opened, its secret from a file; reserve and quota decide admission."""
    (tmp_path / "s3").write_text(" hidden \n", encoding="utf-8")
    (tmp_path / "ca.pem").write_bytes(b"authorities")
    lines = (
        f'bucket = "lgsp"\nendpoint = "https://s3.test"\nregion = "vn-1"\naccess_key_id = "key"\nquota_bytes = 9\n'
        f'reserve_bytes = 7\nsecret_access_key_file = "{tmp_path}/s3"\nca_file = "{tmp_path}/ca.pem"\n'
    )
    settings = load(write(f"{BASE}[blobs]\n{lines}"))
    assert configs.bucket(settings.blobs) == Bucket(
        name="lgsp",
        endpoint="https://s3.test",
        region="vn-1",
        access_key_id="key",
        secret="hidden",
        ca_pem=b"authorities",
    )
    assert configs.storage_terms(settings.blobs) == Terms(reserve=7, quota=9)
    assert not [line for line in problems(settings, now=datetime.now(tz=UTC)) if "blobs" in line]
    (tmp_path / "s3").write_text("\n", encoding="utf-8")
    assert "blobs.secret_access_key_file: holds no secret" in problems(settings, now=datetime.now(tz=UTC))


def test_a_database_may_be_a_server(write: Any, tmp_path: Path) -> None:
    """Without a URL the embedded file; a URL from the file or the setting; both, or another scheme, are refused."""
    embedded = load(write()).store
    assert database_of(embedded) == embedded.path
    url = "postgresql://u:secret@127.0.0.1:5432/n"
    (tmp_path / "url").write_text(f"{url}\n", encoding="utf-8")
    assert database_of(embedded.model_copy(update={"url_file": tmp_path / "url"})) == url
    given = embedded.model_copy(update={"url": SecretStr(url)})
    assert database_of(given) == url
    assert "secret" not in repr(given)
    with pytest.raises(SettingsError, match="postgresql://"):
        database_of(embedded.model_copy(update={"url": SecretStr("mysql://u@h/n")}))
    with pytest.raises(ValueError, match="exclude each other"):
        StoreSettings(url=SecretStr(url), url_file=tmp_path / "url")
