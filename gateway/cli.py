"""The command line: typer for the words, rich for the terminal. Exit 0 good, 1 unexpected failure, 2 refused, 64 usage.

Commands import what they need when they run, so that `packet inspect` does not wait for gRPC.
"""

import asyncio
import importlib.metadata
import io
import json
import signal
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

REFUSED = 2
USAGE = 64

app = typer.Typer(
    name="lgsp-gateway",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)
packet = typer.Typer(help="Look into edXML packets.", no_args_is_help=False)
app.add_typer(packet, name="packet")

JsonSwitch = Annotated[bool, typer.Option("--json", help="One JSON value on standard output.")]


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


@app.command()
def serve(config: Annotated[Path, typer.Option(help="Configuration file (TOML).")]) -> None:
    """Run the gateway until SIGTERM; a second signal ends it at once."""
    from gateway.bootstrap import serve as serve_gateway  # noqa: PLC0415 - see the module's docstring
    from gateway.settings import SettingsError  # noqa: PLC0415 - see the module's docstring

    settings = _load(config)
    try:
        asyncio.run(serve_gateway(settings))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(REFUSED) from None
    except OSError as error:
        _fail("serve", error)


@app.command("check-config")
def check_config(file: Annotated[Path, typer.Argument(help="Configuration file (TOML).")]) -> None:
    """Say everything that is wrong with a configuration; start nothing."""
    from gateway.bootstrap import problems  # noqa: PLC0415 - see the module's docstring

    found = problems(_load(file), now=datetime.now(tz=UTC))
    if found:
        sys.stderr.write("".join(f"{line}\n" for line in found))
        raise typer.Exit(REFUSED)
    sys.stdout.write(f"{file}: good\n")


@app.command()
def sandbox(
    listen: Annotated[str, typer.Option(help="HOST:PORT of the VXP REST face; port 0 = any.")] = "127.0.0.1:8280",
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
    from gateway.sandbox import serve as axis  # noqa: PLC0415 - see the module's docstring

    try:
        options = axis.read_options(
            listen=listen,
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
        raise typer.Exit(USAGE) from error

    def say(running: axis.Running) -> None:
        sys.stdout.write(json.dumps({"axis": running.axis.url, "control": running.control.url}) + "\n")
        sys.stdout.flush()

    try:
        asyncio.run(axis.run(options, ready=say))
    except OSError as error:
        _fail("sandbox", error)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option(help="Leave everything running, addresses printed.")] = False,
    data: Annotated[Path | None, typer.Option(help="Empty directory to work in; none = forgotten at the end.")] = None,
    size: Annotated[int, typer.Option(help="Bytes of the signed PDF.", min=2_000, max=300 * 1024 * 1024)] = 1_000_000,
) -> None:
    """Run the main job: a simulated axis, two provinces, a signed PDF there and its statuses back."""
    if data is not None and data.exists() and (not data.is_dir() or any(data.iterdir())):
        sys.stderr.write(f"lgsp-gateway demo: {data} is not an empty directory\n")
        raise typer.Exit(REFUSED)
    with tempfile.TemporaryDirectory(prefix="lgsp-demo-") as folder:
        try:
            done = asyncio.run(_demo(data.resolve() if data else Path(folder), size=size, keep=keep))
        except asyncio.CancelledError:
            # told to end: all processes are stopped
            done = False
    if not done:
        raise typer.Exit(1)


@packet.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="An edXML packet.")],
    as_json: JsonSwitch = False,
) -> None:
    """Say what a packet is and what is odd about it."""
    from gateway.translate.edxml import inspection  # noqa: PLC0415 - see the module's docstring
    from gateway.xmlsafe import Limits  # noqa: PLC0415 - see the module's docstring

    _readable(file, as_json=as_json)
    found = inspection.as_json(asyncio.run(inspection.inspect(file, Limits())))
    _print(found, as_json=as_json)
    if "error" in found:
        raise typer.Exit(REFUSED)


