"""What a rule needs of a log, and which logs can feed it.

Needs are derived from the rule's predicate, never too much: what is in every way to match. Feeds are judged by what
their audit policy and transport leave out, as far as that is published and fixed; on a cluster of one's own that is
for its policy to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import reduce
from operator import attrgetter
from typing import TYPE_CHECKING

from kubewitness.facts import BODY_FACTS
from kubewitness.model.recording import Level
from kubewitness.query.needs import ABSENT, Needs, needs
from kubewitness.query.predicate import And, Keyword, Not, Or, Same

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubewitness.detect.rule import Rule
    from kubewitness.query.fields import Field
    from kubewitness.query.predicate import Predicate


class Verdict(StrEnum):
    """Whether a feed can show what a rule looks for."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


_rank = attrgetter("rank")


@dataclass(frozen=True, slots=True)
class Wants:
    """What a rule needs of an event.

    Attributes:
        least: level at which some way to match is left.
        whole: level at which all ways are.
        fields: fields that every way to match looks at.
        needs: verbs, resources, subresources of which one is necessary.
        predicates: what it says of events; several for a correlation.
    """

    least: Level
    whole: Level
    fields: frozenset[Field]
    needs: Needs
    predicates: tuple[Predicate, ...] = ()

    def together(self, other: Wants) -> Wants:
        """What two rules need that are counted together."""
        return Wants(
            max(self.least, other.least, key=_rank),
            max(self.whole, other.whole, key=_rank),
            self.fields | other.fields,
            self.needs.either(other.needs),
            self.predicates + other.predicates,
        )


@dataclass(frozen=True, slots=True)
class Feed:
    """A kind of audit log.

    Attributes:
        id: kebab-case.
        title: for people.
        unseen_verbs: verbs that it leaves out, whatever the resource.
        bodiless: resources whose bodies it leaves out; None when it has no bodies at all.
        groups_with_bodies: whether only resources of built-in API groups have bodies.
        seen: of a resource, the only verbs that are recorded.
        lacks: columns that it never fills.
    """

    id: str
    title: str
    unseen_verbs: frozenset[str] = frozenset()
    bodiless: frozenset[str] | None = frozenset()
    groups_with_bodies: bool = True
    seen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fed:
    """What a feed can do for a rule.

    Attributes:
        feed: the feed.
        verdict: whether it can show what the rule looks for.
        why: what it lacks; empty when nothing.
    """

    feed: Feed
    verdict: Verdict
    why: str


_READS = frozenset({"get", "list"})
_SECRETIVE = frozenset({"secrets", "configmaps", "tokenreviews"})
_AKS_BODILESS = _SECRETIVE | {"serviceaccounts"}
# Source: the audit policy that Microsoft publishes (learn.microsoft.com, monitor-aks).
_AKS_EVENTS = {"events": frozenset({"create", "update", "patch", "delete", "list"})}
_TABLE_LACKS = frozenset(
    "impersonated impersonated_username impersonated_uid impersonated_groups impersonated_extra".split()
)
_GKE_LACKS = frozenset(
    "level stage groups user_uid user_extra request_uri request_path exec_container dry_run status_reason"
    " impersonated_uid impersonated_groups impersonated_extra".split()
)
_WRITES_OF_GKE = frozenset({"get", "list", "watch"})

FEEDS = (
    Feed("aks-kube-audit", "AKS, category `kube-audit`", bodiless=_AKS_BODILESS, seen=_AKS_EVENTS),
    Feed(
        "aks-kube-audit-admin", "AKS, category `kube-audit-admin`",
        unseen_verbs=_READS, bodiless=_AKS_BODILESS, seen=_AKS_EVENTS,
    ),
    Feed("aks-table", "AKS, table `AKSAudit`", bodiless=_AKS_BODILESS, seen=_AKS_EVENTS, lacks=_TABLE_LACKS),
    Feed(
        "aks-table-admin", "AKS, table `AKSAuditAdmin`",
        unseen_verbs=_READS, bodiless=_AKS_BODILESS, seen=_AKS_EVENTS, lacks=_TABLE_LACKS,
    ),
    Feed("eks", "EKS", bodiless=_SECRETIVE, seen={"events": frozenset()}),
    Feed(
        "gke-activity", "GKE, Admin Activity only",
        unseen_verbs=_WRITES_OF_GKE, bodiless=_SECRETIVE, lacks=_GKE_LACKS,
    ),
    Feed("gke-data-access", "GKE with Data Access logs", bodiless=_SECRETIVE, lacks=_GKE_LACKS),
    Feed("openshift-default", "OpenShift, profile `Default`", bodiless=None),
    Feed(
        "openshift-bodies", "OpenShift, profile `WriteRequestBodies`",
        bodiless=frozenset({"secrets"}), groups_with_bodies=False,
    ),
)  # fmt: skip
"""Logs whose policy others set, and the same for everybody."""

