"""One TOML file, overridden by the environment, validated whole at start; the only reader of the environment.

An environment variable names its key with the prefix `LGSP_` and two underscores between levels:
`LGSP_AXIS__NATIONAL__SECRET_FILE` is `secret_file` of `[axis.national]`. docs/reference/settings.md: from here.
"""

from gateway.settings.accounts import (
    AccessHeaderSettings,
    AxisAccount,
    AxisSettings,
    LangSonSettings,
    PlatformSettings,
    QuangNamSettings,
    RouteSettings,
    SoapSettings,
    UsernameTokenSettings,
    VxpSettings,
)
from gateway.settings.loading import SettingsError, database_of, files, load, secret_of
from gateway.settings.sections import (
    BlobSettings,
    DeliverySettings,
    DoorSettings,
    HealthSettings,
    LimitSettings,
    LogSettings,
    MetricsSettings,
    RetentionSettings,
    ServerSettings,
    SignatureSettings,
    StoreSettings,
    VendorSettings,
)
from gateway.settings.whole import Settings

__all__ = [
    "AccessHeaderSettings",
    "AxisAccount",
    "AxisSettings",
    "BlobSettings",
    "DeliverySettings",
    "DoorSettings",
    "HealthSettings",
    "LangSonSettings",
    "LimitSettings",
    "LogSettings",
    "MetricsSettings",
    "PlatformSettings",
    "QuangNamSettings",
    "RetentionSettings",
    "RouteSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "SignatureSettings",
    "SoapSettings",
    "StoreSettings",
    "UsernameTokenSettings",
    "VendorSettings",
    "VxpSettings",
    "database_of",
    "files",
    "load",
    "secret_of",
]
