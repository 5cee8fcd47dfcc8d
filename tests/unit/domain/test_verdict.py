import pytest

from gateway.domain.verdict import Signature, Verdict, sum_up


def make(*, intact=True, valid=True, trusted=True):
    return Signature(signer="CN=x", intact=intact, valid=valid, trusted=trusted, signed_at=None, reason="")


@pytest.mark.parametrize(
    ("signatures", "verdict"),
    [
        ([], Verdict.UNSIGNED),
        ([make()], Verdict.TRUSTED),
        ([make(), make(trusted=False)], Verdict.TRUSTED),
        ([make(trusted=False)], Verdict.UNTRUSTED),
        ([make(), make(valid=False)], Verdict.INVALID),
        ([make(valid=False), make(intact=False)], Verdict.ALTERED),
    ],
)
def test_the_worst_defect_wins_then_any_trust_suffices(signatures, verdict):
    """Altered before invalid before untrusted; one trusted signature is enough among sound ones."""
    assert sum_up(signatures) is verdict
