"""`outbox`: what waits to be sent or could not be, and what an operator decides about it."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.desk import (
    LIMIT,
    ConfigFile,
    LinesSwitch,
    OperatorName,
    at_desk,
    operator_name,
    plain,
    print_facts,
    print_lines,
    print_table,
    sentence,
    span,
    word,
)
from gateway.cli.printing import REFUSED, print_json, refuse
from gateway.domain.ids import AccountName, AxisDocId, MessageId
from gateway.domain.lifecycle import MessageState
from gateway.domain.operating import Action, Objection, Order
from gateway.ports.operations import Done, MessageFacts, MessageFilter, MessageLine, NotDone

if TYPE_CHECKING:
    from gateway.bootstrap.operations import Desk

outbox = typer.Typer(help="See and decide what becomes of messages.", no_args_is_help=False)

_OPEN = frozenset(MessageState) - {MessageState.SENT}

_WHY = {
    Objection.UNKNOWN_MESSAGE: "there is no such message",
    Objection.LEASED: "a gateway is working on it now; look again in a minute",
    Objection.WRONG_STATE: "not possible in this state",
    Objection.MAY_ARRIVE_TWICE: "its answer was lost: look at the axis first and tell what you found with `outbox"
    " resolve`, or take the risk that it arrives twice with --yes",
    Objection.SUPERSEDED: "the vendor system has submitted the document again since it failed; the new one is sent",
    Objection.OVERTAKEN: "what goes after it has left since it failed: its recall, update, replacement or later status",
}

MessageArgument = Annotated[str, typer.Argument(help="Id of the message.")]
WhyOption = Annotated[str, typer.Option("--reason", help="Why, for the record and for the vendor system.")]


class Requeued(StrEnum):
    """Words of the option --state of `requeue`."""

    FAILED = "failed"
    HELD = "held"


@outbox.command("list")
def list_(
    config: ConfigFile,
    state: Annotated[list[MessageState] | None, typer.Option(help="Repeatable; none = all that are not sent.")] = None,
    older_than: Annotated[str, typer.Option(help="Accepted longer ago than this: 30m, 2h, 7d.")] = "",
    route: Annotated[str, typer.Option(help="Axis account; none = all.")] = "",
    limit: Annotated[int, typer.Option(help="Most lines; the newest are shown, newest last.", min=1, max=LIMIT)] = 50,
    as_json: LinesSwitch = False,
) -> None:
    """List messages that are not sent."""
    age = span(older_than) if older_than else None
    found = at_desk(config, lambda desk: _listed(desk, frozenset(state or _OPEN), route, age, limit), as_json=as_json)
    if as_json:
        print_lines(found)
        return
    heads = (
        "message",
        "state",
        "account",
        "document",
        "from",
        "to",
        "priority",
        "tries",
        "accepted",
        "due",
        "deadline",
        "reason",
    )
    print_table(heads, [_row(line) for line in found])
    sys.stdout.write(f"{len(found)} messages\n")


@outbox.command()
def show(message: MessageArgument, config: ConfigFile, as_json: LinesSwitch = False) -> None:
    """Say everything that is known of one message: what was tried, asked and answered."""
    wanted = MessageId(word(message, "id of a message"))
    facts = at_desk(config, lambda desk: desk.operations.message(wanted, at=desk.clock.now()), as_json=as_json)
    if facts is None:
        refuse(Objection.UNKNOWN_MESSAGE, message, _WHY[Objection.UNKNOWN_MESSAGE], as_json=as_json)
    if as_json:
        print_json(plain(facts))
    else:
        _show(facts)


@outbox.command()
def requeue(
    config: ConfigFile,
    message: Annotated[list[str] | None, typer.Argument(help="Ids of messages.")] = None,
    state: Annotated[Requeued | None, typer.Option(help="All in this state, instead of ids.")] = None,
    route: Annotated[str, typer.Option(help="With --state: of this axis account alone.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Also many at once, and held ones, which may arrive twice.")
    ] = False,
    reason: WhyOption = "",
    operator: OperatorName = "",
    as_json: LinesSwitch = False,
) -> None:
    """Send failed or held messages again, now."""
    if bool(message) == (state is not None):
        raise typer.BadParameter("name messages, or --state, and not both")
    if route and state is None:
        raise typer.BadParameter("--route goes with --state")
    order = Order(action=Action.REQUEUE, operator=operator_name(operator), reason=sentence(reason), may_repeat=yes)
    if state is None:
        _order(config, message or (), order, as_json=as_json)
        return
    states = frozenset({MessageState(state)})
    found = at_desk(config, lambda desk: _listed(desk, states, route, None, LIMIT), as_json=as_json)
    wanted = [each.id for each in found if not each.superseded]
    more = len(found) == LIMIT
    if wanted and not yes:
        many = f"{len(wanted)}{' or more' if more else ''} messages are {state}"
        refuse("NOT_CONFIRMED", state, f"{many}; repeat with --yes to send them again", as_json=as_json)
    if not as_json:
        sys.stdout.write(f"{len(wanted)} messages\n")
    if more:
        sys.stderr.write(f"only the newest {LIMIT} were looked at; repeat the command for the others\n")
    _order(config, wanted, order, as_json=as_json)


@outbox.command()
def resolve(
    message: MessageArgument,
    config: ConfigFile,
    sent: Annotated[str, typer.Option("--sent", help="The axis has it, under this id.", metavar="AXIS_ID")] = "",
    not_sent: Annotated[bool, typer.Option("--not-sent", help="The axis does not have it: send it.")] = False,
    reason: WhyOption = "",
    operator: OperatorName = "",
    as_json: LinesSwitch = False,
) -> None:
    """Tell what the axis says of a held or uncertain message, once you have looked."""
    if bool(sent.strip()) == not_sent:
        raise typer.BadParameter("either --sent AXIS_ID or --not-sent")
    order = Order(
        action=Action.MARK_NOT_SENT if not_sent else Action.MARK_SENT,
        operator=operator_name(operator),
        reason=sentence(reason),
        axis_doc_id=None if not_sent else AxisDocId(word(sent, "id of the axis")),
    )
    _order(config, [message], order, as_json=as_json)


@outbox.command("give-up")
def give_up(
    message: MessageArgument,
    config: ConfigFile,
    reason: Annotated[str, typer.Option(help="Why; the vendor system reads it.")],
    operator: OperatorName = "",
    as_json: LinesSwitch = False,
) -> None:
    """Do not send a queued or held message; its vendor system is told that it failed."""
    if not reason.strip():
        raise typer.BadParameter("--reason: say why")
    order = Order(action=Action.GIVE_UP, operator=operator_name(operator), reason=sentence(reason))
    _order(config, [message], order, as_json=as_json)


async def _listed(
    desk: "Desk", states: frozenset[MessageState], route: str, age: timedelta | None, limit: int
) -> tuple[MessageLine, ...]:
    now = desk.clock.now()
    wanted = MessageFilter(
        states=states,
        route=AccountName(route) if route else None,
        created_before=None if age is None else now - age,
    )
    return await desk.operations.messages(wanted, limit=limit, at=now)


def _order(config: ConfigFile, messages: Sequence[str], order: Order, *, as_json: bool) -> None:
    """Carry it out on each; ends the command with 2 where one was refused."""
    for each in messages:
        word(each, "id of a message")

    async def work(desk: "Desk") -> list[tuple[str, Done | NotDone]]:
        return [
            (each, await desk.operations.carry_out(MessageId(each), order, at=desk.clock.now())) for each in messages
        ]

    results = at_desk(config, work, as_json=as_json)
    for message, result in results:
        if isinstance(result, Done):
            _done(message, result, as_json=as_json)
        else:
            _not_done(message, result, as_json=as_json)
    if any(isinstance(result, NotDone) for _, result in results):
        raise typer.Exit(REFUSED)


def _done(message: str, done: Done, *, as_json: bool) -> None:
    if as_json:
        print_json({"message": message, "before": done.before.value, "after": done.after.value})
    else:
        sys.stdout.write(f"{message}: {done.before.value}, now {done.after.value}\n")


def _not_done(message: str, refused: NotDone, *, as_json: bool) -> None:
    state = refused.state.value if refused.state else ""
    try:
        refuse(
            refused.objection,
            message,
            _WHY[refused.objection] + (f" (it is {state})" if state else ""),
            as_json=as_json,
        )
    except typer.Exit:
        return  # the others are tried all the same


def _row(line: MessageLine) -> Sequence[object]:
    more = f" +{line.recipients - len(line.first_recipients)}" if line.recipients > len(line.first_recipients) else ""
    return (
        line.id,
        f"{line.state.value}{' (leased)' if line.leased else ''}{' (superseded)' if line.superseded else ''}",
        line.route,
        line.document_id,
        line.sender,
        ", ".join(line.first_recipients) + more,
        line.priority,
        line.attempts,
        line.created_at,
        line.due_at,
        line.deadline_at,
        line.reason,
    )


def _show(facts: MessageFacts) -> None:
    line = facts.line
    print_facts(
        [
            ("message", line.id),
            ("state", f"{line.state.value}{', a gateway is working on it' if line.leased else ''}"),
            ("superseded", "yes: the vendor system has submitted the document again" if line.superseded else ""),
            ("reason", line.reason),
            ("kind", f"status {facts.status_code}" if facts.status_code else line.kind.value),
            ("name", f"documents/{facts.uid}" if facts.uid else ""),
            ("document id", line.document_id),
            ("number", facts.code),
            ("subject", facts.subject),
            ("from", line.sender),
            ("account", line.route),
            ("or, if it is down", ", ".join(facts.alternatives)),
            ("accepted", line.created_at),
            ("first submitted", facts.first_submitted_at),
            ("due", line.due_at),
            ("asked from", facts.settle_after),
            ("legal deadline", line.deadline_at),
            ("sent", facts.sent_at),
            ("axis id", facts.axis_doc_id),
            ("attempts", line.attempts),
        ]
    )
    if facts.recipients:
        sys.stdout.write("\n")
        print_table(
            ("recipient", "state", "last status", "since"),
            [(one.recipient, one.state.value, one.last_status, one.updated_at) for one in facts.recipients],
        )
    if facts.attempts:
        sys.stdout.write("\n")
        print_table(
            ("no.", "began", "ended", "then", "attempt", "what was said"),
            [
                (one.number, one.started_at, one.ended_at, one.state.value, "yes" if one.counted else "no", one.reason)
                for one in facts.attempts
            ],
        )
