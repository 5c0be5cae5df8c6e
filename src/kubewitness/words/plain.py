"""Values as machines read them: times, and lines of JSON."""

from __future__ import annotations

import json
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


def rfc3339(at: datetime | None) -> str | None:
    """Write a time (naive = UTC) as kube-apiserver does: RFC 3339 with six digits and `Z`."""
    if at is None:
        return None
    at = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return at.isoformat(timespec="microseconds") + "Z"


# What JSON may hold raw but a terminal must not get: C1 controls, DEL, direction marks, lone surrogates.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def to_json(value: Any) -> str:
    """Write a value as one line of JSON that is safe to print: control characters are escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
