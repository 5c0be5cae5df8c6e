"""Attributes of this project's own that give a rule a memory."""

from __future__ import annotations

from typing import Any

from kubewitness.detect.rule import FirstSeen
from kubewitness.model.errors import RuleError
from kubewitness.query.fields import find_field


def read_first_seen(spec: Any) -> FirstSeen:
    """What must be new.

    Raises:
        RuleError: something is missing.
        UnknownFieldError: no event has such a field.
    """
    try:
        return FirstSeen(
            find_field(spec["field"]),
            tuple(find_field(name) for name in spec["by"]),
            int(spec.get("after", 1)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RuleError(
            "first_seen needs `field`, `by` (a list of fields) and `after` (a number)",
            hint="first_seen: {field: source_network, by: [cluster, actor], after: 20}",
        ) from error
