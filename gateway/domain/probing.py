"""What a connection test found, and from that what is likely wrong and what to do. Pure.

Peers, platforms and proxies say the same thing in many ways; `trouble_of` knows their words, `ADVICE` says the rest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum, auto
from types import MappingProxyType

SKEW_TOLERATED = timedelta(seconds=60)
"""Difference of clocks that is not mentioned. How old a signature may be is not published (axis.md 2.1)."""


class Step(StrEnum):
    """What is tried, in this order."""

    CONFIGURATION = auto()
    DNS = auto()
    TCP = auto()
    PROXY = auto()
    TLS = auto()
    HTTP = auto()
    TOKEN = auto()
    LOGIN = auto()
    WSDL = auto()
    PERMISSION = auto()
    LIST = auto()
    DIRECTORY = auto()
    SEND = auto()
    RETURN = auto()


class Verdict(StrEnum):
    """How a step ended."""

    OK = auto()
    FAILED = auto()
    SKIPPED = auto()


class Trouble(StrEnum):
    """What is likely wrong."""

    CONFIGURATION = auto()
    NAME_UNKNOWN = auto()
    NO_NAME_SERVICE = auto()
    CONNECTION_REFUSED = auto()
    NO_WAY_THERE = auto()
    NO_ANSWER = auto()
    CUT = auto()
    PROXY_REFUSES = auto()
    PROXY_WANTS_LOGIN = auto()
    NO_TLS = auto()
    TLS_WANTED = auto()
    TLS_DISAGREES = auto()
    SELF_SIGNED = auto()
    UNKNOWN_AUTHORITY = auto()
    WRONG_NAME = auto()
    EXPIRED = auto()
    NOT_YET_VALID = auto()
    CERTIFICATE_WANTED = auto()
    CERTIFICATE_REFUSED = auto()
    CONSUMER_REFUSED = auto()
    TOKEN_REFUSED = auto()
    NOT_SUBSCRIBED = auto()
    THROTTLED = auto()
    BACKEND_DOWN = auto()
    SECRET_WRONG = auto()
    CLOCK_WRONG = auto()
    LOGIN_REFUSED = auto()
    FORBIDDEN = auto()
    NOT_THERE = auto()
    REDIRECTED = auto()
    NOT_THE_AXIS = auto()
    SENDER_UNKNOWN = auto()
    RECIPIENT_UNKNOWN = auto()
    PACKET_REFUSED = auto()
    AXIS_TROUBLE = auto()
    WSDL_DIFFERS = auto()
    AGENCY_NOT_LISTED = auto()
    NOT_LISTED_BACK = auto()
    CONTENT_DIFFERS = auto()
    NOTHING_HARMLESS = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """For an operator."""

    cause: str
    """Likely cause, English."""
    remedy: str
    """What to do, English."""
    vi: str
    """Both in one Vietnamese sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step and how it went."""

    step: Step
    verdict: Verdict
    seconds: float
    place: str
    """`host:port` or operation that the step is about; "" = the account."""
    seen: str
    """What was seen, or why the step was skipped."""
    trouble: Trouble | None = None
    """Not None where it failed."""


def trouble_of(words: str, *, skew: timedelta | None = None) -> Trouble:
    """What a failure in an adapter's words points to; `skew` is the peer's clock less ours, where it is known."""
    for pattern, trouble in _SIGNS:
        if pattern.search(words):
            wrong_clock = skew is not None and abs(skew) > SKEW_TOLERATED
            return Trouble.CLOCK_WRONG if wrong_clock and trouble in _SIGNED else trouble
    return Trouble.UNKNOWN


_SIGNED = frozenset({Trouble.SECRET_WRONG, Trouble.FORBIDDEN, Trouble.LOGIN_REFUSED})
"""What a peer that checks the age of signatures says of one that is too old."""

_SIGNS: tuple[tuple[re.Pattern[str], Trouble], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), trouble)
    for pattern, trouble in (
        (r"self[- ]signed certificate in certificate chain", Trouble.UNKNOWN_AUTHORITY),
        (r"self[- ]signed", Trouble.SELF_SIGNED),
        (r"hostname mismatch|ip address mismatch|doesn't match", Trouble.WRONG_NAME),
        (r"certificate has expired", Trouble.EXPIRED),
        (r"not yet valid", Trouble.NOT_YET_VALID),
        (r"unable to get (local )?issuer|certificate.verify.failed", Trouble.UNKNOWN_AUTHORITY),
        (r"certificate.required|peer did not return a certificate", Trouble.CERTIFICATE_WANTED),
        (r"alert.(bad.certificate|unknown.ca|certificate)|unknown.ca|access.denied", Trouble.CERTIFICATE_REFUSED),
        (r"wrong.version.number|record.layer|http.request", Trouble.NO_TLS),
        (r"plain http request|http request to an https", Trouble.TLS_WANTED),
        (r"handshake.failure|unsupported.protocol|protocol.version|no.shared.cipher|\bssl\b", Trouble.TLS_DISAGREES),
        (r"\b407\b", Trouble.PROXY_WANTS_LOGIN),
        (r"the proxy did not connect", Trouble.PROXY_REFUSES),
        (r"name or service not known|nodename nor servname|no address associated|name has no", Trouble.NAME_UNKNOWN),
        (r"temporary failure in name resolution", Trouble.NO_NAME_SERVICE),
        (r"connection refused|all connection attempts failed", Trouble.CONNECTION_REFUSED),
        (r"unreachable|no route to host", Trouble.NO_WAY_THERE),
        (r"invalid_client|unauthorized_client|client authentication failed", Trouble.CONSUMER_REFUSED),
        (r"\b900908\b|\b900907\b|subscription|\bforbidden by policy\b", Trouble.NOT_SUBSCRIBED),
        (r"\b90090[0-69]\b|invalid credentials|a new token is refused too", Trouble.TOKEN_REFUSED),
        (r"\b9008\d\d\b|throttl|\b429\b", Trouble.THROTTLED),
        (r"\b10150[0-9]\b|\b30300[01]\b|HTTP 50[234]\b", Trouble.BACKEND_DOWN),
        (r"no login: (HTTP 40[013]|the answer holds)|password|đăng nhập", Trouble.LOGIN_REFUSED),
        (r"^15:|\b15: the axis refuses|system id or secret", Trouble.SECRET_WRONG),
        (r"HTTP 40[13]\b", Trouble.FORBIDDEN),
        (r"HTTP 3\d\d\b|redirect", Trouble.REDIRECTED),
        (r"HTTP 40[45]\b", Trouble.NOT_THERE),
        (r"^19:|sender is not registered", Trouble.SENDER_UNKNOWN),
        (r"^(18|23):|recipient", Trouble.RECIPIENT_UNKNOWN),
        (r"^(10|22):|edxml", Trouble.PACKET_REFUSED),
        (r"^2[01]:|HTTP 500\b", Trouble.AXIS_TROUBLE),
        (r"server disconnected|\bcut\b|connection reset", Trouble.CUT),
        (r"HTML page|no axis envelope|not? json|no http|JSON object", Trouble.NOT_THE_AXIS),
        (r"in time|timed out|no answer within", Trouble.NO_ANSWER),
        (r"broke off", Trouble.CUT),
    )
)
"""Tried from the top: what is nearer to the wire comes first, since it explains what is further away."""


def _advice(cause: str, remedy: str, vi: str) -> Advice:
    return Advice(cause=cause, remedy=remedy, vi=vi)


ADVICE: Mapping[Trouble, Advice] = MappingProxyType(
    {
        Trouble.CONFIGURATION: _advice(
            "the configuration names something that cannot be used",
            "mend the key that is named; check-config tells of all",
            "Cấu hình sai; hãy sửa mục được nêu.",
        ),
        Trouble.NAME_UNKNOWN: _advice(
            "the name is wrong, or known only inside the dedicated network",
            "compare `endpoint` with the axis's paper; set the network's DNS server, or an entry in /etc/hosts",
            "Không phân giải được tên máy chủ; kiểm tra endpoint và DNS của mạng chuyên dùng.",
        ),
        Trouble.NO_NAME_SERVICE: _advice(
            "no DNS server answers this machine",
            "check /etc/resolv.conf and the way to the DNS server",
            "Máy chủ DNS không trả lời.",
        ),
        Trouble.CONNECTION_REFUSED: _advice(
            "nothing listens on that port, or a firewall refuses",
            "compare the port (often 8280 or 8380 plain, 443 TLS); ask for the firewall to be opened for this machine",
            "Cổng bị từ chối; kiểm tra số cổng và tường lửa.",
        ),
        Trouble.NO_WAY_THERE: _advice(
            "no route to that network",
            "check the dedicated network's line, its routes and the gateway's network interface",
            "Không có đường mạng tới máy chủ; kiểm tra mạng truyền số liệu chuyên dùng.",
        ),
        Trouble.NO_ANSWER: _advice(
            "a firewall drops the packets without a word, or the peer is overloaded",
            "ask for the firewall to be opened for this machine's address; try again later",
            "Không có trả lời; có thể tường lửa chặn hoặc máy chủ quá tải.",
        ),
        Trouble.CUT: _advice(
            "something on the way accepts the connection and drops it: a forwarder without a backend, a firewall",
            "ask who runs the peer whether it is up behind its load balancer",
            "Kết nối bị cắt giữa chừng; hỏi đơn vị vận hành phía trục.",
        ),
        Trouble.PROXY_REFUSES: _advice(
            "the proxy may not, or cannot, connect to the peer",
            "ask for the peer's name and port to be allowed on the proxy",
            "Proxy không cho kết nối tới máy chủ trục.",
        ),
        Trouble.PROXY_WANTS_LOGIN: _advice(
            "the proxy wants a login, which this gateway does not give",
            "ask for this machine's address to be allowed without a login",
            "Proxy yêu cầu đăng nhập; xin cho phép theo địa chỉ máy.",
        ),
        Trouble.NO_TLS: _advice(
            "the port speaks plain HTTP, not TLS",
            "write http:// instead of https://, or the TLS port; plain only inside the dedicated network",
            "Cổng này không dùng TLS; sửa giao thức hoặc số cổng trong endpoint.",
        ),
        Trouble.TLS_WANTED: _advice(
            "the port speaks TLS and was asked in plain",
            "write https:// in the address",
            "Cổng này yêu cầu https.",
        ),
        Trouble.TLS_DISAGREES: _advice(
            "both sides share no version or cipher of TLS, or the peer wants a client certificate",
            "TLS 1.2 is the least here; ask the peer to offer it, and whether it wants a client certificate",
            "Không thống nhất được phiên bản TLS, hoặc phía trục cần chứng thư máy khách.",
        ),
        Trouble.SELF_SIGNED: _advice(
            "the peer's certificate is its own authority",
            "get the certificate from the peer by another way, compare its fingerprint, name it in `ca_file`",
            "Chứng thư tự ký; lấy chứng thư qua kênh tin cậy và khai báo ca_file.",
        ),
        Trouble.UNKNOWN_AUTHORITY: _advice(
            "the authority of the peer's certificate is not trusted here, or the peer sends no intermediate",
            "name the authority's certificate in `ca_file`; never turn verification off",
            "Không tin cậy đơn vị cấp chứng thư; khai báo ca_file.",
        ),
        Trouble.WRONG_NAME: _advice(
            "the certificate is for another name than the address",
            "use in the address one of the names that the certificate has, if need be by an entry in /etc/hosts",
            "Tên trong chứng thư khác tên máy chủ trong endpoint.",
        ),
        Trouble.EXPIRED: _advice(
            "the peer's certificate is over, or the clock here is ahead",
            "check the clock; tell the peer to renew its certificate",
            "Chứng thư phía trục đã hết hạn; kiểm tra đồng hồ và báo phía trục.",
        ),
        Trouble.NOT_YET_VALID: _advice(
            "the clock here is behind, or the peer's certificate begins later",
            "check the clock and its NTP server",
            "Chứng thư chưa có hiệu lực; kiểm tra đồng hồ máy.",
        ),
        Trouble.CERTIFICATE_WANTED: _advice(
            "the peer wants a client certificate and none is configured",
            "set `client_certificate` and `client_key`",
            "Phía trục yêu cầu chứng thư máy khách.",
        ),
        Trouble.CERTIFICATE_REFUSED: _advice(
            "the peer does not accept the client certificate: another authority, over, or withdrawn",
            "compare its issuer and dates with what the peer registered; send the intermediates along in the file",
            "Phía trục không chấp nhận chứng thư máy khách.",
        ),
        Trouble.CONSUMER_REFUSED: _advice(
            "the platform does not know this consumer key with this secret",
            "generate the keys anew on the platform; mind production and sandbox keys, and stray spaces",
            "Nền tảng từ chối consumer key/secret.",
        ),
        Trouble.TOKEN_REFUSED: _advice(
            "the token is of another platform, environment or key type than the API wants",
            "compare `token_url` and `endpoint`: both of the same platform, both production or both sandbox",
            "Token không hợp lệ với API này; kiểm tra token_url và endpoint cùng môi trường.",
        ),
        Trouble.NOT_SUBSCRIBED: _advice(
            "the application has no subscription to this API",
            "subscribe the application to the API on the platform, then generate its keys anew",
            "Ứng dụng chưa đăng ký (subscribe) API này trên nền tảng.",
        ),
        Trouble.THROTTLED: _advice(
            "the platform's limit of calls is used up",
            "wait; ask for a higher tier, or lengthen `poll_seconds`",
            "Vượt giới hạn số lần gọi; chờ hoặc xin nâng hạn mức.",
        ),
        Trouble.BACKEND_DOWN: _advice(
            "the platform or load balancer answers, the axis behind it does not",
            "tell who runs the platform; nothing is wrong here",
            "Hệ thống phía sau nền tảng không hoạt động; báo đơn vị vận hành.",
        ),
        Trouble.SECRET_WRONG: _advice(
            "the system id or the secret is wrong, or the account is not yet opened",
            "compare both with the axis's paper, letter by letter; production and test have different ones",
            "Sai mã hệ thống hoặc khóa bí mật.",
        ),
        Trouble.CLOCK_WRONG: _advice(
            "the clocks differ, and signatures carry the time",
            "set this machine's clock by NTP; if it is right, tell the peer that its own is not",
            "Đồng hồ hai bên lệch nhau; đồng bộ NTP.",
        ),
        Trouble.LOGIN_REFUSED: _advice(
            "the user name, the password or the application code is wrong, or the account is locked",
            "compare them with the peer's paper; too many wrong tries may lock the account",
            "Đăng nhập bị từ chối; kiểm tra tài khoản, mật khẩu.",
        ),
        Trouble.FORBIDDEN: _advice(
            "the peer refuses this caller: a platform's token is wanted, or this address is not allowed",
            "ask whether a platform stands before the axis (section `platform`) and whether this address is registered",
            "Phía trục từ chối; có thể cần token nền tảng hoặc đăng ký địa chỉ IP.",
        ),
        Trouble.NOT_THERE: _advice(
            "the path in the address is wrong: the operation's name is appended to it",
            "compare `endpoint` with the axis's paper: path, version, no operation name at its end",
            "Sai đường dẫn endpoint.",
        ),
        Trouble.REDIRECTED: _advice(
            "the peer sends callers elsewhere, often from http to https or to a login page",
            "write the address that it names into `endpoint`, once its owner confirms it",
            "Phía trục chuyển hướng; sửa endpoint theo địa chỉ đúng.",
        ),
        Trouble.NOT_THE_AXIS: _advice(
            "something other than the axis answers: a web server, a proxy's error page, another API",
            "compare host, port and path; look at the page with curl",
            "Trả lời không phải của trục; kiểm tra endpoint.",
        ),
        Trouble.SENDER_UNKNOWN: _advice(
            "the axis has not registered this agency under this system id",
            "register the agency under the system id, or mend `agencies`",
            "Đơn vị gửi chưa đăng ký với mã hệ thống này.",
        ),
        Trouble.RECIPIENT_UNKNOWN: _advice(
            "the axis does not know the agency as a recipient, or has locked it",
            "look for its current code in the directory; mend `agencies`",
            "Trục không nhận diện được mã đơn vị nhận.",
        ),
        Trouble.PACKET_REFUSED: _advice(
            "the axis wants packets in another form",
            "try another `dialect`, and `hash_form` where there is one; ask the axis for a packet it takes",
            "Trục không chấp nhận dạng gói tin; thử dialect khác.",
        ),
        Trouble.AXIS_TROUBLE: _advice(
            "the axis has an error of its own",
            "try again later; tell the axis the time and the words above",
            "Trục báo lỗi hệ thống; thử lại sau.",
        ),
        Trouble.WSDL_DIFFERS: _advice(
            "the peer's WSDL is not read, or offers other operations than are called",
            "compare its address and its operations with docs/reference; an empty `wsdl` uses the gateway's own",
            "WSDL của phía trục khác với các thao tác được gọi.",
        ),
        Trouble.AGENCY_NOT_LISTED: _advice(
            "the account receives for an agency that the axis's directory does not hold",
            "mend `agencies` (codes change), or register the agency with the axis",
            "Mã đơn vị không có trong danh mục của trục.",
        ),
        Trouble.NOT_LISTED_BACK: _advice(
            "the axis took the packet and does not list it to us, or a running gateway was faster",
            "see whether `inbox problems` has it (STATUS_UNPLACED); if not, ask the axis who receives for the agency",
            "Trục đã nhận gói tin nhưng không trả lại, hoặc cổng đang chạy đã lấy trước; xem inbox problems.",
        ),
        Trouble.CONTENT_DIFFERS: _advice(
            "what came back is not what was sent",
            "tell the axis; compare both packets with `packet inspect`",
            "Nội dung nhận lại khác nội dung đã gửi.",
        ),
        Trouble.NOTHING_HARMLESS: _advice(
            "this dialect has nothing harmless that could be sent",
            "leave --send-to-self away; send a document to a colleague's agency instead",
            "Không có gói tin vô hại để tự gửi; hãy gửi thử một văn bản.",
        ),
        Trouble.UNKNOWN: _advice(
            "not known",
            "send the words above to the peer's support",
            "Chưa rõ nguyên nhân; gửi thông tin trên cho phía trục.",
        ),
    }
)
