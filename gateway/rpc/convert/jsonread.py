"""A document described in JSON: the mapping of the contract's Document, attachments by path or inline.

Beside the contract's fields each attachment has `path`, the file that holds its bytes.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from gateway.domain.document import Attachment, AttachmentRole, Document, TraceHeader
from gateway.domain.errors import FieldViolation
from gateway.domain.ids import Digest
from gateway.pb.lgsp.gateway.v1 import document_pb2 as pb
from gateway.rpc.convert.form import Form
from gateway.rpc.convert.incoming import ROLES_IN, UNKNOWN_SIZE, document_in

_TOP = "document"
_OUR_PACKAGE = "lgsp.gateway.v1."
_SENTENCE = 200
_PREAMBLE = re.compile(r"^Failed to parse \w+ field: ")
_PLACE = re.compile(r" at \"?Document\b.*$", re.DOTALL)
_BYTES_KEYS = ("path", "content")
_SAID_BY_GATEWAY = ("name", "deliveries", "accept_time", "signature_verdict")
"""Fields of Document and Attachment that no packet carries."""

_MemberList = Sequence[tuple[str, Any]]


class NotJsonError(ValueError):
    """The text is no JSON object; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedFile:
    """Where one attachment's bytes are, and what the description says of them."""

    source: str | bytes
    """A path as written, or the bytes."""
    role: AttachmentRole | None
    """None = not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedDocument:
    """A document as described."""

    document: Document
    """Attachments have size UNKNOWN_SIZE and an empty digest where none was given."""
    files: tuple[DescribedFile, ...]
    """One per attachment, same order."""
    passed_over: tuple[str, ...]
    """Paths of what was given and is only ever said by the gateway, such as deliveries."""


def read_document(text: str) -> DescribedDocument | tuple[FieldViolation, ...]:
    """The document in a JSON text, or everything that is wrong with its fields. Raises NotJsonError."""
    try:
        value = json.loads(text, object_pairs_hook=_Members, parse_constant=_refuse_constant)
        return _read(value)
    except RecursionError:
        raise NotJsonError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotJsonError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except _ConstantError as error:
        raise NotJsonError(f"{error} is no JSON number") from None
    except ValueError as error:  # such as an integer of thousands of digits
        raise NotJsonError(str(error)[:_SENTENCE]) from None


class _ConstantError(ValueError):
    """NaN or Infinity."""


class _Members(list[tuple[str, Any]]):
    """The members of one JSON object, repetitions included."""


def _refuse_constant(word: str) -> float:
    raise _ConstantError(word)


def _read(value: object) -> DescribedDocument | tuple[FieldViolation, ...]:
    if not isinstance(value, _Members):
        raise NotJsonError("the outermost value is no object")
    form = Form()
    message = pb.Document()
    sources: list[_MemberList] = []
    _fill(form, message, value, _TOP, sources)
    files = tuple(
        _file(form, f"{_TOP}.attachments[{i}]", each, source)
        for i, (each, source) in enumerate(zip(message.attachments, sources, strict=True))
    )
    passed_over = tuple(_passed_over(message))
    attachments = tuple(
        _attachment(form, f"{_TOP}.attachments[{i}]", each, file)
        for i, (each, file) in enumerate(zip(message.attachments, files, strict=True))
    )
    del message.attachments[:]
    document = document_in(form, message).document
    trace = tuple(TraceHeader(organ_id=each.organ_id, timestamp=each.timestamp) for each in message.trace)
    if form.violations:
        return tuple(form.violations)
    whole = replace(document, attachments=attachments, trace=trace)
    return DescribedDocument(document=whole, files=files, passed_over=passed_over)


def _passed_over(message: pb.Document) -> Iterator[str]:
    for name in _SAID_BY_GATEWAY:
        if name in {field.name for field, _ in message.ListFields()}:
            yield f"{_TOP}.{name}"
    for i, attachment in enumerate(message.attachments):
        for field, _ in attachment.ListFields():
            if field.name in _SAID_BY_GATEWAY:
                yield f"{_TOP}.attachments[{i}].{field.name}"


def _fill(
    form: Form,
    message: Message,
    members: _MemberList,
    path: str,
    sources: list[_MemberList],
) -> None:
    """Fill a message from the members of its object; `sources` gets what attachments say about their bytes."""
    fields = {name: field for field in message.DESCRIPTOR.fields for name in (field.name, field.json_name)}
    own = _BYTES_KEYS if isinstance(message, pb.Attachment) else ()
    if own:
        sources.append([(name, value) for name, value in members if name in own])
    seen: set[str] = set()
    for name, value in members:
        field = fields.get(name)
        at = f"{path}.{name if field is None else field.name}"
        known = name if name in own else field and field.name
        if not known:
            form.wrong(at, "is no field of the contract", "không phải trường của hợp đồng giao tiếp")
        elif known in seen:
            form.wrong(at, "is given twice", "được ghi hai lần")
        elif name not in own and value is not None:
            assert field is not None
            inner = field.message_type
            if inner is not None and inner.full_name.startswith(_OUR_PACKAGE):
                target = getattr(message, field.name)
                for place, item, submessage in _groups(form, target, value, at):
                    _fill(form, submessage, item, place, sources)
            else:
                _fill_scalar(form, message, field.name, value, at)
        seen.add(known or name)


def _groups(form: Form, target: Any, value: object, path: str) -> Iterator[tuple[str, _MemberList, Message]]:
    """The objects in a field that holds one message or many, each with its path and the message to fill."""
    many = not isinstance(target, Message)
    if many and (isinstance(value, _Members) or not isinstance(value, list)):
        form.wrong(path, "is not a list", "không phải danh sách")
        return
    for i, item in enumerate(value if many and isinstance(value, list) else [value]):
        place = f"{path}[{i}]" if many else path
        submessage = target.add() if many else target
        if isinstance(item, _Members):
            submessage.SetInParent()
            yield place, item, submessage
        else:
            form.wrong(place, "is not an object", "không phải đối tượng JSON")


def _is_unicode(text: str) -> bool:
    """JSON can escape half a surrogate pair, which no UTF-8 can hold and protobuf fails on."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_no_choice(value: object) -> bool:
    """What protobuf's parser would take for an enum's number all the same, cut to a whole one."""
    return isinstance(value, bool) or (isinstance(value, float) and not value.is_integer())


