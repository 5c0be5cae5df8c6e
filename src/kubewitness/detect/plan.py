"""All rules as one query.

An event is first classified by verb, resource and subresource: each value stands for a set of rule groups, as bits, and
the bits that all three share (the gate) are the groups whose necessary conditions the event fulfils. Only the rules of
those groups are asked. What matched is a bit per rule. Of the rest only keys are kept, to find the same record, the same
request and the same cause again: what an event was about is read again for the few that make an alert.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from kubewitness.facts import KEYS
from kubewitness.model.event import BY_NAME
from kubewitness.query.lower import field_text, fold, folded_columns, folded_name, lower
from kubewitness.query.needs import ABSENT, ANYTHING, Needs, needs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from kubewitness.detect.pack import Pack
    from kubewitness.detect.rule import Rule
    from kubewitness.query.fields import Field

WORD_BITS = 63
"""Rules, or groups, per column of bits: what a signed 64-bit integer holds without its sign."""

DIALECT = "duckdb"

@dataclass(frozen=True, slots=True)
class Bit:
    """Where a rule's answer stands: a column `matched_<word>` and a bit in it."""

    word: int
    bit: int

    @property
    def mask(self) -> int:
        """The bit as a number."""
        return 1 << self.bit


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run over `events`.

    Attributes:
        rules: the rules, in the order of their bits; correlations have none and come last.
        bits: rule id to where its answer stands.
        above: named queries over `events`.
        select: query over them: one row per record, in the columns of `staged`.
        staged: columns of the table that takes the rows, and their types.
        kept_fields: field name to the column of `staged` that holds a hash of its value where a rule needs it later.
    """

    rules: tuple[Rule, ...]
    bits: dict[str, Bit]
    above: tuple[tuple[str, str], ...]
    select: str
    staged: dict[str, str]
    kept_fields: dict[str, str]


def build_plan(pack: Pack) -> Plan:
    """One plan for all rules of the pack."""
    judged = [rule for rule in pack.rules if rule.predicate is not None]
    bits = {rule.info.id: Bit(*divmod(index, WORD_BITS)) for index, rule in enumerate(judged)}
    groups: dict[Needs, list[Rule]] = {}
    for rule in judged:
        assert rule.predicate is not None  # noqa: S101 - tells the type checker what `judged` means
        groups.setdefault(needs(rule.predicate), []).append(rule)
    gates = {need: Bit(*divmod(index, WORD_BITS)) for index, need in enumerate(groups)}
    words = _count_words(bits.values())
    kept, kept_columns = _kept_fields(pack.rules, bits)
    # Rules that every event meets share what they compare: it is brought to lower case once.
    compared = Counter(name for rule in groups.get(ANYTHING, ()) for name in _compared(rule))
    shared = {name for name, rules in compared.items() if rules > 1 or BY_NAME[name].is_list}
    above = (
        ("gated", _gated(gates, sorted(shared))),
        ("judged", _judged(groups, gates, bits, shared)),
    )
    matched = {f"matched_{word}": "BIGINT" for word in range(words)}
    any_match = _mask_test(bits.values(), words)
    keys = {name: sql.replace("{matched}", any_match) for name, sql in _KEYS.items()}
    columns = {**keys, **{name: name for name in matched}, **kept_columns}
    return Plan(
        rules=(*judged, *(rule for rule in pack.rules if rule.predicate is None)),
        bits=bits,
        above=above,
        select="SELECT\n    " + ",\n    ".join(f"{sql} AS {name}" for name, sql in columns.items()) + "\nFROM judged",
        staged={**_KEY_TYPES, **matched, **dict.fromkeys(kept_columns, "UBIGINT")},
        kept_fields=kept,
    )


_KEY_TYPES = {
    "source_id": "INTEGER",
    "record_line": "BIGINT",
    "outcome": "TINYINT",
    "happened_at": "TIMESTAMP",
    "record_key": "UBIGINT",
    "time_key": "UBIGINT",
    "request_key": "UBIGINT",
    "actor_key": "UBIGINT",
}
_KEYS = {
    "source_id": "source_id",
    "record_line": "record_line",
    # 0 the engine could not place it, 1 event, 2 partial, 3 a log of another category
    "outcome": "CASE WHEN NOT fits OR fits IS NULL THEN 0 WHEN other_category IS NOT NULL THEN 3 WHEN partial THEN 2 ELSE 1 END",
    "happened_at": "happened_at",
    # The same record again has the same record_key and time_key; events without auditID are never the same.
    "record_key": "CASE WHEN audit_id IS NOT NULL THEN hash(request_hash, stage, verb, username) END",
    "time_key": "hash(cluster, CASE WHEN partial THEN request_received_at ELSE coalesce(request_received_at, happened_at) END)",
    # All stages of one request have the same request_key.
    "request_key": "CASE WHEN audit_id IS NOT NULL THEN hash(request_hash, request_received_at) ELSE hash(random()) END",
    "actor_key": "CASE WHEN {matched} THEN hash(cluster, coalesce(actor, source_ip)) END",
}


def _count_words(bits: Iterable[Bit]) -> int:
    return max((bit.word + 1 for bit in bits), default=1)


def _gated(gates: dict[Needs, Bit], shared: Sequence[str]) -> str:
    words = range(_count_words(gates.values()))
    columns = [
        exp.alias_(
            exp.BitwiseAnd(
                this=exp.BitwiseAnd(
                    this=_classify("verb", [(need.verbs, bit) for need, bit in gates.items()], word),
                    expression=_classify("resource", [(need.resources, bit) for need, bit in gates.items()], word),
                ),
                expression=_classify("subresource", [(need.subresources, bit) for need, bit in gates.items()], word),
            ),
            f"gate_{word}",
        )
        for word in words
    ]
    columns += [exp.alias_(fold(BY_NAME[name]), folded_name(name)) for name in shared]
    columns.append(exp.alias_(exp.func("hash", exp.column("audit_id"), exp.column("request_uri")), "request_hash"))
    return exp.select("*", *columns, copy=False).from_("events").sql(DIALECT)


def _classify(column: str, needed: Sequence[tuple[frozenset[str] | None, Bit]], word: int) -> exp.Expression:
    """The groups that a value of the column admits, as bits of one word."""
    admitted = [(values, bit.mask) for values, bit in needed if bit.word == word]
    anything = sum(mask for values, mask in admitted if values is None)
    named: dict[str, int] = {}
    for values, mask in admitted:
        for value in values or ():
            named[value] = named.get(value, anything) | mask
    by_mask: dict[int, list[str]] = {}
    for value, mask in named.items():
        if value != ABSENT:
            by_mask.setdefault(mask, []).append(value)
    case = exp.Case(default=_bigint(anything))
    if ABSENT in named:
        case = case.when(exp.Is(this=exp.column(column), expression=exp.null()), _bigint(named[ABSENT]))
    for mask, values in by_mask.items():
        case = case.when(exp.column(column).isin(*values), _bigint(mask))
    return case if case.args.get("ifs") else _bigint(anything)


def _compared(rule: Rule) -> set[str]:
    return folded_columns(rule.predicate) if rule.predicate is not None else set()


def _judged(
    groups: dict[Needs, list[Rule]], gates: dict[Needs, Bit], bits: dict[str, Bit], shared: Collection[str]
) -> str:
    words = _count_words(bits.values())
    always: list[list[exp.Expression]] = [[] for _ in range(words)]
    gated: list[list[exp.Expression]] = [[] for _ in range(words)]
    for need, rules in groups.items():
        gate = gates[need]
        for word in range(words):
            answers = [_answer(rule, bits[rule.info.id], shared) for rule in rules if bits[rule.info.id].word == word]
            if need == ANYTHING:
                always[word] += answers
            elif answers:
                gated[word].append(_when(_has_bits(f"gate_{gate.word}", gate.mask), _any_bits(answers)))
    # Most events meet none of the groups: one test tells.
    masks = [0] * _count_words(gates.values())
    for need, gate in gates.items():
        masks[gate.word] |= gate.mask if need != ANYTHING else 0
    some = _joined_or([_has_bits(f"gate_{word}", mask) for word, mask in enumerate(masks) if mask])
    columns = []
    for word in range(words):
        answers = always[word] + ([_when(some.copy(), _any_bits(gated[word]))] if gated[word] else [])
        columns.append(exp.alias_(_any_bits(answers) if answers else _bigint(0), f"matched_{word}", copy=False))
    return exp.select("*", *columns, copy=False).from_("gated").sql(DIALECT)


def _joined_or(tests: Sequence[exp.Expression]) -> exp.Expression:
    result = tests[0] if tests else exp.false()
    for test in tests[1:]:
        result = exp.Or(this=result, expression=test)
    return result


def _answer(rule: Rule, bit: Bit, shared: Collection[str]) -> exp.Expression:
    assert rule.predicate is not None  # noqa: S101 - only judged rules come here
    return _when(lower(rule.predicate, shared), _bigint(bit.mask))


def _when(condition: exp.Expression, value: exp.Expression) -> exp.Expression:
    return exp.Case(ifs=[exp.If(this=condition, true=value)], default=_bigint(0))


def _any_bits(items: Sequence[exp.Expression]) -> exp.Expression:
    result = items[0]
    for item in items[1:]:
        result = exp.BitwiseOr(this=result, expression=item)
    return exp.Paren(this=result)


def _has_bits(column: str, mask: int) -> exp.Expression:
    return exp.NEQ(
        this=exp.Paren(this=exp.BitwiseAnd(this=exp.column(column), expression=_bigint(mask))), expression=_bigint(0)
    )


def _bigint(value: int) -> exp.Expression:
    return exp.Cast(this=exp.Literal.number(value), to=exp.DataType(this=exp.DataType.Type.BIGINT))


def _mask_test(bits: Iterable[Bit], words: int) -> str:
    masks = [0] * words
    for bit in bits:
        masks[bit.word] |= bit.mask
    tests = [f"(matched_{word} & {mask}) <> 0" for word, mask in enumerate(masks) if mask]
    return " OR ".join(tests) or "FALSE"


def _kept_fields(rules: Sequence[Rule], bits: dict[str, Bit]) -> tuple[dict[str, str], dict[str, str]]:
    """Fields that correlations and first-seen rules need later, as hashes: name to column, and column to SQL."""
    words = _count_words(bits.values())
    wanted: dict[str, tuple[Field, list[Bit]]] = {}
    for rule in rules:
        if rule.correlation:
            counted = (rule.correlation.counted,) if rule.correlation.counted else ()
            of = [bits[base] for base in rule.correlation.rules]
            fields: tuple[Field, ...] = (*rule.correlation.group_by, *counted)
        elif rule.first_seen:
            of = [bits[rule.info.id]]
            fields = (rule.first_seen.field, *rule.first_seen.by)
        else:
            continue
        for field in fields:
            wanted.setdefault(field.name, (field, []))[1].extend(of)
    kept: dict[str, str] = {}
    columns: dict[str, str] = {}
    for name, (field, of) in wanted.items():
        kept[name] = f"kept_{len(columns)}"
        value = KEYS.get(field.column.name, "") if not field.path else ""
        value = value or field_text(field).sql(DIALECT)
        columns[kept[name]] = f"CASE WHEN {_mask_test(of, words)} THEN nullif(hash({value}), hash(NULL)) END"
    return kept, columns
