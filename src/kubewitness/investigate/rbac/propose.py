"""The least that allows what was used: roles made of observed accesses."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubewitness.investigate.rbac.access import joined
from kubewitness.investigate.rbac.roles import ALL, Binding, Manifests, Role, RoleRule, Subject, covers_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kubewitness.investigate.rbac.access import Access, Use

_LONGEST_NAME = 63
_GENERATED = frozenset(
    {
        *(("", resource) for resource in ("pods", "events", "persistentvolumes")),
        *(("apps", resource) for resource in ("replicasets", "controllerrevisions")),
        ("batch", "jobs"), ("certificates.k8s.io", "certificatesigningrequests"), ("events.k8s.io", "events"),
        ("discovery.k8s.io", "endpointslices"), ("storage.k8s.io", "volumeattachments"),
    }
)  # fmt: skip
"""Groups and resources whose objects are named by controllers: tomorrow's have other names."""


@dataclass(frozen=True, slots=True)
class Folding:
    """From how many on a role grants more than was used; None is never.

    Attributes:
        namespaces: namespaces in which the same was used: then it is granted in all of them.
        names: names of objects: then it is granted on all of them.
        urls: paths below the same first part: then all that are below it.
        verbs: verbs on one resource: then all verbs.
        generated: whether objects whose names change by themselves, such as pods, are granted by any name.
    """

    namespaces: int | None = 5
    names: int | None = 10
    urls: int | None = 5
    verbs: int | None = None
    generated: bool = True


EXACT = Folding(None, None, None, None, generated=False)
"""Grant what was used and nothing else."""


