"""Signatures of a file, judged."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from gateway.cli.printing import REFUSED, JsonSwitch, print_json, readable, refuse


def verify(
    file: Annotated[Path, typer.Argument(help="A PDF.")],
    trust: Annotated[Path, typer.Option(help="Directory of trusted authorities' certificates.", file_okay=False)],
    at: Annotated[str, typer.Option(help="Judge at this time (ISO 8601); none = now.")] = "",
    as_json: JsonSwitch = False,
) -> None:
    """Judge the signatures of a PDF against trusted authorities, without the network."""
    from gateway.domain.errors import GatewayError  # noqa: PLC0415 - see the package's docstring
    from gateway.domain.verdict import Verdict  # noqa: PLC0415 - see the package's docstring
    from gateway.security import report  # noqa: PLC0415 - see the package's docstring

    moment = _moment(at)
    readable(file, as_json=as_json)
    try:
        verdict = report.verify_file(file, trust, moment)
    except GatewayError as error:
        refuse("TRUST_UNUSABLE", str(trust), "; ".join(v.en for v in error.violations), as_json=as_json)
    _print(dict(report.as_json(verdict)), as_json=as_json)
    if verdict.reason:
        sys.stderr.write(f"{file}: {verdict.reason}\n")
    if verdict.verdict is not Verdict.TRUSTED:
        raise typer.Exit(REFUSED)


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(tz=UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"--at: not an ISO 8601 time: {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print(value: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(value)
        return
    console = Console(highlight=False, soft_wrap=True)
    for key, content in value.items():
        items = content if isinstance(content, list) else [content]
        for number, item in enumerate(items or ["-"]):
            label = key if number == 0 else ""
            shown = ", ".join(f"{k}={v}" for k, v in item.items()) if isinstance(item, dict) else item
            console.print(f"[bold]{label:<20}[/bold] {escape(str(shown))}")
