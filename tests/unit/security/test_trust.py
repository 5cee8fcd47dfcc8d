"""Which files make which anchors."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.security.trust import load_anchors


def der(identity) -> bytes:
    return identity.certificate.public_bytes(Encoding.DER)


def test_anchors_and_intermediates(tmp_path, pki):
    """Self-issued certificates are anchors, others intermediates; from PEM, DER, bundles and folders."""
    families = tmp_path / "specialised", tmp_path / "public"
    (families[0] / "roots").mkdir(parents=True)
    families[1].mkdir()
    bundle = pki.signing_root.certificate_pem + pki.signing_intermediate.certificate_pem
    (families[0] / "roots" / "bundle.crt").write_bytes(bundle)
    (families[1] / "other.cer").write_bytes(der(pki.unknown_root))
    anchors = load_anchors(*families)
    assert set(anchors.roots) == {der(pki.signing_root), der(pki.unknown_root)}
    assert anchors.intermediates == (der(pki.signing_intermediate),)


def test_digest_names_the_set(tmp_path, pki):
    """The digest depends on the certificates and their kind, not on names, form or repetition."""
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    for folder in (one, two, three):
        folder.mkdir()
    (one / "a.pem").write_bytes(pki.signing_root.certificate_pem)
    (two / "b.der").write_bytes(der(pki.signing_root))
    (two / "c.pem").write_bytes(pki.signing_root.certificate_pem)
    (three / "a.pem").write_bytes(pki.unknown_root.certificate_pem)
    digests = [load_anchors(folder).digest for folder in (one, two, three)]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_mounted_secret(tmp_path, pki):
    """Hidden folders, as mounted secrets have them, are skipped; links into them are followed."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "root.pem").write_bytes(pki.signing_root.certificate_pem)
    (tmp_path / "..data" / "note").write_bytes(b"no certificate")
    (tmp_path / "root.pem").symlink_to("..data/root.pem")
    assert load_anchors(tmp_path).roots == (der(pki.signing_root),)


def test_empty_directory(tmp_path):
    """No file, no anchor, no error."""
    assert load_anchors(tmp_path).roots == ()


@pytest.mark.parametrize("content", ["text", "broken", "large", "empty"])
def test_unusable_files_are_named(tmp_path, content):
    """What is named like a certificate and is none is an error that names the file and shows nothing of it."""
    contents = {
        "text": b"see the manual",
        "broken": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "large": bytes(5 * 1024 * 1024),
        "empty": b"",
    }
    (tmp_path / "odd.pem").write_bytes(contents[content])
    with pytest.raises(GatewayError) as refused:
        load_anchors(tmp_path)
    (violation,) = refused.value.violations
    assert refused.value.code is ErrorCode.INVALID_FIELD
    assert violation.path == str(tmp_path / "odd.pem")
    assert len(violation.en) < len(violation.path) + 60


def test_neighbours_of_certificates_are_skipped(tmp_path, pki):
    """A folder of an authority may hold its key, its notes and issued certificates: only its root is an anchor."""
    (tmp_path / "root.pem").write_bytes(pki.signing_root.certificate_pem + pki.signing_root.key_pem)
    (tmp_path / "root.key.pem").write_bytes(pki.signing_root.key_pem)
    (tmp_path / "root.srl").write_bytes(b"01")
    (tmp_path / "leaf.crt").write_bytes(pki.signer.certificate_pem)
    anchors = load_anchors(tmp_path)
    assert anchors.roots == (der(pki.signing_root),)
    assert anchors.intermediates == (der(pki.signer),)


def test_missing_directory(tmp_path):
    """A directory that is not there is an error that names it."""
    with pytest.raises(GatewayError) as refused:
        load_anchors(tmp_path / "none")
    assert refused.value.violations[0].path == str(tmp_path / "none")
