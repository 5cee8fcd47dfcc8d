"""JSON lines on standard error: events named `thing.happened`, ids as fields, never document content or secrets."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_HIDDEN = frozenset(
    {"secret", "password", "token", "authorization", "hash_header", "sign_header", "subject", "content"}
)
"""Field names whose values never reach a log, whoever passes them."""


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank the fields that may hold secrets or document content."""
    for field in _HIDDEN & event.keys():
        event[field] = "[redacted]"
    return event


def configure(level: str) -> None:
    """Set up structlog and the standard library's logging alike; `level` is debug, info, warning or error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        ),
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.WARNING))
