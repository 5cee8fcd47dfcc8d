"""A throwaway PKI for the sandbox, the demo and the tests: never for real documents.

Two worlds are kept apart, as in the field: TLS (a CA for the gateways' server certificates, a CA for the
vendors' client certificates, and a stranger nobody trusts) and document signing (a root, an intermediate and
signers, and a second root that is not in anybody's trust list).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VENDOR_URI = "spiffe://lgsp.example/vendor/"
"""Prefix of the URI SAN in a vendor's client certificate; the vendor's name follows."""

_CA_LIFE = timedelta(days=10 * 365)
_LEAF_LIFE = timedelta(days=365)
_EARLIER = timedelta(days=3 * 365)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A certificate, its private key and the intermediates above it (issuer first, the root left out)."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone, PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """The certificate followed by its intermediates, PEM: what a TLS end presents."""
        return b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.chain))

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS#8 PEM, unencrypted: throwaway keys only."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, kw_only=True, slots=True)
class Pki:
    """Every identity the sandbox, the demo and the tests need."""

    servers_ca: Identity
    vendors_ca: Identity
    gateways: dict[str, Identity]
    # TLS servers by name, SAN localhost and 127.0.0.1
    vendors: dict[str, Identity]
    # TLS clients by name, URI SAN VENDOR_URI + name
    stranger: Identity
    # a TLS client with the first vendor's URI SAN, issued by a CA nobody lists
    signing_root: Identity
    signing_intermediate: Identity
    signer: Identity
    # signs documents; trusted where signing_root is an anchor
    expired_signer: Identity
    # same chain; its certificate ended a month before `now`
    unknown_root: Identity
    unknown_signer: Identity
    # valid, but under a root that is in nobody's trust list


def make_pki(
    *,
    now: datetime,
    gateways: tuple[str, ...] = ("gateway-a", "gateway-b"),
    vendors: tuple[str, ...] = ("vendor-a", "vendor-b"),
) -> Pki:
    """Make a fresh PKI in memory.

    Args:
        now: Aware time; certificates are valid from three years (CAs) or one day (leaves) before it.
        gateways: Names of the TLS servers.
        vendors: Names of the TLS clients; at least one.
    """
    servers_ca = _make_ca("Throwaway servers CA", now)
    vendors_ca = _make_ca("Throwaway vendors CA", now)
    strange_ca = _make_ca("Throwaway stranger CA", now)
    root = _make_ca("Throwaway signing root", now)
    intermediate = _make_ca("Throwaway signing intermediate", now, issuer=root)
    unknown_root = _make_ca("Throwaway unknown root", now)
    month = timedelta(days=30)
    return Pki(
        servers_ca=servers_ca,
        vendors_ca=vendors_ca,
        gateways={name: _make_server(name, now, issuer=servers_ca) for name in gateways},
        vendors={name: _make_client(name, now, issuer=vendors_ca) for name in vendors},
        stranger=_make_client(vendors[0], now, issuer=strange_ca),
        signing_root=root,
        signing_intermediate=intermediate,
        signer=_make_signer("Signer X", now, now + _LEAF_LIFE, issuer=intermediate),
        expired_signer=_make_signer("Signer Expired", now - _LEAF_LIFE, now - month, issuer=intermediate),
        unknown_root=unknown_root,
        unknown_signer=_make_signer("Signer Unknown", now, now + _LEAF_LIFE, issuer=unknown_root),
    )


def write_pki(pki: Pki, directory: Path) -> None:
    """Write the PKI as PEM files; keys are readable by the owner only.

    The layout: `servers-ca.pem`, `vendors-ca.pem`; `gateways/NAME.pem`, `vendors/NAME.pem`, `stranger.pem`,
    `signing/{signer,expired,unknown}.pem`, each with its `.key.pem` beside it and its intermediates inside;
    `trust/root.pem` is the folder of document-signing anchors, `signing/unknown-root.pem` the other root.
    """
    for folder in ("gateways", "vendors", "signing", "trust"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    (directory / "servers-ca.pem").write_bytes(pki.servers_ca.certificate_pem)
    (directory / "vendors-ca.pem").write_bytes(pki.vendors_ca.certificate_pem)
    (directory / "trust" / "root.pem").write_bytes(pki.signing_root.certificate_pem)
    (directory / "signing" / "unknown-root.pem").write_bytes(pki.unknown_root.certificate_pem)
    leaves = {
        "stranger": pki.stranger,
        "signing/signer": pki.signer,
        "signing/expired": pki.expired_signer,
        "signing/unknown": pki.unknown_signer,
        **{f"gateways/{name}": identity for name, identity in pki.gateways.items()},
        **{f"vendors/{name}": identity for name, identity in pki.vendors.items()},
    }
    for name, identity in leaves.items():
        (directory / f"{name}.pem").write_bytes(identity.chain_pem)
        key_file = directory / f"{name}.key.pem"
        key_file.touch(mode=0o600)
        key_file.write_bytes(identity.key_pem)


def _make_ca(name: str, now: datetime, *, issuer: Identity | None = None) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _begin(name, key.public_key(), now - _EARLIER, now + _CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(certificate_signing=True), critical=True)
    )
    return _finish(builder, key, issuer)


def _make_server(name: str, now: datetime, *, issuer: Identity) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    builder = _begin_tls_leaf(name, key, now, names, ExtendedKeyUsageOID.SERVER_AUTH)
    return _finish(builder, key, issuer)


def _make_client(name: str, now: datetime, *, issuer: Identity) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(VENDOR_URI + name)]
    builder = _begin_tls_leaf(name, key, now, names, ExtendedKeyUsageOID.CLIENT_AUTH)
    return _finish(builder, key, issuer)


def _begin_tls_leaf(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    names: list[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
) -> x509.CertificateBuilder:
    return (
        _begin(name, key.public_key(), now - timedelta(days=1), now + _LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificate_signing=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )


def _make_signer(name: str, starts: datetime, ends: datetime, *, issuer: Identity) -> Identity:
    # RSA, because the document signatures met in the field are RSA with SHA-256.
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    builder = (
        _begin(name, key.public_key(), starts - timedelta(days=1), ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificate_signing=False, content_commitment=True), critical=True)
    )
    return _finish(builder, key, issuer)


def _begin(
    name: str, public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, starts: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _finish(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    issuer: Identity | None,
) -> Identity:
    if issuer is None:
        own_name = builder._subject_name  # noqa: SLF001 - a self-signed builder has no other way to its own name
        assert own_name is not None
        return Identity(certificate=builder.issuer_name(own_name).sign(key, hashes.SHA256()), key=key)
    identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        builder.issuer_name(issuer.certificate.subject)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )
    self_signed = issuer.certificate.issuer == issuer.certificate.subject
    chain = () if self_signed else (issuer.certificate, *issuer.chain)
    return Identity(certificate=certificate, key=key, chain=chain)


def _key_usage(*, certificate_signing: bool, content_commitment: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificate_signing,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificate_signing,
        crl_sign=certificate_signing,
        encipher_only=False,
        decipher_only=False,
    )
