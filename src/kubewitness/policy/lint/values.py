"""Values of a rule that the server accepts and that can never be what was meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from kubewitness.policy.lint.issue import Reporter
from kubewitness.policy.resources import known_resources, resources_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.policy.lint.issue import Issue
    from kubewitness.policy.model import GroupResources, Policy, PolicyRule

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "connect", "trace")
# What people write as a verb, and what the server would log.
_NO_VERBS = {
    "*": "an empty list of verbs means all",
    "replace": "a replacement is logged as `update`",
    "edit": "an edit is logged as `patch`",
    "apply": "an apply is logged as `patch`, or `create`",
    "exec": "a command in a pod is `get` or `create` of pods/exec",
    "attach": "it is `get` or `create` of pods/attach",
    "portforward": "it is `get` or `create` of pods/portforward",
    "proxy": "it is a request for the subresource `proxy` with the method's own verb",
    "bind": "a grant is `create`, `update` or `patch` of rolebindings and clusterrolebindings",
    "escalate": "it is `create`, `update` or `patch` of roles and clusterroles",
    "impersonate": "impersonation is no request of its own: it is on whatever was asked in another name",
    "approve": "an approval is `update` or `patch` of certificatesigningrequests/approval",
    "sign": "a signature is `update` or `patch` of certificatesigningrequests/status",
    "use": "it is a right, not a request",
    "read": "reads are `get`, `list` and `watch`",
    "write": "writes are `create`, `update`, `patch`, `delete` and `deletecollection`",
    "post": "for resources it is `create`",
    "put": "for resources it is `update`",
}
_SAME = {"replace": "update", "edit": "patch", "apply": "patch", "put": "update", "post": "create"}
_GROUPS = frozenset({"system:masters", "system:nodes", "system:authenticated", "system:unauthenticated"})


def value_issues(policy: Policy) -> Iterator[Issue]:
    """What is wrong with single values, rule by rule."""
    report = Reporter(policy)
    for index, rule in enumerate(policy.rules):
        path = f"rules[{index}]"
        yield from _verbs(report, rule, path)
        yield from _users(report, rule, path)
        yield from _groups(report, rule, path)
        for number, listed in enumerate(rule.resources):
            yield from _resources(report, listed, f"{path}.resources[{number}]")
        yield from _scope(report, rule, path)


def _verbs(report: Reporter, rule: PolicyRule, path: str) -> Iterator[Issue]:
    known = _METHODS if rule.non_resource_urls else VERBS if rule.resources or rule.namespaces else (*VERBS, *_METHODS)
    for index, verb in enumerate(rule.verbs):
        if verb in known:
            continue
        meant = _meant_verb(verb.lower(), known)
        yield report.error(
            "no-audit-verb",
            f"no request has the verb `{verb}`",
            path=f"{path}.verbs[{index}]",
            hint=_NO_VERBS.get(verb.lower())
            or (f"did you mean `{meant}`?" if meant else f"verbs are {', '.join(known)}"),
            change=(verb, meant) if meant and meant not in rule.verbs else None,
        )


def _meant_verb(verb: str, known: tuple[str, ...]) -> str | None:
    if verb in known:
        return verb
    if verb in _NO_VERBS:
        return _SAME.get(verb) if known is not _METHODS else None
    close = difflib.get_close_matches(verb, known, n=1, cutoff=0.8)
    return close[0] if close else None


def _users(report: Reporter, rule: PolicyRule, path: str) -> Iterator[Issue]:
    for index, user in enumerate(rule.users):
        if user in _GROUPS or user.startswith("system:serviceaccounts"):
            hint = "write it under `userGroups`"
        elif user.startswith("serviceaccount:"):
            hint = f"a service account is `system:{user}`"
        elif "*" in user:
            hint = "names are compared whole; there are no wildcards. Groups may do: system:serviceaccounts:NAMESPACE"
        else:
            continue
        yield report.error("no-such-user", f"no user is called `{user}`", path=f"{path}.users[{index}]", hint=hint)


def _groups(report: Reporter, rule: PolicyRule, path: str) -> Iterator[Issue]:
    for index, group in enumerate(rule.user_groups):
        if group.startswith(("system:serviceaccount:", "system:node:")):
            hint = "write it under `users`"
        elif "*" in group:
            hint = "groups are compared whole; there are no wildcards"
        else:
            continue
        path_ = f"{path}.userGroups[{index}]"
        yield report.error("no-such-group", f"no group is called `{group}`", path=path_, hint=hint)


def _resources(report: Reporter, listed: GroupResources, path: str) -> Iterator[Issue]:
    known = {resource.group for resource in known_resources()}
    short, slash, _ = listed.group.partition("/")
    if slash or listed.group in {"v1", "core"}:
        meant = short if slash and short in known else ""
        yield report.error(
            "no-such-api-group",
            f"no API group is called `{listed.group}`",
            path=f"{path}.group",
            hint=f'did you mean "{meant}"? A group has no version, and the core group is ""',
            change=(listed.group, f'"{meant}"'),
        )
        return
    for index, combined in enumerate(listed.resources):
        yield from _resource(report, listed.group, combined, f"{path}.resources[{index}]")


def _resource(report: Reporter, group: str, combined: str, path: str) -> Iterator[Issue]:
    name, _, subresource = combined.partition("/")
    mine = next((each for each in resources_named(name) if each.group == group), None)
    if mine is not None:
        if subresource and subresource != "*" and subresource not in mine.subresources:
            yield report.error(
                "no-such-subresource",
                f"`{name}` has no subresource `{subresource}`",
                path=path,
                hint=f"it has {', '.join(mine.subresources) or 'none'}",
            )
        return
    if name in {"", "*"} or all(each.group != group for each in known_resources()):
        return  # of a group that is not well known anything may be
    if plural := _plural(name, group):
        yield report.error(
            "no-such-resource",
            f"no resource is called `{name}`",
            path=path,
            hint=f"did you mean `{plural}`? Resources are in the plural and in lower case",
            change=(combined, f"{plural}/{subresource}" if subresource else plural),
        )
    elif others := resources_named(name):
        yield report.error(
            "wrong-group",
            f"`{name}` is not in {f'the group {group}' if group else 'the core group'}",
            path=path,
            hint=f"it is in {' and in '.join(each.group or 'the core group' for each in others)}",
        )
    else:
        yield report.warning(
            "unknown-resource",
            f"`{name}` is no well-known resource of this group",
            path=path,
            hint="check the spelling: kubectl api-resources",
        )


def _plural(name: str, group: str) -> str | None:
    """The resource that a kind, a singular or a misspelling means."""
    names = [resource.name for resource in known_resources() if resource.group == group]
    lowered = name.lower()
    for candidate in (lowered, f"{lowered}s", f"{lowered}es", f"{lowered.removesuffix('y')}ies"):
        if candidate in names:
            return candidate
    if resources_named(name):
        return None
    close = difflib.get_close_matches(lowered, names, n=1, cutoff=0.85)
    return close[0] if close else None


def _scope(report: Reporter, rule: PolicyRule, path: str) -> Iterator[Issue]:
    """Namespaces beside resources that are in none: such a rule matches nothing of them."""
    if not rule.namespaces or "" in rule.namespaces:
        return
    for number, listed in enumerate(rule.resources):
        for index, combined in enumerate(listed.resources):
            name = combined.partition("/")[0]
            known = next((each for each in resources_named(name) if each.group == listed.group), None)
            if known and not known.is_namespaced and name != "namespaces":
                yield report.error(
                    "not-in-a-namespace",
                    f"`{name}` are in no namespace: this never matches",
                    path=f"{path}.resources[{number}].resources[{index}]",
                    hint="give them a rule of their own without `namespaces`",
                )
