"""Exceptions as data: what is known to be harmless, with a reason, an owner and a last day.

    - rule: exec-into-pod
      match:
        user.username: carol@contoso.com
        objectRef.namespace: payments
        action: exec
      reason: Carol runs the monthly reconciliation by hand.
      owner: team-payments
      expires: 2027-03-31

`rule` is an id, a pattern such as `secret-*`, or a list of them. `match` is what a detection item of a Sigma rule is: a
mapping of `field|modifier` to values, or a list of such mappings. An exception says of whom and of what: one that names
only an identity would hide everything that whoever steals it does, and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.detect.sigma import parse_match
from kubewitness.facts import BODY_FACTS
from kubewitness.model.errors import ExceptionError, KubewitnessError, reason_of
from kubewitness.model.event import API, Group
from kubewitness.model.exception import ExceptionInfo
from kubewitness.query.predicate import And, Compare, Flag, InNetwork, Number, Operator, Or, Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kubewitness.detect.lists import Lists
    from kubewitness.query.predicate import Predicate

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEYS = ("id", "rule", "match", "reason", "owner", "expires")
_WHAT_IT_IS = "an exception has `rule`, `match`, `reason`, `owner` and `expires`"

ACTORS = frozenset({"actor", "actor_namespace"}) | {column.name for column in API if column.group is Group.USER}
"""Columns that name who did something."""

SOURCES = frozenset({"source_ip", "source_ips", "source_network", "source_is_private", "user_agent"})
"""Columns that say where it came from."""

_PLACES = frozenset({"namespace"})
_REQUESTED = frozenset({"verb", "request_uri", "request_path", "action", "exec_command", "exec_container"})
_CIRCUMSTANCES = frozenset({"api_version", "resource_version", "dry_run", "truncated"})
BEHAVIOUR = (
    _REQUESTED | BODY_FACTS | {column.name for column in API if column.group in {Group.OBJECT, Group.BODY}}
) - _CIRCUMSTANCES
"""Columns that say what was done, or to what."""

_ALL_VERBS = frozenset("get list watch create update patch delete deletecollection".split())
_ANY_TEXT = frozenset({"", ".*", ".+", "^.*$", "^.+$", "^.*", ".*$", "^"})


@dataclass(frozen=True, slots=True)
class RuleException:
    """An exception, ready to be planned.

    Attributes:
        info: what people read about it.
        predicate: what it says of one event.
    """

    info: ExceptionInfo
    predicate: Predicate


def load_exceptions(paths: Sequence[Path], lists: Lists | None = None) -> list[RuleException]:
    """The exceptions of these files, in order; expired ones too.

    Raises:
        ExceptionError: one cannot be used; says where and why.
    """
    found: list[RuleException] = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ExceptionError(f"cannot be read: {reason_of(error)}", where=str(path)) from error
        for item in read_exceptions(text, str(path), lists):
            if isinstance(item, ExceptionError):
                raise item
            found.append(item)
    return found


def read_exceptions(text: str, path: str, lists: Lists | None = None) -> Iterator[RuleException | ExceptionError]:
    """Yield each exception of a file, or why it cannot be used.

    Args:
        text: YAML: a list of exceptions, or one under the key `exceptions`.
        path: name of the file in errors.
        lists: what `expand` takes values from; the builtin ones when None.
    """
    try:
        root = yaml.compose(text, Loader=_LOADER)
        document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - CSafeLoader is the safe loader in C
    except (yaml.YAMLError, RecursionError) as error:
        yield ExceptionError(f"not YAML: {' '.join(str(error).split())}", where=path)
        return
    if isinstance(document, dict) and document.keys() == {"exceptions"}:
        document, root = document["exceptions"], root.value[0][1] if root else None
    if document is None:
        return
    if not isinstance(document, list):
        yield ExceptionError("a file of exceptions is a list", where=path, hint=_WHAT_IT_IS)
        return
    for item, node in zip(document, root.value if root else (), strict=True):
        yield _read(item, f"{path}:{node.start_mark.line + 1}", lists)


def _read(item: Any, where: str, lists: Lists | None) -> RuleException | ExceptionError:
    try:
        return parse_exception(item, where, lists)
    except ExceptionError as error:
        return error


def parse_exception(item: Any, where: str, lists: Lists | None = None) -> RuleException:
    """An exception that somebody answers for until some day.

    Args:
        item: its keys and values.
        where: file and line.
        lists: what `expand` takes values from.

    Raises:
        ExceptionError: it cannot be used; says where and why.
    """
    found = parse_unowned(item, where, lists)
    for key, why in (("owner", "somebody who answers for it"), ("expires", "the last day on which it holds")):
        if not item.get(key):
            raise ExceptionError(f"`{key}` is missing: {why}", where=where, hint=_WHAT_IT_IS)
    return replace(found, info=replace(found.info, owner=str(item["owner"]), expires=_day(item["expires"], where)))


def parse_unowned(item: Any, where: str, lists: Lists | None = None, *, platform: str | None = None) -> RuleException:
    """An exception without an owner or a last day, as this package holds some.

    Raises:
        ExceptionError: it cannot be used; says where and why.
    """
    if not isinstance(item, dict):
        raise ExceptionError("an exception is a mapping", where=where, hint=_WHAT_IT_IS)
    if unknown := [str(key) for key in item if key not in _KEYS]:
        raise ExceptionError(f"an exception has no `{unknown[0]}`", where=where, hint=_WHAT_IT_IS)
    for key in ("rule", "match", "reason"):
        if not item.get(key):
            raise ExceptionError(f"`{key}` is missing", where=where, hint=_WHAT_IT_IS)
    rules = tuple(map(str, item["rule"] if isinstance(item["rule"], list) else [item["rule"]]))
    try:
        predicate = parse_match(item["match"], lists)
    except KubewitnessError as error:
        raise ExceptionError(f"`match`: {error.message}", where=where, hint=error.hint) from error
    _refuse_broad(predicate, rules, where)
    identity = str(item.get("id") or where)
    reason = " ".join(str(item["reason"]).split())
    return RuleException(ExceptionInfo(identity, rules, reason, None, None, where, platform), predicate)


def _refuse_broad(predicate: Predicate, rules: Sequence[str], where: str) -> None:
    is_about_all = any(not rule.strip("*?") for rule in rules)
    behaviour = BEHAVIOUR - _PLACES if is_about_all else BEHAVIOUR
    if not names(predicate, behaviour):
        raise ExceptionError(
            "it names no behaviour, so it would hide whatever this identity is ever used for",
            where=where,
            hint="add to `match` what is harmless: verb and objectRef.resource, action, exec_command ...",
        )
    if not names(predicate, ACTORS):
        raise ExceptionError(
            "it names nobody, so it would hide this behaviour of everybody",
            where=where,
            hint="add to `match` of whom it is harmless: actor, user.username or user.groups",
        )


def names(predicate: Predicate, columns: frozenset[str]) -> bool:
    """Whether the predicate can hold only of events in which one of these columns has a value that it names."""
    match predicate:
        case And(items):
            return any(names(item, columns) for item in items)
        case Or(items):
            verbs = {item.value for item in items if isinstance(item, Text) and item.field.column.name == "verb"}
            return not verbs >= _ALL_VERBS and all(names(item, columns) for item in items)
        case Text(field, operator, value):
            is_any = value in _ANY_TEXT if operator is Operator.REGEX else not value.strip("*?")
            return field.column.name in columns and not is_any
        case Flag(field, value):
            return field.column.name in columns and value
        case Number(field) | Compare(field) | InNetwork(field):
            return field.column.name in columns
        case _:
            return False


def _day(value: Any, where: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ExceptionError(f"`{value}` is no date", where=where, hint="expires: 2027-03-31") from error
