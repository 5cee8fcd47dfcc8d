"""The whole configuration: all sections, and what must agree among them."""

from collections import Counter
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.domain.agency import code_key
from gateway.domain.routing import LOCAL
from gateway.settings.accounts import AxisAccount, RouteSettings
from gateway.settings.sections import (
    BlobSettings,
    DeliverySettings,
    DoorSettings,
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
    door: DoorSettings = DoorSettings()
    axis: dict[Name, AxisAccount] = Field(min_length=1, max_length=16)
    routes: tuple[RouteSettings, ...] = ()
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
            ("door_system_id", [v.door_system_id for v in self.vendors if v.door_system_id]),
            ("serves", [code_key(root) for v in self.vendors for root in v.serves]),
        ):
            twice = [value for value, times in Counter(values).items() if times > 1]
            if twice:
                raise ValueError(f"vendors: {what} given twice: {', '.join(sorted(twice))}")
        trial = self.server.plaintext_loopback_vendor
        if trial and trial not in {v.id for v in self.vendors}:
            raise ValueError("server.plaintext_loopback_vendor names no vendor")
        if self.door.listen and not any(v.door_system_id for v in self.vendors):
            raise ValueError("door.listen: no vendor has a door_system_id")
        return self

    @model_validator(mode="after")
    def _accounts_are_known(self) -> Self:
        if LOCAL in self.axis:
            raise ValueError(f"axis: {LOCAL} is the name of the gateway's own route")
        named = [(f"routes[{i}].via", name) for i, route in enumerate(self.routes) for name in route.via]
        named += [("delivery.directory_accounts", name) for name in self.delivery.directory_accounts]
        unknown = [f"{key}: no account {name}" for key, name in named if name not in self.axis]
        if unknown:
            raise ValueError("; ".join(unknown))
        roots = [code_key(root) for route in self.routes for root in route.agencies or ("",)]
        twice = [root or "the rest" for root, times in Counter(roots).items() if times > 1]
        if twice:
            raise ValueError(f"routes: given twice: {', '.join(sorted(twice))}")
        if any(len(set(route.via)) != len(route.via) for route in self.routes):
            raise ValueError("routes: an account twice in one via")
        return self
