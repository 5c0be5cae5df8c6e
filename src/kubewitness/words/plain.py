"""Values as machines read them: times, and lines of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubewitness.model.ledger import Ledger, Rejection

Fields = dict[str, Any]


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


def rejection_fields(rejection: Rejection) -> Fields:
    """One record or source that could not be read."""
    return {"reason": rejection.reason, "origin": str(rejection.origin)}


def ledger_fields(ledger: Ledger) -> Fields:
    """The ledger: counts of records, the first rejected one, and the sources that could not be read."""
    return {
        "read": ledger.read,
        "events": ledger.events,
        "partial": ledger.partial,
        "duplicates": ledger.duplicates,
        "other": ledger.other,
        "rejected": ledger.rejected,
        "first_rejected": rejection_fields(ledger.rejections[0]) if ledger.rejections else None,
        "unreadable": [rejection_fields(each) for each in ledger.unreadable],
    }


def plain(value: Any) -> Any:
    """A typed result as values that JSON can say: fields by name, times in RFC 3339, lists, texts of enums."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return value
