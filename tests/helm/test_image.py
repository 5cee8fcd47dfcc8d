import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.helm.chart import FULL, ROOT, pod_of, rendered

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
BUILD = [line.split() for line in DOCKERFILE[: DOCKERFILE.index("FROM ${RUN_IMAGE}")]]
FINAL = [line.split() for line in DOCKERFILE[DOCKERFILE.index("FROM ${RUN_IMAGE}") :]]


def arguments(stage: list[list[str]], instruction: str) -> list[list[str]]:
    return [words[1:] for words in stage if words and words[0] == instruction]


def test_only_make_targets_run() -> None:
    """Every RUN line is one make target with a TARGET, and the final stage runs nothing at all."""
    documented = set(
        re.findall(r"^([a-z-]+):.*## the Dockerfile's", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    runs = arguments(BUILD, "RUN")
    assert all(words[0] == "make" and words[2].startswith("TARGET=/") and len(words) == 3 for words in runs)
    assert {words[1] for words in runs} == documented
    assert arguments(FINAL, "RUN") == []


def test_both_stages_have_one_python() -> None:
    """The virtual environment is copied, so both base images carry the same Python on the same Debian."""
    images = dict(word.split("=", 1) for (word,) in arguments(BUILD, "ARG"))
    assert images["RUN_IMAGE"].replace("-slim", "") == images["BUILD_IMAGE"]
    copied = {words[-1] for words in arguments(FINAL, "COPY")}
    assert "/opt/lgsp-gateway" in copied


@pytest.mark.helm
def test_image_and_chart_agree() -> None:
    """User, data directory, ports and command of the image are those of the chart's pod."""
    pod = pod_of(rendered(values=FULL))
    (container,) = pod["containers"]
    security = pod["securityContext"]
    assert arguments(FINAL, "USER") == [[f"{security['runAsUser']}:{security['runAsGroup']}"]]
    ports = sorted(str(port["containerPort"]) for port in container["ports"])
    assert sorted(arguments(FINAL, "EXPOSE")[0]) == ports
    assert [" ".join(words) for words in arguments(FINAL, "CMD")] == [str(container["args"]).replace("'", '"')]
    data = next(mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "data")
    assert arguments(FINAL, "WORKDIR") == [[data]]


def ignored(name: str) -> bool:
    """Whether .dockerignore keeps a top-level name out of the build."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            verdict = not line.startswith("!") if fnmatch(name, line.removeprefix("!")) else verdict
    return verdict


@pytest.mark.e2e
@pytest.mark.timeout(400)
def test_build_stage_runs(tmp_path: Path) -> None:
    """The RUN lines, run in order on nothing but the copied files, give a working command without any build tool."""
    context, image = tmp_path / "src", tmp_path / "image"
    context.mkdir()
    pages = locked_pages(tmp_path / "simple")
    for instruction, *words in filter(None, BUILD):
        if instruction == "COPY":
            for name in words[:-1]:
                assert not ignored(name), name
                place(ROOT / name, context / name)
        elif instruction == "RUN":
            words[2] = words[2].replace("TARGET=", f"TARGET={image}")
            run([*words, f"PYTHON={sys.executable}"], context, pages)
    installed = image / "opt/lgsp-gateway"
    for command in ("verify", "serve", "check-config"):
        run([str(installed / "bin/lgsp-gateway"), command, "--help"], tmp_path)
    packages = {each.name.lower().split("-")[0] for each in installed.glob("lib/python3*/site-packages/*.dist-info")}
    assert {"lgsp_gateway", "grpcio", "sqlalchemy"} <= packages
    assert not {"pip", "setuptools", "hatchling", "pytest", "uv", "ruff"} & packages
    assert list((image / "opt/state").iterdir()) == []


def place(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def locked_pages(folder: Path) -> dict[str, str]:
    """Variables that show pip an index of the locked files alone, at the addresses where its own index has them.

    Reading all that the index says of every version there ever was takes pip longer than everything else here. Where
    uv has no access to an index (it does not know pip's configuration), pip is left to its own.
    """
    for lock in ("requirements.lock", "requirements-build.lock"):
        out = folder.with_name("pylock.toml")
        command = [Path(sys.executable).with_name("uv"), "pip", "compile", "--no-deps", "--universal"]
        command += ["--python-version", "3.11", "--format", "pylock.toml", "--output-file", out, ROOT / lock]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return {}
        for package in tomllib.loads(out.read_text(encoding="utf-8"))["packages"]:
            page = folder / package["name"] / "index.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            links = [f'<a href="{file["url"]}">{file["url"].rpartition("/")[2]}</a>' for file in package["wheels"]]
            page.write_text("<!DOCTYPE html>\n" + "\n".join(links), encoding="utf-8")
    return {"PIP_INDEX_URL": folder.as_uri()}


def run(command: list[str], folder: Path, variables: Mapping[str, str] = MappingProxyType({})) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    environment |= variables
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
