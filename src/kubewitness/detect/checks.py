"""What is wrong with one rule, and with one beside others: pure reasoning over predicates, without a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.contradictions import contradictions, never_holds
from kubewitness.detect.feeds import Fed, Verdict, feeds_of
from kubewitness.detect.kinds import is_dear
from kubewitness.model.issue import Issue, IssueSeverity
from kubewitness.model.rule import RuleClass, RuleKind
from kubewitness.query.domains import impossible
from kubewitness.query.fields import find_field, is_published_name
from kubewitness.query.identity import by_identity
from kubewitness.query.implication import Known, is_always
from kubewitness.query.predicate import And, Not, Operator, Or, Text, fields_of, leaves_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubewitness.detect.places import Place, Places
    from kubewitness.detect.rule import Rule
    from kubewitness.query.fields import Field
    from kubewitness.query.predicate import Leaf, Predicate

ERROR, WARNING, INFO = IssueSeverity.ERROR, IssueSeverity.WARNING, IssueSeverity.INFO

_CLASSES = list(RuleClass)
_taken_apart = by_identity(Known, most=1_000)


def names_of(rule: Rule) -> list[str]:
    """What a document may call the rule."""
    return [name for name in (rule.info.id, rule.info.uuid, rule.info.title) if name]


def check_rule(rule: Rule, places: Places, known: Mapping[str, Rule]) -> Iterator[Issue]:
    """What is wrong with a rule.

    Args:
        rule: the rule.
        places: of its file.
        known: rules by id, for correlations.
    """
    info = rule.info
    if rule.correlation is None and not _is_for_audit_logs(rule):
        message, hint = "the rule is for another log source", "logsource: {product: kubernetes, service: audit}"
        yield _issue(rule, WARNING, "logsource-other", message, hint, places.key(names_of(rule), "logsource"))
    if rule.alerts and info.uuid is None:
        message, hint = "the rule has no `id`", "a UUID stays when the name changes"
        yield _issue(rule, INFO, "id-missing", message, hint, places.key(names_of(rule), "title"))
    if rule.alerts and not info.techniques:
        message, hint = "no tag names an ATT&CK technique", "tags: [attack.t1609]"
        yield _issue(rule, INFO, "technique-missing", message, hint, places.key(names_of(rule), "tags"))
    if rule.predicate is not None:
        yield from _check_tests(rule, rule.predicate, places)
        yield from _check_whole(rule, rule.predicate, places)
    yield from _check_feeds(rule, places, known)


class Neighbours:
    """Rules that are held against each other."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Take up those that can be compared: rules of single events that alert, and match something."""
        self._rules = [
            (rule, _taken_apart(rule.predicate))
            for rule in rules
            if rule.predicate is not None and _is_comparable(rule) and not never_holds(rule.predicate)
        ]
        self._known = {rule.info.id: known for rule, known in self._rules}

    def check(self, rule: Rule, places: Places) -> Iterator[Issue]:
        """Which other rule makes this one needless: one says the same, or more and at least as loudly."""
        known = self._known.get(rule.info.id)
        if known is None:
            return
        place = places.key(names_of(rule), "title")
        for other, theirs in self._rules:
            if other is rule or not known.implies(theirs):
                continue
            if theirs.implies(known):
                message = f"it matches the same events as `{other.info.id}` in {other.info.path}"
                yield _issue(rule, WARNING, "duplicate", message, "keep one of them", place)
            elif _is_as_loud(other, rule):
                message = f"every event that it matches, `{other.info.id}` in {other.info.path} matches too"
                hint = "give it a higher level than that one, or do without it"
                yield _issue(rule, INFO, "shadowed", message, hint, place)


def _is_for_audit_logs(rule: Rule) -> bool:
    source = rule.logsource
    return source.product in {None, "kubernetes"} and source.service in {None, "audit"}


def _check_tests(rule: Rule, predicate: Predicate, places: Places) -> Iterator[Issue]:
    """Single tests that can never hold, and names that are not the API's."""
    names, seen = names_of(rule), set()
    excepted = set(_excepted(predicate))
    for test in leaves_of(predicate):
        if test in seen:
            continue
        seen.add(test)
        if reason := impossible(test):
            value = test.value if isinstance(test, Text) else None
            place = places.test(names, _field_of(test).name, value)
            severity = INFO if test in excepted else WARNING
            yield _issue(rule, severity, "value-impossible", reason.message, reason.hint, place)
    for name in sorted({field.name for field in fields_of(predicate) if is_published_name(field.name)}):
        message = f"no event has a field `{name}`: it is read as `{find_field(name).column.name}`"
        place = places.test(names, name)
        yield _issue(rule, INFO, "field-renamed", message, "write the name that events have", place)


