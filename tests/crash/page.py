"""docs/reliability.md: each run replaces the block of its store, or of its sabotage; the rest is written by hand."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from tests.crash.plan import AxisFault, DatabaseRestart, Kill, Plan
from tests.crash.tally import Figures

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def render(figures: Figures, plan: Plan, done: Mapping[str, int], *, command: str, now: datetime) -> str:
    """One run as Markdown."""
    faults = [event.act for event in plan.events if isinstance(event.act, AxisFault)]
    restarts = [event.act for event in plan.events if isinstance(event.act, DatabaseRestart)]
    kinds = sorted({fault.name for fault in faults})
    sizes = sum(file.size for document in plan.documents for file in document.files)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {_commit()}"
    rows = [
        ("documents accepted", figures.accepted),
        ("arrived", figures.arrived),
        ("**lost**", figures.lost),
        ("**doubled at the vendor**", figures.duplicated_vendor),
        ("**doubled at the axis**", figures.duplicated_axis),
        ("files changed on the way", figures.digests_wrong),
        ("status 01 missing at the sender", figures.statuses_missing),
        ("06 before its 03, or one of them missing", figures.statuses_misordered),
        ("redelivered", figures.redelivered),
        ("SIGKILLs", f"{figures.kills}, {_twice(plan)} of them into a start"),
        ("faults of the axis", ", ".join(f"{kind} {done.get(kind, 0)}" for kind in kinds) or "none"),
        ("restarts of PostgreSQL", _restarts(restarts)),
        ("longest recovery", f"{figures.recovered_s_max:.1f} s"),
        ("slowest document, accepted to acknowledged", f"{figures.slowest_s:.1f} s"),
        ("whole run", f"{figures.seconds:.0f} s"),
    ]
    return "\n".join(
        [
            f"`{command}` on {now:%Y-%m-%d}: {sizes / 1e6:.0f} MB of files. {machine}.",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
        ]
    )


def write(block: str, *, section: str, page: Path = PAGE) -> None:
    """Replace what stands between a section's two markers. ValueError if the page has none."""
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- run: {section} -->\n", f"<!-- end: {section} -->"
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not found.search(text):
        raise ValueError(f"{page} has no section {section}")
    page.write_text(found.sub(lambda _: f"{begin}{block}\n{end}", text), encoding="utf-8")


def _twice(plan: Plan) -> int:
    return sum(1 for event in plan.events if isinstance(event.act, Kill) and event.act.again_after is not None)


def _restarts(restarts: list[DatabaseRestart]) -> str:
    immediate = sum(1 for restart in restarts if restart.how == "immediate")
    return f"{len(restarts)}, {immediate} of them as in a crash" if restarts else "none"


def _commit() -> str:
    """The commit, and whether the tree had changes."""
    try:
        shown = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=PAGE.parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "commit unknown"
    return f"commit {shown.stdout.strip()}"
