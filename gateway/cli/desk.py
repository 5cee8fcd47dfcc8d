"""What operators' commands share: the store opened, tables and JSON lines, who the operator is."""

import os
import pwd
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli.configuration import load
from gateway.cli.printing import print_json, refuse, run, visible

if TYPE_CHECKING:
    from gateway.bootstrap.operations import Desk

ConfigFile = Annotated[Path, typer.Option(help="Configuration file (TOML).")]
OperatorName = Annotated[str, typer.Option(help="Who does it, for the record; none = the account you work under.")]
LinesSwitch = Annotated[bool, typer.Option("--json", help="JSON on standard output, one value a line.")]

LIMIT = 1000
"""Most lines of a list."""
_NAME = 60
_ID = 500
_WIDTH = 160
"""Columns where the output is no terminal."""
_SPAN = re.compile(r"([0-9]{1,4})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

T = TypeVar("T")


def at_desk(config: Path, work: Callable[["Desk"], Awaitable[T]], *, as_json: bool) -> T:
    """What the work gives; ends the command with 2 where there is no usable store."""
    from gateway.bootstrap.operations import open_desk  # noqa: PLC0415 - see the package's docstring
    from gateway.domain.errors import GatewayError  # noqa: PLC0415 - see the package's docstring
    from gateway.observability import logging  # noqa: PLC0415 - see the package's docstring

    settings = load(config)
    logging.configure(settings.log.level)

    async def opened() -> T:
        async with open_desk(settings) as desk:
            return await work(desk)

    try:
        return run(opened())
    except GatewayError as error:
        refuse(str(error.code), "store", str(error), as_json=as_json)


def operator_name(given: str) -> str:
    """Who does it: one line, as it goes on record."""
    if not given.strip():
        try:
            given = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            given = f"uid {os.getuid()}"
    return visible(given.strip())[:_NAME]


def word(text: str, what: str) -> str:
    """Text that can be the id of something: one printable word; ends the command as wrong usage otherwise."""
    if not text.strip() or not text.isprintable() or len(text) > _ID:
        raise typer.BadParameter(f"no {what}: {visible(text)!r}")
    return text.strip()


def sentence(text: str) -> str:
    """What an operator gives as a reason: one line that steers no terminal."""
    return visible(text.strip())


def span(text: str) -> timedelta:
    """`90s`, `30m`, `2h`, `7d`; ends the command as wrong usage otherwise."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no time like 30m, 2h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def print_lines(values: Iterable[Any]) -> None:
    """One JSON value a line."""
    for value in values:
        print_json(plain(value))


def print_table(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """A table in which the first column is never cut; strangers' words cannot steer the terminal."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for line in lines:
        table.add_row(*(shown(each) for each in line))
    _console().print(table)


def print_facts(lines: Iterable[tuple[str, object]]) -> None:
    """Labels and what they say, the empty ones left out."""
    console = _console()
    for label, value in lines:
        if value not in (None, ""):
            console.print(f"[bold]{label:<18}[/] {shown(value)}", soft_wrap=True)


def shown(value: object) -> str:
    """One cell."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    return escape(visible(str(value)))


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
