"""All rules in three passes, each over fewer events.

The sketch of every event says its kind, and asks no rule. A kind is judged by one of its events: rules about what
repeats in a log are answered there, of all others it is asked whether any event of the kind could match. Events of
kinds for which a rule is open are the candidates: they are read again, bodies and all, and asked what is left.

What matched is a bit per rule. Of the rest only keys are kept, to find the same record, the same request and the same
cause again: what an event was about is read again for the few that make an alert.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kubewitness.detect.bits import WORD_BITS
from kubewitness.detect.duplicates import RECORD_KEY, TIME_KEY
from kubewitness.detect.keeping import form_of, is_several, kept_sql
from kubewitness.detect.kinds import (
    DIALECT,
    OWN_COLUMNS,
    Marks,
    is_common,
    is_often_written,
    is_own,
    is_seen,
    left_to_ask,
    marked,
    may_match,
    seen_columns,
)
from kubewitness.detect.plan import (
    BLANK,
    Answer,
    Bit,
    Form,
    Group,
    Pass,
    Plan,
    PlannedRule,
    Sketch,
    Table,
    kept_name,
    mask_test,
)
from kubewitness.facts import BODY_FACTS, KEYS
from kubewitness.model.errors import KubewitnessError
from kubewitness.query.fields import find_field
from kubewitness.query.lower import lower
from kubewitness.query.needs import Needs, condition, needs
from kubewitness.query.predicate import ALWAYS, And, Not, Or, fields_of, leaves_of
from kubewitness.query.reading import OUTCOME, decoded_columns
from kubewitness.query.weaken import without_known

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from kubewitness.detect.pack import Pack
    from kubewitness.detect.rule import Rule
    from kubewitness.query.fields import Field
    from kubewitness.query.lower import Gathered
    from kubewitness.query.predicate import Predicate


@dataclass(frozen=True, slots=True)
class _Asked:
    """A rule of single events, and how it is asked.

    Attributes:
        rule_id: its id.
        predicate: what it says.
        needs: what an event must have.
        bit: where its answer goes.
        marked: tests of what is an event's own that have one answer for all events of a kind that has what is needed.
    """

    rule_id: str
    predicate: Predicate
    needs: Needs
    bit: Bit
    marked: frozenset[Predicate]

    @property
    def is_open(self) -> bool:
        """Whether a kind can only say whether it may match."""
        return self.bit.table is Table.CANDIDATES


def build_plan(pack: Pack, also_asked: Mapping[str, Collection[Predicate]] | None = None) -> Plan:
    """One plan for all rules of the pack.

    Args:
        pack: the rules.
        also_asked: what is asked, besides the rule, of events that it matched; by its id.
    """
    marks = Marks()
    asked: list[_Asked] = []
    later: dict[str, set[Field]] = {}
    for rule in pack.rules:
        for base, field, _ in _needed_later(rule):
            later.setdefault(base, set()).add(field)
    counts = dict.fromkeys(Table, 0)
    for rule in pack.rules:
        if rule.predicate is not None:
            need = needs(rule.predicate)
            also = (also_asked or {}).get(rule.info.id, ())
            tests = [test for each in (rule.predicate, *also) for test in marked(each)]
            own = later.get(rule.info.id, set())
            is_dear = is_common(need) or _is_about_beginnings(rule)
            is_of_kind = all(map(_is_kept_of_all, own)) and (not tests or (is_dear and all(map(is_own, tests))))
            if not is_of_kind:
                tests = [*filter(is_own, marked(rule.predicate))] if is_often_written(need) else []
            marks.add(tests, need)
            table = Table.KINDS if is_of_kind else Table.CANDIDATES
            bit = Bit(table, *divmod(counts[table], WORD_BITS))
            asked.append(_Asked(rule.info.id, rule.predicate, need, bit, frozenset(tests)))
            counts[table] += 1
    bits = {each.rule_id: each.bit for each in asked}
    kinds, own_kept = _kinds_pass(pack.rules, asked, bits)
    return Plan(
        rules=tuple(
            PlannedRule(
                rule.info, bits.get(rule.info.id), rule.correlation, rule.first_seen, rule.unfinished, rule.alerts
            )
            for rule in pack.rules
        ),
        sketch=_sketch(pack.rules, marks, own_kept),
        kinds=kinds,
        candidates=_candidates_pass(pack.rules, asked, bits),
        decoded=_decoded(kinds),
    )


def _is_kept_of_all(field: Field) -> bool:
    """Whether a field can be kept of every event."""
    return not field.path and field.column.name in seen_columns() | OWN_COLUMNS


def _is_about_beginnings(rule: Rule) -> bool:
    """Whether a rule would have many bodies read in vain: beginnings of requests have none."""
    fields = fields_of(rule.predicate) if rule.predicate and rule.unfinished else ()
    return rule.unfinished is not None and not {field.column.name for field in fields} & BODY_FACTS


ASKED_FOR = ("verb", "resource", "subresource")
"""Columns by which groups that none of the kinds at hand belongs to are left out."""


def with_kinds(plan: Plan, kinds: Pass) -> Plan:
    """A plan that asks something else of kinds."""
    return replace(plan, kinds=kinds, decoded=_decoded(kinds))


def _decoded(kinds: Pass) -> dict[str, str]:
    """Columns of `decoded` of which the pass over kinds is made."""
    asked = [kinds.select, *(sql for _, sql in kinds.judging()), *ASKED_FOR]
    return {name: BLANK.get(name, f'"{name}"') for name in decoded_columns(asked)}


_KEYS = {
    "source_id": ("INTEGER", "source_id"),
    "record_line": ("BIGINT", "record_line"),
    "outcome": ("TINYINT", OUTCOME),  # later, 4 for a duplicate
    "happened_at": ("TIMESTAMP", "happened_at"),
    # The same record again has the same record_key and time_key; events without auditID are never the same.
    "record_key": ("UBIGINT", RECORD_KEY),
    "time_key": ("UBIGINT", TIME_KEY),
    # All stages of one request have the same request_key.
    "request_key": (
        "UBIGINT",
        "CASE WHEN audit_id IS NOT NULL THEN hash(request_hash, request_received_at) ELSE hash(random()) END",
    ),
}
_KIND_KEYS = {
    "cluster_key": ("UBIGINT", "CASE WHEN cluster IS NOT NULL THEN hash(cluster) END"),
    "actor_key": ("UBIGINT", "hash(cluster, coalesce(actor, source_ip))"),
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


def _sketch(rules: Sequence[Rule], marks: Marks, own_kept: Mapping[str, tuple[str, str]]) -> Sketch:
    kind = f"hash({', '.join(['kind', *marks.sql()])})"
    columns = {
        **_KEYS,
        # Other records are of no kind.
        "kind": ("UBIGINT", f"CASE WHEN fits AND other_category IS NULL THEN {kind} END"),
        **(_ENDS if any(rule.unfinished for rule in rules) else {}),
        **own_kept,
    }
    return Sketch(
        {name: type_ for name, (type_, _) in columns.items()}, {name: sql for name, (_, sql) in columns.items()}
    )


def _kinds_pass(
    rules: Sequence[Rule], asked: Sequence[_Asked], bits: dict[str, Bit]
) -> tuple[Pass, dict[str, tuple[str, str]]]:
    """The pass over kinds; and what rules that it answers need of each event: columns of the sketch."""
    kept, columns = _kept_fields(Table.KINDS, rules, bits)
    own = {column: columns.pop(column) for column in [*columns] if column.startswith("own_")}
    words = {table: _count_words(asked, table) for table in Table}
    answered = [f"matched_{word}" for word in range(words[Table.KINDS])]
    answered += [f"open_{word}" for word in range(words[Table.CANDIDATES])]
    said = [
        (f"open_{each.bit.word}", each, may_match(each.predicate, each.needs, each.marked))
        if each.is_open
        else (f"matched_{each.bit.word}", each, without_known(each.predicate, each.needs))
        for each in asked
    ]
    return _pass(Table.KINDS, _KIND_KEYS | columns, kept, said, answered), own


def _candidates_pass(rules: Sequence[Rule], asked: Sequence[_Asked], bits: dict[str, Bit]) -> Pass:
    kept, columns = _kept_fields(Table.CANDIDATES, rules, bits)
    answered = [f"matched_{word}" for word in range(_count_words(asked, Table.CANDIDATES))]
    said = [
        (f"matched_{each.bit.word}", each, left_to_ask(each.predicate, each.needs)) for each in asked if each.is_open
    ]
    return _pass(Table.CANDIDATES, columns, kept, said, answered)


def _pass(
    table: Table,
    columns: Mapping[str, tuple[str, str]],
    kept: dict[str, str],
    said: Sequence[tuple[str, _Asked, Predicate]],
    answered: Sequence[str],
) -> Pass:
    columns = {**columns, **{name: ("BIGINT", name) for name in answered}}
    repeated = _repeated(predicate for _, _, predicate in said)
    names: dict[Gathered, str] = {part: f"shared_{number}" for number, part in enumerate(repeated)}
    answers: dict[Needs, list[Answer]] = {}
    for column, each, predicate in said:
        answer = Answer(column, each.bit.mask, lower(predicate, names).sql(DIALECT))
        answers.setdefault(each.needs, []).append(answer)
    return Pass(
        table,
        {name: type_ for name, (type_, _) in columns.items()},
        {name: sql for name, (_, sql) in columns.items()},
        kept,
        {name: lower(part).sql(DIALECT) for part, name in names.items()},
        tuple(Group(need, _guard(need), tuple(found)) for need, found in answers.items()),
        tuple(answered),
    )


def _repeated(predicates: Iterable[Predicate]) -> list[Predicate]:
    """What several predicates ask in many words, such as lists of names: the engine is to understand it once.

    Only of what repeats in a log: it is asked of all events, also of those that no rule asks for it.
    """
    counts = Counter(part for predicate in predicates for part in _combinations(predicate))
    often = [part for part, count in counts.items() if count > 1 and all(map(is_seen, leaves_of(part)))]
    return [part for part in often if len(lower(part).sql(DIALECT)) > _LONG]


def _combinations(predicate: Predicate) -> Iterator[Predicate]:
    match predicate:
        case And(items) | Or(items):
            yield predicate
            for item in items:
                yield from _combinations(item)
        case Not(item):
            yield from _combinations(item)


_LONG = 80
"""Characters of SQL from which on a repeated condition is shared."""


def _guard(need: Needs) -> str | None:
    has = condition(need)
    return None if has == ALWAYS else lower(has).sql(DIALECT)


def _count_words(asked: Sequence[_Asked], table: Table) -> int:
    return max((each.bit.word + 1 for each in asked if each.bit.table is table), default=1)


def _kept_fields(
    table: Table, rules: Sequence[Rule], bits: dict[str, Bit]
) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """What rules of several events need later: name to column, and column to type and SQL.

    Columns that begin with `own_` are kept of every event.
    """
    wanted: dict[str, tuple[Field, Form, list[Bit]]] = {}
    for rule in rules:
        for rule_id, field, form in _needed_later(rule):
            bit = bits.get(rule_id)
            if bit and bit.table is table:
                wanted.setdefault(kept_name(field.name, form), (field, form, []))[2].append(bit)
    kept: dict[str, str] = {}
    columns: dict[str, tuple[str, str]] = {}
    for name, (field, form, of) in wanted.items():
        is_own_kept = table is Table.KINDS and field.column.name not in seen_columns()
        column = kept[name] = f"{'own' if is_own_kept else 'kept'}_{len(columns)}"
        sql = kept_sql(field, form)
        columns[column] = (
            form.type,
            sql.replace(KEYS["request_path"], "request_path")
            if is_own_kept
            else f"CASE WHEN {mask_test(of)} THEN {sql} END",
        )
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
