"""What all commands say alike: JSON on standard output, refusals, failures, findings."""

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from gateway.domain.packet import PacketDefect, PacketWarning

REFUSED = 2

JsonSwitch = Annotated[bool, typer.Option("--json", help="One JSON value on standard output.")]

T = TypeVar("T")

Finding = PacketWarning | PacketDefect


def print_json(value: dict[str, Any]) -> None:
    """One line of JSON in UTF-8."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def as_json(finding: Finding) -> dict[str, str]:
    """A finding as the JSON of all commands has it."""
    return {"code": str(finding.code), "path": finding.path, "message": finding.message}


def as_line(finding: Finding) -> str:
    """A finding as the terminal has it: always one line."""
    return _line(str(finding.code), finding.path, finding.message)


def visible(text: str) -> str:
    """A stranger's text cannot steer the terminal: what is not printable is shown as its number."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)


def _line(code: str, path: str, message: str) -> str:
    return f"{code} {visible(path)}: {visible(message)}\n"


def refuse(code: str, path: str, message: str, *, as_json: bool) -> NoReturn:
    """End with the one reason why the input was refused."""
    if as_json:
        print_json({"error": {"code": code, "path": path, "message": message}})
    else:
        sys.stderr.write(_line(code, path, message))
    raise typer.Exit(REFUSED)


def refuse_for(reasons: Sequence[PacketDefect], *, json: bool) -> NoReturn:
    """End with all reasons why the input was refused; the first one stands for them."""
    if json:
        print_json({"error": as_json(reasons[0]), "violations": [as_json(one) for one in reasons]})
    else:
        sys.stderr.write("".join(as_line(one) for one in reasons))
    raise typer.Exit(REFUSED)


def fail(command: str, error: OSError) -> NoReturn:
    """A port in use, a disk that is full, a folder without permission: the sentence says it all."""
    sys.stderr.write(f"lgsp-gateway {command}: {error}\n")
    raise typer.Exit(1) from error


def readable(file: Path, *, as_json: bool) -> None:
    """Refuse a file that cannot be opened."""
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        refuse("FILE_UNREADABLE", str(file), f"the file cannot be read: {error.strerror}", as_json=as_json)


def run(work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; ends the command with 1 where it was told to end, once what was begun is taken away."""

    async def cancellable() -> T:
        cancel_on_signals()
        return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise typer.Exit(1) from None


def cancel_on_signals() -> None:
    """End the calling task on SIGTERM and SIGHUP as Ctrl-C does, so that it takes away what it began."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