# Resources of the API groups that the fixed policies of AKS, EKS and GKE know by name and record bodies of.
# Source: those policies, and the resources of Kubernetes 1.36.
_BUILT_IN = frozenset(
    """
    bindings endpoints limitranges namespaces nodes persistentvolumeclaims persistentvolumes pods podtemplates
    replicationcontrollers resourcequotas services events secrets configmaps serviceaccounts
    mutatingwebhookconfigurations validatingwebhookconfigurations validatingadmissionpolicies
    validatingadmissionpolicybindings mutatingadmissionpolicies mutatingadmissionpolicybindings
    customresourcedefinitions apiservices daemonsets deployments replicasets statefulsets controllerrevisions
    tokenreviews selfsubjectreviews subjectaccessreviews localsubjectaccessreviews selfsubjectaccessreviews
    selfsubjectrulesreviews horizontalpodautoscalers cronjobs jobs certificatesigningrequests clustertrustbundles
    ingresses ingressclasses networkpolicies podsecuritypolicies poddisruptionbudgets clusterroles clusterrolebindings
    roles rolebindings priorityclasses storageclasses volumeattachments csidrivers csinodes csistoragecapacities
    """.split()
)
_BY_GET = frozenset({"exec", "attach", "portforward", "proxy"})


def wants(rule: Rule, known: Mapping[str, Rule]) -> Wants:
    """What a rule needs; of a correlation, what all rules that it counts need.

    Args:
        rule: the rule.
        known: rules by id, for correlations.
    """
    named: set[Field] = set()
    if rule.correlation:
        named |= rule.correlation.fields
    if rule.first_seen:
        named |= {*rule.first_seen.fields}
    own = Wants(Level.METADATA, Level.METADATA, frozenset(named), Needs())
    parts = [_wants_of(base) for base in _bases(rule, known)]
    if not parts:
        return own
    joined = reduce(Wants.together, parts)
    return replace(joined, fields=joined.fields | own.fields)


def feeds_of(rule: Rule, known: Mapping[str, Rule]) -> list[Fed]:
    """What each feed can do for a rule."""
    wanted = wants(rule, known)
    return [_judge(feed, wanted) for feed in FEEDS]


def _bases(rule: Rule, known: Mapping[str, Rule]) -> Iterator[Rule]:
    """The rules of single events that a rule rests on."""
    if rule.correlation is None:
        yield rule
        return
    for name in rule.correlation.rules:
        if name in known:
            yield from _bases(known[name], known)


def _wants_of(rule: Rule) -> Wants:
    if rule.predicate is None:
        return Wants(Level.METADATA, Level.METADATA, frozenset(), Needs())
    least, whole, fields = _looks_at(rule.predicate)
    return Wants(least, whole, fields, needs(rule.predicate), (rule.predicate,))


def _looks_at(predicate: Predicate) -> tuple[Level, Level, frozenset[Field]]:
    """Least level, level for all ways, and fields in every way to match."""
    match predicate:
        case And(items) if items:
            parts = [_looks_at(item) for item in items]
            return (
                max((least for least, _, _ in parts), key=_rank),
                max((whole for _, whole, _ in parts), key=_rank),
                frozenset().union(*(fields for _, _, fields in parts)),
            )
        case Or(items) if items:
            parts = [_looks_at(item) for item in items]
            return (
                min((least for least, _, _ in parts), key=_rank),
                max((whole for _, whole, _ in parts), key=_rank),
                frozenset.intersection(*(fields for _, _, fields in parts)),
            )
        case Not() | And() | Or() | Keyword():  # that something is not there can be seen at any level
            return Level.METADATA, Level.METADATA, frozenset()
        case Same(one, other):
            level = max(_level_of(one), _level_of(other), key=_rank)
            return level, level, frozenset({one, other})
        case _:
            level = _level_of(predicate.field)
            return level, level, frozenset({predicate.field})


