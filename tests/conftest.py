"""For all tests: the same examples every time, no LGSP_ variable of the caller, and no authority of the machine's.

`pytest --hypothesis-profile=explore` draws new examples instead.
"""

import gc
import os
import ssl

import pytest
import structlog
from hypothesis import settings

from tests.fakes.compiled import compiled_once

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("steady")

for _name in [name for name in os.environ if name.startswith("LGSP_")]:
    del os.environ[_name]

ssl.SSLContext.set_default_verify_paths = lambda _: None
# reading a hundred public authorities for each client takes longer than most tests


gc.disable()


def pytest_collection_finish(session):
    """What collecting made stays to the end: looking through it for garbage took longer than the tests themselves."""
    gc.freeze()
    gc.enable()


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
