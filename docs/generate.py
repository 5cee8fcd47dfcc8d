"""Prints pages and schemas from the code: `python docs/generate.py` writes them, `--check` fails on a difference."""

import sys
from pathlib import Path

from printing.packets import packets_page
from printing.reference import errors_page, lifecycle_page, metrics_page, settings_page
from printing.schemas import edoc_schemas, strict_schema, tolerant_schema

_HERE = Path(__file__).parent

PAGES = {
    "edxml.md": packets_page,
    "reference/errors.md": errors_page,
    "reference/metrics.md": metrics_page,
    "reference/lifecycle.md": lifecycle_page,
    "reference/settings.md": settings_page,
    "schemas/edxml-strict.xsd": strict_schema,
    "schemas/edxml-tolerant.xsd": tolerant_schema,
    **{f"schemas/edoc/{name}": schema for name, schema in edoc_schemas().items()},
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
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
    for name in stale:
        sys.stderr.write(f"docs/{name} is not what the code says; run make generate\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
