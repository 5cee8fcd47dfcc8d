"""`packet extract` and `packet original`: what was received, as files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gateway.cli.printing import as_json as finding_json
from gateway.cli.printing import as_line, print_json, refuse, run
from gateway.domain.packet import PacketDefect, PacketKind
from gateway.domain.routing import LOCAL
from gateway.translate.edxml.workbench import extracting
from gateway.xmlsafe import Limits

if TYPE_CHECKING:
    from gateway.settings import Settings

_WHY = {
    "UNKNOWN_ITEM": "no packet of this account and id was ever fetched",
    "CONTENT_MISSING": "the store names bytes that the blobs do not have",
    "DIGEST_DIFFERS": "the bytes kept are no longer those that came in",
}


def extract(file: Path, directory: Path, limits: Limits, *, as_json: bool) -> None:
    """Write the attachments and say what was written. Raises OSError."""
    found = run(extracting.extract(file, directory, limits))
    if isinstance(found, PacketDefect):
        refuse(found.code, found.path, found.message, as_json=as_json)
    if as_json:
        print_json(_extracted_json(found))
        return
    sys.stderr.write("".join(as_line(each) for each in found.warnings))
    for one in found.files:
        sys.stdout.write(f"{one.file}: {one.size} bytes, SHA-256 {one.sha256}, named {one.name!r}\n")
    if not found.files:
        what = "a status" if found.kind is PacketKind.STATUS else "a document without attachments"
        sys.stdout.write(f"{file}: {what}, nothing to extract\n")


def _extracted_json(found: extracting.Extracted) -> dict[str, object]:
    return {
        "kind": found.kind.name.lower(),
        "files": [
            {"name": one.name, "file": str(one.file), "size": one.size, "sha256": one.sha256} for one in found.files
        ],
        "warnings": [finding_json(each) for each in found.warnings],
    }


def original(settings: "Settings", account: str, axis_doc_id: str, output: Path, *, as_json: bool) -> None:
    """Write the packet and say so. Raises OSError."""
    from gateway.bootstrap.original import Written, write_original  # noqa: PLC0415 - see the package's docstring
    from gateway.domain.errors import GatewayError  # noqa: PLC0415 - see the package's docstring
    from gateway.observability import logging  # noqa: PLC0415 - see the package's docstring

    if account not in settings.axis and account != LOCAL:
        raise typer.BadParameter(f"the configuration has no [axis.{account}]")

    logging.configure(settings.log.level)
    try:
        done = run(write_original(settings, account, axis_doc_id, output))
    except GatewayError as error:
        refuse(str(error.code), "store", str(error), as_json=as_json)
    if not isinstance(done, Written):
        refuse(str(done), axis_doc_id, _WHY[str(done)], as_json=as_json)
    if as_json:
        print_json({"path": str(output), "bytes": done.size, "sha256": done.sha256})
    else:
        sys.stdout.write(f"{output}: {done.size} bytes, SHA-256 {done.sha256}\n")
