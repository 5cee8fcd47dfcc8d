"""The pages of docs/reference: errors, metrics, life cycles, settings."""

import json
from collections.abc import Mapping
from enum import StrEnum
from inspect import cleandoc, isclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.domain.errors import SENTENCES
from gateway.domain.lifecycle import AFTER_RESTORE, ITEM_MOVES, MESSAGE_MOVES, RECEPTION_MOVES
from gateway.observability.metrics import Metrics
from gateway.rpc.errors import STATUS
from gateway.settings import (
    AccessHeaderSettings,
    AxisAccount,
    AxisSettings,
    PlatformSettings,
    Settings,
    UsernameTokenSettings,
)
from printing.tables import NOTE, words_under


def errors_page() -> str:
    """Every reason a vendor system can meet."""
    rows = [
        f"| `{code}` | {STATUS[code].name} | {sentence.en} | {sentence.vi} |" for code, sentence in SENTENCES.items()
    ]
    return "\n".join(
        [
            NOTE,
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
        [NOTE, "# Metrics", "", "| name | kind | labels | meaning |", "|---|---|---|---|", *sorted(rows), ""],
    )


def lifecycle_page() -> str:
    """The state tables as diagrams."""
    return "\n".join(
        [
            NOTE,
            "# Life cycles",
            "",
            *_diagram("Outbox message", MESSAGE_MOVES, "queued"),
            "A restore from a backup makes of a document's message what may have been sent since:",
            *(f"* `{before}` becomes `{after}`" for before, after in AFTER_RESTORE.items() if before is not after),
            "",
            "New documents begin `uncertain` for some time after it, see [backup.md](../backup.md).",
            "",
            *_diagram("Reception (one received document, one recipient)", RECEPTION_MOVES, "waiting"),
            *_diagram("Axis item", ITEM_MOVES, "fetched"),
        ],
    )


def settings_page() -> str:
    """Every key of the configuration file."""
    lines = [
        NOTE,
        "# Settings",
        "",
        "One TOML file (`lgsp-gateway serve --config FILE`). An environment variable wins over the file: prefix",
        "`LGSP_`, two underscores between levels, e.g. `LGSP_AXIS__NATIONAL__SECRET_FILE`. `lgsp-gateway check-config",
        "FILE` checks everything without starting anything.",
        "",
    ]
    for name, info in Settings.model_fields.items():
        if name == "axis":
            lines += _accounts()
        else:
            section, header = _section(name, info.annotation)
            lines += [f"## {header}", "", *_words(section), *_keys(section.model_fields)]
    return "\n".join(lines)


def _accounts() -> list[str]:
    """What all accounts share, then what each kind adds or has otherwise, then the tables below an account."""
    shared = AxisSettings.model_fields
    kinds = [get_args(option)[0] for option in get_args(get_args(AxisAccount)[0])]
    lines = [
        "## [axis.NAME]",
        "",
        "An account on an axis. NAME is the operator's choice; `kind` says what the axis speaks, and which keys beside",
        f"these there are: {', '.join(f'`{_word_of(kind)}`' for kind in kinds)}. Without `kind` it is `vxp`.",
        "",
        *_keys(shared),
    ]
    for kind in kinds:
        own = {key: field for key, field in kind.model_fields.items() if key not in shared}
        own |= {
            key: field for key, field in kind.model_fields.items() if key not in own and _differs(field, shared[key])
        }
        lines += [f'### [axis.NAME] with kind = "{_word_of(kind)}"', "", *_words(kind), *_keys(own)]
    for header, section in (
        ("platform", PlatformSettings),
        ("platform.access_header", AccessHeaderSettings),
        ("username_token", UsernameTokenSettings),
    ):
        lines += [f"### [axis.NAME.{header}]", "", *_words(section), *_keys(section.model_fields)]
    return lines


def _differs(field: FieldInfo, other: FieldInfo) -> bool:
    return (field.default, field.description) != (other.default, other.description)


def _word_of(kind: type[BaseModel]) -> str:
    (word,) = get_args(kind.model_fields["kind"].annotation)
    return str(word)


def _words(section: type[BaseModel]) -> list[str]:
    return [cleandoc(section.__doc__ or ""), ""]


def _keys(fields: Mapping[str, FieldInfo]) -> list[str]:
    """A table of keys; what has no default that could be written shows none."""
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, field in fields.items():
        default = field.default
        given = json.dumps(default) if isinstance(default, bool | tuple) else default
        shown = "required" if default is PydanticUndefined else "-" if default in (None, "", ()) else f"`{given}`"
        lines.append(f"| `{key}` | {_type_name(field.annotation)} | {shown} | {field.description} |")
    return [*lines, ""]


def _diagram(title: str, moves: Mapping[Any, frozenset[Any]], start: str) -> list[str]:
    lines = [f"## {title}", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {start}"]
    for state, targets in moves.items():
        lines += [f"    {state} --> {target}" for target in sorted(targets)]
        if not targets:
            lines.append(f"    {state} --> [*]")
    meanings = [f"* `{state}`: {_meaning(type(state), state.name)}" for state in moves]
    return [*lines, "```", "", *meanings, ""]


def _meaning(states: type[StrEnum], member: str) -> str:
    """The line under an enum member, else its name."""
    return words_under(states)[member] or member.lower()


def _section(name: str, annotation: Any) -> tuple[type[BaseModel], str]:
    origin = get_origin(annotation)
    if origin is tuple:
        return get_args(annotation)[0], f"[[{name}]]"
    return annotation, f"[{name}]"


def _type_name(annotation: Any) -> str:
    """A type in the words of a configuration file; what may be left out has no default beside it."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in parts)
    if origin in {Union, UnionType}:
        return " or ".join(_type_name(part) for part in parts if part is not NoneType)
    if origin is Annotated:
        return _type_name(parts[0])
    if isclass(annotation) and issubclass(annotation, BaseModel):
        return "table, below"
    if origin is tuple:
        return f"list of {_type_name(parts[0])}"
    return str(annotation.__name__)
