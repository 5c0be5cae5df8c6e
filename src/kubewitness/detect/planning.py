"""All rules in few passes over few events.

Rules with the same necessary conditions form a group, and each event has a gate: the groups whose conditions it fulfils
(gate.py). Few events have any. So the first pass reads the heads of all events, asks the rules that every event must be
asked, and keeps the gates, and the heads of those that have one. Over these heads the rules of the groups that occur
are asked, or as much of them as can be said without bodies. What is left are the candidates: the second pass reads
them again, bodies and all.

What matched is a bit per rule. Of the rest only keys are kept, to find the same record, the same request and the same
cause again: what an event was about is read again for the few that make an alert.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlglot import exp

from kubewitness.detect.bits import WORD_BITS, any_bits, bigint, when
from kubewitness.detect.duplicates import RECORD_KEY, REQUEST_HASH, TIME_KEY
from kubewitness.detect.gate import Gate, guard
from kubewitness.detect.keeping import form_of, is_several, kept_sql
from kubewitness.detect.plan import Bit, Form, Group, Pass, Plan, PlannedRule, Table, kept_name, mask_test
from kubewitness.facts import BODY_FACTS, floors
from kubewitness.model.errors import KubewitnessError
from kubewitness.model.event import BY_NAME, FACTS
from kubewitness.query.fields import find_field
from kubewitness.query.lower import fold, folded_columns, folded_name, lower
from kubewitness.query.needs import ANYTHING, Needs, needs
from kubewitness.query.predicate import Flag, fields_of
from kubewitness.query.pruning import needed
from kubewitness.query.reading import OUTCOME
from kubewitness.query.weaken import any_of, leaves_of, weaken, without_known

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from kubewitness.detect.pack import Pack
    from kubewitness.detect.rule import Rule
    from kubewitness.query.fields import Field
    from kubewitness.query.predicate import Predicate

DIALECT = "duckdb"


def build_plan(pack: Pack, also_asked: Mapping[str, Collection[str]] | None = None) -> Plan:
    """One plan for all rules of the pack.

    Args:
        pack: the rules.
        also_asked: columns that are looked at, besides those of the rule, in events that it matched; by its id.
    """
    also_asked = also_asked or {}
    always: list[Rule] = []
    by_heads: dict[Needs, list[Rule]] = {}
    by_bodies: dict[Needs, list[Rule]] = {}
    for rule in pack.rules:
        if rule.predicate is not None:
            need = needs(rule.predicate)
            columns = _kept_of(rule, pack.rules) | set(also_asked.get(rule.info.id, ()))
            if need.is_met_by_many or _is_about_heads(rule):
                always.append(rule)
            elif columns & late_columns() or not all(map(_is_about_head, leaves_of(rule.predicate))):
                by_bodies.setdefault(need, []).append(rule)
            else:
                by_heads.setdefault(need, []).append(rule)
    bits = {
        rule.info.id: Bit(table, *divmod(index, WORD_BITS))
        for table, rules in (
            (Table.STAGED, always),
            (Table.HEADS, [rule for rules in by_heads.values() for rule in rules]),
            (Table.CANDIDATES, [rule for rules in by_bodies.values() for rule in rules]),
        )
        for index, rule in enumerate(rules)
    }
    gate = Gate(list(by_heads | by_bodies))
    heads = _heads_pass(pack.rules, by_heads, by_bodies, gate, bits)
    head_columns = _head_columns(heads, {column for columns in also_asked.values() for column in columns})
    return Plan(
        rules=tuple(
            PlannedRule(
                rule.info, bits.get(rule.info.id), rule.correlation, rule.first_seen, rule.unfinished, rule.alerts
            )
            for rule in pack.rules
        ),
        first=_first_pass(pack.rules, always, gate, head_columns, bits),
        heads=heads,
        second=_second_pass(pack.rules, by_bodies, bits),
        head_columns=head_columns,
    )


_DEAR = frozenset({"request_object", "response_object", "truncated", "annotations", "authentication_metadata"})
"""Columns of `decoded` that the first pass does not read if it can help it."""


_OWN = frozenset({"audit_id", "request_received_at", "stage_at", "older_timestamp", "logged_at"})
"""Columns that differ from event to event: heads that are the same but for these are judged once."""


@lru_cache(maxsize=1)
def late_columns() -> frozenset[str]:
    """Columns that are made of dear or own ones: they are known when an event is read for the second time."""
    return frozenset(name for name in BY_NAME if needed(floors(), [name]) & (_DEAR | _OWN))


def _is_about_head(test: Predicate) -> bool:
    """Whether a test of a predicate can be carried out on a head."""
    if isinstance(test, Flag) and test.field.column.name == "dry_run" and test.value:
        return True  # heads of deletions keep their options; without a body nobody can tell `false` from unknown
    return not {field.column.name for field in fields_of(test)} & late_columns()


def _kept_of(rule: Rule, rules: Sequence[Rule]) -> set[str]:
    """Columns that rules of several events need of a rule's events."""
    return {
        field.column.name for other in rules for rule_id, field, _ in _needed_later(other) if rule_id == rule.info.id
    }


