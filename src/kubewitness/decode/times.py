"""Times as exports write them, made RFC 3339; and as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_PORTAL_TIME = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}),? (\d{1,2}):(\d\d):(\d\d)(\.\d+)?(?: ([AP])M)?", re.IGNORECASE)
_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?) ?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_NOON = 12


def utc(text: str) -> datetime:
    """A time that a person wrote (ISO 8601, UTC when it names no zone), in UTC and naive.

    Raises:
        ValueError: it is none, or in UTC none that a calendar has.
    """
    moment = datetime.fromisoformat(text)
    try:
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except OverflowError as error:  # before the year 1, and after 9999
        raise ValueError(text) from error


def rfc3339(text: str | None) -> str | None:
    """Write a time as RFC 3339; None when it is no time.

    Reads ISO 8601 with any number of decimals (UTC when it names no zone) and what Azure's portal exports,
    `11/15/2024, 9:00:02.091 PM` (month first).
    """
    if text is None:
        return None
    text = text.strip()
    if iso := _ISO_TIME.fullmatch(text):
        return f"{iso[1]}T{iso[2]}{(iso[3] or 'Z').upper()}"
    if portal := _PORTAL_TIME.fullmatch(text):
        month, day, year, hour, minute, second, fraction, half = portal.groups()
        hours = int(hour)
        if half is not None:
            hours = hours % _NOON + (_NOON if half in "pP" else 0)
        return f"{year}-{month:0>2}-{day:0>2}T{hours:02}:{minute}:{second}{fraction or ''}Z"
    return None


def rfc3339_of_milliseconds(value: object) -> str | None:
    """Write milliseconds since 1970 as RFC 3339; None when it is no such number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    except (OverflowError, ValueError):
        return None
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