@packet.command()
def check(
    file: Annotated[Path, typer.Argument(help="An edXML packet.")],
    as_json: JsonSwitch = False,
) -> None:
    """List every deviation of a packet from what should be written."""
    from gateway.domain.packet import PacketDefect  # noqa: PLC0415 - see the module's docstring
    from gateway.translate.edxml import strict  # noqa: PLC0415 - see the module's docstring
    from gateway.xmlsafe import Limits  # noqa: PLC0415 - see the module's docstring

    _readable(file, as_json=as_json)
    found = asyncio.run(strict.check(file, Limits()))
    if isinstance(found, PacketDefect):
        _refuse(found.code, found.path, found.message, as_json=as_json)
    if as_json:
        _print({"deviations": [{"code": d.code, "path": d.path, "message": d.message} for d in found]}, as_json=True)
    else:
        for deviation in found:
            sys.stdout.write(f"{deviation.code} {deviation.path}: {deviation.message}\n")
        sys.stdout.write(f"{len(found)} deviations\n")
    if found:
        raise typer.Exit(REFUSED)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A PDF.")],
    trust: Annotated[Path, typer.Option(help="Directory of trusted authorities' certificates.", file_okay=False)],
    at: Annotated[str, typer.Option(help="Judge at this time (ISO 8601); none = now.")] = "",
    as_json: JsonSwitch = False,
) -> None:
    """Judge the signatures of a PDF against trusted authorities, without the network."""
    from gateway.domain.errors import GatewayError  # noqa: PLC0415 - see the module's docstring
    from gateway.domain.verdict import Verdict  # noqa: PLC0415 - see the module's docstring
    from gateway.security import report  # noqa: PLC0415 - see the module's docstring

    moment = _moment(at)
    _readable(file, as_json=as_json)
    try:
        verdict = report.verify_file(file, trust, moment)
    except GatewayError as error:
        _refuse("TRUST_UNUSABLE", str(trust), "; ".join(v.en for v in error.violations), as_json=as_json)
    _print(dict(report.as_json(verdict)), as_json=as_json)
    if verdict.reason:
        sys.stderr.write(f"{file}: {verdict.reason}\n")
    if verdict.verdict is not Verdict.TRUSTED:
        raise typer.Exit(REFUSED)


def _load(config: Path) -> Any:
    from gateway.settings import SettingsError, load  # noqa: PLC0415 - see the module's docstring

    try:
        return load(config)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(REFUSED) from None


async def _demo(home: Path, *, size: int, keep: bool) -> bool:
    from gateway.sandbox.demo.stage import set_up  # noqa: PLC0415 - see the module's docstring
    from gateway.sandbox.demo.story import Result, play  # noqa: PLC0415 - see the module's docstring

    console = Console(highlight=False, soft_wrap=True)
    started = datetime.now(tz=UTC)
    _cancel_on_signals()

    def tell(who: str, what: str) -> None:
        seconds = (datetime.now(tz=UTC) - started).total_seconds()
        console.print(f"[dim]{seconds:6.2f} s[/dim]  [bold]{who:<10}[/bold] {escape(what)}")

    try:
        async with set_up(home, now=started) as stage:
            tell("axis", f"answers at {stage.axis_url}")
            await asyncio.gather(stage.province_a.start(), stage.province_b.start())
            tell("gateways", f"province A at {stage.province_a.address}, province B at {stage.province_b.address}")
            result = await play(stage, tell=tell, now=started, size=size)
            if keep:
                tell("demo", "keeps running until Ctrl-C; to connect a client of your own:")
                for label, value in stage.describe():
                    console.print(f"{label:>29}  {escape(value)}")
                _print_last(result.as_json())
                await _until_interrupted()
    except Exception:  # noqa: BLE001 - whatever stopped the story, the last line must say that it is not ok
        traceback.print_exc()
        _print_last(Result().as_json())
        return False
    if not keep:
        _print_last(result.as_json())
    return result.ok


def _cancel_on_signals() -> None:
    """End the calling task on SIGTERM and SIGHUP as Ctrl-C does, so that its child processes are stopped too."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def _print_last(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(tz=UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"--at: not an ISO 8601 time: {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _fail(command: str, error: OSError) -> NoReturn:
    """A port in use, a disk that is full, a folder without permission: the sentence says it all."""
    sys.stderr.write(f"lgsp-gateway {command}: {error}\n")
    raise typer.Exit(1) from error


def _readable(file: Path, *, as_json: bool) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        _refuse("FILE_UNREADABLE", str(file), f"the file cannot be read: {error.strerror}", as_json=as_json)


def _refuse(code: str, path: str, message: str, *, as_json: bool) -> NoReturn:
    if as_json:
        _print({"error": {"code": code, "path": path, "message": message}}, as_json=True)
    else:
        sys.stderr.write(f"{code} {path}: {message}\n")
    raise typer.Exit(REFUSED)


def _print(value: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    for key, content in value.items():
        items = content if isinstance(content, list) else [content]
        for number, item in enumerate(items or ["-"]):
            label = key if number == 0 else ""
            shown = ", ".join(f"{k}={v}" for k, v in item.items()) if isinstance(item, dict) else item
            console.print(f"[bold]{label:<20}[/bold] {escape(str(shown))}")
