"""One TOML file, overridden by the environment, validated whole at start; the only reader of the environment.

An environment variable names its key with the prefix `LGSP_` and two underscores between levels:
`LGSP_AXIS__NATIONAL__SECRET_FILE` is `secret_file` of `[axis.national]`. docs/reference/settings.md: from here.
"""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.domain.agency import code_key
from gateway.rpc.config import is_loopback

MIB = 1024 * 1024

Address = Annotated[str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:]+\]|[0-9A-Za-z.\-]+):[0-9]{1,5}$")]
Code = Annotated[str, StringConstraints(min_length=1, max_length=35, pattern=r"^[0-9A-Za-z.\-]+$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9][a-z0-9\-]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class SettingsError(Exception):
    """The configuration cannot be used; each line names a key, what was found and what is allowed."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems, one line each."""
        self.problems = problems
        super().__init__("\n".join(problems))


class Section(BaseModel):
    """What all sections share: unknown keys are refused, values never change, nobody's input is echoed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ServerSettings(Section):
    """The gRPC listener for vendor systems."""

    listen: Address = Field(default="127.0.0.1:8443", description="Address and port for vendor systems.")
    tls_certificate: Path | None = Field(default=None, description="PEM chain of the server.")
    tls_key: Path | None = Field(default=None, description="PEM key of the server.")
    client_ca: Path | None = Field(
        default=None,
        description="PEM bundle of the authorities that issue vendor systems' certificates, and no other.",
    )
    plaintext_loopback_vendor: str = Field(
        default="",
        description="Trial only: no TLS, every caller is this vendor. Refused unless `listen` is a loopback address.",
    )
    drain_seconds: float = Field(default=20, ge=0, le=600, description="Time running calls get at a stop.")
    upload_expiry_hours: float = Field(default=24, gt=0, le=24 * 30, description="Life of an upload nobody refers to.")

    @model_validator(mode="after")
    def _is_secured(self) -> Self:
        files = (self.tls_certificate, self.tls_key, self.client_ca)
        if self.plaintext_loopback_vendor:
            if any(files):
                raise ValueError("plaintext_loopback_vendor and TLS files exclude each other")
            if not is_loopback(self.listen):
                raise ValueError("plaintext_loopback_vendor needs a loopback address in listen")
        elif not all(files):
            raise ValueError("tls_certificate, tls_key and client_ca are required (mutual TLS)")
        return self


class HealthSettings(Section):
    """The plaintext listener that serves grpc.health.v1 and nothing else."""

    listen: Address = Field(default="127.0.0.1:8081", description="Address and port for probes.")


class MetricsSettings(Section):
    """The HTTP listener for Prometheus."""

    listen: Address = Field(default="127.0.0.1:9090", description="Address and port for scrapes.")


class StoreSettings(Section):
    """The database: embedded, or PostgreSQL where a URL is given."""

    path: Path = Field(default=Path("lgsp-data/gateway.db"), description="SQLite file; its folder is created.")
    url: SecretStr | None = Field(
        default=None,
        description="`postgresql://USER:PASSWORD@HOST:PORT/NAME`, special characters percent-encoded; better a file.",
    )
    url_file: Path | None = Field(default=None, description="File with the URL, outer white space ignored.")

    @model_validator(mode="after")
    def _has_one_url(self) -> Self:
        if self.url is not None and self.url_file is not None:
            raise ValueError("url and url_file exclude each other")
        return self


class BlobSettings(Section):
    """Where attachments and raw packets are kept."""

    path: Path = Field(default=Path("lgsp-data/blobs"), description="Directory, on the same backup as the store.")


class LogSettings(Section):
    """Logs: JSON lines on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Lowest level written.")


class SignatureSettings(Section):
    """Signatures inside PDF attachments."""

    trust_dir: Path = Field(description="Directory of PEM or DER certificates of trusted authorities.")
    submit: Literal["off", "main_signed", "main_trusted"] = Field(
        default="main_trusted",
        description="What the main PDF of a submission needs.",
    )
    inbound_altered: Literal["flag", "refuse"] = Field(
        default="refuse",
        description="What happens to a received document whose signed bytes were changed.",
    )
    workers: int = Field(default=1, ge=1, le=32, description="Processes that check PDFs.")
    timeout_seconds: float = Field(default=30, gt=0, le=600, description="Longest check of one file.")


class LimitSettings(Section):
    """Limits on packets in both directions."""

    attachment_bytes: int = Field(default=300 * MIB, gt=0, description="Largest attachment.")
    packet_bytes: int = Field(default=420 * MIB, gt=0, description="Largest packet read.")
    inflated_bytes: int = Field(default=512 * MIB, gt=0, description="Largest content of ZIP wrappers in one packet.")
    inflate_ratio: int = Field(default=100, gt=0, description="Largest inflation, above 1 MiB.")
    attachments: int = Field(default=200, gt=0, description="Most attachments of a packet.")
    recipients: int = Field(default=5000, gt=0, description="Most recipients of a document.")
    depth: int = Field(default=64, gt=4, description="Deepest nesting of elements.")
    header_bytes: int = Field(default=4 * MIB, gt=0, description="Most bytes of a packet outside attachment text.")


class AxisSettings(Section):
    """One account on the national axis (VXP: REST with HMAC headers)."""

    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^\s?#]+$")] = Field(
        description="Base URL; the operation name is appended.",
    )
    system_id: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")] = Field(
        description="System id given by the axis.",
    )
    secret: SecretStr | None = Field(default=None, description="Secret given by the axis; better a file.")
    secret_file: Path | None = Field(default=None, description="File with the secret, outer white space ignored.")
    agencies: tuple[Code, ...] = Field(
        min_length=1,
        description="Roots whose units this account receives for, by current code.",
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
    hash_form: Literal["short", "padded"] = Field(default="short", description="Form of hash-file, axis quirk.")
    fetch: Literal["download", "get"] = Field(default="download", description="downloadEdoc or getEdoc.")
    sent_list: Literal["by_docid", "by_sender"] = Field(
        default="by_docid",
        description="by_sender: an empty docId lists the sender's items, so a lost answer can be resolved by asking.",
    )
    on_unknown: Literal["hold", "resend"] = Field(
        default="hold",
        description="A document packet whose fate cannot be asked.",
    )
    settling_seconds: float = Field(
        default=120, ge=0, description="Time after which a missing list entry means absent."
    )
    poll_seconds: float = Field(default=30, ge=0.1, le=3600, description="Pause between two looks at what waits.")
    recipients_per_message: int = Field(default=100, ge=1, le=5000, description="Recipients in one packet.")
    max_packet_bytes: int = Field(default=420 * MIB, gt=0, description="Largest packet the peer takes.")
    connect_seconds: float = Field(default=10, gt=0, le=600, description="Longest wait for a connection.")
    read_seconds: float = Field(default=60, gt=0, le=3600, description="Longest silence of the peer.")
    total_seconds: float = Field(default=600, gt=0, le=3600, description="Longest call.")

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("exactly one of secret and secret_file is required")
        return self


class DeliverySettings(Section):
    """The outbox and the directory, whatever the axis."""

    concurrency: int = Field(default=4, ge=1, le=256, description="Messages under way at a time.")
    first_retry_seconds: float = Field(default=30, gt=0, description="Wait after the first failed attempt.")
    retry_factor: float = Field(default=2.0, ge=1, le=10, description="Growth of the wait.")
    retry_ceiling_seconds: float = Field(default=3600, gt=0, description="Longest wait.")
    retry_jitter: float = Field(default=0.3, ge=0, le=1, description="Random share of the wait.")
    give_up_hours: float = Field(default=72, gt=0, description="Age at which a message is given to an operator.")
    receipt: Literal["vendor_ack", "stored"] = Field(
        default="vendor_ack",
        description="When status 01 is sent: after the vendor's acknowledgement, or once stored here.",
    )
    directory_hours: float = Field(default=24, gt=0, description="Pause between two directory syncs.")


class VendorSettings(Section):
    """One vendor's document system (QLVB)."""

    id: Name = Field(description="Name of the system in logs and metrics.")
    uri_sans: tuple[str, ...] = Field(default=(), description="URI subject alternative names of its certificates.")
    certificate_sha256: tuple[Sha256, ...] = Field(default=(), description="SHA-256 of its certificates (DER).")
    serves: tuple[Code, ...] = Field(default=(), description="Roots whose documents it receives and may act for.")
    acts_for: tuple[Code, ...] = Field(default=(), description="Roots it may act for without receiving.")


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="LGSP_",
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    server: ServerSettings
    health: HealthSettings = HealthSettings()
    metrics: MetricsSettings = MetricsSettings()
    store: StoreSettings = StoreSettings()
    blobs: BlobSettings = BlobSettings()
    log: LogSettings = LogSettings()
    signatures: SignatureSettings
    limits: LimitSettings = LimitSettings()
    axis: dict[Name, AxisSettings] = Field(min_length=1, max_length=1)
    delivery: DeliverySettings = DeliverySettings()
    vendors: tuple[VendorSettings, ...] = Field(min_length=1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env files: one file, one environment
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - secrets are named by secret_file
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _vendors_are_distinct(self) -> Self:
        for what, values in (
            ("id", [v.id for v in self.vendors]),
            ("uri_sans", [san for v in self.vendors for san in v.uri_sans]),
            ("certificate_sha256", [print_ for v in self.vendors for print_ in v.certificate_sha256]),
            ("serves", [code_key(root) for v in self.vendors for root in v.serves]),
        ):
            twice = [value for value, times in Counter(values).items() if times > 1]
            if twice:
                raise ValueError(f"vendors: {what} given twice: {', '.join(sorted(twice))}")
        trial = self.server.plaintext_loopback_vendor
        if trial and trial not in {v.id for v in self.vendors}:
            raise ValueError("server.plaintext_loopback_vendor names no vendor")
        return self


def load(path: Path) -> Settings:
    """Read and validate a configuration file. Raises SettingsError with every problem found."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: not valid TOML: {error}"]) from error
    try:
        settings = Settings(**data)
    except ValidationError as error:
        raise SettingsError([_line(dict(e)) for e in error.errors(include_url=False)]) from None
    problems = _unreadable(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def secret_of(axis: AxisSettings) -> str:
    """The account's secret, from the setting or its file. Raises SettingsError if the file is empty."""
    if axis.secret is not None:
        return axis.secret.get_secret_value()
    assert axis.secret_file is not None
    secret = axis.secret_file.read_text(encoding="utf-8").strip()
    if not secret:
        raise SettingsError([f"axis secret_file: {axis.secret_file} is empty"])
    return secret


def database_of(store: StoreSettings) -> Path | str:
    """The embedded database's file, or PostgreSQL's URL. Raises SettingsError if that is none."""
    if store.url is None and store.url_file is None:
        return store.path
    given = store.url.get_secret_value() if store.url else ""
    url = store.url_file.read_text(encoding="utf-8").strip() if store.url_file else given
    if not url.startswith(("postgresql://", "postgres://")):
        raise SettingsError(["store.url: does not begin with postgresql://"])
    return url


def _line(error: dict[str, object]) -> str:
    location = error["loc"]
    assert isinstance(location, tuple)
    key = ".".join(str(part) for part in location) or "configuration"
    found = error.get("input")
    shown = "" if "secret" in location or not isinstance(found, str | int | float | bool) else f", found {found!r}"
    return f"{key}: {error['msg']}{shown}"


def _unreadable(settings: Settings) -> list[str]:
    """Files the configuration names that cannot be used."""
    files: list[tuple[str, Path | None]] = [
        ("server.tls_certificate", settings.server.tls_certificate),
        ("server.tls_key", settings.server.tls_key),
        ("server.client_ca", settings.server.client_ca),
    ]
    files.append(("store.url_file", settings.store.url_file))
    for name, axis in settings.axis.items():
        files.append((f"axis.{name}.secret_file", axis.secret_file))
        files.append((f"axis.{name}.ca_file", axis.ca_file))
    problems = [f"{key}: {path} is not a readable file" for key, path in files if path and not path.is_file()]
    if not settings.signatures.trust_dir.is_dir():
        problems.append(f"signatures.trust_dir: {settings.signatures.trust_dir} is not a directory")
    return problems
