"""The one error family: a code, a sentence in English and Vietnamese, where it was wrong, whether to retry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType


class ErrorCode(StrEnum):
    """Stable reasons; vendors may branch on them. docs/reference/errors.md: from the tables here and in rpc."""

    INVALID_FIELD = "INVALID_FIELD"
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN"
    UPLOAD_MALFORMED = "UPLOAD_MALFORMED"
    SIZE_MISMATCH = "SIZE_MISMATCH"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    ATTACHMENT_TOO_LARGE = "ATTACHMENT_TOO_LARGE"
    PACKET_TOO_LARGE = "PACKET_TOO_LARGE"
    ATTACHMENT_UNKNOWN = "ATTACHMENT_UNKNOWN"
    IDENTITY_UNKNOWN = "IDENTITY_UNKNOWN"
    AGENCY_NOT_PERMITTED = "AGENCY_NOT_PERMITTED"
    AGENCY_UNKNOWN = "AGENCY_UNKNOWN"
    RECIPIENT_UNKNOWN = "RECIPIENT_UNKNOWN"
    NO_ROUTE = "NO_ROUTE"
    DOCUMENT_UNKNOWN = "DOCUMENT_UNKNOWN"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    DOCUMENT_ID_REUSED = "DOCUMENT_ID_REUSED"
    DOCUMENT_REMOVED = "DOCUMENT_REMOVED"
    SIGNATURE_MISSING = "SIGNATURE_MISSING"
    SIGNATURE_ALTERED = "SIGNATURE_ALTERED"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    SIGNATURE_UNTRUSTED = "SIGNATURE_UNTRUSTED"
    LEASE_LOST = "LEASE_LOST"
    NOT_ACKNOWLEDGED = "NOT_ACKNOWLEDGED"
    ALREADY_REFUSED = "ALREADY_REFUSED"
    ALREADY_ACKNOWLEDGED = "ALREADY_ACKNOWLEDGED"
    STATUS_NOT_ALLOWED = "STATUS_NOT_ALLOWED"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    STORAGE_FULL = "STORAGE_FULL"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One message in both languages; `{name}` is filled from the error's facts."""

    en: str
    vi: str


