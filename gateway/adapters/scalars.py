"""Values in the lists of axes as domain values. Pure."""

import json
import re
from datetime import UTC, datetime

from gateway.domain.ids import OrganId
from gateway.domain.vntime import from_vietnam

_SEPARATORS = re.compile(r"[,;\s]+")
_MILLISECONDS = re.compile(r"[0-9]{12,14}", re.ASCII)
_LOCAL_FORMS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M:%S.%f", "%d/%m/%Y %H:%M:%S")


def text(value: object) -> str:
    """A JSON scalar as text: numbers are written out, everything that is neither number nor text becomes ""."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def read_codes(value: object) -> tuple[OrganId, ...]:
    """Addressees: a JSON array, the text of one, or codes separated by commas or semicolons."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return ()
    codes = [text(each) for each in value] if isinstance(value, list) else _SEPARATORS.split(text(value))
    return tuple(dict.fromkeys(OrganId(code) for code in codes if code))


def read_time(value: object) -> datetime | None:
    """An instant in any form met or likely; the axis's own is not documented.

    Forms: `yyyy/MM/dd HH:mm:ss[.fff]`, `dd/MM/yyyy HH:mm:ss`, ISO 8601 with `T` or a space (a zone counts), Unix
    milliseconds as number or text. Times without a zone are Vietnam time. None for anything else.
    """
    written = text(value)
    try:
        if _MILLISECONDS.fullmatch(written):
            return datetime.fromtimestamp(int(written) / 1000, UTC)
        local = _read_local(written) or datetime.fromisoformat(written)
        return local.astimezone(UTC) if local.tzinfo else from_vietnam(local)
    except (ValueError, OverflowError, OSError):
        return None


def _read_local(written: str) -> datetime | None:
    for form in _LOCAL_FORMS:
        try:
            return datetime.strptime(written, form)  # noqa: DTZ007 - Vietnam time, the zone is added by the caller
        except ValueError:
            continue
    return None
