"""The schema's own type."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.vntime import VIETNAM
from gateway.store.columns import Instant

DIALECT = sa.create_engine("sqlite://").dialect


@given(st.datetimes(timezones=st.sampled_from([UTC, VIETNAM])))
def test_instants_come_back_to_the_microsecond(instant):
    """Any aware instant survives, as UTC."""
    number = Instant().process_bind_param(instant, DIALECT)
    found = Instant().process_result_value(number, DIALECT)
    assert found == instant
    assert found.tzinfo is UTC


def test_a_naive_time_is_refused():
    """A time without a zone cannot enter the store by mistake."""
    with pytest.raises(TypeError):
        Instant().process_bind_param(datetime(2026, 3, 2), DIALECT)  # noqa: DTZ001 - the mistake under test
