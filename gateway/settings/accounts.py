"""Accounts on axes, one section for each dialect; docs/reference/settings.md is printed from here."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, SecretStr, StringConstraints, Tag, model_validator

from gateway.settings.sections import MIB, Code, Section

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s?#@]+$")]
Printable = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
Segment = Annotated[str, StringConstraints(pattern=r"^/[^\s?#]*$")]


def _one_of(what: str, *given: object) -> None:
    if sum(each is not None for each in given) != 1:
        raise ValueError(f"exactly one of {what} and {what}_file is required")


_HOLD: Any = Field(default="hold", description="A document packet whose fate cannot be asked.")


class AccessHeaderSettings(Section):
    """Header `lgspaccesstoken`: base64 of a JSON object with these members (axis.md 10)."""

    access_key: str = Field(min_length=1, description="AccessKey.")
    secret_key: SecretStr | None = Field(default=None, description="SecretKey; better a file.")
    secret_key_file: Path | None = Field(default=None, description="File with the SecretKey, white space ignored.")
    app_name: str = Field(default="", description="AppName.")
    partner_code: str = Field(default="", description="PartnerCode.")
    partner_code_cus: str = Field(default="", description="PartnerCodeCus.")

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        _one_of("secret_key", self.secret_key, self.secret_key_file)
        return self


class PlatformSettings(Section):
    """Access to an LGSP platform: OAuth2 client credentials, as WSO2 API Manager wants them (axis.md 10)."""

    token_url: Url = Field(description="URL that gives tokens for client credentials.")
    consumer_key: str = Field(min_length=1, description="Consumer key.")
    consumer_secret: SecretStr | None = Field(default=None, description="Consumer secret; better a file.")
    consumer_secret_file: Path | None = Field(default=None, description="File with it, white space ignored.")
    scope: str = Field(default="", description="Scope asked for; empty = the platform's default.")
    margin_seconds: float = Field(
        default=60, ge=0, le=3600, description="A token is replaced this long before it expires."
    )
    token_minutes: float = Field(default=60, gt=0, le=24 * 60, description="Life of a token whose answer has none.")
    access_header: AccessHeaderSettings | None = Field(
        default=None, description="Header lgspaccesstoken, with the token call and every other call."
    )

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        _one_of("consumer_secret", self.consumer_secret, self.consumer_secret_file)
        return self


class AxisSettings(Section):
    """What accounts on all axes share."""

    agencies: tuple[Code, ...] = Field(
        min_length=1,
        description="Roots whose units this account receives for, by current code.",
    )
    client_certificate: Path | None = Field(
        default=None, description="PEM chain shown to an https peer that wants one (mutual TLS)."
    )
    client_key: Path | None = Field(default=None, description="PEM key of that certificate.")
    proxy: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s?#@]+)?$")] = Field(
        default="", description="HTTP proxy on the way to the peer; empty = none. The environment is not asked."
    )
    platform: PlatformSettings | None = Field(
        default=None, description="The LGSP platform in front of the axis, where its token is demanded."
    )
    ca_file: Path | None = Field(default=None, description="PEM authorities for an https endpoint; none = system's.")
    dialect: Literal["national", "dotnet", "bkav"] = Field(
        default="national",
        description="Form of packets: national Java SDK, .NET SDK, Bkav's axis. The next six change single habits.",
    )
    status_container: Literal["MessageHeader", "Status"] | None = Field(
        default=None,
        description="Element that holds a status.",
    )
    zip_rule: bool | None = Field(
        default=None,
        description="Files other than pdf, doc, docx and zip travel alone in a ZIP.",
    )
    type_practice: Literal["as_given", "sdk", "list_number"] | None = Field(
        default=None,
        description="Type and TypeDetail: as the vendor gave them, 1 and 0, or the list's number as Type.",
    )
    additions: bool | None = Field(default=None, description="Elements of the national SDK's own are written.")
    receiver_added: Annotated[int, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="The ReceiverType that means added.",
    )
    priority_five_is_normal: bool | None = Field(default=None, description="A received Priority 5 means 0.")
    on_unknown: Literal["hold", "resend_new", "resend"] = _HOLD
    settling_seconds: float = Field(
        default=120, ge=0, le=86400, description="Time after which a missing list entry means absent."
    )
    poll_seconds: float = Field(default=30, ge=0.1, le=3600, description="Pause between two looks at what waits.")
    recipients_per_message: int = Field(default=100, ge=1, le=5000, description="Recipients in one packet.")
    max_packet_bytes: int = Field(default=420 * MIB, gt=0, description="Largest packet the peer takes.")
    max_in_flight: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Packets under way to the axis at a time, all replicas together; 0 = no limit.",
    )
    refused_recipient: Literal["divide", "fail"] = Field(
        default="divide",
        description="A packet for several recipients refused because of one: sent again in halves, or failed whole.",
    )
    refused_recipient_codes: tuple[str, ...] = Field(
        default=("18", "23"),
        description="The axis's codes for a recipient that is unknown or locked.",
    )
    circuit_failures: int = Field(
        default=5, ge=1, le=1000, description="Failures in a row after which the axis counts as down."
    )
    circuit_pause_seconds: float = Field(
        default=5, gt=0, le=600, description="Pause between two probes of an axis that is down."
    )
    reconcile_minutes: float = Field(
        default=15, ge=0, le=24 * 60, description="Pause between two comparisons with the axis's lists; 0 = none."
    )
    reconcile_days: float = Field(default=7, gt=0, le=366, description="How far back a comparison looks.")
    connect_seconds: float = Field(default=10, gt=0, le=600, description="Longest wait for a connection.")
    read_seconds: float = Field(default=60, gt=0, le=3600, description="Longest silence of the peer.")
    total_seconds: float = Field(default=600, gt=0, le=3600, description="Longest call.")

    @model_validator(mode="after")
    def _has_whole_certificate(self) -> Self:
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key come together")
        return self


class VxpSettings(AxisSettings):
    """One account on the national axis, or one that speaks like it (VXP: REST with HMAC headers)."""

    kind: Literal["vxp"] = Field(default="vxp", description="The dialect.")
    on_unknown: Literal["hold", "resend"] = _HOLD
    endpoint: Url = Field(description="Base URL; the operation name is appended.")
    system_id: Printable = Field(description="System id given by the axis.")
    secret: SecretStr | None = Field(default=None, description="Secret given by the axis; better a file.")
    secret_file: Path | None = Field(default=None, description="File with the secret, outer white space ignored.")
    hash_form: Literal["short", "padded"] = Field(default="short", description="Form of hash-file, axis quirk.")
    fetch: Literal["download", "get"] = Field(default="download", description="downloadEdoc or getEdoc.")
    sent_list: Literal["by_docid", "by_sender"] = Field(
        default="by_docid",
        description="by_sender: an empty docId lists the sender's items, so a lost answer can be resolved by asking.",
    )

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        _one_of("secret", self.secret, self.secret_file)
        return self


class UsernameTokenSettings(Section):
    """WS-Security UsernameToken in the SOAP header."""

    username: str = Field(min_length=1, description="User name.")
    password: SecretStr | None = Field(default=None, description="Password; better a file.")
    password_file: Path | None = Field(default=None, description="File with the password, white space ignored.")
    digest: bool = Field(default=False, description="Send a digest of the password instead of its text.")

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        _one_of("password", self.password, self.password_file)
        return self


class SoapSettings(AxisSettings):
    """One account on a provincial axis that speaks eDoc SOAP (axis.md 9)."""

    kind: Literal["soap"] = Field(description="The dialect.")
    endpoint: Url = Field(description="Address of the service.")
    organ_id: Code = Field(description="OrganId of the account, in KeyInfo and in request bodies.")
    token: SecretStr | None = Field(default=None, description="Static token of that organ; better a file.")
    token_file: Path | None = Field(default=None, description="File with the token, outer white space ignored.")
    token_header: bool = Field(
        default=False, description="The token also goes as Token into the SOAP header, as older clients send it."
    )
    attachments: Literal["swa", "mtom", "inline"] = Field(
        default="swa",
        description="Files as MIME parts of base64 text, as binary MIME parts (XOP), or inside the envelope (8 MiB).",
    )
    wsdl: str = Field(
        default="", description="URL or file of the peer's own WSDL; empty = the gateway's, docs/schemas/edoc."
    )
    username_token: UsernameTokenSettings | None = Field(default=None, description="WS-Security UsernameToken.")
    signing_certificate: Path | None = Field(
        default=None, description="PEM certificate of the key that signs requests (WS-Security X.509)."
    )
    signing_key: Path | None = Field(default=None, description="PEM key that signs requests.")
    dialect: Literal["national", "dotnet", "bkav"] = Field(default="bkav", description="Form of packets.")
    on_unknown: Literal["hold", "resend_new", "resend"] = Field(
        default="resend_new",
        description="A document packet whose fate cannot be asked. resend_new: a new document is sent again, since a "
        "repeated one is refused with M.Exist; a recall, update or replacement is held.",
    )
    recipients_per_message: int = Field(
        default=5000, ge=1, le=5000, description="Recipients in one packet; a second packet of a document is refused."
    )
    refused_recipient: Literal["divide", "fail"] = Field(
        default="fail",
        description="A packet refused because of one recipient: failed whole, since a second half would be refused.",
    )

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        _one_of("token", self.token, self.token_file)
        if (self.signing_certificate is None) != (self.signing_key is None):
            raise ValueError("signing_certificate and signing_key come together")
        return self


class LangSonSettings(AxisSettings):
    """One account on a provincial axis of the Lang Son kind (REST with a login; axis.md 7)."""

    kind: Literal["langson"] = Field(description="The dialect.")
    on_unknown: Literal["hold", "resend"] = _HOLD
    endpoint: Url = Field(description="Base URL; /v1/... is appended.")
    system_id: Printable = Field(description="X-SystemId.")
    secret: SecretStr | None = Field(default=None, description="X-SecretKey; better a file.")
    secret_file: Path | None = Field(default=None, description="File with X-SecretKey, outer white space ignored.")
    username: str = Field(min_length=1, description="User name of the login.")
    password: SecretStr | None = Field(default=None, description="Password of the login; better a file.")
    password_file: Path | None = Field(default=None, description="File with the password, white space ignored.")
    application_code: str = Field(default="", description="applicationCode of the login.")
    token_minutes: float = Field(default=30, gt=0, le=24 * 60, description="Life of a login where it does not say.")
    list_days: int = Field(default=30, ge=1, le=366, description="Days back that lists of what waits are asked for.")
    max_packet_bytes: int = Field(default=50 * MIB, gt=0, description="Largest packet the peer takes.")

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        _one_of("secret", self.secret, self.secret_file)
        _one_of("password", self.password, self.password_file)
        return self


class QuangNamSettings(AxisSettings):
    """One account on a provincial facade of the Quang Nam kind (REST behind WSO2; axis.md 7)."""

    kind: Literal["quangnam"] = Field(description="The dialect.")
    on_unknown: Literal["hold", "resend"] = _HOLD
    endpoint: Url = Field(description="Base URL with its path, e.g. ending /truclienthong/v1.0.0.")
    secret: SecretStr | None = Field(default=None, description="The unit's secret, 64 hex digits; better a file.")
    secret_file: Path | None = Field(default=None, description="File with the secret, outer white space ignored.")
    secret_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][0-9A-Za-z\-_]*$")] = Field(
        default="secret", description="Name under which the secret travels."
    )
    secret_in: Literal["header", "query"] = Field(default="header", description="Where the secret travels.")

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        _one_of("secret", self.secret, self.secret_file)
        if self.platform is None:
            raise ValueError("platform is required: the facade wants a token with every call")
        return self


def _kind(value: object) -> str:
    """The dialect of an account; accounts of earlier releases do not say theirs."""
    return str(value.get("kind", "vxp") if isinstance(value, dict) else getattr(value, "kind", "vxp"))


AxisAccount = Annotated[
    Annotated[VxpSettings, Tag("vxp")]
    | Annotated[SoapSettings, Tag("soap")]
    | Annotated[LangSonSettings, Tag("langson")]
    | Annotated[QuangNamSettings, Tag("quangnam")],
    Discriminator(_kind),
]


class RouteSettings(Section):
    """Where documents for a subtree of agencies go."""

    agencies: tuple[Code, ...] = Field(
        default=(), description="Roots of the subtrees, by current code; none = all that no other route names."
    )
    via: tuple[str, ...] = Field(
        min_length=1, description="Accounts: the first is used, the others in this order while it is down."
    )
