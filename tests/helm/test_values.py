import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from gateway.settings import Settings
from tests.helm.chart import CHART, FULL, SHARED, helm, template

pytestmark = pytest.mark.helm

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
OURS: dict[str, Any] = Settings.model_json_schema()

_FILES = {"ca_file", "client_certificate", "client_key", "platform"}
BY_THE_CHART = {
    "ServerSettings": {"listen", "tls_certificate", "tls_key", "client_ca", "plaintext_loopback_vendor"},
    "DoorSettings": {"listen", "tls_certificate", "tls_key"},
    "SignatureSettings": {"trust_dir"},
    "VxpSettings": {"secret", "secret_file"} | _FILES,
    "SoapSettings": {"token", "token_file", "username_token", "signing_certificate", "signing_key"} | _FILES,
    "LangSonSettings": {"secret", "secret_file", "password", "password_file"} | _FILES,
    "QuangNamSettings": {"secret", "secret_file"} | _FILES,
    "PlatformSettings": {"consumer_secret", "consumer_secret_file", "access_header"},
    "AccessHeaderSettings": {"secret_key", "secret_key_file"},
    "UsernameTokenSettings": {"password", "password_file"},
    "BlobSettings": {"path", "secret_access_key", "secret_access_key_file", "ca_file"},
    "VendorSettings": {"door_secret", "door_secret_file"},
}
"""Settings the chart writes itself: ports, paths, files of named secrets, and tables with sections of their own."""
OF_THE_CHART = {
    *("tls", "clientCa", "clientTls", "signingTls", "trust", "ca", "wsdlFile"),
    *("secret", "token", "password", "consumerSecret", "secretKey", "secretAccessKey", "doorSecret"),
    *("platform", "accessHeader", "usernameToken", "enabled", "replicas"),
}
"""Values that become volumes, numbers of pods or tables, not settings."""
SECTIONS = {
    "ServerSettings": SCHEMA["properties"]["server"],
    "DoorSettings": SCHEMA["properties"]["door"],
    "SignatureSettings": SCHEMA["properties"]["signatures"],
    "LogSettings": SCHEMA["properties"]["log"],
    "LimitSettings": SCHEMA["properties"]["limits"],
    "BlobSettings": SCHEMA["properties"]["blobs"],
    "DeliverySettings": SCHEMA["properties"]["delivery"],
    "RetentionSettings": SCHEMA["properties"]["retention"],
    "VxpSettings": SCHEMA["$defs"]["vxpAccount"],
    "SoapSettings": SCHEMA["$defs"]["soapAccount"],
    "LangSonSettings": SCHEMA["$defs"]["langsonAccount"],
    "QuangNamSettings": SCHEMA["$defs"]["quangnamAccount"],
    "PlatformSettings": SCHEMA["$defs"]["platform"],
    "AccessHeaderSettings": SCHEMA["$defs"]["accessHeader"],
    "UsernameTokenSettings": SCHEMA["$defs"]["usernameToken"],
    "RouteSettings": SCHEMA["properties"]["routes"]["items"],
    "VendorSettings": SCHEMA["properties"]["vendors"]["items"],
}
FIXED = {"health", "metrics", "store"}
"""Sections the chart writes itself, whole."""


def camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def rules(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema without defaults and titles."""
    return {
        key: rules(value) if key == "items" else value
        for key, value in schema.items()
        if key not in {"default", "title"}
    }


@pytest.mark.parametrize("section", SECTIONS)
def test_values_are_the_settings(section: str) -> None:
    """Every setting that is not the chart's own can be set by a value, under the same rules, and no other value can."""
    expected = {
        camel(name): rules(schema)
        for name, schema in OURS["$defs"][section]["properties"].items()
        if name not in BY_THE_CHART.get(section, set())
    }
    found = {name: rule for name, rule in SECTIONS[section]["properties"].items() if name not in OF_THE_CHART}
    assert found == expected
    assert SECTIONS[section]["additionalProperties"] is False


def test_every_section_of_the_settings_is_known() -> None:
    """A new section of the settings is either a value or the chart's own."""
    ours = set(OURS["properties"])
    assert ours - FIXED <= set(SCHEMA["properties"])
    assert ours >= FIXED
    by_the_chart = {"HealthSettings", "MetricsSettings", "StoreSettings"}
    assert set(OURS["$defs"]) == set(SECTIONS) | by_the_chart


@pytest.mark.parametrize("section", SECTIONS)
def test_examples_set_every_value(section: str) -> None:
    """The values under ci/ that the tests render give every value there is, so a misspelt template would be noticed."""
    given: set[str] = set()
    for file in (FULL, SHARED):
        given |= set(walk(yaml.safe_load(file.read_text(encoding="utf-8"))))
    assert set(SECTIONS[section]["properties"]) <= given


def walk(value: Any) -> Iterator[str]:
    """Every key, at any depth."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    for inner in value if isinstance(value, list) else []:
        yield from walk(inner)


REFUSED = {
    "no pods": ("delivery.replicas=0", "/delivery/replicas"),
    "PostgreSQL without a bucket": ("postgres.secret=database", "/blobs"),
    "bucket without its key": ("blobs.bucket=documents", "/blobs"),
    "key in the values": ("blobs.secretAccessKey.value=s3cret", "value"),
    "unknown key": ("server.drainSecond=5", "drainSecond"),
    "unknown top key": ("replicaCount=1", "replicaCount"),
    "secret in the values": ("axis.national.secret.value=s3cret", "value"),
    "no TLS secret": ("server.tls.secret=", "/server/tls/secret"),
    "both trust sources": ("signatures.trust.secret=also", "/signatures/trust"),
    "unknown policy": ("signatures.submit=whatever", "/signatures/submit"),
    "endpoint without scheme": ("axis.national.endpoint=axis.example", "/axis/national/endpoint"),
    "wrong word": ("axis.national.onUnknown=perhaps", "/axis/national/onUnknown"),
    "text for a number": ("delivery.concurrency=many", "/delivery/concurrency"),
    "out of range": ("delivery.retryJitter=2", "/delivery/retryJitter"),
    "account without its secret": ("axis.second.endpoint=http://axis.example", "/axis"),
    "account named as the own route": ("axis.local.endpoint=http://axis.example", "/axis"),
    "unknown kind": ("axis.national.kind=ftp", "/axis/national/kind"),
    "key of another kind": ("axis.national.organId=H99", "organId"),
    "kind without its keys": ("axis.national.kind=langson", "username"),
    "platform without its secret": ("axis.national.platform.consumerKey=k", "/axis/national/platform"),
    "route to nowhere": ("routes[0].agencies[0]=H98", "/routes/0"),
    "open door": ("door.enabled=true", "/door"),
    "door without a vendor": ("door.enabled=true,door.plaintext=true", "/vendors"),
    "door id without its secret": ("vendors[0].doorSystemId=H99", "doorSecret"),
    "account name": ("axis.Big_Name.endpoint=http://axis.example", "/axis"),
    "vendor name": ("vendors[0].id=Office A", "/vendors/0/id"),
    "plaintext": ("server.plaintextLoopbackVendor=office-a", "plaintextLoopbackVendor"),
    "volume size": ("persistence.size=much", "/persistence/size"),
    "policy that admits no vendor": ("networkPolicy.enabled=true", "/networkPolicy"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_values_are_refused(case: str) -> None:
    """Helm refuses a wrong value before anything is rendered, and names it."""
    assignment, named = REFUSED[case]
    run = template("--set", assignment)
    assert run.returncode != 0
    assert "values don't meet the specifications of the schema" in run.stderr
    assert named in run.stderr


def test_defaults_alone_are_refused() -> None:
    """Without the values that only the operator knows there is no release; all of them are named at once."""
    run = helm("template", "lgsp", CHART)
    assert run.returncode != 0
    for path in ("/server/tls/secret", "/server/clientCa/secret", "/signatures/trust", "/axis", "/vendors"):
        assert f"at '{path}'" in run.stderr
