"""The main job, played before the eyes."""

import asyncio
import json
import signal
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from gateway.cli.printing import REFUSED, cancel_on_signals


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


async def _demo(home: Path, *, size: int, keep: bool) -> bool:
    from gateway.sandbox.demo.stage import set_up  # noqa: PLC0415 - see the package's docstring
    from gateway.sandbox.demo.story import Result, play  # noqa: PLC0415 - see the package's docstring

    console = Console(highlight=False, soft_wrap=True)
    started = datetime.now(tz=UTC)
    cancel_on_signals()

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


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def _print_last(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
