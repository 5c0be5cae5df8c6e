"""Writes proposed roles and bindings as YAML, with comments that say what each rule is made of."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from kubewitness.investigate.rbac.access import RBAC_GROUP
from kubewitness.investigate.rbac.roles import SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubewitness.investigate.rbac.propose import Proposal, ProposedRole, ProposedRule

# What YAML takes for a text without quotes, whichever its version: nothing that could be a number, a time or a truth.
_PLAIN = re.compile(r"[a-z/](?:[a-z0-9._/*-]*[a-z0-9*/])?")
_TAKEN = frozenset("y n yes no on off true false null".split())
_WIDTH = 110


def to_yaml(proposal: Proposal, remarks: Sequence[str] = ()) -> str:
    """Roles and bindings as YAML documents.

    Args:
        proposal: what to write.
        remarks: sentences for the head.
    """
    lines = [f"# {_comment(line)}" for line in remarks]
    for role in proposal.roles:
        lines += ["---", *_role(role), "---", *_binding(role, proposal)]
    if proposal.left_out:
        lines.append("# Left out, because in a rule these would mean everything:")
        lines += [f"#   {_comment(str(use.access))}" for use in proposal.left_out]
    return "\n".join(lines) + "\n"


def _role(role: ProposedRole) -> Iterator[str]:
    yield f"apiVersion: {RBAC_GROUP}/v1"
    yield f"kind: {'ClusterRole' if role.namespace is None else 'Role'}"
    yield from _metadata(role)
    yield "rules:"
    for rule in role.rules:
        yield from _rule(rule)


def _metadata(role: ProposedRole) -> Iterator[str]:
    yield "metadata:"
    yield f"  name: {_scalar(role.name)}"
    if role.namespace is not None:
        yield f"  namespace: {_scalar(role.namespace)}"


def _rule(proposed: ProposedRule) -> Iterator[str]:
    for comment in _comments(proposed):
        yield f"  # {comment}"
    rule = proposed.rule
    if rule.urls:
        yield from _field("nonResourceURLs", rule.urls, first=True)
    else:
        yield from _field("apiGroups", rule.groups, first=True)
        yield from _field("resources", rule.resources)
        if rule.names:
            yield from _field("resourceNames", rule.names)
    yield from _field("verbs", rule.verbs)


def _comments(proposed: ProposedRule) -> Iterator[str]:
    asked: Counter[str] = Counter()
    for use in proposed.uses:
        if use.inferred is None:
            asked[use.access.verb] += use.count
    last = max((use.last_at for use in proposed.uses if use.last_at), default=None)
    when = f", last {last:%Y-%m-%d %H:%M}" if last else ""
    if asked:
        listed = ", ".join(f"{verb} {count:,}" for verb, count in asked.most_common())
        yield _comment(f"used: {listed}{when}")
    reasons: dict[str, list[str]] = {}
    for use in proposed.uses:
        if use.inferred is not None:
            verbs = reasons.setdefault(use.inferred.value, [])
            verbs += [use.access.verb] if use.access.verb not in verbs else []
    for reason, verbs in reasons.items():
        yield _comment(f"inferred: {', '.join(sorted(verbs))} ({reason}){'' if asked else when}")
    for note in proposed.folded:
        yield _comment(f"folded: {note}")


def _field(key: str, values: Sequence[str], *, first: bool = False) -> Iterator[str]:
    lead = "  - " if first else "    "
    flow = f"{lead}{key}: [{', '.join(map(_scalar, values))}]"
    if len(flow) <= _WIDTH:
        yield flow
    else:
        yield f"{lead}{key}:"
        yield from (f"      - {_scalar(value)}" for value in values)


def _binding(role: ProposedRole, proposal: Proposal) -> Iterator[str]:
    kind = "ClusterRole" if role.namespace is None else "Role"
    yield f"apiVersion: {RBAC_GROUP}/v1"
    yield f"kind: {kind}Binding"
    yield from _metadata(role)
    yield "roleRef:"
    yield f"  apiGroup: {RBAC_GROUP}"
    yield f"  kind: {kind}"
    yield f"  name: {_scalar(role.name)}"
    subject = proposal.subject
    yield "subjects:"
    yield f"  - kind: {subject.kind.value}"
    if subject.kind is not SubjectKind.SERVICE_ACCOUNT:
        yield f"    apiGroup: {RBAC_GROUP}"
    yield f"    name: {_scalar(subject.name)}"
    if subject.kind is SubjectKind.SERVICE_ACCOUNT:
        yield f"    namespace: {_scalar(subject.namespace)}"


def _scalar(text: str) -> str:
    """A text as YAML of any version reads it back."""
    return text if _PLAIN.fullmatch(text) and text not in _TAKEN else f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """A text in printable ASCII, by the escapes that YAML has in double quotes."""
    return "".join(map(_character, text))


def _character(each: str) -> str:
    if each in '"\\':
        return f"\\{each}"
    if " " <= each <= "~":
        return each
    return f"\\u{ord(each):04x}" if ord(each) <= 0xFFFF else f"\\U{ord(each):08x}"  # noqa: PLR2004 - four digits


def _comment(text: str) -> str:
    """A comment ends where its line ends: a text from the log must not end it earlier."""
    return _escaped(text).replace('\\"', '"')
