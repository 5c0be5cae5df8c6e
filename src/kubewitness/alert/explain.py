"""One sentence in plain words for an alert: who did what, from where, why it was allowed.

    alice@contoso.com opened a shell in pod web-0 (namespace shop) from 203.0.113.7; allowed by
    ClusterRoleBinding ops-admins

The verb phrase is the rule's own template, in the past tense (`opened a shell in {object}`); rules without
one get a general phrase by action and verb. When every request was refused or failed, the phrase turns into
"tried to open ..., and was refused (403)"; a phrase that tells the outcome itself ("was refused ...") stays.

A placeholder without a value never leaves a hole. The important ones become a noun ("a command",
"somebody"); any other goes together with the quotes around it and the preposition or article before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import TYPE_CHECKING, Any

from kubewitness.alert.outcome import UNAUTHENTICATED, Result, describe_failures, results_of
from kubewitness.model.event import BY_NAME
from kubewitness.model.rule import RuleKind
from kubewitness.words.lists import listed, shorten
from kubewitness.words.objects import distinct_objects, singular, summarize
from kubewitness.words.verbs import as_attempt

if TYPE_CHECKING:
    from kubewitness.model.alert import AlertEvent
    from kubewitness.model.rule import RuleInfo


Details = Sequence[Mapping[str, Any]]


def explain(
    rule: RuleInfo,
    events: Sequence[AlertEvent],
    *,
    count: int,
    known_before: Sequence[str] = (),
    is_whole: bool = True,
) -> str:
    """Explain an alert in one sentence, without a full stop.

    Args:
        rule: the rule; its `explain` is the phrase.
        events: its events with redacted details; never changed.
        count: number of requests, which may be more than `events` hold.
        known_before: of what is new, what was known before.
        is_whole: whether these are all of its events; if not, there are others that are like one of them.

    Returns:
        The sentence. Text from the log stands in it as it is; who shows it must escape it for the place.
    """
    details = [event.details for event in events]
    template = rule.explain or _general_phrase(details)
    names = placeholders(template)
    results = results_of(events)
    main, aside = _split(template)
    phrase = _fill(main, details, count)
    failure = None if _tells_outcome(template) else describe_failures(results)
    if failure is not None:
        phrase = as_attempt(phrase)
    if len(_users(details)) > 1:
        phrase = re.sub(r"^was\b", "were", phrase)
    sentence = f"{_who(details, results, names)} {phrase}"
    objects = distinct_objects(details)
    is_counted = count > 1 and count != len(objects) and "count" not in names
    several = []
    if is_counted and rule.kind is RuleKind.CORRELATION:  # it is not the last deed alone that was done so often
        several = [f"{count:,} requests"] if not any(result.is_failure for result in results) else []
    elif is_counted:
        sentence += f" {count:,} times" if len(objects) <= 1 else f", {count:,} requests"
    sources = source_addresses(details)
    if sources and not names & {"source_ip", "source_ips", "source_network"}:
        addresses = listed(sources, "address", "addresses")
        sentence += f" ({addresses})" if re.search(r"\bfrom\b", main) else f" from {addresses}"
    sentence += _fill(aside, details, count) if aside else ""
    sentence += f", {failure}" if failure else ""
    before = [f"known before: {listed(known_before)}"] if known_before else []
    made = [clause] if (clause := _made_for(events)) else []
    clauses = _clauses(details, results, names, is_failed=failure is not None, is_whole=is_whole)
    return "; ".join((sentence, *several, *made, *before, *clauses))


def _made_for(events: Sequence[AlertEvent]) -> str | None:
    """For which workload a controller acted, and who wrote that."""
    makers = dict.fromkeys(event.maker for event in events if event.maker)
    if not makers:
        return None
    maker, *others = makers
    place = f" (namespace {maker.namespace})" if maker.namespace else ""
    workload = f"{singular(maker.resource or 'workload')} {maker.name or 'that the log does not name'}{place}"
    when = f" at {maker.at:%H:%M:%S}" if maker.at else ""
    more = f" and {len(others):,} more" if others else ""
    return f"made for {shorten(workload)}, which {shorten(maker.actor)} wrote{when}{more}"


def _split(template: str) -> tuple[str, str]:
    """Split a phrase before its first aside (`, which ...`, ` and so ...`): the source goes before it."""
    aside = _ASIDE.search(_ENCLOSED.sub(lambda match: "." * len(match.group()), template))
    return (template, "") if aside is None else (template[: aside.start()], template[aside.start() :])


_ASIDE = re.compile(r", (?!\.)| and so | and was refused")
_ENCLOSED = re.compile(r"\([^()]*\)|\{[^{}]*\}|`[^`]*`")


def placeholders(template: str) -> set[str]:
    """Names in braces in a template. A template with broken braces has none: it is shown as it is."""
    try:
        return {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError:
        return set()


def columns_named(template: str) -> set[str]:
    """Columns of the events table that a template speaks of; that of the general phrases when it is empty."""
    names = placeholders(template) if template else {"exec_command"}
    return names & BY_NAME.keys() | {column for name in names for column in _COLUMNS.get(name, ())}


def unknown_placeholders(template: str) -> set[str]:
    """Placeholders that no event can fill: neither a column of the events table nor a special one."""
    return {name for name in placeholders(template) if name not in BY_NAME and name not in _SPECIAL}


def source_addresses(details: Details) -> list[str]:
    """Distinct addresses that the server observed itself: of several in one event, only the last is."""
    found = (each.get("source_ip") or next(iter(reversed(each.get("source_ips") or ())), None) for each in details)
    return list(dict.fromkeys(str(address) for address in found if address))


def _who(details: Details, results: Sequence[Result], names: set[str]) -> str:
    known = _users(details)
    if not known:
        is_turned_away = bool(results) and all(result.code == UNAUTHENTICATED for result in results)
        return "somebody without valid credentials" if is_turned_away else "somebody whom the log does not name"
    assumed = _distinct(details, "impersonated_username")
    if len(known) == 1 and assumed and not names & {"impersonated_username", "impersonated_groups", "actor"}:
        groups = [group for group in _distinct(details, "impersonated_groups") if group == "system:masters"]
        group = f" in group {groups[0]}" if groups else ""
        return f"{shorten(known[0])} (as {listed(assumed)}{group})"
    return listed(known, "actor", "actors")


def _users(details: Details) -> list[str]:
    found = (each.get("username") or each.get("actor") for each in details)
    return list(dict.fromkeys(user for user in found if user))


def _clauses(
    details: Details, results: Sequence[Result], names: set[str], *, is_failed: bool, is_whole: bool
) -> list[str]:
    clauses: list[str] = []
    failed = sum(result.is_failure for result in results)
    if 0 < failed < len(results):
        some = f"{failed:,} of {len(results):,}" if is_whole else "some"
        clauses.append(f"{some} requests did not succeed")
    if (
        not is_failed
        and all(result.code is None for result in results)
        and any(each.get("carried_out") for each in details)
    ):
        clauses.append("the log has no answer, so it is taken for carried out")
    reasons = _distinct(details, "authorized_by")
    if reasons and not is_failed and not names & {"authorized_by", "authorized_binding"}:
        clauses.append(f"allowed by {listed(reasons, most=2)}")
    if details and all(each.get("dry_run") for each in details):
        clauses.append("a dry run, so nothing was changed")
    cut = sum(bool(each.get("truncated")) for each in details)
    if cut and len(details) == 1:
        clauses.append("the record was cut, so parts of it are missing")
    elif cut:
        some = f"{cut:,} of {len(details):,}" if is_whole else "some"
        clauses.append(f"{some} records were cut, so parts of them are missing")
    return clauses


def _distinct(details: Details, column: str) -> list[str]:
    found: dict[str, None] = {}
    for each in details:
        value = each.get(column)
        values = value if isinstance(value, list | tuple) else [value]
        found |= dict.fromkeys(_as_text(item) for item in values if item is not None and item != "")
    return list(found)


def _as_text(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _resources(details: Details) -> str | None:
    pairs = ((each.get("resource"), each.get("subresource")) for each in details)
    names = [f"{name}/{sub}" if sub else str(name) for name, sub in dict.fromkeys(pairs) if name]
    return listed(names, most=5) if names else None


def _role(details: Details) -> str | None:
    pairs = ((each.get("role_ref_kind"), each.get("role_ref")) for each in details)
    names = [f"{kind} {name}" if kind else str(name) for kind, name in dict.fromkeys(pairs) if name]
    if not names:
        roles = [each for each in distinct_objects(details) if each.resource in {"roles", "clusterroles"}]
        names = [f"{singular(each.resource).replace('role', 'Role')} {each.bare}" for each in roles if each.name]
    return listed(names) if names else None


def _command(details: Details) -> str | None:
    commands = _distinct(details, "exec_command") or _distinct(details, "pod_commands")
    return listed(commands) if commands else None


def _objects(details: Details) -> str | None:
    names = [each.in_words for each in distinct_objects(details)]
    return listed(names) if names else None


_SPECIAL: Mapping[str, Callable[[Details], str | None] | None] = {
    "object": lambda details: summarize(distinct_objects(details)),
    "objects": _objects,
    "count": None,
    "resources": _resources,
    "role": _role,
    "command": _command,
}
_COLUMNS: Mapping[str, Sequence[str]] = {
    "role": ("role_ref_kind", "role_ref"),
    "command": ("exec_command", "pod_commands"),
}
"""Columns that these speak of, besides those that alerts always do."""
_NOUNS = {
    "object": "an object that the log does not name",
    "objects": "objects that the log does not name",
    "name": "something that the log does not name",
    "object_name": "something that the log does not name",
    "resources": "resources that the log does not name",
    "resource": "a resource that the log does not name",
    "role": "a role",
    "role_ref": "a role",
    "subjects": "somebody",
    "command": "a command",
    "exec_command": "a command",
    "impersonated_username": "somebody else",
    "actor": "somebody",
    "username": "somebody",
    "namespace": "a namespace that the log does not name",
    "request_path": "a path that the log does not give",
    "request_uri": "a path that the log does not give",
    "verb": "use",
    "host_paths": "a path of the node",
    "source_ip": "an address that the log does not give",
    "source_network": "a network that the log does not give",
}
# What goes when a placeholder goes: a noun that introduces its value, and the small words before.
_INTRODUCED = re.compile(r"\b(?:images?|verbs?|capabilities|service account|command)\s*$")
_LEAD_IN = re.compile(
    r"(?:(?:[\s,:;]+|(?<=\()|^)(?:in|to|of|on|from|by|with|as|for|at|into|through|via|using|over|named|called|the"
    r"|an?|and|or|images?|verbs?|capabilities|service account|command))*[\s,:;]*$"
)


def _value(name: str, details: Details) -> str | None:
    special = _SPECIAL.get(name)
    if special is not None:
        return special(details)
    values = _distinct(details, name) if name in BY_NAME else []
    return listed(values) if values else None


def _fill(template: str, details: Details, count: int) -> str:
    """Fill a template. Field access and formats (`{a.b}`, `{a!r}`) are not offered and count as absent."""
    try:
        list(Formatter().parse(template))
    except ValueError:
        return template
    known = _PARENTHESES.sub(lambda group: _known_items(group[1], details), template)
    parts = list(Formatter().parse(known))
    text, closing, is_after_one = "", "", False
    for index, (part, name, _, _) in enumerate(parts):
        literal = part.removeprefix(closing)
        literal = re.sub(r"^( \w+)s\b", r"\1", literal) if is_after_one else literal
        closing, is_after_one = "", name == "count" and count == 1
        if name is None:
            text += literal
            continue
        value = f"{count:,}" if name == "count" else _value(name, details)
        if value is None:
            following = parts[index + 1][0] if index + 1 < len(parts) else ""
            opening = literal[-1:] if literal[-1:] in _CLOSINGS else ""
            closing = _CLOSINGS[opening] if opening and following.startswith(_CLOSINGS[opening]) else ""
            literal = literal[:-1] if closing else literal
            if name in _NOUNS and not _INTRODUCED.search(literal):
                value = _NOUNS[name]
            else:
                literal = _LEAD_IN.sub("", literal)
        text += literal + (value or "")
    lead = " " if text.startswith(" ") else ""
    return lead + " ".join(text.replace(" ()", "").split())


# What is said in parentheses is said by the way: of its items, those of which nothing is known go.
_PARENTHESES = re.compile(r" ?\(([^()`]*\{[^()`]*)\)")


def _known_items(items: str, details: Details) -> str:
    kept: list[str] = []
    for item in re.split(r"(?<=[,;]) ", items):
        names = placeholders(item)
        absent = {name for name in names if name != "count" and _value(name, details) is None}
        if absent < names or not names:
            kept.append(_without(item, absent))
    text = " ".join(kept).rstrip(",; ")
    return f" ({text})" if text else ""


def _without(item: str, absent: set[str]) -> str:
    """The item without placeholders that have no value, and the small words before them."""
    for name in absent:
        before, _, after = item.partition(f"{{{name}}}")
        item = _LEAD_IN.sub("", before) + after
    return item


_CLOSINGS = {"`": "`", '"': '"', "'": "'", "(": ")"}


def _tells_outcome(template: str) -> bool:
    return (
        re.match(r"(?:was|were|had|tried|failed|attempted|could)\b|.*\b(?:refused|denied|failed)\b", template)
        is not None
    )


_BY_ACTION = {
    "exec": "ran `{exec_command}` in {object}",
    "attach": "attached to {object}",
    "port_forward": "forwarded a port of {object}",
    "proxy": "sent requests through {object}",
    "token_request": "requested a token for {object}",
    "evict": "evicted {object}",
    "ephemeral_container": "added a debug container to {object}",
    "approve": "approved {object}",
}
_BY_VERB = {
    "get": "read {object}",
    "head": "read {object}",
    "list": "listed {object}",
    "watch": "watched {object}",
    "create": "created {object}",
    "update": "changed {object}",
    "patch": "changed {object}",
    "delete": "deleted {object}",
    "deletecollection": "deleted {object}",
}


def _general_phrase(details: Details) -> str:
    actions, verbs = _distinct(details, "action"), _distinct(details, "verb")
    if len(actions) == 1 and all(each.get("action") for each in details) and actions[0] in _BY_ACTION:
        return _BY_ACTION[actions[0]]
    if len(verbs) == 1 and verbs[0] in _BY_VERB:
        return _BY_VERB[verbs[0]]
    return "made {count} requests on {object}" if distinct_objects(details) else "made {count} requests"
