"""What `check-config` and the start check beyond the form of the settings: can the files they name be used."""

from datetime import datetime

from gateway.domain.errors import GatewayError
from gateway.security.keys import check_tls
from gateway.security.trust import load_anchors
from gateway.settings import Settings, SettingsError, access_secret_of, database_of, secret_of


def problems(settings: Settings, *, now: datetime) -> list[str]:
    """One line per problem, naming the key or the file, never a secret; empty = the gateway can start."""
    found: list[str] = []
    server = settings.server
    if server.tls_certificate and server.tls_key and server.client_ca:
        found += check_tls(server.tls_certificate, server.tls_key, server.client_ca, now)
    try:
        if not load_anchors(settings.signatures.trust_dir).roots and settings.signatures.submit == "main_trusted":
            found.append("signatures.trust_dir: holds no trust anchor, so no submission could be trusted")
    except GatewayError as error:
        found += [f"signatures.trust_dir: {violation.en}" for violation in error.violations]
    try:
        database_of(settings.store)
    except (SettingsError, OSError, UnicodeDecodeError):
        found.append("store.url: is no URL of PostgreSQL, postgresql://...")
    if settings.blobs.bucket:
        try:
            access_secret_of(settings.blobs)
        except (SettingsError, OSError, UnicodeDecodeError):
            found.append("blobs.secret_access_key_file: holds no secret")
    for name, axis in settings.axis.items():
        try:
            secret_of(axis)
        except (SettingsError, OSError, UnicodeDecodeError):
            found.append(f"axis.{name}.secret_file: holds no secret")
    return found
