"""The rules are what pyHanko is told."""

from gateway.domain.verdict import Verdict
from gateway.security.pdf import judge_pdf
from gateway.security.policy import SignatureRules
from tests.make import NOW


def test_rules_take_trust_away(file, anchors, signed):
    """Longer keys, other usages or fewer digests than the signer's: intact and valid, not trusted, with the reason."""
    file.write_bytes(signed)
    refused = {
        SignatureRules(rsa_bits=4096): "legacy algorithm",
        SignatureRules(legacy_digests=frozenset({"sha256"})): "legacy algorithm",
        SignatureRules(key_usages=frozenset({"key_cert_sign"})): "may not be used to sign",
    }
    for rules, reason in refused.items():
        verdict = judge_pdf(file, anchors, NOW, rules)
        (signature,) = verdict.signatures
        assert verdict.verdict is Verdict.UNTRUSTED
        assert (signature.intact, signature.valid, signature.trusted) == (True, True, False)
        assert reason in signature.reason