@dataclass(frozen=True, slots=True)
class ProposedRule:
    """A rule and the uses that it is made of.

    Attributes:
        rule: what to grant.
        uses: why.
        folded: how it grants more than was used, for people.
    """

    rule: RoleRule
    uses: tuple[Use, ...]
    folded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposedRole:
    """A role to make, and to bind in the same place.

    Attributes:
        name: of the role and its binding.
        namespace: None for a ClusterRole and ClusterRoleBinding.
        rules: what it grants.
    """

    name: str
    namespace: str | None
    rules: tuple[ProposedRule, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The least that allows what was used.

    Attributes:
        subject: to whom it is bound.
        roles: the ClusterRole first, then by namespace.
        left_out: uses that no rule can grant without granting everything, such as a resource called `*`.
    """

    subject: Subject
    roles: tuple[ProposedRole, ...]
    left_out: tuple[Use, ...] = ()

    @property
    def manifests(self) -> Manifests:
        """The roles and their bindings."""
        roles = [Role(role.name, role.namespace, tuple(each.rule for each in role.rules)) for role in self.roles]
        return Manifests(
            tuple(roles),
            tuple(Binding(role.name, role.namespace, role.kind, role.name, (self.subject,)) for role in roles),
        )


@dataclass(slots=True)
class _Granted:
    """What is granted of one verb on one resource in one place; no names is any name."""

    names: set[str] | None
    uses: list[Use] = field(default_factory=list)
    folded: list[str] = field(default_factory=list)

    def add(self, use: Use) -> None:
        self.uses.append(use)
        if not use.access.name:
            self.names = None
        elif self.names is not None:
            self.names.add(use.access.name)


_What = tuple[str, str, str]
"""API group, resource with subresource, verb."""


def propose(uses: Iterable[Use], subject: Subject, folding: Folding | None = None) -> Proposal:
    """The roles that allow every one of these uses, and without folding nothing else.

    Objects that are namespaces count as the cluster's. A use that the ClusterRole allows already is not repeated in a
    namespace.

    Args:
        uses: what was allowed and used.
        subject: to whom the roles are bound.
        folding: where to grant more for the sake of a shorter role; the usual one when None.
    """
    folding = folding or Folding()
    known = joined(uses)
    kept = [use for use in known if _is_expressible(use.access)]
    cluster: dict[_What, _Granted] = {}
    by_namespace: dict[str, dict[_What, _Granted]] = defaultdict(dict)
    for use in kept:
        access = use.access
        if access.is_for_resource:
            place = by_namespace[access.namespace] if _is_namespaced(access) else cluster
            place.setdefault(_what(access), _Granted(set())).add(use)
    for each in (cluster, *by_namespace.values()):
        for what, granted in each.items():
            if folding.generated and granted.names and (what[0], what[1].partition("/")[0]) in _GENERATED:
                granted.folded.append("any name: controllers name such objects")
                granted.names = None
            _widen_names(granted, folding.names)
    _fold_namespaces(cluster, by_namespace, folding)
    name = role_name(subject)
    rules = [
        *_resource_rules(cluster, folding.verbs),
        *_url_rules([use for use in kept if not use.access.is_for_resource], folding.urls),
    ]
    roles = [ProposedRole(name, None, tuple(rules))] if rules else []
    roles += (
        ProposedRole(name, namespace, tuple(_resource_rules(place, folding.verbs)))
        for namespace, place in sorted(by_namespace.items())
        if place
    )
    return Proposal(subject, tuple(roles), tuple(use for use in known if not _is_expressible(use.access)))


def role_name(subject: Subject) -> str:
    """A name for what is proposed for a subject, fit for an object of the API."""
    plain = "-".join(filter(None, (subject.namespace, subject.name)))
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[: _LONGEST_NAME - len("observed--12345678")]
    if slug == plain:
        return f"observed-{slug}"
    # Two names that differ only in what an object's name cannot hold stay different.
    return f"observed-{slug or 'unnamed'}-{hashlib.sha256(plain.encode(errors='replace')).hexdigest()[:8]}"


def _is_namespaced(access: Access) -> bool:
    return bool(access.namespace) and (access.group, access.resource) != ("", "namespaces")


def _what(access: Access) -> _What:
    return access.group, access.combined, access.verb


def _is_expressible(access: Access) -> bool:
    """Whether a rule can grant it without meaning more: some clients choose texts that are wildcards in a rule."""
    if not access.verb or access.verb == ALL:
        return False
    if not access.is_for_resource:
        return bool(access.path) and not access.path.endswith("*")
    return ALL not in (access.group, access.resource)


def _widen_names(granted: _Granted, most: int | None) -> None:
    if most is not None and granted.names is not None and len(granted.names) >= max(most, 1):
        granted.folded.append(f"any name: {len(granted.names):,} names were used")
        granted.names = None


def _fold_namespaces(
    cluster: dict[_What, _Granted], by_namespace: dict[str, dict[_What, _Granted]], folding: Folding
) -> None:
    """Move into the cluster's role what was used in many namespaces, and what it allows already."""
    namespaces: dict[_What, list[str]] = defaultdict(list)
    for namespace, place in by_namespace.items():
        for what in place:
            namespaces[what].append(namespace)
    for what, places in namespaces.items():
        if folding.namespaces is not None and len(places) >= max(folding.namespaces, 1):
            granted = cluster.setdefault(what, _Granted(set()))
            granted.folded.append(f"every namespace: it was used in {len(places):,} of them")
            for namespace in places:
                moved = by_namespace[namespace].pop(what)
                granted.uses += moved.uses
                if granted.names is None or moved.names is None:
                    granted.names = None
                else:
                    granted.names |= moved.names
                granted.folded += [each for each in moved.folded if each not in granted.folded]
            _widen_names(granted, folding.names)
        elif (wide := cluster.get(what)) is not None:
            for namespace in places:
                granted = by_namespace[namespace][what]
                if wide.names is None or (granted.names is not None and granted.names <= wide.names):
                    wide.uses += by_namespace[namespace].pop(what).uses


def _resource_rules(place: dict[_What, _Granted], fold_verbs: int | None) -> Iterator[ProposedRule]:
    """Rules for what is granted in one place: alike ones together, as far as that grants nothing else."""
    by_resource: dict[tuple[str, str], dict[str, _Granted]] = defaultdict(dict)
    for (group, resource, verb), granted in place.items():
        by_resource[group, resource][verb] = granted
    # Group, verbs, names (None is any), how it was folded: resources, uses.
    alike: dict[tuple[str, tuple[str, ...], tuple[str, ...] | None, tuple[str, ...]], tuple[list[str], list[Use]]] = {}
    for (group, resource), verbs in sorted(by_resource.items()):
        if fold_verbs is not None and len(verbs) >= max(fold_verbs, 1):
            verbs = {ALL: _all_verbs(verbs)}  # noqa: PLW2901 - seen as one from here on
        by_names: dict[tuple[tuple[str, ...] | None, tuple[str, ...]], list[str]] = defaultdict(list)
        for verb, granted in sorted(verbs.items()):
            names = None if granted.names is None else tuple(sorted(granted.names))
            by_names[names, tuple(granted.folded)].append(verb)
        for (names, folded), alike_verbs in by_names.items():
            uses = [use for verb in alike_verbs for use in verbs[verb].uses]
            # Names belong to one resource: two resources with the same names stay apart, for the reader's sake.
            apart = (f"{resource}",) if names is not None else ()
            key = (group, tuple(alike_verbs), None if names is None else (*apart, *names), folded)
            resources, known = alike.setdefault(key, ([], []))
            resources.append(resource)
            known += uses
    for (group, listed, names, folded), (resources, uses) in alike.items():
        rule = RoleRule(listed, (group,), tuple(resources), () if names is None else names[1:])
        yield ProposedRule(rule, tuple(uses), folded)


def _all_verbs(verbs: dict[str, _Granted]) -> _Granted:
    all_names = [granted.names for granted in verbs.values()]
    names = None if None in all_names else {name for each in all_names if each is not None for name in each}
    folded = [each for granted in verbs.values() for each in granted.folded]
    return _Granted(
        names,
        [use for granted in verbs.values() for use in granted.uses],
        [f"every verb: {len(verbs):,} were used", *dict.fromkeys(folded)],
    )


def _url_rules(uses: Sequence[Use], fold: int | None) -> Iterator[ProposedRule]:
    """Rules for paths: those with the same verbs together."""
    by_path: dict[str, list[Use]] = defaultdict(list)
    for use in uses:
        by_path[use.access.path].append(use)
    folded: dict[str, str] = {}
    if fold is not None:
        below: dict[str, list[str]] = defaultdict(list)
        for path in by_path:
            first, slash, rest = path.lstrip("/").partition("/")
            if first and slash and rest:
                below[f"/{first}/*"].append(path)
        for url, paths in below.items():
            if len(paths) >= max(fold, 1):
                folded[url] = f"every path below {url[:-2]}: {len(paths):,} were used"
    by_url: dict[str, list[Use]] = defaultdict(list)
    for path, each in by_path.items():
        url = next((url for url in folded if covers_url(url, path)), path)
        by_url[url] += each
    by_verbs: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for url, each in sorted(by_url.items()):
        by_verbs[tuple(sorted({use.access.verb for use in each}))].append(url)
    for verbs, urls in by_verbs.items():
        rule = RoleRule(verbs, urls=tuple(urls))
        notes = tuple(folded[url] for url in urls if url in folded)
        yield ProposedRule(rule, tuple(use for url in urls for use in by_url[url]), notes)
