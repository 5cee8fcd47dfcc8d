"""The bytes of the documents' files."""

import random
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gateway.sandbox.demo.vendors import File
from gateway.sandbox.pdf import make_docx, make_pdf, sign_pdf
from gateway.sandbox.pki import Pki
from tests.crash.plan import DocumentShape, FileKind, FileShape

_MEDIA = {
    FileKind.SIGNED: ("signed.pdf", "application/pdf"),
    FileKind.PDF: ("pdf", "application/pdf"),
    FileKind.WORD: ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    FileKind.TEXT: ("txt", "text/plain"),
}
_POOL = 4


def make_pool(pki: Pki, *, now: datetime) -> Sequence[bytes]:
    """A few signed PDFs. Signing costs too much to do it for each document; each has a file of its own besides."""
    return [
        sign_pdf(make_pdf(size=30_000, title=f"Cong van {n}", seed=n), signer=pki.signer, signed_at=now)
        for n in range(_POOL)
    ]


def write_files(document: DocumentShape, *, pool: Sequence[bytes], folder: Path) -> Sequence[File]:
    """Write the document's files below `folder`. Blocking."""
    files = []
    for index, shape in enumerate(document.files):
        suffix, media_type = _MEDIA[shape.kind]
        path = folder / f"{document.number}-{index}.{suffix}"
        path.write_bytes(_bytes(shape, pool))
        files.append(File(name=path.name, media_type=media_type, path=path))
    return files


def _bytes(shape: FileShape, pool: Sequence[bytes]) -> bytes:
    match shape.kind:
        case FileKind.SIGNED:
            return pool[shape.seed % len(pool)]
        case FileKind.PDF:
            return make_pdf(size=shape.size, title=f"So {shape.seed}", seed=shape.seed)
        case FileKind.WORD:
            return make_docx(text=_words(shape))
        case FileKind.TEXT:
            return _words(shape).encode()


def _words(shape: FileShape) -> str:
    """Text that hardly shrinks: its digits are random."""
    return f"Văn bản số {shape.seed}\n" + random.Random(shape.seed).randbytes(shape.size // 2).hex()
