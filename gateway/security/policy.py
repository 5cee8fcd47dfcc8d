"""What a signature must look like to be trusted; a value with a digest, so that verdicts can be kept beside it."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRules:
    """Rules that pyHanko is told. The defaults are what is deployed; tests and later issues may tighten them."""

    legacy_digests: frozenset[str] = frozenset({"md2", "md5", "sha1"})
    """A signature over one of these is not trusted, whoever made it."""
    rsa_bits: int = 2048
    """Shortest RSA key that is trusted, for signers and every CA below the root."""
    key_usages: frozenset[str] = frozenset({"digital_signature", "non_repudiation"})
    """The signer's certificate must allow at least one of these; one that does not limit its use allows all."""

    @property
    def digest(self) -> str:
        """SHA-256 over the rules."""
        rules = f"{sorted(self.legacy_digests)} {self.rsa_bits} {sorted(self.key_usages)}"
        return hashlib.sha256(rules.encode()).hexdigest()