def _fill_scalar(form: Form, message: Message, name: str, value: object, path: str) -> None:
    words = value if isinstance(value, list) else [value]
    if not all(_is_unicode(word) for word in words if isinstance(word, str)):
        form.wrong(path, "holds half a surrogate pair", "chứa ký tự Unicode không hợp lệ")
        return
    if message.DESCRIPTOR.fields_by_name[name].enum_type is not None and _is_no_choice(value):
        form.wrong(path, "is neither a name nor a whole number", "không phải tên hoặc số nguyên")
        return
    try:
        ParseDict({name: value}, message)
    except ParseError as error:
        said = _PLACE.sub("", _PREAMBLE.sub("", str(error))).rstrip(".")[:_SENTENCE]
        form.wrong(path, f"cannot be read: {said}", "không đọc được")


def _file(form: Form, path: str, message: pb.Attachment, source: _MemberList) -> DescribedFile:
    role = form.choice(f"{path}.role", message.role, ROLES_IN, None)
    given = {name: value for name, value in source if value is not None}
    if len(given) != 1:
        form.wrong(path, "needs one of path and content", "cần đúng một trong hai: path hoặc content")
        return DescribedFile(source=b"", role=role)
    (name, value), *_ = given.items()
    found: str | bytes = b""
    if not isinstance(value, str) or (name == "path" and not value):
        form.wrong(f"{path}.{name}", "is not a text", "không phải chuỗi ký tự")
    elif name == "path":
        found = value
    else:
        try:
            found = base64.b64decode(value.encode().translate(bytes.maketrans(b"-_", b"+/")), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            form.wrong(f"{path}.content", "is not base64", "không phải base64")
    return DescribedFile(source=found, role=role)


def _attachment(form: Form, path: str, message: pb.Attachment, file: DescribedFile) -> Attachment:
    if message.size_bytes < 0:
        form.wrong(f"{path}.size_bytes", "is negative", "là số âm")
    last = file.source.rpartition("/")[2] if isinstance(file.source, str) else ""
    return Attachment(
        name=message.attachment_name or last,
        media_type=message.media_type,
        size=message.size_bytes or UNKNOWN_SIZE,
        sha256=form.digest(f"{path}.sha256", message.sha256) if message.sha256 else Digest(""),
        role=file.role or AttachmentRole.ANNEX,
        description=message.description,
        field_name=message.field_name,
        mime_type=message.mime_type,
        format=message.format,
    )
