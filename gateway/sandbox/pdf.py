"""Real documents for the demo and the tests: a PDF of a wished size, signed as PAdES, and a small docx."""

import hashlib
import io
import random
import zipfile
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.sandbox.pki import Identity

_IMAGE_WIDTH = 256
_ZIP_TIME = (2026, 1, 15, 8, 30, 0)


def make_pdf(*, size: int, title: str, seed: int = 0) -> bytes:
    """Make an unsigned one-page PDF of about `size` bytes; the same arguments give the same bytes.

    The bulk is one grey image of pseudo-random pixels, which no compression shrinks.

    Args:
        size: Wished size in bytes; met within 1 KiB when at least 2 KiB is asked, never below about 1 KiB.
        title: Shown on the page; characters outside ASCII are shown as `?`.
        seed: Chooses the pixels, so two documents of one size can differ.
    """
    height = max(1, (size - 1024) // _IMAGE_WIDTH)
    pixels = random.Random(seed).randbytes(_IMAGE_WIDTH * height)  # noqa: S311 - filler for a picture, no secret
    text = title.encode("ascii", "replace").decode().translate(str.maketrans("()\\", "[]/"))
    page = f"BT /F1 16 Tf 72 770 Td ({text}) Tj ET q 451 0 0 600 72 120 cm /Im1 Do Q".encode("ascii")
    image = (
        f"/Type /XObject /Subtype /Image /Width {_IMAGE_WIDTH} /Height {height} "
        "/ColorSpace /DeviceGray /BitsPerComponent 8"
    )
    return _assemble(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            (
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
                b"/Resources << /Font << /F1 5 0 R >> /XObject << /Im1 6 0 R >> >> >>"
            ),
            _stream("", page),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            _stream(image, pixels),
        ]
    )


def sign_pdf(
    pdf: bytes,
    *,
    signer: Identity,
    signed_at: datetime,
    field_name: str = "Signature1",
    reason: str = "Issue",
) -> bytes:
    """Append a PAdES (ETSI.CAdES.detached, SHA-256) signature with the signer's chain embedded.

    May be applied again with another `field_name` for a second signature. Blocking, and runs its own event
    loop: call it through `asyncio.to_thread` from a coroutine.

    Args:
        pdf: The document, signed or not.
        signer: Key and certificate, e.g. `Pki.signer`; RSA or elliptic curve.
        signed_at: Aware time written as the signing time; not checked against the certificate.
        field_name: Name of the signature field to create; must be new in this document.
        reason: Written into the signature dictionary.
    """
    asn1: Any = asn1_x509.Certificate  # asn1crypto is untyped
    certificates = [asn1.load(each.public_bytes(Encoding.DER)) for each in (signer.certificate, *signer.chain)]
    private_key_info: Any = asn1_keys.PrivateKeyInfo
    key = signer.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    new_registry: Any = SimpleCertificateStore  # its constructor carries no types
    registry = new_registry()
    registry.register_multiple(certificates[1:])
    simple = SimpleSigner(
        signing_cert=certificates[0],
        signing_key=private_key_info.load(key),
        cert_registry=registry,
    )
    metadata = PdfSignatureMetadata(
        field_name=field_name,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        reason=reason,
    )
    output = io.BytesIO()
    pdf_signer = _TimedSigner(metadata, signer=simple, signed_at=signed_at)
    pdf_signer.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)), output=output)
    return output.getvalue()


def make_docx(*, text: str) -> bytes:
    """Make a minimal Word document of one paragraph; the same text gives the same bytes."""
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    media = "application/vnd.openxmlformats"
    parts = {
        "[Content_Types].xml": (
            f'<Types xmlns="{package}/content-types">'
            f'<Default Extension="rels" ContentType="{media}-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" '
            f'ContentType="{media}-officedocument.wordprocessingml.document.main+xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r1" Type="{relation}" Target="word/document.xml"/></Relationships>'
        ),
        "word/document.xml": (
            f'<w:document xmlns:w="{word}"><w:body><w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p></w:body>'
            "</w:document>"
        ),
    }
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), declaration + content)
    return output.getvalue()


class _TimedSigner(PdfSigner):
    """A signer whose clock stands at the given time instead of reading the machine's."""

    def __init__(self, metadata: PdfSignatureMetadata, *, signer: SimpleSigner, signed_at: datetime) -> None:
        super().__init__(metadata, signer=signer)
        self._signed_at = signed_at

    def init_signing_session(self, pdf_out: Any, existing_fields_only: bool = False) -> Any:  # noqa: FBT001, FBT002 - overrides a foreign signature
        session = super().init_signing_session(pdf_out, existing_fields_only=existing_fields_only)
        session.system_time = self._signed_at
        return session


def _stream(entries: str, content: bytes) -> bytes:
    head = f"<< {entries} /Length {len(content)} >>\nstream\n".encode("ascii")
    return head + content + b"\nendstream"


def _assemble(objects: list[bytes]) -> bytes:
    """Number the objects from 1, write them with a cross-reference table; object 1 is the catalog."""
    parts = [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"]
    position = len(parts[0])
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(position)
        part = b"%d 0 obj\n%b\nendobj\n" % (number, content)
        parts.append(part)
        position += len(part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    identifier = hashlib.sha256(b"".join(parts)).hexdigest()[:32].encode()
    trailer = b"<< /Size %d /Root 1 0 R /ID [<%b> <%b>] >>" % (count, identifier, identifier)
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n%b\n" % (count, table, trailer))
    parts.append(b"startxref\n%d\n%%%%EOF\n" % position)
    return b"".join(parts)
