"""The gate: which groups of rules, each with needs of its own, an event belongs to.

Every value of verb, resource, subresource and kind of actor admits some of the groups, and so do an event's traits;
what all of them admit is the gate, as bits. A value is looked up once, however many groups there are: it becomes a
number, which is a place in a list of bits for each word of the gate.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, assert_never

from sqlglot import exp

from kubewitness.detect.bits import WORD_BITS, any_bits, bigint, when
from kubewitness.query.needs import ABSENT, Needs, Trait, TraitKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_COLUMNS: dict[str, Callable[[Needs], frozenset[str] | None]] = {
    "verb": lambda need: need.verbs,
    "resource": lambda need: need.resources,
    "subresource": lambda need: need.subresources,
    "actor_kind": lambda need: need.actor_kinds,
}
_NAMES = (TraitKind.USERNAME, TraitKind.ACTOR, TraitKind.API_GROUP, TraitKind.USER_AGENT_FAMILY)
"""Traits that are a value of a column, in lower case."""
_ABSENT_PLACE, _OTHER_PLACE, _FIRST_PLACE = 1, 2, 3


class Gate:
    """The gate of some groups.

    Args:
        groups: needs of each, in the order of their bits.
    """

    def __init__(self, groups: Sequence[Needs]) -> None:
        self._groups = groups
        self._numbers = {need: number for number, need in enumerate(groups)}
        self._values = {
            column: sorted({value for need in groups for value in of(need) or ()}) for column, of in _COLUMNS.items()
        }
        traits = sorted({trait for need in groups for trait in need.traits or ()})
        self._names = {kind: [trait.value for trait in traits if trait.kind is kind] for kind in _NAMES}

    @property
    def words(self) -> list[str]:
        """Names of the columns of bits."""
        return [f"gate_{word}" for word in range(-(-len(self._groups) // WORD_BITS))]

    def place(self, need: Needs) -> tuple[int, int]:
        """Word and bit of a group."""
        return divmod(self._numbers[need], WORD_BITS)

    def places(self) -> list[exp.Expr]:
        """Columns `<name>_place`: where the value of a column stands in the lists that `bits` reads."""
        listed: list[tuple[str, exp.Expr, list[str]]] = [
            (column, exp.column(column), values) for column, values in self._values.items()
        ]
        listed += [(kind, exp.Lower(this=exp.column(kind.value)), values) for kind, values in self._names.items()]
        return [
            exp.alias_(_place(value, values), f"{column}_place", copy=False)
            for column, value, values in listed
            if values
        ]

    def bits(self) -> list[exp.Expr]:
        """Columns `gate_<word>`, over a query that has the places."""
        return [exp.alias_(self._word(word), name, copy=False) for word, name in enumerate(self.words)]

    def _word(self, word: int) -> exp.Expr:
        own = [(need, 1 << bit) for bit, need in enumerate(self._groups[word * WORD_BITS : (word + 1) * WORD_BITS])]
        result = self._bits_of_traits(own)
        for column, of in _COLUMNS.items():
            if values := self._values[column]:
                needed = [(of(need), mask) for need, mask in own]
                admitted = [_admitted(needed, value) for value in (ABSENT, None, *values)]
                result = exp.BitwiseAnd(this=result, expression=_at_place(column, admitted))
        return result

    def _bits_of_traits(self, own: Sequence[tuple[Needs, int]]) -> exp.Expr:
        """The groups that an event's traits admit; it may have several."""
        masks: dict[Trait, int] = {}
        for need, mask in own:
            for trait in need.traits or ():
                masks[trait] = masks.get(trait, 0) | mask
        parts: list[exp.Expr] = [bigint(sum(mask for need, mask in own if need.traits is None))]
        for kind, values in self._names.items():
            admitted = [masks.get(Trait(kind, value), 0) for value in values]
            if any(admitted):
                parts.append(_at_place(kind, [0, 0, *admitted]))
        by_mask: dict[int, list[Trait]] = {}
        for trait, mask in sorted(masks.items()):
            if trait.kind not in _NAMES:
                by_mask.setdefault(mask, []).append(trait)
        parts += [when(_has_trait(traits), bigint(mask)) for mask, traits in by_mask.items()]
        return any_bits(parts)


def guard(need: Needs) -> exp.Expr:
    """Condition on an event: that it has what is needed."""
    tests = [_is_one_of(column, values) for column, of in _COLUMNS.items() if (values := of(need)) is not None]
    if need.traits is not None:
        tests.append(_has_trait(sorted(need.traits)))
    return exp.and_(*tests, copy=False)


def _is_one_of(column: str, values: frozenset[str]) -> exp.Expr:
    tests: list[exp.Expr] = []
    if named := sorted(values - {ABSENT}):
        tests.append(exp.column(column).isin(*named))
    if ABSENT in values:
        tests.append(exp.Is(this=exp.column(column), expression=exp.null()))
    return _any(tests)


def _any(tests: Sequence[exp.Expr]) -> exp.Expr:
    return exp.or_(*tests, copy=False) if tests else exp.false()


def _place(value: exp.Expr, values: Sequence[str]) -> exp.Expr:
    named = exp.Array(expressions=[exp.Literal.string(each) for each in values])
    found = exp.Anonymous(this="list_position", expressions=[named, value])
    known = exp.Add(this=found, expression=exp.Literal.number(_FIRST_PLACE - 1))
    place = exp.Coalesce(this=known, expressions=[exp.Literal.number(_OTHER_PLACE)])
    is_absent = exp.Is(this=value.copy(), expression=exp.null())
    return exp.Case(ifs=[exp.If(this=is_absent, true=exp.Literal.number(_ABSENT_PLACE))], default=place)


def _at_place(column: str, masks: Sequence[int]) -> exp.Expr:
    listed = exp.cast(exp.Array(expressions=[exp.Literal.number(mask) for mask in masks]), "BIGINT[]")
    return exp.Anonymous(this="list_extract", expressions=[listed, exp.column(f"{column}_place")])


def _admitted(needed: Sequence[tuple[frozenset[str] | None, int]], value: str | None) -> int:
    """The groups that a value admits, as bits; None is any value that no group names."""
    return sum(mask for wanted, mask in needed if wanted is None or value in wanted)


def _has_trait(traits: Sequence[Trait]) -> exp.Expr:
    """Condition on an event: that it has one of these, which are in their order."""
    tests = [
        _has_one_of(kind, [trait.value for trait in group])
        for kind, group in groupby(traits, key=lambda each: each.kind)
    ]
    return _any(tests)


def _has_one_of(kind: TraitKind, values: Sequence[str]) -> exp.Expr:
    match kind:
        case TraitKind.IMPERSONATED:
            return exp.Not(this=exp.Is(this=exp.column("impersonated_username"), expression=exp.null()))
        case TraitKind.CODE:
            return exp.In(this=exp.column("code"), expressions=[exp.Literal.number(value) for value in values])
        case TraitKind.USERNAME | TraitKind.ACTOR | TraitKind.API_GROUP | TraitKind.USER_AGENT_FAMILY:
            folded = exp.Lower(this=exp.column(kind.value))
            return exp.In(this=folded, expressions=[exp.Literal.string(value) for value in values])
        case _:
            assert_never(kind)