# Bodies make these more exact, but they are there without.
_ALSO_WITHOUT_BODIES = frozenset({"truncated", "dry_run", "object_name"})


def _level_of(of: Field) -> Level:
    name = of.column.name
    if name == "response_object":
        return Level.REQUEST_RESPONSE
    return Level.REQUEST if name in BODY_FACTS - _ALSO_WITHOUT_BODIES else Level.METADATA


def _judge(feed: Feed, wanted: Wants) -> Fed:
    never, sometimes = _gaps(feed, wanted)
    verdict = Verdict.NO if never else Verdict.PARTLY if sometimes else Verdict.YES
    return Fed(feed, verdict, "; ".join(never or sometimes))


def _gaps(feed: Feed, wanted: Wants) -> tuple[list[str], list[str]]:
    """Why the feed can never show it, and why it can at times not."""
    never: list[str] = []
    sometimes: list[str] = []
    lost = {each.name for each in wanted.fields if each.column.name in feed.lacks}
    lost |= {name for predicate in wanted.predicates for name in _blind(predicate, feed.lacks)}
    if lost:
        never.append(f"has no {_listed(sorted(lost))}")
    for always, at_times in (_verb_gap(feed, wanted.needs), _seen_gap(feed, wanted.needs), _body_gap(feed, wanted)):
        never += filter(None, [always])
        sometimes += filter(None, [at_times])
    return never, sometimes


def _blind(predicate: Predicate, lacks: frozenset[str]) -> set[str]:
    """Fields for whose absence the predicate cannot hold; none when it can."""
    match predicate:
        case And(items):
            return {name for item in items for name in _blind(item, lacks)}
        case Or(items):
            parts = [_blind(item, lacks) for item in items]
            return set().union(*parts) if all(parts) else set()
        case Not() | Keyword():
            return set()
        case Same(one, other):
            return {each.name for each in (one, other) if each.column.name in lacks}
        case _:
            return {predicate.field.name} if predicate.field.column.name in lacks else set()


_Gap = tuple[str, str]
_NO_GAP = ("", "")


def _verb_gap(feed: Feed, needed: Needs) -> _Gap:
    unseen = feed.unseen_verbs if needed.verbs is None else feed.unseen_verbs & needed.verbs
    if not unseen:
        return _NO_GAP
    lost = f"leaves out {_listed(sorted(unseen))}"
    if needed.verbs is not None and needed.verbs <= feed.unseen_verbs:
        return lost, ""
    if needed.subresources and needed.subresources <= _BY_GET:
        return "", "clients of today connect by get, which it leaves out"
    return "", lost


def _seen_gap(feed: Feed, needed: Needs) -> _Gap:
    if not needed.resources or not needed.resources & feed.seen.keys():
        return _NO_GAP
    partly = {
        resource: sorted((needed.verbs or frozenset()) - feed.seen[resource])
        for resource in sorted(needed.resources & feed.seen.keys())
    }
    blind = [
        resource
        for resource in partly
        if not feed.seen[resource] or (needed.verbs and not needed.verbs & feed.seen[resource])
    ]
    if blind:
        text = f"records no {_listed(blind)}"
        return (text, "") if set(blind) == needed.resources else ("", text)
    lost = [f"no {_listed(verbs)} of {resource}" for resource, verbs in partly.items() if verbs]
    return "", f"records {_listed(lost)}" if lost else ""


def _body_gap(feed: Feed, wanted: Wants) -> _Gap:
    if wanted.whole is Level.METADATA:
        return _NO_GAP
    resources = wanted.needs.resources
    if feed.bodiless is None:
        text = "records no bodies"
        return (text, "") if wanted.least is not Level.METADATA else ("", text)
    if resources is None:
        return "", f"records no bodies of {_listed(sorted(feed.bodiless))}"
    without = {
        resource
        for resource in resources
        if resource in feed.bodiless or (feed.groups_with_bodies and resource not in _BUILT_IN)
    }
    if not without:
        return _NO_GAP
    text = f"records no bodies of {_listed(sorted(without))}"
    return (text, "") if without == resources and wanted.least is not Level.METADATA else ("", text)


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def shown_needs(needed: Needs) -> dict[str, list[str]]:
    """Verbs, resources and subresources of which one is necessary, where there are such."""
    values = {"verbs": needed.verbs, "resources": needed.resources, "subresources": needed.subresources}
    return {name: sorted(value or "none" for value in of) for name, of in values.items() if of and of != {ABSENT}}
