"""PDFs that the sandbox's signer does not make: revisions, timestamps, legacy digests, encryption."""

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import keys, x509
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, PdfTimeStamper, SimpleSigner
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.sandbox.pki import Identity
from tests.make import NOW


def make_timestamper(root: Identity, *, now: datetime, at: datetime) -> DummyTimeStamper:
    """A timestamp authority under `root`, whose clock stands at `at`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = (
        pyca.CertificateBuilder()
        .subject_name(pyca.Name([pyca.NameAttribute(NameOID.COMMON_NAME, "Throwaway TSA")]))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(pyca.random_serial_number())
        .not_valid_before(now - timedelta(days=900))
        .not_valid_after(now + timedelta(days=900))
        .add_extension(pyca.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .sign(root.key, hashes.SHA256())
    )
    return DummyTimeStamper(
        tsa_cert=x509.Certificate.load(certificate.public_bytes(Encoding.DER)),
        tsa_key=_private_key(key),
        fixed_dt=at,
    )


def make_unlimited_signer(root: Identity, *, now: datetime) -> Identity:
    """A signer under `root` whose certificate says nothing about what its key is for."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = (
        pyca.CertificateBuilder()
        .subject_name(pyca.Name([pyca.NameAttribute(NameOID.COMMON_NAME, "Signer Unlimited")]))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(pyca.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(root.key, hashes.SHA256())
    )
    return Identity(certificate=certificate, key=key)


def sign(
    pdf: bytes,
    signer: Identity,
    *,
    timestamper: DummyTimeStamper | None = None,
    digest: str = "sha256",
    subfilter: SigSeedSubFilter = SigSeedSubFilter.PADES,
) -> bytes:
    """Sign with a timestamp token or another digest; claims to be signed at NOW."""
    certificates = [
        x509.Certificate.load(each.public_bytes(Encoding.DER)) for each in (signer.certificate, *signer.chain)
    ]
    registry = SimpleCertificateStore()
    registry.register_multiple(certificates[1:])
    simple = SimpleSigner(signing_cert=certificates[0], signing_key=_private_key(signer.key), cert_registry=registry)
    metadata = PdfSignatureMetadata(field_name="Signature1", md_algorithm=digest, subfilter=subfilter)
    output = io.BytesIO()
    _SignerAtNow(metadata, signer=simple, timestamper=timestamper).sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(pdf)), output=output
    )
    return output.getvalue()


def stamp(pdf: bytes, timestamper: DummyTimeStamper) -> bytes:
    """Add a document timestamp, which is not a signature of anybody."""
    output = io.BytesIO()
    PdfTimeStamper(timestamper).timestamp_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)), "sha256", output=output)
    return output.getvalue()


def revise(pdf: bytes, change: Callable[[Any], None]) -> bytes:
    """Append a revision."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    change(writer)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def add_note(writer: Any) -> None:
    """A visible annotation on the first page."""
    page = writer.root["/Pages"]["/Kids"][0]
    rectangle = generic.ArrayObject([generic.NumberObject(n) for n in (0, 0, 99, 99)])
    note = {
        "/Type": pdf_name("/Annot"),
        "/Subtype": pdf_name("/FreeText"),
        "/Rect": rectangle,
        "/Contents": generic.pdf_string("Paid"),
    }
    page["/Annots"] = generic.ArrayObject(
        [writer.add_object(generic.DictionaryObject({pdf_name(name): value for name, value in note.items()}))]
    )
    writer.update_container(page)


def replace_page(writer: Any) -> None:
    """Another text on the first page."""
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b"BT ET"))
    writer.update_container(page)


def retitle(writer: Any) -> None:
    """A new title in the metadata, which no reader sees."""
    writer.set_info(generic.DictionaryObject({pdf_name("/Title"): generic.pdf_string("Archive")}))


def drop_form(writer: Any) -> None:
    """Remove the form that leads to the signatures."""
    del writer.root["/AcroForm"]
    writer.update_root()


def enclose(inner: bytes) -> Callable[[Any], None]:
    """Another file, enclosed as it is."""
    return lambda writer: writer.add_object(generic.StreamObject(stream_data=inner))


def encrypt(pdf: bytes) -> bytes:
    """Protect with a password."""
    writer = copy_into_new_writer(PdfFileReader(io.BytesIO(pdf)))
    writer.encrypt("owner", "user")
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


class _SignerAtNow(PdfSigner):
    def init_signing_session(self, pdf_out: Any, existing_fields_only: bool = False) -> Any:  # noqa: FBT001, FBT002 - overrides a foreign signature
        session = super().init_signing_session(pdf_out, existing_fields_only=existing_fields_only)
        session.system_time = NOW
        return session


def _private_key(key: Any) -> Any:
    return keys.PrivateKeyInfo.load(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
