"""One TOML file, overridden by the environment, validated whole at start; the only reader of the environment.

An environment variable names its key with the prefix `LGSP_` and two underscores between levels:
`LGSP_AXIS__NATIONAL__SECRET_FILE` is `secret_file` of `[axis.national]`. docs/reference/settings.md: from here.
"""

from gateway.settings.loading import SettingsError, access_secret_of, database_of, load, secret_of
from gateway.settings.sections import (
    AxisSettings,
    BlobSettings,
    DeliverySettings,
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
    "AxisSettings",
    "BlobSettings",
    "DeliverySettings",
    "HealthSettings",
    "LimitSettings",
    "LogSettings",
    "MetricsSettings",
    "RetentionSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "SignatureSettings",
    "StoreSettings",
    "VendorSettings",
    "access_secret_of",
    "database_of",
    "load",
    "secret_of",
]
