"""The chart as the real helm renders it."""

import os
import shutil
import subprocess
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "lgsp-gateway"
MINIMAL = CHART / "ci" / "minimal-values.yaml"
FULL = CHART / "ci" / "full-values.yaml"
SHARED = CHART / "ci" / "shared-values.yaml"
"""PostgreSQL and a bucket: pods of two roles."""


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run helm, which never reaches a cluster here."""
    provided = ROOT / ".tools" / "helm"
    binary = str(provided) if provided.exists() else shutil.which("helm")
    assert binary, "no helm: run `make helm`"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
    return subprocess.run([binary, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False)


def template(*arguments: str, values: Path = MINIMAL) -> subprocess.CompletedProcess[str]:
    """`helm template` of a release named `lgsp`."""
    return helm("template", "lgsp", CHART, "--namespace", "exchange", "-f", values, *arguments)


def rendered(*arguments: str, values: Path = MINIMAL) -> list[dict[str, Any]]:
    """The manifests of a release named `lgsp`, the caller's to change."""
    return deepcopy(_rendered(arguments, values))


@cache
def _rendered(arguments: tuple[str, ...], values: Path) -> list[dict[str, Any]]:
    run = template(*arguments, values=values)
    assert run.returncode == 0, run.stderr
    return [manifest for manifest in yaml.safe_load_all(run.stdout) if manifest]


def find(manifests: list[dict[str, Any]], kind: str, name: str = "lgsp") -> dict[str, Any]:
    """The one manifest of a kind and name."""
    (found,) = (each for each in manifests if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def templates_of(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pod templates of all workloads."""
    return [each["spec"]["template"] for each in manifests if each["kind"] in {"StatefulSet", "Deployment"}]


def pod_of(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """The specification of the first workload's pod."""
    pod = templates_of(manifests)[0]["spec"]
    assert isinstance(pod, dict)
    return pod


def config_of(manifests: list[dict[str, Any]]) -> str:
    """The text of the rendered gateway.toml."""
    return str(find(manifests, "ConfigMap")["data"]["gateway.toml"])
