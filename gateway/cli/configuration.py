"""Configuration files as commands take them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gateway.cli.printing import REFUSED

if TYPE_CHECKING:
    from gateway.settings import Settings


def load(config: Path) -> "Settings":
    """The validated configuration; ends the command where it cannot be used."""
    from gateway import settings  # noqa: PLC0415 - see the package's docstring

    try:
        return settings.load(config)
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(REFUSED) from None
