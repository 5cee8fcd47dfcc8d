import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from gateway.rpc.health import ALIVE
from tests.helm.chart import CHART, FULL, MINIMAL, SHARED, config_of, find, helm, pod_of, rendered, templates_of

pytestmark = pytest.mark.helm

KUBERNETES = ("1.27.0", "1.33.0", "1.37.0")
"""From the oldest the chart admits to the newest the validator knows."""
UNKNOWN_KINDS = {"ServiceMonitor"}
"""Custom resources, which Kubernetes itself has no schema for."""


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a manifest with its value, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def leaves(value: Any) -> Iterator[Any]:
    """Every value of a configuration that is neither a table nor a list."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    else:
        yield value


@pytest.mark.parametrize("values", [MINIMAL, FULL, SHARED], ids=["minimal", "full", "shared"])
def test_lint_is_clean(values: Path) -> None:
    """`helm lint --strict` has nothing to say."""
    run = helm("lint", "--strict", CHART, "-f", values)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "WARNING" not in run.stdout


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", [MINIMAL, FULL, SHARED], ids=["minimal", "full", "shared"])
def test_manifests_are_valid_kubernetes(values: Path, version: str) -> None:
    """Every built-in object passes Kubernetes' own schema, unknown fields refused."""
    manifests = rendered(values=values)
    builtin = [each for each in manifests if each["kind"] not in UNKNOWN_KINDS]
    workload = "Deployment" if values is SHARED else "StatefulSet"
    assert {workload, "Service", "ConfigMap", "ServiceAccount"} <= {each["kind"] for each in builtin}
    for manifest in builtin:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_values_arrive_in_the_configuration_unchanged() -> None:
    """Numbers, lists and strings full of quotes and backslashes come out of the TOML as they went into the values."""
    values = yaml.safe_load(FULL.read_text(encoding="utf-8"))
    config = tomllib.loads(config_of(rendered(values=FULL)))
    account = values["axis"]["national"]
    assert config["axis"]["national"]["system_id"] == account["systemId"]
    assert config["axis"]["national"]["max_packet_bytes"] == account["maxPacketBytes"]
    assert config["axis"]["national"]["agencies"] == account["agencies"]
    assert config["signatures"]["timeout_seconds"] == values["signatures"]["timeoutSeconds"]
    assert config["vendors"][0]["uri_sans"] == values["vendors"][0]["uriSans"]
    assert config["vendors"][1]["certificate_sha256"] == values["vendors"][1]["certificateSha256"]
    assert {name: each["kind"] for name, each in config["axis"].items()} == {
        name: each["kind"] for name, each in values["axis"].items()
    }
    assert config["axis"]["quangnam"]["platform"]["token_url"] == values["axis"]["quangnam"]["platform"]["tokenUrl"]
    assert config["axis"]["national"]["platform"]["access_header"]["partner_code_cus"] == "H98.01"
    assert config["routes"] == values["routes"]
    assert config["delivery"]["directory_accounts"] == values["delivery"]["directoryAccounts"]


