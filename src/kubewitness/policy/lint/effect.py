"""What a policy does as a whole: rules that decide nothing, and what it lets pass unseen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubewitness.model.issue import IssueSeverity
from kubewitness.model.recording import Level, Stage
from kubewitness.policy.attributes import Attributes
from kubewitness.policy.boxes import ALL_REQUESTS, Box, divide, only, rule_boxes
from kubewitness.policy.evaluate import Evaluator
from kubewitness.policy.lint.issue import Edit, Issue, Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubewitness.policy.evaluate import Decision
    from kubewitness.policy.model import Policy, PolicyRule

_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_RBAC = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
_WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
_SECRET = (("", "secrets", ""), ("", "serviceaccounts", "token"), ("authentication.k8s.io", "tokenreviews", ""))


def effect_issues(policy: Policy) -> Iterator[Issue]:
    """What the rules do together."""
    report = Reporter(policy)
    yield from _dead_rules(report)
    yield from _beginnings(policy)
    yield from _rejected_credentials(report)
    evaluator = Evaluator(policy)
    yield from _secrets(report, evaluator)
    yield from _streams(report, evaluator)
    for index, rule in enumerate(policy.rules):
        if rule.level is not Level.NONE and not rule.non_resource_urls:
            yield from _verbs_missing(report, index)
            yield from _subresources_missing(report, index)
    yield from _unseen(report, evaluator)


def _dead_rules(report: Reporter) -> Iterator[Issue]:
    """Rules that decide no request at all: proved by dividing all requests among the rules."""
    policy = report.policy
    live = {part.rule for part in divide(policy)}
    for index in set(range(len(policy.rules))) - live:
        before = _takers(policy, index)
        whole = next((number for number in before if ALL_REQUESTS in rule_boxes(policy.rules[number])), None)
        if whole is not None:
            message = f"never decides: rule {whole} before it matches everything"
            hint = f"move rule {whole} to the end: the first rule that matches decides"
        elif before:
            named = f"rule {before[0]} before it takes" if len(before) == 1 else f"rules {_listed(before)} take"
            message, hint = f"never decides: {named} all its requests", "move it before them, or take it out"
        else:
            message, hint = "matches no request", "see the other issues of this rule"
        yield report.error("dead-rule", message, path=f"rules[{index}]", hint=hint)
    if None in live:
        yield report.info(
            "no-catch-all",
            "what no rule matches is not recorded",
            path=f"rules[{len(policy.rules) - 1}]",
            hint="end with a rule that has a level only, so that it can be seen what happens to the rest",
        )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _takers(policy: Policy, index: int) -> list[int]:
    """Rules before this one that take some of its requests."""
    left = list(rule_boxes(policy.rules[index]))
    found: list[int] = []
    for number in range(index):
        for taken in rule_boxes(policy.rules[number]):
            if any(box.both(taken) for box in left):
                found.append(number)
                left = [part for box in left for part in (box.without(taken) if box.both(taken) else [box])]
    return list(dict.fromkeys(found))


def _beginnings(policy: Policy) -> Iterator[Issue]:
    """Two events for each request: the first one says nothing that the second does not."""
    recording = [
        index
        for index, rule in enumerate(policy.rules)
        if rule.level is not Level.NONE and Stage.REQUEST_RECEIVED not in (*rule.omit_stages, *policy.omit_stages)
    ]
    if not recording:
        return
    mark = policy.places.names.get("rules")
    is_all = not policy.omit_stages and all(not rule.omit_stages for rule in policy.rules)
    edit = Edit(mark.line, 0, "", "omitStages: [RequestReceived]") if mark and is_all else None
    which = "all rules" if len(recording) == len(policy.rules) else f"rules {_listed(recording)}"
    yield Issue(
        IssueSeverity.WARNING,
        "request-received",
        f"the stage RequestReceived doubles the number of events ({which})",
        f"rules[{recording[0]}]",
        policy.places.find(f"rules[{recording[0]}]"),
        "omitStages: [RequestReceived], but for requests whose end a server can lose (patch)",
        edit,
    )


def _rejected_credentials(report: Reporter) -> Iterator[Issue]:
    """A 401 has one event, at the stage ResponseStarted. Source: docs/explanation/what-audit-logs-are.md."""
    policy = report.policy
    for part in divide(policy, Box(username=only(None))):
        rule = policy.rules[part.rule] if part.rule is not None else None
        if rule is None or rule.level is Level.NONE:
            continue
        if Stage.RESPONSE_STARTED in (*rule.omit_stages, *policy.omit_stages):
            is_global = Stage.RESPONSE_STARTED in policy.omit_stages
            yield report.warning(
                "hides-401",
                "omitting ResponseStarted hides every rejected credential (401): it has no other event",
                path="omitStages" if is_global else f"rules[{part.rule}].omitStages",
                hint="omit RequestReceived only",
            )
            return


def _decide(evaluator: Evaluator, verb: str, group: str, resource: str, subresource: str = "") -> Decision:
    """What becomes of this request of some person; cluster-wide, without a name."""
    groups = ("system:authenticated",)
    asked = Attributes("somebody", groups, verb, group, resource, subresource, is_resource_request=True)
    return evaluator.decide(asked)


def _secrets(report: Reporter, evaluator: Evaluator) -> Iterator[Issue]:
    """Bodies of secrets and tokens in a log are secrets and tokens in a log."""
    seen: set[int | None] = {None}
    for group, resource, subresource in _SECRET:
        for verb in ("create", "update", "patch", "get", "list"):
            decision = _decide(evaluator, verb, group, resource, subresource)
            has_body = decision.level is Level.REQUEST_RESPONSE or (
                decision.level is Level.REQUEST and verb in {"create", "update", "patch"}
            )
            if not has_body or decision.rule in seen:
                continue
            seen.add(decision.rule)
            what = f"{resource}/{subresource}" if subresource else resource
            yield report.warning(
                "secret-bodies",
                f"{verb} of {what} is recorded at {decision.level}: values will stand in the log",
                path=f"rules[{decision.rule}].level",
                hint=f"put a rule with level Metadata for {what} before it",
            )


def _streams(report: Reporter, evaluator: Evaluator) -> Iterator[Issue]:
    """Newer clients open streams by WebSocket, which is a get; older ones by SPDY, which is a create."""
    for subresource in ("exec", "attach", "portforward"):
        create, get = (_decide(evaluator, verb, "", "pods", subresource) for verb in ("create", "get"))
        if create.level is not Level.NONE and get.level is Level.NONE:
            yield report.warning(
                "exec-by-get",
                f"pods/{subresource} is recorded for create and not for get, which newer clients use",
                path=f"rules[{create.rule}]",
                hint="add `get` to the verbs of the rule for it",
            )


def _verbs_missing(report: Reporter, index: int) -> Iterator[Issue]:
    """Verbs without their siblings, where these are recorded less."""
    rule = report.policy.rules[index]
    for verb, siblings, why in (
        ("patch", {"update", "create"}, "kubectl edit and apply are patches"),
        ("deletecollection", {"delete"}, "it deletes many at once"),
    ):
        if verb in rule.verbs or not siblings & set(rule.verbs):
            continue
        lowest = _lowest_level(report.policy, replace(rule, verbs=(verb,)))
        if lowest.rank < rule.level.rank:
            say = report.warning if lowest is Level.NONE else report.info
            yield say(
                "verb-missing",
                f"these verbs miss `{verb}`, which is recorded at {lowest} for the same resources",
                path=f"rules[{index}].verbs",
                hint=f"add `{verb}`: {why}",
            )


def _subresources_missing(report: Reporter, index: int) -> Iterator[Issue]:
    """A rule for pods says nothing of what is done inside them."""
    rule = report.policy.rules[index]
    for number, listed in enumerate(rule.resources):
        is_about_pods = not listed.group and "pods" in listed.resources and not listed.resource_names
        if not is_about_pods or {"*", "pods/*", "pods/exec", "*/exec"} & set(listed.resources):
            continue
        inside = replace(rule, verbs=("get", "create"), resources=(replace(listed, resources=("pods/exec",)),))
        if _lowest_level(report.policy, inside) is Level.NONE:
            position = listed.resources.index("pods")
            yield report.warning(
                "subresource-left-out",
                "`pods` does not cover `pods/exec`, which is not recorded",
                path=f"rules[{index}].resources[{number}].resources[{position}]",
                hint="write `pods/*`, or name pods/exec",
            )


def _lowest_level(policy: Policy, rule: PolicyRule) -> Level:
    """The least that the policy records of the requests that a rule matches."""
    levels = {
        Level.NONE if part.rule is None else policy.rules[part.rule].level
        for box in rule_boxes(rule)
        for part in divide(policy, box)
    }
    return min(levels, key=lambda level: level.rank, default=rule.level)


_WATCHED = (
    ("blind-to-rbac", "roles and bindings", "rbac.authorization.k8s.io", _RBAC, _WRITES),
    ("blind-to-secrets", "secrets", "", ("secrets",), (*_WRITES, "get", "list", "watch")),
    ("blind-to-webhooks", "admission webhooks", "admissionregistration.k8s.io", _WEBHOOKS, _WRITES),
    ("blind-to-exec", "streams into pods", "", ("pods/exec", "pods/attach", "pods/portforward"), ("get", "create")),
)
_SHOWN = 3


def _unseen(report: Reporter, evaluator: Evaluator) -> Iterator[Issue]:
    """What every policy should record."""
    for code, what, group, resources, verbs in _WATCHED:
        missing = [
            f"{verb} {combined}"
            for combined in resources
            for verb in verbs
            if _decide(evaluator, verb, group, *combined.split("/")).level is Level.NONE
        ]
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            yield report.warning(
                code,
                f"some requests for {what} are not recorded: {', '.join(missing[:_SHOWN])}{more}",
                path="rules",
                hint=f"add a rule for {what} with at least level Metadata",
            )
