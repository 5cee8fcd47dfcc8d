"""From a file and the environment to settings, or to every problem found."""

import tomllib
from pathlib import Path

from pydantic import SecretStr, ValidationError

from gateway.settings.sections import AxisSettings, BlobSettings, StoreSettings
from gateway.settings.whole import Settings


class SettingsError(Exception):
    """The configuration cannot be used; each line names a key, what was found and what is allowed."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems, one line each."""
        self.problems = problems
        super().__init__("\n".join(problems))


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
    return _secret("axis secret_file", axis.secret, axis.secret_file)


def access_secret_of(blobs: BlobSettings) -> str:
    """The secret of the bucket's access key. Raises SettingsError if its file is empty."""
    return _secret("blobs.secret_access_key_file", blobs.secret_access_key, blobs.secret_access_key_file)


def database_of(store: StoreSettings) -> Path | str:
    """The embedded database's file, or PostgreSQL's URL. Raises SettingsError if that is none."""
    if store.url is None and store.url_file is None:
        return store.path
    given = store.url.get_secret_value() if store.url else ""
    url = store.url_file.read_text(encoding="utf-8").strip() if store.url_file else given
    if not url.startswith(("postgresql://", "postgres://")):
        raise SettingsError(["store.url: does not begin with postgresql://"])
    return url


def _secret(key: str, given: SecretStr | None, file: Path | None) -> str:
    if given is not None:
        return given.get_secret_value()
    assert file is not None
    secret = file.read_text(encoding="utf-8").strip()
    if not secret:
        raise SettingsError([f"{key}: {file} is empty"])
    return secret


def _line(error: dict[str, object]) -> str:
    location = error["loc"]
    assert isinstance(location, tuple)
    key = ".".join(str(part) for part in location) or "configuration"
    found = error.get("input")
    hidden = any("secret" in str(part) for part in location) or not isinstance(found, str | int | float | bool)
    shown = "" if hidden else f", found {found!r}"
    return f"{key}: {error['msg']}{shown}"


def _unreadable(settings: Settings) -> list[str]:
    """Files the configuration names that cannot be used."""
    files: list[tuple[str, Path | None]] = [
        ("server.tls_certificate", settings.server.tls_certificate),
        ("server.tls_key", settings.server.tls_key),
        ("server.client_ca", settings.server.client_ca),
        ("store.url_file", settings.store.url_file),
        ("blobs.secret_access_key_file", settings.blobs.secret_access_key_file),
        ("blobs.ca_file", settings.blobs.ca_file),
    ]
    for name, axis in settings.axis.items():
        files.append((f"axis.{name}.secret_file", axis.secret_file))
        files.append((f"axis.{name}.ca_file", axis.ca_file))
    problems = [f"{key}: {path} is not a readable file" for key, path in files if path and not path.is_file()]
    if not settings.signatures.trust_dir.is_dir():
        problems.append(f"signatures.trust_dir: {settings.signatures.trust_dir} is not a directory")
    return problems
