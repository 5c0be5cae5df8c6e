"""All rules in two passes over the events.

An event is first classified by verb, resource and subresource: each value stands for a set of rule groups, as bits, and
the bits that all three share (the gate) are the groups whose necessary conditions the event fulfils. Few events have
any. So the first pass reads the heads of all events, asks the rules that every event must be asked, and marks as
candidates those with a gate; the second pass reads the candidates again, bodies and all, and asks the rules of their
groups.

What matched is a bit per rule. Of the rest only keys are kept, to find the same record, the same request and the same
cause again: what an event was about is read again for the few that make an alert.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, assert_never

from sqlglot import exp

from kubewitness.detect.keeping import form_of, is_several, kept_sql
from kubewitness.detect.plan import Bit, Form, Pass, Plan, PlannedRule, Table, kept_name, mask_test
from kubewitness.facts import BODY_FACTS
from kubewitness.model.errors import KubewitnessError
from kubewitness.model.event import BY_NAME
from kubewitness.query.fields import find_field
from kubewitness.query.lower import fold, folded_columns, folded_name, lower
from kubewitness.query.needs import ABSENT, Needs, Trait, TraitKind, needs
from kubewitness.query.predicate import fields_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from kubewitness.detect.pack import Pack
    from kubewitness.detect.rule import Rule
    from kubewitness.query.fields import Field

WORD_BITS = 63
"""Rules, or groups, per column of bits: what a signed 64-bit integer holds without its sign."""

DIALECT = "duckdb"


def build_plan(pack: Pack) -> Plan:
    """One plan for all rules of the pack."""
    always: list[Rule] = []
    groups: dict[Needs, list[Rule]] = {}
    for rule in pack.rules:
        if rule.predicate is not None:
            need = needs(rule.predicate)
            (always if need.is_met_by_many or _is_about_heads(rule) else groups.setdefault(need, [])).append(rule)
    gated = [rule for rules in groups.values() for rule in rules]
    bits = {
        rule.info.id: Bit(table, *divmod(index, WORD_BITS))
        for table, rules in ((Table.STAGED, always), (Table.CANDIDATES, gated))
        for index, rule in enumerate(rules)
    }
    gates = {need: divmod(index, WORD_BITS) for index, need in enumerate(groups)}
    return Plan(
        rules=tuple(
            PlannedRule(
                rule.info, bits.get(rule.info.id), rule.correlation, rule.first_seen, rule.unfinished, rule.alerts
            )
            for rule in pack.rules
        ),
        first=_first_pass(pack.rules, always, gates, bits),
        second=_second_pass(pack.rules, groups, gates, bits) if groups else None,
    )


def _is_about_heads(rule: Rule) -> bool:
    """Whether a rule would have many bodies read in vain: it is about beginnings of requests, which have none."""
    fields = fields_of(rule.predicate) if rule.predicate and rule.unfinished else ()
    return rule.unfinished is not None and not {field.column.name for field in fields} & BODY_FACTS


_KEYS = {
    "source_id": ("INTEGER", "source_id"),
    "record_line": ("BIGINT", "record_line"),
    # 0 the engine could not place it, 1 event, 2 partial, 3 a log of another category
    "outcome": (
        "TINYINT",
        (
            "CASE WHEN NOT fits OR fits IS NULL THEN 0 WHEN other_category IS NOT NULL THEN 3"
            " WHEN partial THEN 2 ELSE 1 END"
        ),
    ),
    "happened_at": ("TIMESTAMP", "happened_at"),
    # The same record again has the same record_key and time_key; events without auditID are never the same.
    "record_key": (
        "UBIGINT",
        "CASE WHEN audit_id IS NOT NULL THEN hash(request_hash, stage, verb, username) END",
    ),
    "time_key": (
        "UBIGINT",
        "hash(cluster, CASE WHEN partial THEN request_received_at ELSE coalesce(request_received_at, happened_at) END)",
    ),
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


def _first_pass(
    rules: Sequence[Rule],
    always: Sequence[Rule],
    gates: dict[Needs, tuple[int, int]],
    bits: dict[str, Bit],
) -> Pass:
    # What is compared several times is brought to lower case once; lists are dear enough for one.
    compared = sum((folded_columns(rule.predicate) for rule in always if rule.predicate), Counter[str]())
    shared = sorted(name for name, count in compared.items() if count > 1 or BY_NAME[name].is_list)
    needed = {field.column.name for rule in always if rule.predicate for field in fields_of(rule.predicate)}
    candidate = " OR ".join(f"gate_{word} <> 0" for word in range(_count_words(gates.values())))
    return _pass(
        Table.STAGED,
        rules,
        bits,
        above=(
            ("prepared", _prepared(gates, shared)),
            ("judged", _judged([[rule] for rule in always], bits, shared, gates={})),
        ),
        extra={
            "is_candidate": ("BOOLEAN", f"fits AND ({candidate})" if gates else "FALSE"),
            **(_ENDS if any(rule.unfinished for rule in rules) else {}),
        },
        heads_only=not needed & BODY_FACTS,
    )


def _second_pass(
    rules: Sequence[Rule],
    groups: dict[Needs, list[Rule]],
    gates: dict[Needs, tuple[int, int]],
    bits: dict[str, Bit],
) -> Pass:
    by_gate = {id(members): gates[need] for need, members in groups.items()}
    return _pass(
        Table.CANDIDATES,
        rules,
        bits,
        above=(
            ("prepared", _prepared(gates, ())),
            ("judged", _judged(list(groups.values()), bits, (), gates=by_gate)),
        ),
        extra={},
        heads_only=False,
    )


def _prepared(gates: dict[Needs, tuple[int, int]], shared: Sequence[str]) -> str:
    """Query that adds the gate, the columns of `shared` in lower case, and what several keys are made of."""
    columns = [exp.alias_(_gate(gates, word), f"gate_{word}") for word in range(_count_words(gates.values()))]
    columns += [exp.alias_(fold(BY_NAME[name]), folded_name(name)) for name in shared]
    request_hash = "hash(audit_id, request_uri) AS request_hash"
    return exp.select("*", *columns, request_hash, copy=False).from_("events").sql(DIALECT)


def _pass(
    table: Table,
    rules: Sequence[Rule],
    bits: dict[str, Bit],
    *,
    above: tuple[tuple[str, str], ...],
    extra: dict[str, tuple[str, str]],
    heads_only: bool,
) -> Pass:
    own = [bit for bit in bits.values() if bit.table is table]
    kept, kept_columns = _kept_fields(table, rules, bits)
    columns = {
        **_KEYS,
        **extra,
        **{
            f"matched_{word}": ("BIGINT", f"matched_{word}")
            for word in range(_count_words((bit.word, 0) for bit in own))
        },
        **kept_columns,
    }
    types = {name: type_ for name, (type_, _) in columns.items()}
    values = {name: sql.replace("{matched}", mask_test(own)) for name, (_, sql) in columns.items()}
    return Pass(table, types, values, kept, above, heads_only)


def _count_words(places: Iterable[tuple[int, int]]) -> int:
    return max((word + 1 for word, _ in places), default=1)


def _gate(gates: dict[Needs, tuple[int, int]], word: int) -> exp.Expr:
    """The groups of one word that an event belongs to, as bits."""
    own = [(need, 1 << bit) for need, (place, bit) in gates.items() if place == word]
    result = _classify("verb", [(need.verbs, mask) for need, mask in own])
    for column, values in (
        ("resource", [(need.resources, mask) for need, mask in own]),
        ("subresource", [(need.subresources, mask) for need, mask in own]),
        ("actor_kind", [(need.actor_kinds, mask) for need, mask in own]),
    ):
        result = exp.BitwiseAnd(this=result, expression=_classify(column, values))
    return exp.BitwiseAnd(this=result, expression=_classify_traits([(need.traits, mask) for need, mask in own]))


def _classify(column: str, needed: Sequence[tuple[frozenset[str] | None, int]]) -> exp.Expr:
    """The groups that a value of the column admits, as bits."""
    anything = sum(mask for values, mask in needed if values is None)
    named: dict[str, int] = {}
    for values, mask in needed:
        for value in values or ():
            named[value] = named.get(value, anything) | mask
    by_mask: dict[int, list[str]] = {}
    for value, mask in named.items():
        if value != ABSENT:
            by_mask.setdefault(mask, []).append(value)
    case = exp.Case(default=bigint(anything))
    if ABSENT in named:
        case = case.when(exp.Is(this=exp.column(column), expression=exp.null()), bigint(named[ABSENT]))
    for mask, alike in by_mask.items():
        case = case.when(exp.column(column).isin(*alike), bigint(mask))
    return case if case.args.get("ifs") else bigint(anything)


def _classify_traits(needed: Sequence[tuple[frozenset[Trait] | None, int]]) -> exp.Expr:
    """The groups that an event's traits admit, as bits; it may have several."""
    anything = sum(mask for traits, mask in needed if traits is None)
    masks: dict[Trait, int] = {}
    for traits, mask in needed:
        for trait in traits or ():
            masks[trait] = masks.get(trait, 0) | mask
    by_test: dict[tuple[TraitKind, int], list[str]] = {}
    for trait, mask in sorted(masks.items()):
        by_test.setdefault((trait.kind, mask), []).append(trait.value)
    parts: list[exp.Expr] = [bigint(anything)]
    for kind, tests in groupby(by_test.items(), key=lambda item: item[0][0]):
        case = exp.Case(default=bigint(0))
        for (_, mask), names in tests:
            case = case.when(_has_trait(kind, names), bigint(mask), copy=False)
        parts.append(case)
    return any_bits(parts)


