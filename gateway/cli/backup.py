"""Backups made and brought back: one JSON line each."""

import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from gateway.cli.configuration import load
from gateway.cli.printing import REFUSED, fail, print_json, run

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from gateway.bootstrap.backup import Made, Refused
    from gateway.bootstrap.restore import Restored, Terms
    from gateway.settings import Settings

Config = Annotated[Path, typer.Option(help="Configuration file (TOML).")]
AskFirst = Annotated[
    int,
    typer.Option(
        help="Hours in which new documents are asked for at the axis before they are first sent; 0 = none.",
        min=0,
        max=10_000,
    ),
]
AcceptMissing = Annotated[bool, typer.Option(help="Go on without objects that are lost for good.")]
ASK_FIRST_HOURS = 72
T = TypeVar("T", "Made", "Restored")


def backup(
    target: Annotated[Path, typer.Argument(help="Folder of backups; created if it is not there.", file_okay=False)],
    config: Config,
) -> None:
    """Copy the embedded store beside the running gateway, whole and verified."""
    from gateway.bootstrap.backup import backup as make  # noqa: PLC0415 - see the package's docstring
    from gateway.bootstrap.parts import SystemClock  # noqa: PLC0415 - see the package's docstring

    began = time.monotonic()
    made = _done("backup", make(_settings(config), target, clock=SystemClock()))
    print_json({**asdict(made.counts), **_numbers(made), "path": str(made.folder), **_seconds(began)})


def restore(
    source: Annotated[Path, typer.Argument(help="One backup: the folder with manifest.json.", file_okay=False)],
    config: Config,
    ask_first_hours: AskFirst = ASK_FIRST_HOURS,
    accept_missing: AcceptMissing = False,
) -> None:
    """Put a backup into the empty place that the configuration names, verified; no gateway may run there."""
    from gateway.bootstrap import restore as bringing  # noqa: PLC0415 - see the package's docstring
    from gateway.bootstrap.parts import SystemClock  # noqa: PLC0415 - see the package's docstring

    began, settings = time.monotonic(), _settings(config)
    terms = bringing.Terms(ask_first_for=_ask_first(settings, ask_first_hours), accept_missing=accept_missing)
    _tell(_done("restore", bringing.restore(settings, source, terms, clock=SystemClock())), terms, began)


def adopt(
    config: Config,
    taken_at: Annotated[str, typer.Option(help="The moment recovered to (ISO 8601); none = as the store tells.")] = "",
    deep: Annotated[bool, typer.Option(help="Compare every object's digest, not only its size.")] = False,
    ask_first_hours: AskFirst = ASK_FIRST_HOURS,
    accept_missing: AcceptMissing = False,
) -> None:
    """Begin with a store that was recovered by other means, PostgreSQL's say; all gateways must be stopped."""
    from gateway.bootstrap import restore as bringing  # noqa: PLC0415 - see the package's docstring
    from gateway.bootstrap.parts import SystemClock  # noqa: PLC0415 - see the package's docstring

    began, settings = time.monotonic(), _settings(config)
    terms = bringing.Terms(
        ask_first_for=_ask_first(settings, ask_first_hours),
        as_of=_moment(taken_at),
        deep=deep,
        accept_missing=accept_missing,
    )
    _tell(_done("adopt", bringing.adopt(settings, terms, clock=SystemClock())), terms, began)


def _settings(config: Path) -> "Settings":
    from gateway.observability import logging  # noqa: PLC0415 - see the package's docstring

    settings = load(config)
    logging.configure(settings.log.level)  # to standard error: standard output has one line
    return settings


def _done(command: str, work: "Coroutine[Any, Any, T | Refused]") -> T:
    """What the work made; ends the command where it was refused or failed."""
    from gateway.bootstrap.backup import Refused  # noqa: PLC0415 - see the package's docstring
    from gateway.domain.errors import GatewayError  # noqa: PLC0415 - see the package's docstring
    from gateway.settings import SettingsError  # noqa: PLC0415 - see the package's docstring

    try:
        done = run(work)
    except SettingsError as error:
        _refuse("BUSY", "", str(error))
    except GatewayError as error:
        _refuse(error.code, "", "; ".join(v.en for v in error.violations) or str(error))
    except OSError as error:
        fail(command, error)
    if isinstance(done, Refused):
        _refuse(done.reason, done.path, done.message, concerned=done.concerned)
    return done


def _refuse(code: str, path: str, message: str, *, concerned: tuple[str, ...] = ()) -> NoReturn:
    print_json({"error": {"code": str(code), "path": path, "message": message, "concerned": concerned}})
    raise typer.Exit(REFUSED)


def _tell(done: "Restored", terms: "Terms", began: float) -> None:
    print_json(
        {
            **asdict(done.counts),
            "objects": done.objects,
            "object_bytes": done.object_bytes,
            "lost": done.lost,
            "concerned": done.concerned,
            "epoch": done.adopted.epoch,
            "as_of": done.adopted.as_of.isoformat(),
            "asked": done.adopted.asked,
            "released": done.adopted.released,
            "ask_first_hours": terms.ask_first_for / timedelta(hours=1),
            **_seconds(began),
        }
    )


def _numbers(made: "Made") -> dict[str, int]:
    names = ("objects", "object_bytes", "database_bytes", "copied", "copied_bytes")
    return {name: getattr(made, name) for name in names}


def _seconds(began: float) -> dict[str, float]:
    return {"seconds": round(time.monotonic() - began, 3)}


def _ask_first(settings: "Settings", hours: int) -> timedelta:
    """An axis that lists nothing by sender cannot be asked: every new document would be held."""
    listed = all(
        axis.on_unknown != "hold" or (axis.kind == "vxp" and axis.sent_list == "by_sender")
        for axis in settings.axis.values()
    )
    if hours and not listed:
        sys.stderr.write("the axis keeps no list by sender: new documents are sent without asking\n")
    return timedelta(hours=hours if listed else 0)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"--taken-at: not an ISO 8601 time: {text!r}") from None