def _excepted(predicate: Predicate, *, inside: bool = False) -> Iterator[Leaf]:
    """Tests that stand behind a `not`."""
    match predicate:
        case And(items) | Or(items):
            for item in items:
                yield from _excepted(item, inside=inside)
        case Not(item):
            yield from _excepted(item, inside=not inside)
        case _:
            if inside:
                yield predicate


def _field_of(test: Leaf) -> Field:
    return next(fields_of(test))


def _check_whole(rule: Rule, predicate: Predicate, places: Places) -> Iterator[Issue]:
    """Whether the predicate, or a part of it, can hold at all, and whether it says anything."""
    names = names_of(rule)
    clashes = list(contradictions(predicate))
    if never_holds(predicate):
        why = "every way to match asks for what no event has"
        place = places.key(names, "detection")
        if clashes:
            why = f"{_listed(clashes[0])} exclude each other"
            place = places.test(names, clashes[0][0].name) or place
        yield _issue(rule, ERROR, "never-matches", f"the rule can never match: {why}", None, place)
        return
    for fields in clashes:
        message = f"a part of the condition can never hold: {_listed(fields)} exclude each other"
        yield _issue(rule, WARNING, "part-never-holds", message, None, places.test(names, fields[0].name))
    if is_always(predicate):
        message, hint = "the rule matches every event", "name what an event must be like"
        yield _issue(rule, WARNING, "matches-everything", message, hint, places.key(names, "detection"))
    elif is_dear(predicate):
        message = "many events must be read again: no write, subresource, rare code or certain user is needed"
        hint = "it is slower than others; name what the request does, and to what"
        yield _issue(rule, INFO, "asks-every-event", message, hint, places.key(names, "detection"))


def _listed(fields: tuple[Field, ...]) -> str:
    quoted = [f"`{field.name}`" for field in fields]
    if len(quoted) == 1:
        return f"the tests of {quoted[0]}"
    return f"the tests of {', '.join(quoted[:-1])} and {quoted[-1]}"


def _check_feeds(rule: Rule, places: Places, known: Mapping[str, Rule]) -> Iterator[Issue]:
    """Platforms on which the rule can never match, because they do not record what it asks for."""
    if rule.predicate is not None and never_holds(rule.predicate):
        return
    families: dict[str, list[Fed]] = {}
    for fed in feeds_of(rule, known):
        families.setdefault(fed.feed.title.partition(",")[0].partition(" ")[0], []).append(fed)
    blind = {name: fed[0].why for name, fed in families.items() if all(each.verdict is Verdict.NO for each in fed)}
    place = places.key(names_of(rule), "detection")
    if blind:
        reasons: dict[str, list[str]] = {}
        for name, why in blind.items():
            reasons.setdefault(why, []).append(name)
        text = "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items())
        hint = "`kubewitness rules show` says what feeds a rule"
        yield _issue(rule, INFO, "not-recorded", f"logs of these never show it: {text}", hint, place)
    if rule.predicate is not None and _taken_apart(rule.predicate).implies(_READ_BY_AKS):
        message = "AKS records no get and list by `aksService`"
        yield _issue(rule, WARNING, "not-recorded", message, "its writes are recorded", place)


def _text(name: str, value: str) -> Text:
    return Text(find_field(name), Operator.EQUALS, value)


_READ_BY_AKS = Known(
    And(
        (
            Or((_text("username", "aksService"), _text("actor", "aksService"))),
            Or((_text("verb", "get"), _text("verb", "list"))),
        )
    )
)
"""What the audit policy of AKS leaves out whatever the resource."""


def _is_comparable(rule: Rule) -> bool:
    return rule.alerts and rule.info.kind is RuleKind.SINGLE and rule.unfinished is None


def _is_as_loud(other: Rule, rule: Rule) -> bool:
    """Whether the other rule alerts wherever this one does, as loudly."""
    return other.info.severity.rank >= rule.info.severity.rank and _CLASSES.index(
        other.info.rule_class
    ) <= _CLASSES.index(rule.info.rule_class)


def _issue(  # noqa: PLR0917 - in the order of Issue's own
    rule: Rule, severity: IssueSeverity, code: str, message: str, hint: str | None, place: Place | None
) -> Issue:
    line, column = (place.line, place.column) if place else (None, None)
    return Issue(severity, code, message, rule.info.path, line, hint, column)