@pytest.mark.parametrize("values", [MINIMAL, FULL, SHARED], ids=["minimal", "full", "shared"])
def test_ports_agree(values: Path) -> None:
    """Listeners, container ports, probes, services and network policy name the same ports."""
    manifests = rendered(values=values)
    config = tomllib.loads(config_of(manifests))
    names = {"server": "grpc", "health": "health", "metrics": "metrics"} | (
        {} if values is MINIMAL else {"door": "door"}
    )
    listening = {name: config[name]["listen"] for name in names}
    (container,) = pod_of(manifests)["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert listening == {name: f"0.0.0.0:{ports[port]}" for name, port in names.items()}
    assert set(ports) == set(names.values())
    assert "listen" in config["door"] or values is MINIMAL
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["grpc"]["port"] == ports["health"]
    public = ["grpc"] if values is MINIMAL else ["grpc", "door"]
    for service, offered in (("lgsp", public), ("lgsp-metrics", ["metrics"])):
        exposed = find(manifests, "Service", service)["spec"]["ports"]
        assert [(each["port"], each["targetPort"]) for each in exposed] == [(ports[port], port) for port in offered]
    if values is FULL:
        rules = find(manifests, "NetworkPolicy")["spec"]["ingress"]
        admitted = [[each["port"] for each in rule["ports"]] for rule in rules]
        assert admitted == [[ports["grpc"], ports["door"]], [ports["metrics"]]]


def test_probes_ask_for_services_that_exist() -> None:
    """Liveness asks for the service that stays SERVING, readiness for the overall one; starting is not being ready."""
    (container,) = pod_of(rendered())["containers"]
    assert container["livenessProbe"]["grpc"]["service"] == ALIVE
    assert container["startupProbe"]["grpc"]["service"] == ALIVE
    assert "service" not in container["readinessProbe"]["grpc"]


@pytest.mark.parametrize("values", [MINIMAL, FULL, SHARED], ids=["minimal", "full", "shared"])
def test_every_file_of_the_configuration_is_mounted(values: Path) -> None:
    """Each path in gateway.toml lies in a mounted volume, and each named file is an entry of it."""
    manifests = rendered(values=values)
    pod = pod_of(manifests)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    (container,) = pod["containers"]
    mounted = {
        str(PurePosixPath(mount["mountPath"], item["path"]))
        for mount in container["volumeMounts"]
        for source in volumes.get(mount["name"], {}).get("projected", {}).get("sources", [])
        for kind in source.values()
        for item in kind["items"]
    }
    for mount in container["volumeMounts"]:
        for item in volumes.get(mount["name"], {}).get("secret", {}).get("items", []):
            mounted.add(str(PurePosixPath(mount["mountPath"], item["path"])))
    config = tomllib.loads(config_of(manifests))
    files = {value for value in leaves(config) if str(value).startswith("/etc/")} - {config["signatures"]["trust_dir"]}
    assert files == mounted
    folders = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert config["signatures"]["trust_dir"] in folders
    paths = [config[part]["path"] for part in ("store", "blobs") if "path" in config[part]]
    assert {str(PurePosixPath(path).parent) for path in paths} <= folders
    assert str(PurePosixPath(container["args"][2]).parent) in folders


@pytest.mark.parametrize("values", [FULL, SHARED], ids=["full", "shared"])
def test_secrets_are_only_named(values: Path) -> None:
    """No object of the chart is a Secret, no environment carries one, and no key of the configuration holds one."""
    manifests = rendered(values=values)
    assert "Secret" not in {each["kind"] for each in manifests}
    assert not {"env", "envFrom", "stringData"} & {key for key, _ in walk(manifests)}
    held = {"secret", "url", "secret_access_key", "token", "password", "consumer_secret", "secret_key", "door_secret"}
    assert not held & {key for key, _ in walk(tomllib.loads(config_of(manifests)))}


def test_pod_is_confined() -> None:
    """The container is not root, cannot become it, writes to its volumes alone and holds no token of the cluster."""
    pod = pod_of(rendered())
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"data", "tmp"}


@pytest.mark.parametrize(("drain", "grace"), [("0", 15), ("20", 35), ("0.5", 16), ("600", 615)])
def test_pod_outlives_the_drain(drain: str, grace: int) -> None:
    """The kubelet waits longer than running calls may take."""
    manifests = rendered("--set-json", f"server.drainSeconds={drain}")
    assert pod_of(manifests)["terminationGracePeriodSeconds"] == grace
    assert tomllib.loads(config_of(manifests))["server"]["drain_seconds"] == float(drain)


def test_one_pod_and_a_volume_that_stays() -> None:
    """There is one pod, its volume is claimed for it and neither uninstalling nor scaling removes it."""
    spec = find(rendered(), "StatefulSet")["spec"]
    assert spec["replicas"] == 1
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert "storageClassName" not in claim["spec"]


