"""The sections of the configuration, key by key; docs/reference/settings.md is printed from here."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from gateway.rpc.config import is_loopback

MIB = 1024 * 1024
SHORTEST_RETENTION = 30
"""Days: a repeated request, a late status or a recall must still find its document."""

Address = Annotated[str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:]+\]|[0-9A-Za-z.\-]+):[0-9]{1,5}$")]
Code = Annotated[str, StringConstraints(min_length=1, max_length=35, pattern=r"^[0-9A-Za-z.\-]+$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9][a-z0-9\-]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Section(BaseModel):
    """What all sections share: unknown keys are refused, values never change, nobody's input is echoed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


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


class DoorSettings(Section):
    """The VXP REST listener for vendor systems that use the national SDK (axis.md 2 to 4); off without a `listen`.

    Callers prove who they are with the system id and secret of their entry under `vendors`.
    """

    listen: Annotated[str, StringConstraints(pattern=r"^((\[[0-9A-Fa-f:]+\]|[0-9A-Za-z.\-]+):[0-9]{1,5})?$")] = Field(
        default="", description="Address and port; empty = no such listener."
    )
    tls_certificate: Path | None = Field(default=None, description="PEM chain of the server.")
    tls_key: Path | None = Field(default=None, description="PEM key of the server.")
    plaintext: bool = Field(
        default=False, description="Without TLS on an address others can reach: for a network that is itself protected."
    )
    clock_skew_minutes: float = Field(
        default=0,
        ge=0,
        le=7 * 24 * 60,
        description="Most that a request's timestamp may be off; 0 = any: the SDK repeats old stamps.",
    )

    @model_validator(mode="after")
    def _is_secured(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key come together")
        if self.listen and self.tls_certificate is None and not self.plaintext and not is_loopback(self.listen):
            raise ValueError("listen beyond loopback needs tls_certificate and tls_key, or plaintext = true")
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
    """Where attachments and raw packets are kept: a directory, or a bucket of an S3-compatible store."""

    path: Path = Field(
        default=Path("lgsp-data/blobs"),
        description="Directory, on the same backup as the store; with a bucket: for temporary files alone.",
    )
    bucket: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9.\-]{1,61}[a-z0-9])?$")] = Field(
        default="",
        description="Bucket of an S3-compatible store, which several gateways may share; empty = the directory.",
    )
    endpoint: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s?#@]+)?$")] = Field(
        default="",
        description="Base URL of the S3-compatible store.",
    )
    region: str = Field(default="us-east-1", description="Region that requests are signed for.")
    access_key_id: str = Field(default="", description="Id of the access key.")
    secret_access_key: SecretStr | None = Field(default=None, description="Its secret; better a file.")
    secret_access_key_file: Path | None = Field(default=None, description="File with the secret, white space ignored.")
    ca_file: Path | None = Field(default=None, description="PEM authorities for an https endpoint; none = system's.")
    reserve_bytes: int = Field(
        default=1024 * MIB,
        ge=0,
        description="Room that is left on the disks of store and blobs: with less, new documents are put off.",
    )
    quota_bytes: int = Field(
        default=0,
        ge=0,
        description="Most bytes kept; beyond, new documents are put off; 0 = no limit.",
    )

    @model_validator(mode="after")
    def _bucket_is_whole(self) -> Self:
        secrets = [given for given in (self.secret_access_key, self.secret_access_key_file) if given is not None]
        if not self.bucket and (self.endpoint or self.access_key_id or secrets or self.ca_file):
            raise ValueError("endpoint, keys and ca_file need a bucket")
        if self.bucket and not (self.endpoint and self.access_key_id and len(secrets) == 1):
            raise ValueError("bucket needs endpoint, access_key_id and one of secret_access_key and its _file")
        return self


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


class DeliverySettings(Section):
    """The outbox and the directory, whatever the axis."""

    concurrency: int = Field(default=4, ge=1, le=256, description="Messages under way at a time.")
    first_retry_seconds: float = Field(default=30, gt=0, le=86400, description="Wait after the first failed attempt.")
    retry_factor: float = Field(default=2.0, ge=1, le=10, description="Growth of the wait.")
    retry_ceiling_seconds: float = Field(default=3600, gt=0, le=86400, description="Longest wait.")
    retry_jitter: float = Field(default=0.3, ge=0, le=1, description="Random share of the wait.")
    give_up_hours: float = Field(
        default=72, gt=0, le=8760, description="Age at which a message is given to an operator."
    )
    receipt: Literal["vendor_ack", "stored"] = Field(
        default="vendor_ack",
        description="When status 01 is sent: after the vendor's acknowledgement, or once stored here.",
    )
    local: Literal["direct", "routed"] = Field(
        default="direct",
        description="Documents between agencies served here: handed over directly, or by their route like all others.",
    )
    failover_seconds: float = Field(
        default=60,
        ge=0,
        le=86400,
        description="Time for which an account must be down before what waits takes the next account of its route.",
    )
    directory_accounts: tuple[str, ...] = Field(
        default=(), description="Accounts whose directories are taken, the first wins; none = the first account."
    )
    directory_hours: float = Field(default=24, gt=0, le=8760, description="Pause between two directory syncs.")
    extra_holidays: tuple[date, ...] = Field(
        default=(),
        description="Days off beside weekends and public holidays, for the legal deadline.",
    )
    extra_working_days: tuple[date, ...] = Field(
        default=(),
        description="Weekend days that are worked, for the legal deadline.",
    )
    deadline_warning_hours: float = Field(
        default=2, ge=0, le=72, description="Time before the legal deadline at which a document counts as at risk."
    )


class RetentionSettings(Section):
    """How long settled documents are kept here, 30 days at least; the original stays in the sender's system."""

    sent_days: int = Field(
        default=0, ge=0, le=36500, description="Days after which a settled sent document goes; 0 = never."
    )
    received_days: int = Field(
        default=0,
        ge=0,
        le=36500,
        description="Days after which an acknowledged or refused received one goes; 0 = never.",
    )
    events_days: int = Field(default=0, ge=0, le=36500, description="Days after which an event goes; 0 = never.")

    @model_validator(mode="after")
    def _is_no_accident(self) -> Self:
        short = [name for name, days in self if 0 < days < SHORTEST_RETENTION]
        if short:
            raise ValueError(f"{', '.join(short)}: at least {SHORTEST_RETENTION} days, or 0")
        return self


class VendorSettings(Section):
    """One vendor's document system (QLVB)."""

    id: Name = Field(description="Name of the system in logs and metrics.")
    uri_sans: tuple[str, ...] = Field(default=(), description="URI subject alternative names of its certificates.")
    certificate_sha256: tuple[Sha256, ...] = Field(default=(), description="SHA-256 of its certificates (DER).")
    door_system_id: Annotated[str, StringConstraints(max_length=64, pattern=r"^[\x21-\x7e]*$")] = Field(
        default="", description="System id with which it comes through the door; empty = it does not."
    )
    door_secret: SecretStr | None = Field(default=None, description="The secret of that system id; better a file.")
    door_secret_file: Path | None = Field(default=None, description="File with the secret, white space ignored.")
    serves: tuple[Code, ...] = Field(default=(), description="Roots whose documents it receives and may act for.")
    acts_for: tuple[Code, ...] = Field(default=(), description="Roots it may act for without receiving.")

    @model_validator(mode="after")
    def _has_whole_door(self) -> Self:
        secrets = [given for given in (self.door_secret, self.door_secret_file) if given is not None]
        if len(secrets) != (1 if self.door_system_id else 0):
            raise ValueError("door_system_id and exactly one of door_secret and door_secret_file come together")
        return self
