"""The digest of the rules."""

from gateway.security.policy import SignatureRules


def test_digest_changes_with_every_rule():
    """Equal rules have one digest, each changed rule another."""
    variants = [
        SignatureRules(),
        SignatureRules(legacy_digests=frozenset({"md5"})),
        SignatureRules(rsa_bits=3072),
        SignatureRules(key_usages=frozenset({"non_repudiation"})),
    ]
    assert SignatureRules().digest == variants[0].digest
    assert len({rules.digest for rules in variants}) == len(variants)
