"""`probe`: can this gateway talk to a peer, and if not, why not."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.configuration import load
from gateway.cli.desk import ConfigFile, LinesSwitch, plain, print_facts
from gateway.cli.printing import REFUSED, print_json, run

if TYPE_CHECKING:
    from gateway.domain.probing import Line


def probe(
    route: Annotated[str, typer.Argument(help="Name of an account, [axis.NAME] of the configuration.")],
    config: ConfigFile,
    send_to_self: Annotated[
        bool, typer.Option("--send-to-self", help="Send a status from our first agency to itself and take it back.")
    ] = False,
    as_json: LinesSwitch = False,
) -> None:
    """Try the way to a peer step by step; where a step fails, say the likely cause and what to do."""
    from gateway.bootstrap.probe import probe as try_account  # noqa: PLC0415 - see the package's docstring
    from gateway.observability import logging  # noqa: PLC0415 - see the package's docstring

    settings = load(config)
    logging.configure("error")  # each step tells its own failure
    tell = _tell_json if as_json else _tell
    if not run(try_account(settings, route, send_to_self=send_to_self, tell=tell)):
        raise typer.Exit(REFUSED)


def _tell_json(line: "Line") -> None:
    from gateway.domain.probing import ADVICE  # noqa: PLC0415 - see the package's docstring

    print_json(plain(line) | (plain(ADVICE[line.trouble]) if line.trouble else {}))


def _tell(line: "Line") -> None:
    from gateway.domain.probing import ADVICE, Verdict  # noqa: PLC0415 - see the package's docstring

    time = "" if line.verdict is Verdict.SKIPPED else f"  {line.seconds:.3f} s"
    print_facts([(line.step, f"{line.verdict}{time}  {line.place}".rstrip()), ("", line.seen)])
    if line.trouble:
        advice = ADVICE[line.trouble]
        print_facts([("  likely cause", advice.cause), ("  what to do", advice.remedy), ("", advice.vi)])