def test_changed_configuration_restarts_the_pod() -> None:
    """The pod's annotation changes with the configuration and with nothing else."""

    def checksum(*arguments: str) -> str:
        template = find(rendered(*arguments), "StatefulSet")["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    assert checksum() != checksum("--set", "delivery.concurrency=7")
    assert checksum() == checksum("--set", "service.type=LoadBalancer")


def test_switches() -> None:
    """The service monitor and the network policy are absent by default; the monitor finds the metrics service."""
    optional = {"ServiceMonitor", "NetworkPolicy"}
    assert not optional & {each["kind"] for each in rendered()}
    manifests = rendered(values=FULL)
    assert optional <= {each["kind"] for each in manifests}
    monitor = find(manifests, "ServiceMonitor")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    selected = [
        each for each in manifests if each["kind"] == "Service" and wanted <= each["metadata"]["labels"].items()
    ]
    assert selected == [find(manifests, "Service", "lgsp-metrics")]
    assert monitor["endpoints"][0]["port"] == selected[0]["spec"]["ports"][0]["name"]


def test_services_select_the_pod() -> None:
    """Services, network policy and stateful set agree on the pod's labels."""
    manifests = rendered(values=FULL)
    labels = find(manifests, "StatefulSet")["spec"]["template"]["metadata"]["labels"].items()
    assert find(manifests, "Service")["spec"]["selector"]["app.kubernetes.io/component"] == "all"
    for service in ("lgsp", "lgsp-metrics"):
        assert find(manifests, "Service", service)["spec"]["selector"].items() <= labels
    assert find(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels
    assert find(manifests, "StatefulSet")["spec"]["selector"]["matchLabels"].items() <= labels


def test_roles_are_workloads_of_their_own() -> None:
    """With PostgreSQL and a bucket nothing is claimed, each role has its pods, and vendors reach those that serve."""
    manifests = rendered(values=SHARED)
    assert "StatefulSet" not in {each["kind"] for each in manifests}
    replicas = {}
    for role in ("rpc", "delivery"):
        workload = find(manifests, "Deployment", f"lgsp-{role}")["spec"]
        replicas[role] = workload["replicas"]
        labels = workload["template"]["metadata"]["labels"].items()
        assert workload["selector"]["matchLabels"].items() <= labels
        (container,) = workload["template"]["spec"]["containers"]
        assert container["args"][-2:] == ["--role", role]
        serves = find(manifests, "Service")["spec"]["selector"].items() <= labels
        assert serves is (role == "rpc")
        assert find(manifests, "Service", "lgsp-metrics")["spec"]["selector"].items() <= labels
        assert find(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels
    assert replicas == {"rpc": 3, "delivery": 1}
    assert [each["metadata"]["name"] for each in manifests if each["kind"] == "PodDisruptionBudget"] == ["lgsp-rpc"]
    assert len(find(manifests, "NetworkPolicy")["spec"]["egress"]) == 3


def test_a_closed_door_is_nowhere() -> None:
    """Without the door no port is named, and secrets of accounts are mounted for the accounts that have them alone."""
    manifests = rendered()
    (container,) = pod_of(manifests)["containers"]
    assert "door" not in {each["name"] for each in container["ports"]}
    assert "vendors" not in {each["name"] for each in pod_of(manifests)["volumes"]}
    (source,) = next(each for each in pod_of(manifests)["volumes"] if each["name"] == "axis")["projected"]["sources"]
    assert source["secret"]["items"] == [{"key": "secret", "path": "national/secret"}]


def test_roles_differ_in_their_role_alone() -> None:
    """Both pods have the same volumes, files and confinement."""
    rpc, delivery = (each["spec"] for each in templates_of(rendered(values=SHARED)))
    for pod, role in ((rpc, "rpc"), (delivery, "delivery")):
        pod["containers"][0]["args"].remove(role)
    assert rpc == delivery
