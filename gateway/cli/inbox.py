"""`inbox`: packets in quarantine and what the axis's lists say differently."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.configuration import load
from gateway.cli.desk import (
    LIMIT,
    ConfigFile,
    LinesSwitch,
    OperatorName,
    at_desk,
    operator_name,
    plain,
    print_lines,
    print_table,
    sentence,
    word,
)
from gateway.cli.printing import print_json, refuse
from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.lifecycle import ItemState

if TYPE_CHECKING:
    from gateway.bootstrap.operations import Desk
    from gateway.ports import Discrepancy, Problem

inbox = typer.Typer(help="See what could not be taken in, and take it again.", no_args_is_help=False)

_RETAKEN = (ItemState.QUARANTINED, ItemState.REJECTED)


@inbox.command()
def problems(
    config: ConfigFile,
    limit: Annotated[int, typer.Option(help="Most packets; the newest are shown, newest last.", min=1, max=LIMIT)] = 50,
    as_json: LinesSwitch = False,
) -> None:
    """List packets in quarantine, conflicts among them, and open differences with the axis's lists."""
    accounts = [AccountName(name) for name in load(config).axis]

    async def work(desk: "Desk") -> tuple[tuple["Problem", ...], list["Discrepancy"]]:
        differences = [each for account in accounts for each in await desk.discrepancies.open(account)]
        return await desk.operations.problems(limit=limit), differences

    packets, differences = at_desk(config, work, as_json=as_json)
    if as_json:
        for packet in packets:
            print_json({"type": "packet", **plain(packet)})
        for difference in differences:
            print_json({"type": "difference", **plain(difference)})
        return
    print_table(
        ("axis id", "account", "kind", "code", "where", "why", "received", "axis told"),
        [
            (
                one.axis_doc_id,
                one.account,
                one.kind.value,
                one.code,
                one.path,
                one.message,
                one.recorded_at,
                one.told_at,
            )
            for one in packets
        ],
    )
    sys.stdout.write(f"{len(packets)} packets\n")
    if differences:
        sys.stdout.write("\n")
        print_table(
            ("key", "account", "difference", "detail", "first seen", "last seen"),
            [
                (one.key, one.account, one.kind.value, one.detail, one.first_seen_at, one.last_seen_at)
                for one in differences
            ],
        )
    sys.stdout.write(f"{len(differences)} differences with the axis's lists\n")


@inbox.command()
def waiting(
    config: ConfigFile,
    limit: Annotated[int, typer.Option(help="Most lines, the longest waiting first.", min=1, max=LIMIT)] = 50,
    as_json: LinesSwitch = False,
) -> None:
    """List received documents that no vendor system has taken yet."""
    found = at_desk(config, lambda desk: desk.operations.waiting(limit=limit), as_json=as_json)
    if as_json:
        print_lines(found)
        return
    print_table(
        ("received document", "recipient", "document", "state", "handed out", "received"),
        [
            (one.id, one.recipient, one.document_id, one.state.value, one.delivery_attempt, one.received_at)
            for one in found
        ],
    )
    sys.stdout.write(f"{len(found)} documents\n")


@inbox.command()
def retake(
    axis_doc_id: Annotated[str, typer.Argument(help="The axis's id of the packet.", metavar="AXIS_ID")],
    config: ConfigFile,
    account: Annotated[str, typer.Option(help="Axis account; none = the only one.")] = "",
    reason: Annotated[str, typer.Option(help="What was mended, for the record.")] = "",
    operator: OperatorName = "",
    as_json: LinesSwitch = False,
) -> None:
    """Have a packet in quarantine read again by the running gateway, once what kept it from being read is mended."""
    name = _account(config, account)
    who = operator_name(operator)

    async def work(desk: "Desk") -> ItemState | None:
        return await desk.operations.retake(
            name,
            AxisDocId(word(axis_doc_id, "id of the axis")),
            operator=who,
            reason=sentence(reason),
            at=desk.clock.now(),
        )

    before = at_desk(config, work, as_json=as_json)
    if before is None:
        refuse("UNKNOWN_ITEM", axis_doc_id, f"no packet of this id was ever fetched by {name}", as_json=as_json)
    if before not in _RETAKEN:
        refuse("WRONG_STATE", axis_doc_id, f"it is not in quarantine: {before.value}", as_json=as_json)
    if as_json:
        print_json({"axis_doc_id": axis_doc_id, "before": before.value, "after": ItemState.FETCHED.value})
    else:
        sys.stdout.write(f"{axis_doc_id}: {before.value}, will be read again at the next poll\n")


def _account(config: Path, given: str) -> AccountName:
    accounts = list(load(config).axis)
    if given and given not in accounts:
        raise typer.BadParameter(f"the configuration has no [axis.{given}]")
    if not given and len(accounts) != 1:
        raise typer.BadParameter("--account: the configuration has several")
    return AccountName(given or accounts[0])
