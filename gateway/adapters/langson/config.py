"""What an account on an axis of the Lang Son kind is made of; the settings turn into this."""

from dataclasses import dataclass, field
from datetime import timedelta

from gateway.adapters.terms import DIRECTORY_BYTES, AxisAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class LangSonAccount(AxisAccount):
    """One account; `/v1/...` is appended to its endpoint."""

    system_id: str
    """X-SystemId, printable ASCII."""
    secret: str = field(repr=False)
    """X-SecretKey."""
    username: str
    password: str = field(repr=False)
    application_code: str = ""
    token_life: timedelta = timedelta(minutes=30)
    """Of a login whose answer does not say it."""
    list_window: timedelta = timedelta(days=30)
    """How far back lists of what waits are asked for."""
    max_directory_bytes: int = DIRECTORY_BYTES

    @property
    def system_headers(self) -> dict[str, str]:
        """What goes with every call beside the login."""
        return {"X-SystemId": self.system_id, "X-SecretKey": self.secret}
