"""Attributes of this project's own that give a rule a memory: `first_seen` and `unfinished`."""

from __future__ import annotations

import re
from typing import Any

from kubewitness.detect.rule import FirstSeen, Unfinished
from kubewitness.model.errors import RuleError
from kubewitness.query.fields import find_field
from kubewitness.query.predicate import And, Not, Number, Operator, Or, Predicate, Text

_FIRST_SEEN_KEYS = frozenset({"field", "by", "after", "learning"})
_UNFINISHED_KEYS = frozenset({"within", "by", "unless"})
_SPAN = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_first_seen(spec: Any) -> FirstSeen:
    """What must be new.

    Raises:
        RuleError: something is missing.
        UnknownFieldError: no event has such a field.
    """
    error = RuleError(
        "first_seen needs `field` (one, or a list), `by` (a list of fields) and `after` (a number); `learning` (such as"
        " 1h) may be there",
        hint="first_seen: {field: source_network, by: [cluster, actor], after: 20}",
    )
    if not isinstance(spec, dict) or not spec.keys() <= _FIRST_SEEN_KEYS or not isinstance(spec.get("by"), list):
        raise error
    listed = spec.get("field")
    names = listed if isinstance(listed, list) else [listed]
    after = spec.get("after", 1)
    if not names or not all(isinstance(name, str) for name in names) or not isinstance(after, int):
        raise error
    return FirstSeen(
        tuple(find_field(str(name)) for name in names),
        tuple(find_field(str(name)) for name in spec["by"]),
        after,
        _seconds(spec["learning"]) if "learning" in spec else 0,
    )


def read_unfinished(spec: Any) -> Unfinished:
    """Which requests should have ended.

    Raises:
        RuleError: something is missing.
        UnknownFieldError: no event has such a field.
    """
    spec = {} if spec is True else spec
    if not isinstance(spec, dict) or not spec.keys() <= _UNFINISHED_KEYS:
        raise RuleError(
            "unfinished may have `within` (such as 2m), `by` and `unless` (fields)", hint="unfinished: {within: 2m}"
        )
    by = spec.get("by", ["cluster", "verb", "objectRef.resource", "objectRef.subresource"])
    return Unfinished(
        _seconds(spec.get("within", "2m")),
        tuple(find_field(str(name)) for name in by),
        tuple(find_field(str(name)) for name in spec.get("unless", ())),
    )


def _seconds(span: Any) -> int:
    found = _SPAN.fullmatch(str(span))
    if not found:
        raise RuleError(f"`{span}` is no length of time", hint="write 30s, 5m, 1h or 7d")
    return int(found[1]) * _SECONDS[found[2]]


def _is(name: str, *values: str) -> Predicate:
    return Or(tuple(Text(find_field(name), Operator.EQUALS, value) for value in values))


BEGINNING: Predicate = And(
    (
        _is("stage", "RequestReceived", "ResponseStarted"),
        # These run as long as the client likes.
        Not(_is("verb", "watch")),
        Not(_is("subresource", "exec", "attach", "portforward", "proxy", "log")),
        # Of a request without valid credentials the server records the beginning only.
        Not(Number(find_field("code"), 401)),
    )
)
"""An event that begins a request which the server should soon have ended."""
