"""For all scenarios: statements compiled once, and a log that costs little."""

import pytest
import structlog

from tests.fakes.compiled import compiled_once


@pytest.fixture(autouse=True)
def _compiled_once():
    with compiled_once():
        yield


@pytest.fixture(autouse=True)
def _plain_log():
    """Tracebacks without source and variables: drawing those of bugs on purpose took longer than what is tested."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()
