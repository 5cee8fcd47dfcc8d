"""Prints the reference pages from the code: `python docs/generate.py` writes them, `--check` fails on a difference."""

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin

from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from gateway.domain.errors import SENTENCES
from gateway.domain.lifecycle import ITEM_MOVES, MESSAGE_MOVES, RECEPTION_MOVES
from gateway.observability.metrics import Metrics
from gateway.rpc.errors import STATUS
from gateway.settings import Settings
from gateway.translate.edxml.findings import SENTENCES as PACKET_SENTENCES
from gateway.translate.edxml.findings import Defect, Deviation, Tolerance
from gateway.xmlsafe import XmlFault

_HERE = Path(__file__).parent / "reference"
_NOTE = "<!-- Printed by docs/generate.py; do not edit. -->\n"


def errors_page() -> str:
    """Every reason a vendor system can meet."""
    rows = [
        f"| `{code}` | {STATUS[code].name} | {sentence.en} | {sentence.vi} |" for code, sentence in SENTENCES.items()
    ]
    return "\n".join(
        [
            _NOTE,
            "# Errors",
            "",
            "`reason` of google.rpc.ErrorInfo (domain `lgsp-gateway`), gRPC status, the sentence in both languages.",
            "",
            "| reason | status | English | tiếng Việt |",
            "|---|---|---|---|",
            *rows,
            "",
        ],
    )


def metrics_page() -> str:
    """Every metric and its labels."""
    registry = CollectorRegistry()
    metrics = vars(Metrics(registry))
    rows = []
    for collector in metrics.values():
        if collector is registry:
            continue
        family = next(iter(collector.describe()))
        suffix = "_total" if family.type == "counter" else ""
        labels = ", ".join(collector._labelnames) or "-"  # noqa: SLF001 - the library has no public way to ask
        rows.append(f"| `{family.name}{suffix}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(
        [_NOTE, "# Metrics", "", "| name | kind | labels | meaning |", "|---|---|---|---|", *sorted(rows), ""],
    )


def packets_page() -> str:
    """What can be said of an edXML packet."""
    groups: tuple[tuple[str, str, type[StrEnum]], ...] = (
        ("Refused", "Such a packet is quarantined; `packet inspect` ends with exit code 2.", Defect),
        ("Read all the same", "`warnings` of a ReceivedDocument and of `packet inspect`.", Tolerance),
        ("Not written as deployed systems expect", "Only `packet check` says these.", Deviation),
    )
    lines = [
        _NOTE,
        "# Packets",
        "",
        "Codes of what is wrong or odd in an edXML packet; each comes with the path of the element.",
    ]
    for title, where, codes in groups:
        lines += ["", f"## {title}", "", where, "", "| code | meaning |", "|---|---|"]
        lines += [f"| `{code}` | {PACKET_SENTENCES[code]} |" for code in codes]
    faults = ", ".join(f"`{fault}`" for fault in XmlFault)
    return "\n".join([*lines, "", f"Below XML's surface a packet is refused with {faults}; the message says more.", ""])


def lifecycle_page() -> str:
    """The state tables as diagrams."""
    return "\n".join(
        [
            _NOTE,
            "# Life cycles",
            "",
            *_diagram("Outbox message", MESSAGE_MOVES, "queued"),
            *_diagram("Reception (one received document, one recipient)", RECEPTION_MOVES, "waiting"),
            *_diagram("Axis item", ITEM_MOVES, "fetched"),
        ],
    )


def settings_page() -> str:
    """Every key of the configuration file."""
    lines = [
        _NOTE,
        "# Settings",
        "",
        "One TOML file (`lgsp-gateway serve --config FILE`). An environment variable wins over the file: prefix",
        "`LGSP_`, two underscores between levels, e.g. `LGSP_AXIS__NATIONAL__SECRET_FILE`. `lgsp-gateway check-config",
        "FILE` checks everything without starting anything.",
        "",
    ]
    for name, info in Settings.model_fields.items():
        section, header = _section(name, info.annotation)
        lines += [f"## {header}", "", f"{(section.__doc__ or '').strip()}", ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        for key, field in section.model_fields.items():
            default = field.default
            shown = "required" if default is PydanticUndefined else "-" if default in (None, "", ()) else f"`{default}`"
            lines.append(f"| `{key}` | {_type_name(field.annotation)} | {shown} | {field.description} |")
        lines.append("")
    return "\n".join(lines)


def _diagram(title: str, moves: Mapping[Any, frozenset[Any]], start: str) -> list[str]:
    lines = [f"## {title}", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {start}"]
    for state, targets in moves.items():
        lines += [f"    {state} --> {target}" for target in sorted(targets)]
        if not targets:
            lines.append(f"    {state} --> [*]")
    meanings = [f"* `{state}`: {_meaning(type(state), state.name)}" for state in moves]
    return [*lines, "```", "", *meanings, ""]


def _meaning(states: type[StrEnum], member: str) -> str:
    """The line under an enum member; Python drops it, so it is read from the source."""
    import inspect  # noqa: PLC0415 - only this function reads source text

    lines = inspect.getsource(states).splitlines()
    for number, line in enumerate(lines):
        if line.strip().startswith(f"{member} ="):
            following = lines[number + 1].strip() if number + 1 < len(lines) else ""
            return following.strip('"') if following.startswith('"""') else member.lower()
    return member.lower()


def _section(name: str, annotation: Any) -> tuple[type[BaseModel], str]:
    origin = get_origin(annotation)
    if origin is dict:
        return get_args(annotation)[1], f"[{name}.NAME]"
    if origin is tuple:
        return get_args(annotation)[0], f"[[{name}]]"
    return annotation, f"[{name}]"


def _type_name(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return text.replace("typing.", "").replace("pathlib.", "").replace("pydantic.types.", "").replace("|", "or")


PAGES = {
    "errors.md": errors_page,
    "metrics.md": metrics_page,
    "lifecycle.md": lifecycle_page,
    "packets.md": packets_page,
    "settings.md": settings_page,
}


def main() -> int:
    """Write the pages, or compare them; the exit code."""
    stale = []
    for name, page in PAGES.items():
        target = _HERE / name
        text = page()
        if "--check" in sys.argv:
            if not target.exists() or target.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            target.write_text(text, encoding="utf-8")
    for name in stale:
        sys.stderr.write(f"docs/reference/{name} is not what the code says; run make generate\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