def _has_trait(kind: TraitKind, values: Sequence[str]) -> exp.Expr:
    match kind:
        case TraitKind.IMPERSONATED:
            return exp.Not(this=exp.Is(this=exp.column("impersonated_username"), expression=exp.null()))
        case TraitKind.CODE:
            return exp.In(this=exp.column("code"), expressions=[exp.Literal.number(value) for value in values])
        case TraitKind.USERNAME | TraitKind.ACTOR | TraitKind.API_GROUP:
            folded = exp.Lower(this=exp.column(kind.value))
            return exp.In(this=folded, expressions=[exp.Literal.string(value) for value in values])
        case _:
            assert_never(kind)


def _judged(
    groups: Sequence[Sequence[Rule]],
    bits: dict[str, Bit],
    shared: Collection[str],
    gates: dict[int, tuple[int, int]],
) -> str:
    """Query that adds the columns `matched_<word>`.

    Args:
        groups: rules with the same needs.
        bits: where their answers go.
        shared: columns that `prepared` has in lower case.
        gates: word and bit of the gate that a group (by identity) lies behind.
    """
    words = _count_words((bits[rule.info.id].word, 0) for rules in groups for rule in rules)
    parts: list[list[exp.Expr]] = [[] for _ in range(words)]
    for rules in groups:
        for word in range(words):
            answers = [_answer(rule, bits[rule.info.id], shared) for rule in rules if bits[rule.info.id].word == word]
            gate = gates.get(id(rules))
            if gate and len(answers) > 1:
                answers = [when(_has_bits(f"gate_{gate[0]}", 1 << gate[1]), any_bits(answers))]
            parts[word] += answers
    columns = [
        exp.alias_(any_bits(answers) if answers else bigint(0), f"matched_{word}", copy=False)
        for word, answers in enumerate(parts)
    ]
    return exp.select("*", *columns, copy=False).from_("prepared").sql(DIALECT)


def _answer(rule: Rule, bit: Bit, shared: Collection[str]) -> exp.Expr:
    assert rule.predicate is not None  # noqa: S101 - only judged rules come here
    return when(lower(rule.predicate, shared), bigint(bit.mask))


def when(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    """The value where the condition holds, else no bit."""
    return exp.Case(ifs=[exp.If(this=condition, true=value)], default=bigint(0))


def any_bits(items: Sequence[exp.Expr]) -> exp.Expr:
    """All bits of these together."""
    result = items[0]
    for item in items[1:]:
        result = exp.BitwiseOr(this=result, expression=item)
    return exp.Paren(this=result)


def _has_bits(column: str, mask: int) -> exp.Expr:
    return exp.NEQ(
        this=exp.Paren(this=exp.BitwiseAnd(this=exp.column(column), expression=bigint(mask))),
        expression=bigint(0),
    )


def bigint(value: int) -> exp.Expr:
    """A number of the type of a column of bits."""
    return exp.Cast(this=exp.Literal.number(value), to=exp.DataType(this=exp.DataType.Type.BIGINT))


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