def _head_columns(heads: Pass, also_asked: Iterable[str]) -> dict[str, str]:
    """Columns of `decoded`, with their types, of which the pass over heads is made."""
    words = needed(floors(), [heads.select, *(sql for _, sql in heads.judging()), *also_asked])
    types = {name: column.type for name, column in BY_NAME.items() if name not in _DEAR | _OWN}
    types |= {"cluster": "VARCHAR", "partial": "BOOLEAN", "request_object": "JSON"}
    facts = {fact.name for fact in FACTS}
    return {name: type_ for name, type_ in types.items() if name in words and name not in facts}


def _is_about_heads(rule: Rule) -> bool:
    """Whether a rule would have many bodies read in vain: it is about beginnings of requests, which have none."""
    fields = fields_of(rule.predicate) if rule.predicate and rule.unfinished else ()
    return rule.unfinished is not None and not {field.column.name for field in fields} & BODY_FACTS


_KEYS = {
    "source_id": ("INTEGER", "source_id"),
    "record_line": ("BIGINT", "record_line"),
    "outcome": ("TINYINT", OUTCOME),  # later, 4 for a duplicate
    "happened_at": ("TIMESTAMP", "happened_at"),
    # The same record again has the same record_key and time_key; events without auditID are never the same.
    "record_key": ("UBIGINT", RECORD_KEY),
    "time_key": ("UBIGINT", TIME_KEY),
    "cluster_key": ("UBIGINT", "CASE WHEN cluster IS NOT NULL THEN hash(cluster) END"),
    # All stages of one request have the same request_key.
    "request_key": (
        "UBIGINT",
        "CASE WHEN audit_id IS NOT NULL THEN hash(request_hash, request_received_at) ELSE hash(random()) END",
    ),
    "actor_key": ("UBIGINT", "CASE WHEN {matched} THEN hash(cluster, coalesce(actor, source_ip)) END"),
}


# Of requests that begin and never end: when the log goes on (seconds), whose end this is, and under which key an end
# stands that was cut.
_ENDS = {
    "reached_s": ("BIGINT", "epoch(coalesce(stage_at, happened_at))::BIGINT"),
    "ended_key": (
        "UBIGINT",
        (
            "CASE WHEN stage IN ('ResponseComplete', 'Panic') AND audit_id IS NOT NULL"
            " THEN hash(request_hash, request_received_at) END"
        ),
    ),
    "begun_key": (
        "UBIGINT",
        (
            "CASE WHEN stage IN ('RequestReceived', 'ResponseStarted') AND audit_id IS NOT NULL"
            " THEN hash(request_hash, NULL::TIMESTAMP) END"
        ),
    ),
}


_HEAD_VALUES = {"request_object": "CASE WHEN starts_with(verb, 'delete') THEN request_object END"}


