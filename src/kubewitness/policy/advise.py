"""Advice: the smallest policy under which every chosen detection could still be shown.

Each detection wants some requests at some level, and says at which stage it sees them. What several want alike becomes
one rule of the policy, higher levels first, so that the first rule that matches gives every request the most that
anybody wants. What nobody wants is not recorded. Requests of noisy clients that no detection could be about are
left out before all else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kubewitness.model.recording import Level, Stage
from kubewitness.policy.boxes import Box, Members, only, rule_boxes
from kubewitness.policy.coverage import is_about_impersonation, needed_level, whole_level_of
from kubewitness.policy.model import GroupResources, Policy, PolicyRule
from kubewitness.policy.visibility import Recorded, boxes_about, possible, stages_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kubewitness.policy.boxes import Values
    from kubewitness.query.predicate import Predicate


@dataclass(frozen=True, slots=True)
class Noise:
    """Requests that fill logs: of one client, of one kind.

    Attributes:
        users: names; empty for anybody of `groups`.
        groups: groups of the client.
        verbs: verbs; empty for all.
        group: API group of `resources`.
        resources: with subresources as a policy writes them; empty for all requests.
    """

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    group: str = ""
    resources: tuple[str, ...] = ()


USUAL_NOISE = (
    Noise(groups=("system:nodes",), group="coordination.k8s.io", resources=("leases",)),
    Noise(
        groups=("system:nodes",), verbs=("get", "list", "watch", "patch", "update"), resources=("nodes", "nodes/status")
    ),
    Noise(groups=("system:nodes",), verbs=("patch", "update"), resources=("pods/status",)),
    Noise(
        users=(
            "system:kube-controller-manager",
            "system:kube-scheduler",
            "system:cloud-controller-manager",
            "system:apiserver",
            "aksService",
        ),
        verbs=("get", "list", "watch"),
    ),
    Noise(
        users=("system:kube-controller-manager", "system:kube-scheduler", "system:apiserver", "aksService"),
        group="coordination.k8s.io",
        resources=("leases",),
    ),
    Noise(
        groups=("system:serviceaccounts:kube-system",),
        verbs=("get", "list", "watch", "update", "patch"),
        group="coordination.k8s.io",
        resources=("leases",),
    ),
    Noise(groups=("system:serviceaccounts:kube-system",), verbs=("watch",)),
)
"""What fills the logs of most clusters. Source: docs/explanation/blind-spots-on-aks.md, and logs of real clusters."""


def noise_of(clients: Iterable[tuple[str, str]]) -> tuple[Noise, ...]:
    """Noise for users and resources of a log (`pods/exec`, `leases.coordination.k8s.io`), one for each resource."""
    by_resource: dict[str, list[str]] = {}
    for user, resource in clients:
        if not resource.startswith("("):
            by_resource.setdefault(resource, []).append(user)
    found: list[Noise] = []
    for resource, users in by_resource.items():
        combined, group = _split_resource(resource)
        found += [Noise(users=(user,), group=group, resources=(combined,)) for user in users]
    return tuple(found)


def _split_resource(resource: str) -> tuple[str, str]:
    """Combined resource and group: a resource's name has no dots, a group's may have."""
    name, slash, rest = resource.partition("/")
    if slash:
        subresource, _, group = rest.partition(".")
        return f"{name}/{subresource}", group
    name, _, group = name.partition(".")
    return name, group


@dataclass(frozen=True, slots=True)
class AdvisedRule:
    """A rule of an advised policy, and why it is there.

    Attributes:
        rule: the policy rule.
        wanted_by: detections that want it; empty for a rule that leaves out what none wants.
    """

    rule: PolicyRule
    wanted_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """A policy and why each of its rules is there.

    Attributes:
        rules: in their order.
        impossible: detections that no policy could show.
    """

    rules: tuple[AdvisedRule, ...]
    impossible: tuple[str, ...] = ()

    @property
    def policy(self) -> Policy:
        """The policy itself."""
        return Policy(tuple(advised.rule for advised in self.rules))


@dataclass(slots=True)
class _Wish:
    """What some detections want of some requests."""

    level: Level
    stages: set[Stage]
    names: list[str] = field(default_factory=list)


_Requests = tuple[tuple[str, ...], str | None, str | None]
"""Verbs (empty for all), API group and combined resource (None for all)."""


def advise(detections: Mapping[str, Predicate], noise: Sequence[Noise] = USUAL_NOISE) -> Advice:
    """The smallest policy under which these detections could be shown.

    Args:
        detections: what they say of one event, by their names.
        noise: requests to leave out where no detection could be about them.
    """
    wishes: dict[_Requests, _Wish] = {}
    impossible: list[str] = []
    for name, predicate in detections.items():
        wanted = list(_wanted(predicate))
        if not wanted:
            impossible.append(name)
        for requests, level, stages in wanted:
            wish = wishes.setdefault(requests, _Wish(level, set()))
            wish.level = max(wish.level, level, key=lambda each: each.rank)
            wish.stages |= stages
            wish.names.append(name)
    rules = _without_repetition(_with_beginnings(list(_rules(wishes))))
    taken = [box for advised in rules for box in rule_boxes(advised.rule)]
    silent = [
        item
        for item in noise
        if any(box.both(other) for box in _noise_boxes(item) for other in taken)
        and _nobody_is_about(item, detections.values())
    ]
    rules = [*(AdvisedRule(_noise_rule(item)) for item in _gathered(silent)), *rules]
    if not any(_is_for_all(advised.rule) for advised in rules):
        rules.append(AdvisedRule(PolicyRule(Level.NONE)))
    return Advice(tuple(rules), tuple(impossible))


def _wanted(predicate: Predicate) -> Iterator[tuple[_Requests, Level, set[Stage]]]:
    acts_as = is_about_impersonation(predicate)
    for box in boxes_about(predicate):
        lowest = needed_level(predicate, box, is_impersonated=acts_as)
        if lowest is None:
            continue
        whole = whole_level_of(predicate, box, is_impersonated=acts_as)
        level = max(lowest, whole, key=lambda each: each.rank)
        stages = {
            stage
            for stage in stages_of(box)
            if possible(predicate, Recorded(box, level, stage, is_impersonated=acts_as))
        }
        if stages - {Stage.REQUEST_RECEIVED}:
            stages.discard(Stage.REQUEST_RECEIVED)  # what the end of a request shows, its beginning need not
        for requests in _requests(box):
            yield requests, level, stages


def _requests(box: Box) -> Iterator[_Requests]:
    verbs = _finite(box.verb)
    resources = _finite(box.resource)
    if not resources:
        yield verbs, None, None
        return
    groups = _finite(box.group) or (None,)
    for group in groups:
        for resource in resources:
            for subresource in _subresources(box.subresource):
                yield verbs, group, f"{resource}/{subresource}" if subresource else resource


def _subresources(values: Values) -> list[str]:
    """The empty text for the resource itself, `*` for whatever there may be."""
    return ["", "*"] if values.is_rest else sorted(name or "" for name in values.named)


def _finite(values: Values) -> tuple[str, ...]:
    return () if values.is_rest else tuple(sorted(value for value in values.named if value is not None))


def _rules(wishes: Mapping[_Requests, _Wish]) -> Iterator[AdvisedRule]:
    """Rules for all wishes: higher levels first, and among equals those for certain resources first."""
    alike: dict[tuple[int, bool, tuple[str, ...], bool], list[tuple[_Requests, _Wish]]] = {}
    for requests, wish in wishes.items():
        verbs, _, resource = requests
        begins = Stage.REQUEST_RECEIVED in wish.stages
        alike.setdefault((-wish.level.rank, resource is None, verbs, begins), []).append((requests, wish))
    for key in sorted(alike, key=lambda item: (item[0], item[1], len(item[2]) == 0, item[2])):
        members = alike[key]
        _, is_general, verbs, begins = key
        names = tuple(dict.fromkeys(name for _, wish in members for name in wish.names))
        rule = PolicyRule(
            members[0][1].level,
            verbs=verbs,
            resources=() if is_general else tuple(_by_group(requests for requests, _ in members)),
            omit_stages=() if begins else (Stage.REQUEST_RECEIVED,),
        )
        yield AdvisedRule(rule, names)


def _with_beginnings(rules: list[AdvisedRule]) -> list[AdvisedRule]:
    """The rules, with the beginnings of requests wherever a later rule for some of them wants these."""
    kept: list[AdvisedRule] = []
    begun: list[Box] = []
    for advised in reversed(rules):
        boxes = rule_boxes(advised.rule)
        if not advised.rule.omit_stages:
            begun += boxes
        elif any(box.both(other) for box in boxes for other in begun):
            advised = replace(advised, rule=replace(advised.rule, omit_stages=()))  # noqa: PLW2901
        kept.insert(0, advised)
    return kept


def _without_repetition(rules: list[AdvisedRule]) -> list[AdvisedRule]:
    """The rules without those whose requests a later one of the same level takes: none between them says otherwise."""
    kept: list[AdvisedRule] = []
    for advised in reversed(rules):
        taker = next((index for index, later in enumerate(kept) if _takes(later.rule, advised.rule)), None)
        if taker is None:
            kept.insert(0, advised)
        else:
            names = dict.fromkeys((*kept[taker].wanted_by, *advised.wanted_by))
            kept[taker] = AdvisedRule(kept[taker].rule, tuple(names))
    return kept


def _takes(later: PolicyRule, rule: PolicyRule) -> bool:
    """Whether everything that a rule records a later one records alike."""
    if (later.level, later.omit_stages) != (rule.level, rule.omit_stages):
        return False
    if later.verbs and not (rule.verbs and set(rule.verbs) <= set(later.verbs)):
        return False
    if not later.resources:
        return True
    taken = {(item.group, name) for item in later.resources for name in item.resources}
    return bool(rule.resources) and {(item.group, name) for item in rule.resources for name in item.resources} <= taken


def _by_group(wanted: Iterable[_Requests]) -> Iterator[GroupResources]:
    by_group: dict[str, set[str]] = {}
    for _, group, resource in wanted:
        by_group.setdefault("*" if group is None else group, set()).add(resource or "*")
    for group, resources in sorted(by_group.items()):
        whole = {name.removesuffix("/*") for name in resources if name.endswith("/*")}
        kept = {name for name in resources if name not in whole}  # `pods/*` covers pods too
        yield GroupResources(group, tuple(sorted(kept)))


def _is_for_all(rule: PolicyRule) -> bool:
    return not (rule.users or rule.user_groups or rule.verbs or rule.resources or rule.namespaces)


def _gathered(noise: Sequence[Noise]) -> list[Noise]:
    """Users of the same requests together."""
    found: dict[Noise, dict[str, None]] = {}
    for item in noise:
        found.setdefault(replace(item, users=()), {}).update(dict.fromkeys(item.users))
    return [replace(item, users=tuple(users)) for item, users in found.items()]


def _noise_rule(noise: Noise) -> PolicyRule:
    resources = (GroupResources(noise.group, noise.resources),) if noise.resources else ()
    return PolicyRule(Level.NONE, users=noise.users, user_groups=noise.groups, verbs=noise.verbs, resources=resources)


def _nobody_is_about(noise: Noise, predicates: Iterable[Predicate]) -> bool:
    boxes = list(_noise_boxes(noise))
    return not any(
        needed_level(predicate, part, is_impersonated=is_about_impersonation(predicate)) is not None
        for predicate in predicates
        for box in boxes
        for about in boxes_about(predicate)
        if (part := box.both(about)) is not None
    )


def _noise_boxes(noise: Noise) -> Iterator[Box]:
    base = Box(
        verb=only(*noise.verbs) if noise.verbs else Box().verb,
        username=only(*noise.users) if noise.users else Box().username,
        groups=Members(frozenset(noise.groups)),
    )
    if not noise.resources:
        yield base
        return
    for combined in noise.resources:
        resource, _, subresource = combined.partition("/")
        yield (
            base.with_part("group", only(noise.group))
            .with_part("resource", only(resource))
            .with_part("subresource", only(subresource))
        )


def policy_text(advice: Advice, *, shown: int = 8) -> str:
    """The policy as YAML, with a comment on each rule that says which detections want it.

    Args:
        advice: what to write.
        shown: how many detections a comment names.
    """
    lines = ["apiVersion: audit.k8s.io/v1", "kind: Policy", "rules:"]
    for advised in advice.rules:
        lines += [f"# {text}" for text in _comment(advised, shown)]
        lines += _rule_lines(advised.rule)
    return "\n".join(lines) + "\n"


def _comment(advised: AdvisedRule, shown: int) -> Iterator[str]:
    if not advised.wanted_by:
        yield "No detection needs this."
        return
    more = len(advised.wanted_by) - shown
    names = ", ".join(advised.wanted_by[:shown]) + (f" and {more} more" if more > 0 else "")
    yield f"Needed by {names}."


def _rule_lines(rule: PolicyRule) -> Iterator[str]:
    yield f"- level: {rule.level}"
    for key, values in (("users", rule.users), ("userGroups", rule.user_groups), ("verbs", rule.verbs)):
        if values:
            yield f"  {key}: [{', '.join(map(_quoted, values))}]"
    if rule.resources:
        yield "  resources:"
        for item in rule.resources:
            yield f'  - group: "{item.group}"'
            if item.resources:
                yield f"    resources: [{', '.join(map(_quoted, item.resources))}]"
    if rule.omit_stages and rule.level is not Level.NONE:
        yield f"  omitStages: [{', '.join(rule.omit_stages)}]"


def _quoted(value: str) -> str:
    return f'"{value}"' if set(value) & set("*:/") else value
