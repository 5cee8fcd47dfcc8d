"""Fewer seconds for each process that a test starts."""

from collections.abc import Iterator

import pytest

from gateway.sandbox.demo import processes
from tests.e2e.forking import fork


@pytest.fixture(scope="session", autouse=True)
def forked_processes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "spawn", fork)
        yield
