"""The command line: typer for the words, rich for the terminal. Exit 0 good, 1 unexpected failure, 2 refused, 64 usage.

Commands import what they need when they run, so that `packet inspect` does not wait for gRPC.
"""

import importlib.metadata
import io
import sys
import traceback
from typing import Annotated

import typer

from gateway.cli import backup, demonstration, inbox, keeping, outbox, packets, probing, service, signatures

USAGE = 64

app = typer.Typer(
    name="lgsp-gateway",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(service.serve)
app.command("check-config")(service.check_config)
app.command()(probing.probe)
app.command()(service.sandbox)
app.command()(demonstration.demo)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(backup.adopt)
app.add_typer(outbox.outbox, name="outbox")
app.add_typer(inbox.inbox, name="inbox")
app.command()(keeping.retention)
app.command()(keeping.audit)
app.add_typer(packets.packet, name="packet")
app.command()(signatures.verify)


def run() -> None:
    """Run the command line and end the process with the right code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # JSON is UTF-8 and messages are Vietnamese too, whatever the locale says.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    command = typer.main.get_command(app)
    try:
        code = command(prog_name="lgsp-gateway", standalone_mode=False)
    except typer.TyperException as error:
        sys.stderr.write(f"lgsp-gateway: {error.format_message()}\nTry lgsp-gateway --help.\n")
        sys.exit(USAGE)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(1)
    except Exception:  # noqa: BLE001 - the last line of defence: exit 1, whatever it was
        traceback.print_exc()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _tell_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"lgsp-gateway {importlib.metadata.version('lgsp-gateway')}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Carries administrative documents between vendors' document systems and the national exchange axis."""
