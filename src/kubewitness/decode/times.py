"""Times as exports write them, made RFC 3339; and as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOCAL_TIME = re.compile(
    r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4}),? (\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?"
    r"(?:[ \u00a0\u202f]?([AP])\.?[ \u00a0]?M\.?)?",
    re.IGNORECASE,
)
_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?) ?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_NOON = 12
_MONTHS = 12
_YEAR_DIGITS = 4


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


def rfc3339(text: str | None, *, day_first: bool = False) -> str | None:
    """Write a time as RFC 3339; None when it is no time.

    Reads ISO 8601 with any number of decimals (UTC when it names no zone) and what Azure's portal exports for the
    country of its user: `11/15/2024, 9:00:02.091 PM`, `15.11.2024, 21:00:02,091`, `2024/11/15 21:00:02`.

    Args:
        text: the time.
        day_first: whether `5/11/2024` is in November. With dots and hyphens it always is, and where no month is
            that late.
    """
    if text is None:
        return None
    text = text.strip()
    if iso := _ISO_TIME.fullmatch(text):
        return f"{iso[1]}T{iso[2]}{(iso[3] or 'Z').upper()}"
    if local := _LOCAL_TIME.fullmatch(text):
        first, mark, second, third, hour, minute, seconds, fraction, half = local.groups()
        if len(first) == _YEAR_DIGITS:
            year, month, day = first, second, third
        elif mark != "/" or day_first or int(first) > _MONTHS:
            day, month, year = first, second, third
        else:
            month, day, year = first, second, third
        hours = int(hour)
        if half is not None:
            hours = hours % _NOON + (_NOON if half in "pP" else 0)
        return f"{year}-{month:0>2}-{day:0>2}T{hours:02}:{minute}:{seconds}{'.' + fraction if fraction else ''}Z"
    return None


def is_day_first(texts: Iterable[str]) -> bool:
    """Whether one of several times that the same program wrote can only be read with the day first."""
    found = filter(None, (_LOCAL_TIME.fullmatch(text.strip()) for text in texts))
    return any(len(local[1]) < _YEAR_DIGITS and int(local[1]) > _MONTHS for local in found)


def rfc3339_of_milliseconds(value: object) -> str | None:
    """Write milliseconds since 1970 as RFC 3339; None when it is no such number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    except (OverflowError, ValueError):
        return None
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
