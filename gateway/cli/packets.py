"""Packets in files: what they are, what is odd about them, made, taken apart, given back."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.configuration import load
from gateway.cli.printing import REFUSED, JsonSwitch, as_line, fail, print_json, readable, refuse, refuse_for
from gateway.cli.printing import as_json as finding_json

if TYPE_CHECKING:
    from gateway.xmlsafe import Limits

packet = typer.Typer(help="Look into edXML packets, build them, take them apart.", no_args_is_help=False)

PacketFile = Annotated[Path, typer.Argument(help="An edXML packet.")]
LimitsFrom = Annotated[Path | None, typer.Option(help="Configuration whose limits hold; none = the defaults.")]


@packet.command()
def inspect(file: PacketFile, as_json: JsonSwitch = False, config: LimitsFrom = None) -> None:
    """Say what a packet is and what is odd about it."""
    from gateway.cli import view  # noqa: PLC0415 - see the package's docstring
    from gateway.translate.edxml.workbench import inspection  # noqa: PLC0415 - see the package's docstring

    limits = _limits(config)
    readable(file, as_json=as_json)
    found = asyncio.run(inspection.inspect(file, limits))
    if as_json:
        value = view.whole_json(found)
        print_json(value)
        if "error" in value:
            raise typer.Exit(REFUSED)
    else:
        view.show(file, found)


@packet.command()
def check(file: PacketFile, as_json: JsonSwitch = False, config: LimitsFrom = None) -> None:
    """List every deviation of a packet from what should be written."""
    from gateway.domain.packet import PacketDefect  # noqa: PLC0415 - see the package's docstring
    from gateway.translate.edxml.workbench import strict  # noqa: PLC0415 - see the package's docstring

    limits = _limits(config)
    readable(file, as_json=as_json)
    found = asyncio.run(strict.check(file, limits))
    if isinstance(found, PacketDefect):
        refuse(found.code, found.path, found.message, as_json=as_json)
    if as_json:
        print_json({"deviations": [finding_json(each) for each in found]})
    else:
        sys.stdout.write("".join(as_line(each) for each in found))
        sys.stdout.write(f"{len(found)} deviations\n")
    if found:
        raise typer.Exit(REFUSED)


@packet.command()
def build(
    file: Annotated[Path, typer.Argument(help="JSON of the contract's Document; attachments by path.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Packet to write; replaced if it is there.")],
    dialect: Annotated[str, typer.Option(help="national, dotnet or bkav; none = national.")] = "",
    hop: Annotated[str, typer.Option(help="Code to append to the trace, now; refused if it is there already.")] = "",
    config: LimitsFrom = None,
    account: Annotated[str, typer.Option(help="Axis account of the configuration whose dialect holds.")] = "",
    as_json: JsonSwitch = False,
) -> None:
    """Write a packet from a document described in JSON."""
    from gateway.cli import making  # noqa: PLC0415 - see the package's docstring

    _replaceable(output)
    terms = making.terms(dialect=dialect, config=config, account=account)
    wanted = making.read(file, hop=hop, as_json=as_json)
    try:
        built = making.write(wanted, output, terms)
    except OSError as error:
        fail("packet build", error)
    if isinstance(built, tuple):
        refuse_for(built, json=as_json)
    warnings = [finding_json(each) for each in built.warnings]
    if as_json:
        print_json({"path": str(output), "bytes": built.length, "sha256": built.sha256, "warnings": warnings})
    else:
        sys.stderr.write("".join(as_line(each) for each in built.warnings))
        sys.stdout.write(f"{output}: {built.length} bytes, SHA-256 {built.sha256}\n")


@packet.command()
def extract(
    file: PacketFile,
    directory: Annotated[
        Path, typer.Option("--directory", "-d", help="Where to; created if it is not there.", file_okay=False)
    ],
    as_json: JsonSwitch = False,
    config: LimitsFrom = None,
) -> None:
    """Write a packet's attachments into a directory, under safe names; never over a file that is there."""
    from gateway.cli import taking  # noqa: PLC0415 - see the package's docstring

    limits = _limits(config)
    readable(file, as_json=as_json)
    try:
        taking.extract(file, directory, limits, as_json=as_json)
    except OSError as error:
        fail("packet extract", error)


@packet.command()
def original(
    account: Annotated[str, typer.Argument(help="Axis account of the configuration.")],
    axis_doc_id: Annotated[str, typer.Argument(help="The axis's id of the packet.")],
    config: Annotated[Path, typer.Option(help="Configuration file (TOML).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; replaced if it is there.")],
    as_json: JsonSwitch = False,
) -> None:
    """Give a received packet back, byte for byte as the axis gave it. A running gateway is not disturbed."""
    from gateway.cli import taking  # noqa: PLC0415 - see the package's docstring

    _replaceable(output)
    settings = load(config)
    try:
        taking.original(settings, account, axis_doc_id, output, as_json=as_json)
    except OSError as error:
        fail("packet original", error)


def _replaceable(output: Path) -> None:
    """A file is written beside and renamed, which would put it in the place of a directory or a device."""
    if output.exists() and not output.is_file():
        raise typer.BadParameter(f"--output: {output} is no regular file")
    if not output.parent.is_dir():
        raise typer.BadParameter(f"--output: {output.parent} is no directory")


def _limits(config: Path | None) -> "Limits":
    """The limits of a configuration, or the defaults, which are the same for the service."""
    if config is None:
        from gateway.xmlsafe import Limits  # noqa: PLC0415 - see the package's docstring

        return Limits()
    from gateway.bootstrap.configs import packet_limits  # noqa: PLC0415 - see the package's docstring

    return packet_limits(load(config).limits)
