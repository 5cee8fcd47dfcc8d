"""From a file and the environment to settings, or to every problem found."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, SecretStr, ValidationError

from gateway.settings.sections import StoreSettings
from gateway.settings.whole import Settings

_OWN = frozenset({"store.path", "blobs.path", "signatures.trust_dir"})
"""Paths that are made here, or are directories."""
_KINDS = ("vxp", "soap", "langson", "quangnam")
_SECRETS = ("secret", "password", "token")
"""Words in the keys whose values no message repeats."""


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


def secret_of(key: str, given: SecretStr | None, file: Path | None) -> str:
    """A secret, from its setting `key` or from the file that the setting `key`_file names.

    Raises SettingsError if the file is empty.
    """
    if given is not None:
        return given.get_secret_value()
    assert file is not None
    secret = file.read_text(encoding="utf-8").strip()
    if not secret:
        raise SettingsError([f"{key}_file: {file} is empty"])
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
    if location[:1] == ("axis",) and location[2:3] and location[2] in _KINDS:
        # pydantic's way to say which kind of account it tried; no key of the file
        location = (*location[:2], *location[3:])
    message = error["msg"]
    if error["type"] == "union_tag_invalid":
        location, message = (*location, "kind"), f"one of {', '.join(_KINDS)} expected"
    key = ".".join(str(part) for part in location) or "configuration"
    found = error.get("input")
    shown = "" if _is_hidden(location, found) else f", found {found!r}"
    return f"{key}: {message}{shown}"


def _is_hidden(location: tuple[object, ...], found: object) -> bool:
    """Whether a wrong value may be a secret, or a URL with one in it, or is too much to repeat."""
    secret = any(word in str(part) for part in location for word in _SECRETS)
    return secret or not isinstance(found, str | int | float | bool) or "@" in str(found)


def _unreadable(settings: Settings) -> list[str]:
    """Files the configuration names that cannot be used."""
    problems = [f"{key}: {path} is not a readable file" for key, path in files(settings) if not path.is_file()]
    if not settings.signatures.trust_dir.is_dir():
        problems.append(f"signatures.trust_dir: {settings.signatures.trust_dir} is not a directory")
    return problems


def files(section: BaseModel, above: str = "") -> Iterator[tuple[str, Path]]:
    """Every file that a configuration names and something else must have made, by its key."""
    for name in type(section).model_fields:
        yield from _files(getattr(section, name), f"{above}{name}")


def _files(value: object, key: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, BaseModel):
        yield from files(value, f"{key}.")
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _files(each, f"{key}.{name}")
    elif isinstance(value, tuple):
        for i, each in enumerate(value):
            yield from _files(each, f"{key}[{i}]")
    elif isinstance(value, Path) and key not in _OWN:
        yield key, value
