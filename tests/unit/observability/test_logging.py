import json
import logging as stdlib

import pytest
import structlog

from gateway.observability import logging
from gateway.observability.metrics import Metrics


@pytest.fixture(autouse=True)
def _restored():
    root = stdlib.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_events_are_json_lines_without_secrets(capsys):
    """An event is one JSON line on standard error; fields that may hold secrets or content are blanked."""
    logging.configure("info")
    structlog.get_logger().info("thing.happened", document="documents/1", secret="hush", subject="V/v mật")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "thing.happened"
    assert line["document"] == "documents/1"
    assert line["secret"] == line["subject"] == "[redacted]"
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_the_level_is_kept(capsys):
    """What is below the level is not written."""
    logging.configure("warning")
    structlog.get_logger().info("thing.happened")
    assert capsys.readouterr().err == ""


def test_other_libraries_speak_json_too(capsys):
    """A warning of the standard library's logging is a JSON line, its chatter is dropped."""
    logging.configure("info")
    stdlib.getLogger("other").info("chatter")
    stdlib.getLogger("other").warning("trouble in %s", "paradise")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "trouble in paradise"


def test_errors_carry_their_trace(capsys):
    """An exception is part of its line, so that no trace is torn apart among others."""
    logging.configure("info")
    try:
        {}["missing"]
    except KeyError:
        structlog.get_logger().exception("thing.broke")
    line = json.loads(capsys.readouterr().err)
    assert "KeyError" in line["exception"]


def test_metrics_can_be_declared_twice():
    """Two gateways in one process, as in tests, do not share a registry."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - only this test scrapes

    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.accepted.labels("ioffice", "flash").inc()
    assert b'lgsp_documents_accepted_total{priority="flash",vendor="ioffice"} 1.0' in generate_latest(first.registry)
    assert b"ioffice" not in generate_latest(second.registry)