def _first_pass(
    rules: Sequence[Rule], always: Sequence[Rule], gate: Gate, head_columns: dict[str, str], bits: dict[str, Bit]
) -> Pass:
    # What is compared several times is brought to lower case once; lists are dear enough for one.
    compared = sum((folded_columns(rule.predicate) for rule in always if rule.predicate), Counter[str]())
    shared = sorted(name for name, count in compared.items() if count > 1 or BY_NAME[name].is_list)
    asked = {field.column.name for rule in always if rule.predicate for field in fields_of(rule.predicate)}
    folded = [exp.alias_(fold(BY_NAME[name]), folded_name(name)) for name in shared]
    has_gate = " OR ".join(f"{name} <> 0" for name in gate.words)
    head = ", ".join(f"{name} := {_HEAD_VALUES.get(name, name)}" for name in head_columns)
    types = ", ".join(f"{name} {type_}" for name, type_ in head_columns.items())
    kept = {
        **{name: ("BIGINT", f"CASE WHEN fits THEN {name} ELSE 0 END") for name in gate.words},
        # A list, because absent ones take no room.
        "head": (f"STRUCT({types})[]", f"CASE WHEN fits AND ({has_gate}) THEN [struct_pack({head})] END"),
    }
    return _pass(
        Table.STAGED,
        rules,
        bits,
        above=(
            ("placed", _adding([*gate.places(), *folded], "events")),
            ("prepared", _adding([*gate.bits(), _REQUEST_HASH], "placed")),
        ),
        groups=(Group(0, 0, None, _answers(always, bits, shared)),),
        extra={
            **(kept if gate.words else {}),
            **(_ENDS if any(rule.unfinished for rule in rules) else {}),
        },
        heads_only=not asked & BODY_FACTS and "request_object" not in head_columns,
    )


_HEAD_KEYS = {"events": ("BIGINT[]", "events"), "actor_key": _KEYS["actor_key"]}
# What is taken from the first pass for each of the events that have a head.
_OF_STAGED = {
    "event": "BIGINT",
    "outcome": "TINYINT",
    "happened_at": "TIMESTAMP",
    "cluster_key": "UBIGINT",
    "request_key": "UBIGINT",
}


def _heads_pass(
    rules: Sequence[Rule],
    by_heads: dict[Needs, list[Rule]],
    by_bodies: dict[Needs, list[Rule]],
    gate: Gate,
    bits: dict[str, Bit],
) -> Pass:
    candidates = Gate(list(by_bodies))
    places = [(word, 1 << bit) for word, bit in map(candidates.place, by_bodies)]
    may_match = {
        need: any_of(
            without_known(weaken(rule.predicate, _is_about_head), need)
            for rule in members
            if rule.predicate is not None
        )
        for need, members in by_bodies.items()
    }
    answers: dict[Needs, list[tuple[str, str]]] = {
        need: [*_answers(members, bits, (), need)] for need, members in by_heads.items()
    }
    for (word, mask), (need, predicate) in zip(places, may_match.items(), strict=True):
        answer = when(lower(predicate), bigint(mask)).sql(DIALECT)
        answers.setdefault(need, []).append((f"gate_{word}", answer))
    query = _pass(
        Table.HEADS,
        rules,
        bits,
        above=(("prepared", _adding([], "events")),),
        groups=tuple(
            Group(*gate.place(need), guard(need).sql(DIALECT), tuple(found)) for need, found in answers.items()
        ),
        extra={name: ("BIGINT", name) for name in candidates.words},
        heads_only=True,
        keys=_HEAD_KEYS,
    )
    types = {name: type_ for name, type_ in query.columns.items() if name != "events"}
    return replace(query, columns=_OF_STAGED | types)


def _second_pass(rules: Sequence[Rule], by_bodies: dict[Needs, list[Rule]], bits: dict[str, Bit]) -> Pass:
    gate = Gate(list(by_bodies))
    return _pass(
        Table.CANDIDATES,
        rules,
        bits,
        above=(("prepared", _adding([_REQUEST_HASH], "events")),),
        groups=tuple(
            Group(*gate.place(need), guard(need).sql(DIALECT), _answers(members, bits, (), need))
            for need, members in by_bodies.items()
        ),
        extra={},
        heads_only=False,
    )


