from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.sandbox.pki import make_pki, write_pki
from tests.fakes.terminal import Ended, run
from tests.helm.chart import FULL, MINIMAL, ROOT, SHARED, config_of, rendered

pytestmark = pytest.mark.helm

MOUNTED = "/etc/lgsp-gateway"
WSDL = ROOT / "gateway" / "adapters" / "soap" / "wsdl" / "edoc.wsdl"
SECRETS = (
    "blobs/secret",
    "vendors/office-a",
    *(f"axis/{name}/secret" for name in ("national", "langson", "quangnam")),
    *(f"axis/{name}/{file}" for name in ("national", "quangnam") for file in ("consumer-secret", "access-header")),
    *("axis/bkav/token", "axis/bkav/username-token", "axis/bkav-inline/token", "axis/langson/password"),
)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pod finds below /etc/lgsp-gateway: throwaway material under the chart's file names."""
    pki_folder = tmp_path_factory.mktemp("pki")
    write_pki(make_pki(now=datetime.now(UTC), gateways=("gateway",), vendors=("office-a",)), pki_folder)
    mounted = tmp_path_factory.mktemp("etc")
    files = {
        "tls/tls.crt": "gateways/gateway.pem",
        "tls/tls.key": "gateways/gateway.key.pem",
        "tls/client-ca.crt": "vendors-ca.pem",
        "trust/root.pem": "trust/root.pem",
        "blobs/ca.crt": "servers-ca.pem",
        "tls/door.crt": "gateways/gateway.pem",
        "tls/door.key": "gateways/gateway.key.pem",
        **{f"axis/{name}/ca.crt": "servers-ca.pem" for name in ("national", "bkav", "langson")},
        **{f"axis/{name}/client.crt": "gateways/gateway.pem" for name in ("national", "bkav")},
        **{f"axis/{name}/client.key": "gateways/gateway.key.pem" for name in ("national", "bkav")},
        "axis/bkav/signing.crt": "gateways/gateway.pem",
        "axis/bkav/signing.key": "gateways/gateway.key.pem",
    }
    for target, source in files.items():
        path = mounted / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((pki_folder / source).read_bytes())
    (mounted / "postgres").mkdir()
    (mounted / "postgres" / "url").write_text("postgresql://dummy@database.example/lgsp\n", encoding="utf-8")
    (mounted / "axis" / "bkav" / "service.wsdl").write_bytes(WSDL.read_bytes())
    for name in SECRETS:
        (mounted / name).parent.mkdir(exist_ok=True)
        (mounted / name).write_text("dummy-secret\n", encoding="utf-8")
    return mounted


def check(volumes: Path, folder: Path, config: str) -> Ended:
    file = folder / "gateway.toml"
    data = config.replace(MOUNTED, str(volumes)).replace("/var/lib/lgsp-gateway", str(folder / "data"))
    file.write_text(data, encoding="utf-8")
    return run("check-config", file, environment={"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("values", [MINIMAL, FULL, SHARED], ids=["minimal", "full", "shared"])
def test_rendered_configuration_is_accepted(volumes: Path, tmp_path: Path, values: Path) -> None:
    """`check-config` accepts what the chart renders, every value of it."""
    done = check(volumes, tmp_path, config_of(rendered(values=values)))
    assert done.returncode == 0, done.stdout + done.stderr


def test_missing_file_is_noticed(volumes: Path, tmp_path: Path) -> None:
    """The check above would fail if the chart named a file that is not mounted."""
    config = config_of(rendered()).replace("tls/tls.key", "tls/other.key")
    done = check(volumes, tmp_path, config)
    assert done.returncode == 2
    assert "server.tls_key" in done.stdout + done.stderr


def test_a_null_is_a_key_left_out(volumes: Path, tmp_path: Path) -> None:
    """TOML has no null: where a value may be one, it says what leaving the key out says."""
    nulls = tmp_path / "nulls.yaml"
    nulls.write_text("axis: {national: {zipRule: null, statusContainer: null, additions: false}}\n", encoding="utf-8")
    config = config_of(rendered("-f", str(nulls)))
    assert "additions = false" in config
    assert "null" not in config
    done = check(volumes, tmp_path, config)
    assert done.returncode == 0, done.stdout + done.stderr
