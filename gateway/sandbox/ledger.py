"""What the axis remembers of accepted packets to recognise a repeated one: read by the SOAP face, which refuses those.

The national face ignores it: the real axis never deduplicates (axis.md section 5).
"""

from collections.abc import Mapping
from typing import Any


class Ledger:
    """Documents and statuses that were accepted so far, by any face."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], frozenset[str]] = {}
        self._by_notation: dict[tuple[str, str], frozenset[str]] = {}
        self._statuses: set[tuple[str, str, str, int]] = set()

    def apply(self, event: Mapping[str, Any]) -> None:
        """Remember the packet of an `accepted` event."""
        author = event.get("fromCode", event["from"])
        if event["messagetype"] == "status":
            owner = event["to"][0]
            self._statuses.add((author, owner, event["documentId"], int(event["statusCode"])))
            return
        for known, name in ((self._by_id, event["documentId"]), (self._by_notation, event["notation"])):
            known[author, name] = known.get((author, name), frozenset()) | {*event["to"]}

    def receivers_of(self, from_code: str, document_id: str, notation: str = "") -> frozenset[str] | None:
        """Who got the body's document with this DocumentId, else with this number/notation; None = never accepted."""
        by_id = self._by_id.get((from_code, document_id))
        return self._by_notation.get((from_code, notation)) if by_id is None else by_id

    def has_status(self, reporter: str, owner: str, document_id: str, code: int) -> bool:
        """Whether this body told the document's other side this status code before."""
        return (reporter, owner, document_id, code) in self._statuses
