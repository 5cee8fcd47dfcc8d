"""Vietnam time: edXML writes local times without a zone, everything inside the gateway is UTC."""

from datetime import UTC, date, datetime, timedelta, timezone

VIETNAM = timezone(timedelta(hours=7), "ICT")
"""Indochina Time; no daylight saving since 1945, so a fixed offset is exact for every packet."""


def edxml_timestamp(instant: datetime) -> str:
    """`yyyy/MM/dd HH:mm:ss` in Vietnam time, as elements Timestamp want it."""
    return instant.astimezone(VIETNAM).strftime("%Y/%m/%d %H:%M:%S")


def edxml_date(day: date) -> str:
    """`yyyy/MM/dd`, as PromulgationDate and DueDate want it."""
    return f"{day.year:04d}/{day.month:02d}/{day.day:02d}"


def vietnam_date(instant: datetime) -> date:
    """The civil day in Vietnam at an instant."""
    return instant.astimezone(VIETNAM).date()


def from_vietnam(local: datetime) -> datetime:
    """The UTC instant of a local time written without a zone."""
    return local.replace(tzinfo=VIETNAM).astimezone(UTC)
