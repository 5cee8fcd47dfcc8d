"""The bytes of the documents' files."""

import random
from collections.abc import Iterable, Mapping, Sequence
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


def make_pool(documents: Iterable[DocumentShape], pki: Pki, *, now: datetime) -> Mapping[int, bytes]:
    """The signed PDFs of a run. Each document has a file of its own besides: signing costs too much."""
    seeds = {file.seed for document in documents for file in document.files if file.kind is FileKind.SIGNED}
    return {
        seed: sign_pdf(make_pdf(size=30_000, title=f"Cong van {seed}", seed=seed), signer=pki.signer, signed_at=now)
        for seed in sorted(seeds)
    }


def write_files(document: DocumentShape, *, pool: Mapping[int, bytes], folder: Path) -> Sequence[File]:
    """Write the document's files below `folder`. Blocking."""
    files = []
    for index, shape in enumerate(document.files):
        suffix, media_type = _MEDIA[shape.kind]
        path = folder / f"{document.number}-{index}.{suffix}"
        path.write_bytes(_bytes(shape, pool))
        files.append(File(name=path.name, media_type=media_type, path=path))
    return files


def _bytes(shape: FileShape, pool: Mapping[int, bytes]) -> bytes:
    match shape.kind:
        case FileKind.SIGNED:
            return pool[shape.seed]
        case FileKind.PDF:
            return make_pdf(size=shape.size, title=f"So {shape.seed}", seed=shape.seed)
        case FileKind.WORD:
            return make_docx(text=_words(shape))
        case FileKind.TEXT:
            return _words(shape).encode()


def _words(shape: FileShape) -> str:
    """Text that hardly shrinks: its digits are random."""
    return f"Văn bản số {shape.seed}\n" + random.Random(shape.seed).randbytes(shape.size // 2).hex()
