"""`retention` and `audit`: what is kept, what goes, what is known of what went."""

import sys
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.desk import ConfigFile, LinesSwitch, at_desk, plain, print_facts, print_lines, print_table, word
from gateway.cli.printing import print_json, refuse

if TYPE_CHECKING:
    from gateway.bootstrap.operations import Desk
    from gateway.ports import AuditEntry, Kept


def retention(
    config: ConfigFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing, say what would go now.")] = False,
    as_json: LinesSwitch = False,
) -> None:
    """Remove now what the configuration's retention lets go, instead of bit by bit every hour."""
    if dry_run:
        found = at_desk(config, lambda desk: desk.retention.forecast(), as_json=as_json)
        if as_json:
            print_lines({"kind": kind, **plain(what)} for kind, what in found.items())
        else:
            lines = [(kind.value, what.count, what.oldest, what.newest) for kind, what in found.items()]
            print_table(("kind", "would go", "oldest", "newest"), lines)
    else:
        removed = at_desk(config, _remove, as_json=as_json)
        if removed is None:
            refuse("IN_PROGRESS", "retention", "a gateway is removing just now; try again later", as_json=as_json)
        if as_json:
            print_lines({"kind": kind, "removed": count} for kind, count in removed.items())
        else:
            print_table(("kind", "removed"), [(kind.value, count) for kind, count in removed.items()])


def audit(
    config: ConfigFile,
    document_id: Annotated[str, typer.Option(help="Id of the electronic document (DocumentId).")],
    as_json: LinesSwitch = False,
) -> None:
    """Say everything the store knows of a document id: sent and received, kept and removed."""
    word(document_id, "id of a document")
    found = at_desk(config, lambda desk: desk.operations.audit(document_id), as_json=as_json)
    if not found:
        refuse("DOCUMENT_UNKNOWN", document_id, "nothing was ever sent or received under it", as_json=as_json)
    for entry in found:
        if as_json:
            print_json(plain(entry))
        else:
            _print(entry)


async def _remove(desk: "Desk") -> Mapping["Kept", int] | None:
    """How many of each kind; None if another gateway is at it."""
    removed: Counter[Kept] = Counter()
    while True:
        turn = await desk.retention.remove()
        if turn is None:
            return None
        removed.update(turn.removed)
        if not turn.more:
            return removed


def _print(entry: "AuditEntry") -> None:
    print_facts([(entry.kind, entry.key), ("removed", entry.removed_at), ("under", entry.policy)])
    for label, value in entry.facts.items():
        items = value if isinstance(value, list) else [value]
        print_facts((f"  {label}" if not number else "", _said(item)) for number, item in enumerate(items))
    sys.stdout.write("\n")


def _said(value: Any) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_said(each)}" for key, each in value.items() if each not in (None, "", []))
    if isinstance(value, list):
        return "; ".join(str(_said(each)) for each in value)
    return value
