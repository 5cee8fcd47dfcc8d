"""What `check-config` and the start check beyond the form of the settings: can the files they name be used."""

from datetime import datetime
from pathlib import Path

from gateway.domain.errors import GatewayError
from gateway.security.keys import check_authorities, check_pair, check_tls
from gateway.security.trust import load_anchors
from gateway.settings import AxisSettings, Settings, SettingsError, database_of, files


def problems(settings: Settings, *, now: datetime) -> list[str]:
    """One line per problem, naming the key or the file, never a secret; empty = the gateway can start."""
    found: list[str] = []
    server = settings.server
    if server.tls_certificate and server.tls_key and server.client_ca:
        found += check_tls(server.tls_certificate, server.tls_key, server.client_ca, now)
    door = settings.door
    if door.listen and door.tls_certificate and door.tls_key:
        found += check_pair(door.tls_certificate, door.tls_key, now)
    try:
        if not load_anchors(settings.signatures.trust_dir).roots and settings.signatures.submit == "main_trusted":
            found.append("signatures.trust_dir: holds no trust anchor, so no submission could be trusted")
    except GatewayError as error:
        found += [f"signatures.trust_dir: {violation.en}" for violation in error.violations]
    try:
        database_of(settings.store)
    except (SettingsError, OSError, UnicodeDecodeError):
        found.append("store.url: is no URL of PostgreSQL, postgresql://...")
    return found + [
        f"{key}: holds no secret" for key, path in files(settings) if _is_secret(key) and not _has_text(path)
    ]


def peer_problems(settings: Settings, *, now: datetime) -> list[str]:
    """The same of what single accounts are reached by, which keeps no gateway from starting."""
    return [
        f"axis.{name}: {problem}"
        for name, account in settings.axis.items()
        for problem in account_problems(account, now=now)
    ]


def account_problems(account: AxisSettings, *, now: datetime) -> list[str]:
    """What is wrong with the certificates and the key by which an account's peer is reached."""
    found = check_authorities(account.ca_file, now) if account.ca_file else []
    if account.client_certificate and account.client_key:
        found += check_pair(account.client_certificate, account.client_key, now)
    return found


def _is_secret(key: str) -> bool:
    return key.endswith("_file") and not key.endswith((".ca_file", "store.url_file"))


def _has_text(path: Path) -> bool:
    try:
        return bool(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return False
