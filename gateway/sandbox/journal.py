"""What happened on the simulated axis, as an append-only list that is also its only state.

Every fact is one JSON object with `event` and `time`; with a data directory it is one line of a JSONL file,
written before the caller is answered, so a restarted axis continues where the stopped one was.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any


class Journal:
    """The events so far, read from and appended to `journal.jsonl` in the data directory."""

    def __init__(self, directory: Path, *, now: Callable[[], datetime]) -> None:
        self._events: list[dict[str, Any]] = []
        self._now = now
        path = directory / "journal.jsonl"
        if path.exists():
            self._read(path)
        self._file = path.open("a", encoding="utf-8")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._events)

    def append(self, event: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Stamp, write and return a new event; flushed to the operating system, not synced."""
        entry = {"event": event, "time": self._now().isoformat(), **facts}
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()
        self._events.append(entry)
        return entry

    def close(self) -> None:
        """Close the file; nothing can be appended after."""
        self._file.close()

    def _read(self, path: Path) -> None:
        """Load the lines and cut off a last one that a crash left unfinished."""
        whole = b""
        for line in path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                path.write_bytes(whole)
                break
            whole += line
            self._events.append(json.loads(line))
