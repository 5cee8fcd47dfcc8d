"""The whole configuration: all sections, and what must agree among them."""

from collections import Counter
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.domain.agency import code_key
from gateway.settings.sections import (
    AxisSettings,
    BlobSettings,
    DeliverySettings,
    HealthSettings,
    LimitSettings,
    LogSettings,
    MetricsSettings,
    Name,
    RetentionSettings,
    ServerSettings,
    SignatureSettings,
    StoreSettings,
    VendorSettings,
)


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
    retention: RetentionSettings = RetentionSettings()
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
