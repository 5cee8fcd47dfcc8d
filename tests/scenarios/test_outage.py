from datetime import timedelta

from tests.load.outage import run


async def test_everything_leaves_unaided_after_an_outage(tmp_path):
    """Ten minutes without the axis, some documents queued: back again, all leave at once, urgent ones first."""
    result = await run(tmp_path, documents=120, outage=timedelta(minutes=10))
    assert result.failures() == []
    assert result.first_delivery_s < 8
    assert result.probes >= 100
    assert result.most_attempts <= 20
    assert 0.7 < result.urgent_before_ordinary < 1
