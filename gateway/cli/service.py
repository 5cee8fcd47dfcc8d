"""The gateway as a service, and the axis that stands in for the national one."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.configuration import load
from gateway.cli.printing import REFUSED, fail

_USAGE = 64


class ServeAs(StrEnum):
    """Words of the option --role; bootstrap.Role says what they mean."""

    ALL = "all"
    RPC = "rpc"
    DELIVERY = "delivery"


def serve(
    config: Annotated[Path, typer.Option(help="Configuration file (TOML).")],
    role: Annotated[
        ServeAs, typer.Option(help="What this process does; other than all: needs PostgreSQL and a bucket.")
    ] = ServeAs.ALL,
) -> None:
    """Run the gateway until SIGTERM; a second signal ends it at once."""
    from gateway.bootstrap import Role  # noqa: PLC0415 - see the package's docstring
    from gateway.bootstrap import serve as serve_gateway  # noqa: PLC0415 - see the package's docstring
    from gateway.settings import SettingsError  # noqa: PLC0415 - see the package's docstring

    settings = load(config)
    try:
        asyncio.run(serve_gateway(settings, Role(role)))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(REFUSED) from None
    except OSError as error:
        fail("serve", error)


def check_config(file: Annotated[Path, typer.Argument(help="Configuration file (TOML).")]) -> None:
    """Say everything that is wrong with a configuration; start nothing."""
    from gateway.bootstrap import peer_problems, problems  # noqa: PLC0415 - see the package's docstring

    settings, now = load(file), datetime.now(tz=UTC)
    found = problems(settings, now=now) + peer_problems(settings, now=now)
    if found:
        sys.stderr.write("".join(f"{line}\n" for line in found))
        raise typer.Exit(REFUSED)
    sys.stdout.write(f"{file}: good\n")


def sandbox(
    listen: Annotated[str, typer.Option(help="HOST:PORT of the VXP REST face; port 0 = any.")] = "127.0.0.1:8280",
    soap: Annotated[str, typer.Option(help="HOST:PORT of the eDoc SOAP face; none = no such face.")] = "",
    langson: Annotated[str, typer.Option(help="HOST:PORT of the Lang Son REST face; none = no such face.")] = "",
    quangnam: Annotated[str, typer.Option(help="HOST:PORT of the Quang Nam REST face; none = no such face.")] = "",
    system: Annotated[list[str] | None, typer.Option(help="ID=SECRET, repeatable; none = a seeded pair.")] = None,
    data: Annotated[Path | None, typer.Option(help="Directory to keep; none = forgotten at the end.")] = None,
    fault: Annotated[list[str] | None, typer.Option(help="NAME or NAME:COUNT, repeatable.")] = None,
    control: Annotated[
        int, typer.Option(help="Port of the control endpoint on 127.0.0.1; 0 = any.", min=0, max=65535)
    ] = 0,
    items_per: Annotated[str, typer.Option(help="One item per recipient or per system.")] = "recipient",
    rewrite: Annotated[bool, typer.Option(help="Append the axis's TraceHeader to packets.")] = False,
    slow_seconds: Annotated[float, typer.Option(help="Delay under the fault slow.")] = 2.0,
) -> None:
    """Run a simulated national axis. Prints its addresses as one JSON line when it answers."""
    from gateway.sandbox import serve as axis  # noqa: PLC0415 - see the package's docstring

    try:
        options = axis.read_options(
            listen=listen,
            soap=soap,
            langson=langson,
            quangnam=quangnam,
            control_port=control,
            systems=system or (),
            data=data,
            faults=fault or (),
            items_per=items_per,
            rewrite=rewrite,
            slow_seconds=slow_seconds,
        )
    except axis.BadOptionError as error:
        sys.stderr.write(f"lgsp-gateway sandbox: {error}\n")
        raise typer.Exit(_USAGE) from error

    def say(running: axis.Running) -> None:
        faces = {name: getattr(running, name) for name in ("axis", "control", "soap", "langson", "quangnam")}
        sys.stdout.write(json.dumps({name: face.url for name, face in faces.items() if face}) + "\n")
        sys.stdout.flush()

    try:
        asyncio.run(axis.run(options, ready=say))
    except OSError as error:
        fail("sandbox", error)