# What several keys are made of.
_REQUEST_HASH = f"{REQUEST_HASH} AS request_hash"


def _adding(columns: Sequence[exp.Expr | str], source: str) -> str:
    """Query that adds columns to those of another one."""
    return exp.select("*", *columns, copy=False).from_(source).sql(DIALECT)


def _pass(
    table: Table,
    rules: Sequence[Rule],
    bits: dict[str, Bit],
    *,
    above: tuple[tuple[str, str], ...],
    groups: tuple[Group, ...],
    extra: dict[str, tuple[str, str]],
    heads_only: bool,
    keys: dict[str, tuple[str, str]] | None = None,
) -> Pass:
    own = [bit for bit in bits.values() if bit.table is table]
    kept, kept_columns = _kept_fields(table, rules, bits)
    columns = {
        **(keys or _KEYS),
        **extra,
        **{
            f"matched_{word}": ("BIGINT", f"matched_{word}")
            for word in range(_count_words((bit.word, 0) for bit in own))
        },
        **kept_columns,
    }
    types = {name: type_ for name, (type_, _) in columns.items()}
    values = {name: sql.replace("{matched}", mask_test(own)) for name, (_, sql) in columns.items()}
    answered = tuple(name for name in columns if name.startswith("matched_"))
    if table is Table.HEADS:
        answered += tuple(extra)
    return Pass(table, types, values, kept, above, groups, answered, heads_only)


def _count_words(places: Iterable[tuple[int, int]]) -> int:
    return max((word + 1 for word, _ in places), default=1)


def _answers(
    rules: Sequence[Rule], bits: dict[str, Bit], shared: Collection[str], known: Needs = ANYTHING
) -> tuple[tuple[str, str], ...]:
    """Column, and SQL of the bits in it, for each one that has answers of these rules.

    Args:
        rules: of one group.
        bits: where their answers go.
        shared: columns that there are in lower case.
        known: what the events have of which they are asked.
    """
    by_word: dict[int, list[exp.Expr]] = {}
    for rule in rules:
        bit = bits[rule.info.id]
        if rule.predicate is not None:
            condition = lower(without_known(rule.predicate, known), shared)
            by_word.setdefault(bit.word, []).append(when(condition, bigint(bit.mask)))
    return tuple((f"matched_{word}", any_bits(answers).sql(DIALECT)) for word, answers in by_word.items())


def _kept_fields(
    table: Table, rules: Sequence[Rule], bits: dict[str, Bit]
) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """What rules of several events need later: name to column, and column to type and SQL."""
    wanted: dict[str, tuple[Field, Form, list[Bit]]] = {}
    for rule in rules:
        for rule_id, field, form in _needed_later(rule):
            bit = bits.get(rule_id)
            if bit and bit.table is table:
                wanted.setdefault(kept_name(field.name, form), (field, form, []))[2].append(bit)
    kept: dict[str, str] = {}
    columns: dict[str, tuple[str, str]] = {}
    for name, (field, form, of) in wanted.items():
        column = kept[name] = f"kept_{len(columns)}"
        columns[column] = form.type, f"CASE WHEN {mask_test(of)} THEN {kept_sql(field, form)} END"
    return kept, columns


def _needed_later(rule: Rule) -> Iterator[tuple[str, Field, Form]]:
    """Rule that judges single events, field of these, and what of it is needed."""
    if correlation := rule.correlation:
        for key in (*correlation.group_by, *correlation.counted):
            for base, name in zip(correlation.rules, key.fields, strict=True):
                with suppress(KubewitnessError):  # a name that is no field is a key of a base that is a correlation
                    field = find_field(name)
                    yield base, field, form_of(correlation, key, field)
    if first_seen := rule.first_seen:
        for field in first_seen.by:
            yield rule.info.id, field, Form.HASH
        for field in first_seen.fields:
            yield rule.info.id, field, Form.EACH if is_several(field) else Form.HASH
    if unfinished := rule.unfinished:
        for field in (*unfinished.by, *unfinished.unless):
            yield rule.info.id, field, Form.HASH
