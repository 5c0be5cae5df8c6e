"""Kinds of events: what repeats in a log is judged once.

Of an event only times, names, URIs, messages and bodies are its own; who did what kind of thing from where with what
result is the same for many others. All that are the same in it are of one kind (decode/sql/sketched.sql), and one of
them, the representative, stands for it: whatever can be said of what repeats is said of the representative alone.

Of a rule that looks at more than that, a kind is asked what remains when everything is left out that the kind does not
see: wherever the rule holds, that holds too. So the kinds say for which events a rule is open.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import TYPE_CHECKING

from kubewitness.decode.engine_shapes import KIND_COLUMNS
from kubewitness.facts import BODY_FACTS, floors
from kubewitness.model.event import BY_NAME, FACTS
from kubewitness.query.fields import find_field
from kubewitness.query.lower import lower
from kubewitness.query.needs import ABSENT, ANYTHING, Needs, condition, needs
from kubewitness.query.predicate import (
    ALWAYS,
    NEVER,
    And,
    Exists,
    Flag,
    Keyword,
    Operator,
    Or,
    Text,
    fields_of,
    leaves_of,
)
from kubewitness.query.pruning import needed
from kubewitness.query.weaken import weaken, without_known, without_seen

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from kubewitness.query.predicate import Predicate
    from kubewitness.query.weaken import Bounds

DIALECT = "duckdb"

OWN_COLUMNS = frozenset({"name", "request_uri", "request_path", "audit_id"})
"""Columns of an event's own that a sketch has: tests of them can be made for each event."""

# The hash of a kind has what these need of a message.
_SEEN_FACTS = frozenset({"impersonated", "action"})
_BASE = BY_NAME.keys() - {fact.name for fact in FACTS} | {"partial", "older_timestamp"}
# These may be there without bodies.
_NOT_OF_BODIES = frozenset({"truncated", "dry_run", "object_name"})
_READS = frozenset({"get", "list", "watch"})


@lru_cache(maxsize=1)
def seen_columns() -> frozenset[str]:
    """Columns of the events table that are the same for all events of one kind."""
    seen = {name for name in BY_NAME if needed(floors(), [f'"{name}"']) & _BASE <= KIND_COLUMNS}
    return frozenset(seen | _SEEN_FACTS)


def is_seen(test: Predicate) -> bool:
    """Whether a test has one answer for all events of a kind."""
    # The hash has whether the URI, or a deletion's body, asks for a dry run; not whether others say that it is none.
    return (isinstance(test, Flag) and test.field.column.name == "dry_run" and test.value) or {
        field.column.name for field in fields_of(test)
    } <= seen_columns()


def is_own(test: Predicate) -> bool:
    """Whether a test can be made of each event's sketch."""
    fields = list(fields_of(test))
    return {field.column.name for field in fields} <= OWN_COLUMNS and not any(field.path for field in fields)


def is_common(need: Needs) -> bool:
    """Whether so many events have what is needed that to read them all again would be dear."""
    return (
        need.traits is None
        and (need.verbs is None or bool(need.verbs & _READS))
        and (need.subresources is None or ABSENT in need.subresources)
    )


_OFTEN_WRITTEN = frozenset({"configmaps", "secrets", "deployments", "daemonsets", "statefulsets"})
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


def is_often_written(need: Needs) -> bool:
    """Whether so many events write what is needed that it pays to know their names before they are read again."""
    return bool(need.verbs and need.verbs <= _WRITES and need.resources and need.resources & _OFTEN_WRITTEN)


def is_dear(predicate: Predicate) -> bool:
    """Whether many events must be read again for a rule."""
    return is_common(needs(predicate)) and not all(is_seen(test) or is_own(test) for test in leaves_of(predicate))


def may_match(predicate: Predicate, need: Needs, known: Container[Predicate] = ()) -> Predicate:
    """What a kind must be for one of its events to match; asked of kinds that have what is needed.

    Args:
        predicate: of a rule.
        need: what is needed.
        known: tests of what is an event's own that have one answer for all events of a kind nevertheless.
    """
    return without_known(weaken(predicate, lambda test: _bounds(test, need, known)), need)


def left_to_ask(predicate: Predicate, need: Needs) -> Predicate:
    """What is to be asked of an event itself when its kind may match."""
    return without_known(without_seen(predicate, is_seen), need)


def _bounds(test: Predicate, need: Needs, known: Container[Predicate]) -> Bounds:
    if is_seen(test) or test in known:
        return test, test
    parts = [without_known(condition(needs(test)), need), _has_body(test)]
    telling = tuple(part for part in parts if part != ALWAYS)
    return NEVER, telling[0] if len(telling) == 1 else And(telling)


def _has_body(test: Predicate) -> Predicate:
    """What a kind must have of bodies before a test can be true; in place of an answer it has whether there is one."""
    names = {field.column.name for field in fields_of(test)}
    if isinstance(test, Keyword) or not names & BODY_FACTS - _NOT_OF_BODIES:
        return ALWAYS
    has_any = Exists(find_field("response_object"))
    if names <= {"service_accounts"}:
        return Or((Text(find_field("resource"), Operator.EQUALS, "serviceaccounts"), has_any))
    return has_any


class Marks:
    """Tests of what is an event's own that are made for every event, so that the answers belong to its kind.

    A rule that many events would have to be read again for, only to look at their name or URI, is answered by kinds so.
    """

    def __init__(self) -> None:
        self._needs: dict[Predicate, Needs] = {}

    def add(self, tests: Iterable[Predicate], need: Needs) -> None:
        """Make these tests of events that have what is needed."""
        for test in tests:
            self._needs[test] = self._needs[test].either(need) if test in self._needs else need

    def sql(self) -> list[str]:
        """The answers, as expressions over `sketched`."""
        by_guard: dict[Needs, list[str]] = {}
        for test, need in self._needs.items():
            # Who acts is not known yet; more answers than needed only make more kinds.
            guard = Needs(need.verbs, need.resources, need.subresources)
            by_guard.setdefault(guard, []).append(f"coalesce({lower(test).sql(DIALECT)}, FALSE)")
        of_all = by_guard.pop(ANYTHING, [])
        if not by_guard:
            return of_all
        of_some = [_guarded(need, answers) for need, answers in by_guard.items()]
        # Most events are asked nothing: they are left out together.
        return [*of_all, _guarded(reduce(Needs.either, by_guard), of_some)]


def _guarded(need: Needs, answers: Sequence[str]) -> str:
    guard = condition(need)
    # Only CASE spares the others the question.
    answer = f"hash({', '.join(answers)})"
    return answer if guard == ALWAYS else f"CASE WHEN {lower(guard).sql(DIALECT)} THEN {answer} END"


def marked(predicate: Predicate) -> list[Predicate]:
    """The tests of a predicate that must be made for every event before its kind can answer it."""
    return [test for test in leaves_of(predicate) if not is_seen(test)]