SENTENCES: Mapping[ErrorCode, Sentence] = MappingProxyType(
    {
        ErrorCode.INVALID_FIELD: Sentence(
            en="the request has invalid fields; see the field violations",
            vi="Yêu cầu có trường không hợp lệ; xem chi tiết từng trường.",
        ),
        ErrorCode.INVALID_PAGE_TOKEN: Sentence(
            en="the page token was not issued by this service for these filters",
            vi="Mã trang không do dịch vụ này cấp cho bộ lọc này.",
        ),
        ErrorCode.UPLOAD_MALFORMED: Sentence(
            en="an upload is one metadata message followed by chunks of at most 1 MiB: {detail}",
            vi="Tải lên gồm một thông điệp mô tả rồi đến các khối tối đa 1 MiB: {detail}.",
        ),
        ErrorCode.SIZE_MISMATCH: Sentence(
            en="declared {declared} bytes, received {received}",
            vi="Khai báo {declared} byte nhưng nhận được {received} byte.",
        ),
        ErrorCode.DIGEST_MISMATCH: Sentence(
            en="the received bytes have SHA-256 {received}, declared was {declared}",
            vi="Dữ liệu nhận được có SHA-256 {received}, khác với khai báo {declared}.",
        ),
        ErrorCode.ATTACHMENT_TOO_LARGE: Sentence(
            en="an attachment may have at most {limit} bytes",
            vi="Tệp đính kèm không được vượt quá {limit} byte.",
        ),
        ErrorCode.PACKET_TOO_LARGE: Sentence(
            en="the packet would have {size} bytes, the axis account takes at most {limit}",
            vi="Gói tin có {size} byte, tài khoản trục chỉ nhận tối đa {limit} byte.",
        ),
        ErrorCode.ATTACHMENT_UNKNOWN: Sentence(
            en="attachment {attachment}: this vendor system has neither uploaded nor received these bytes",
            vi="Tệp {attachment}: hệ thống này chưa tải lên và chưa từng nhận nội dung đó.",
        ),
        ErrorCode.IDENTITY_UNKNOWN: Sentence(
            en="the client certificate belongs to no configured vendor system",
            vi="Chứng thư máy khách không thuộc hệ thống nào đã đăng ký.",
        ),
        ErrorCode.AGENCY_NOT_PERMITTED: Sentence(
            en="this vendor system may not act for agency {agency}",
            vi="Hệ thống này không được phép thay mặt cơ quan {agency}.",
        ),
        ErrorCode.AGENCY_UNKNOWN: Sentence(
            en="no agency is known by {agency}",
            vi="Không có cơ quan nào mang mã {agency}.",
        ),
        ErrorCode.RECIPIENT_UNKNOWN: Sentence(
            en="recipient {recipient} is unknown or closed",
            vi="Nơi nhận {recipient} không tồn tại hoặc đã ngừng hoạt động.",
        ),
        ErrorCode.NO_ROUTE: Sentence(
            en="no route of this gateway leads to recipient {recipient}; ask its operators",
            vi="Cổng này chưa có tuyến gửi đến nơi nhận {recipient}; hãy liên hệ đơn vị vận hành.",
        ),
        ErrorCode.DOCUMENT_UNKNOWN: Sentence(
            en="no such document: {name}",
            vi="Không có văn bản này: {name}.",
        ),
        ErrorCode.REQUEST_ID_REUSED: Sentence(
            en="request id {request_id} was used before with other content",
            vi="Mã yêu cầu {request_id} đã được dùng với nội dung khác.",
        ),
        ErrorCode.DOCUMENT_ID_REUSED: Sentence(
            en="document id {document_id} was used before with other content",
            vi="Mã văn bản {document_id} đã được dùng với nội dung khác.",
        ),
        ErrorCode.DOCUMENT_REMOVED: Sentence(
            en="document {document_id} was sent before and has been removed here since; it was not sent again",
            vi="Văn bản {document_id} đã được gửi trước đây và đã được xóa khỏi cổng theo thời hạn lưu; không gửi lại.",
        ),
        ErrorCode.SIGNATURE_MISSING: Sentence(
            en="attachment {attachment} carries no digital signature",
            vi="Tệp {attachment} chưa được ký số.",
        ),
        ErrorCode.SIGNATURE_ALTERED: Sentence(
            en="attachment {attachment} was altered after it was signed",
            vi="Tệp {attachment} đã bị thay đổi sau khi ký.",
        ),
        ErrorCode.SIGNATURE_INVALID: Sentence(
            en="attachment {attachment} carries an invalid signature: {detail}",
            vi="Chữ ký số trên tệp {attachment} không hợp lệ: {detail}.",
        ),
        ErrorCode.SIGNATURE_UNTRUSTED: Sentence(
            en="no signature of attachment {attachment} chains to a trusted authority: {detail}",
            vi="Chữ ký số trên tệp {attachment} không thuộc tổ chức chứng thực được tin cậy: {detail}.",
        ),
        ErrorCode.LEASE_LOST: Sentence(
            en="the lease ended and the document was handed out again; pull it anew",
            vi="Thời hạn giữ văn bản đã hết và văn bản đã được giao lại; hãy lấy lại.",
        ),
        ErrorCode.NOT_ACKNOWLEDGED: Sentence(
            en="acknowledge the document before reporting what was done with it",
            vi="Hãy xác nhận đã nhận văn bản trước khi báo trạng thái xử lý.",
        ),
        ErrorCode.ALREADY_REFUSED: Sentence(
            en="the document was refused; nothing more can be reported on it",
            vi="Văn bản đã bị từ chối; không thể báo thêm trạng thái.",
        ),
        ErrorCode.ALREADY_ACKNOWLEDGED: Sentence(
            en="the document was acknowledged and can no longer be refused",
            vi="Văn bản đã được xác nhận, không thể từ chối nữa.",
        ),
        ErrorCode.STATUS_NOT_ALLOWED: Sentence(
            en="status {status} cannot be reported here; allowed are {allowed}",
            vi="Không thể báo trạng thái {status} ở đây; chỉ chấp nhận {allowed}.",
        ),
        ErrorCode.CURSOR_EXPIRED: Sentence(
            en="the resume token is no longer valid; list documents, then watch from now",
            vi="Mã tiếp tục không còn hiệu lực; hãy liệt kê văn bản rồi theo dõi từ bây giờ.",
        ),
        ErrorCode.STORE_UNAVAILABLE: Sentence(
            en="the gateway cannot make anything durable at the moment; nothing was taken over",
            vi="Cổng tạm thời không lưu trữ được; chưa tiếp nhận gì.",
        ),
        ErrorCode.STORAGE_FULL: Sentence(
            en="storage is nearly full; nothing was accepted, try again later",
            vi="Dung lượng lưu trữ sắp hết; chưa tiếp nhận gì, vui lòng thử lại sau.",
        ),
        ErrorCode.SHUTTING_DOWN: Sentence(
            en="the gateway is shutting down; repeat the call",
            vi="Cổng đang dừng; hãy gọi lại.",
        ),
        ErrorCode.INTERNAL: Sentence(
            en="an unexpected error occurred; quote the request id {request_id}",
            vi="Đã xảy ra lỗi ngoài dự kiến; hãy báo mã yêu cầu {request_id}.",
        ),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldViolation:
    """One wrong field of a request."""

    path: str
    """Field path as in the contract, e.g. document.attachments[0].sha256."""
    en: str
    vi: str


def required(path: str) -> FieldViolation:
    """A field that was left out."""
    return FieldViolation(path=path, en="required", vi="Bắt buộc nhập.")


def unknown_value(path: str, value: int) -> FieldViolation:
    """A number that its list does not have."""
    return FieldViolation(
        path=path, en=f"{value} is no value of this list", vi=f"Giá trị {value} không có trong danh mục."
    )


class GatewayError(Exception):
    """A request that cannot be served, with everything its caller needs to mend it."""

    def __init__(
        self,
        code: ErrorCode,
        *,
        violations: Sequence[FieldViolation] = (),
        retry_after: timedelta | None = None,
        **facts: object,
    ) -> None:
        """Fill the code's sentence from `facts`; every `{name}` in it must be given."""
        self.code = code
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.facts = {name: str(value) for name, value in facts.items()}
        super().__init__(self.english)

    @property
    def english(self) -> str:
        """The sentence for developers."""
        return SENTENCES[self.code].en.format(**self.facts)

    @property
    def vietnamese(self) -> str:
        """The sentence for clerks."""
        return SENTENCES[self.code].vi.format(**self.facts)
