"""Roles and bindings, and what they allow: RBAC as kube-apiserver decides it.

Source: kubernetes/kubernetes, plugin/pkg/auth/authorizer/rbac and pkg/apis/rbac/v1/evaluation_helpers.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kubewitness.investigate.rbac.access import MASTERS, service_account_user

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubewitness.investigate.rbac.access import Access

ALL = "*"


@dataclass(frozen=True, slots=True)
class RoleRule:
    """One rule of a role. Source: rbac.authorization.k8s.io/v1 PolicyRule."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def allows(self, access: Access) -> bool:
        """Whether it grants the access, its namespace aside."""
        if ALL not in self.verbs and access.verb not in self.verbs:
            return False
        if not access.is_for_resource:
            return any(covers_url(url, access.path) for url in self.urls)
        return (
            (ALL in self.groups or access.group in self.groups)
            and any(covers_resource(resource, access) for resource in self.resources)
            and (not self.names or access.name in self.names)
        )


def covers_resource(granted: str, access: Access) -> bool:
    """Whether a resource of a rule covers that of a request: `*`, `pods`, `pods/log`, or `*/scale`."""
    if granted in (ALL, access.combined):
        return True
    return bool(access.subresource) and granted == f"*/{access.subresource}"


def covers_url(granted: str, path: str) -> bool:
    """Whether a non-resource URL of a rule covers a path: the same, or a beginning followed by `*`."""
    return granted in (ALL, path) or (granted.endswith("*") and path.startswith(granted.rstrip("*")))


@dataclass(frozen=True, slots=True)
class Role:
    """A Role, or a ClusterRole (which has no namespace).

    Attributes:
        name: of the role.
        namespace: of a Role; None for a ClusterRole.
        rules: what it grants.
        where: file and document, for people.
        is_aggregated: whether its rules are gathered from other roles by the cluster.
    """

    name: str
    namespace: str | None
    rules: tuple[RoleRule, ...]
    where: str = ""
    is_aggregated: bool = False

    @property
    def kind(self) -> str:
        """Role or ClusterRole."""
        return "ClusterRole" if self.namespace is None else "Role"


class SubjectKind(StrEnum):
    """Kinds of those whom a binding gives a role."""

    USER = "User"
    GROUP = "Group"
    SERVICE_ACCOUNT = "ServiceAccount"


@dataclass(frozen=True, slots=True)
class Subject:
    """To whom a binding gives a role.

    Attributes:
        kind: what it is.
        name: its name.
        namespace: of a service account.
    """

    kind: SubjectKind
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """A RoleBinding, or a ClusterRoleBinding (which has no namespace).

    Attributes:
        name: of the binding.
        namespace: of a RoleBinding; None for a ClusterRoleBinding.
        role_kind: Role or ClusterRole.
        role: its name.
        subjects: to whom.
        where: file and document, for people.
    """

    name: str
    namespace: str | None
    role_kind: str
    role: str
    subjects: tuple[Subject, ...]
    where: str = ""

    def is_for(self, user: str, groups: Iterable[str]) -> bool:
        """Whether it gives its role to a user with these groups."""
        held = set(groups)
        for subject in self.subjects:
            match subject.kind:
                case SubjectKind.USER:
                    found = subject.name == user
                case SubjectKind.GROUP:
                    found = subject.name in held
                case SubjectKind.SERVICE_ACCOUNT:
                    namespace = subject.namespace or self.namespace or ""
                    found = bool(namespace) and service_account_user(namespace, subject.name) == user
            if found:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule that holds for somebody.

    Attributes:
        rule: what is granted.
        namespace: where; None for the whole cluster.
        role: that has the rule.
        index: of the rule in the role, from 0.
    """

    rule: RoleRule
    namespace: str | None
    role: Role
    index: int

    def allows(self, access: Access) -> bool:
        """Whether it grants the access. What is not about a resource is granted for the whole cluster only."""
        if self.namespace is not None and (not access.is_for_resource or access.namespace != self.namespace):
            return False
        return self.rule.allows(access)


@dataclass(frozen=True, slots=True)
class Manifests:
    """Roles and bindings of files.

    Attributes:
        roles: in the order of the documents.
        bindings: likewise; when there are none, every role is taken to be bound to whoever is asked about.
    """

    roles: tuple[Role, ...] = ()
    bindings: tuple[Binding, ...] = ()

    def grants(self, user: str, groups: Iterable[str]) -> Iterator[Grant]:
        """The rules that hold for a user with these groups."""
        held = tuple(groups)
        if not self.bindings:
            for role in self.roles:
                yield from _granted(role, role.namespace)
            return
        for binding in self.bindings:
            if binding.is_for(user, held):
                for role in self._bound(binding):
                    yield from _granted(role, binding.namespace)

    def unresolved(self, user: str, groups: Iterable[str]) -> Iterator[Binding]:
        """Bindings for a user whose roles are not here."""
        held = tuple(groups)
        for binding in self.bindings:
            if binding.is_for(user, held) and not list(self._bound(binding)):
                yield binding

    def _bound(self, binding: Binding) -> Iterator[Role]:
        namespace = binding.namespace if binding.role_kind == "Role" else None
        known = [role for role in self.roles if role.name == binding.role and role.namespace == namespace]
        if not known and binding.role_kind == "ClusterRole" and binding.role == CLUSTER_ADMIN.name:
            known = [CLUSTER_ADMIN]
        yield from known


def _granted(role: Role, namespace: str | None) -> Iterator[Grant]:
    for index, rule in enumerate(role.rules):
        yield Grant(rule, namespace, role, index)


def is_allowed(grants: Iterable[Grant], access: Access, groups: Iterable[str] = ()) -> bool:
    """Whether an access is granted; members of system:masters may do everything, RBAC is not asked."""
    return MASTERS in groups or any(grant.allows(access) for grant in grants)


CLUSTER_ADMIN = Role("cluster-admin", None, (RoleRule((ALL,), (ALL,), (ALL,)), RoleRule((ALL,), urls=(ALL,))))

ANONYMOUS = "system:anonymous"
_PUBLIC = Role(
    "system:public-info-viewer",
    None,
    (RoleRule(("get",), urls=("/healthz", "/livez", "/readyz", "/version", "/version/")),),
)
EVERYBODYS = (
    Role(
        "system:discovery",
        None,
        (
            RoleRule(
                ("get",),
                urls=(
                    *("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz"),
                    *("/version", "/version/"),
                ),
            ),
        ),
    ),
    Role(
        "system:basic-user",
        None,
        (
            RoleRule(("create",), ("authorization.k8s.io",), ("selfsubjectaccessreviews", "selfsubjectrulesreviews")),
            RoleRule(("create",), ("authentication.k8s.io",), ("selfsubjectreviews",)),
        ),
    ),
    _PUBLIC,
)
"""Roles that a cluster binds to every user who authenticated, as kube-apiserver makes them (Kubernetes 1.36)."""


def everybodys_grants(user: str) -> tuple[Grant, ...]:
    """What a user may as everybody may: who did not authenticate may look at the server's health and version only."""
    roles = EVERYBODYS if user != ANONYMOUS else (_PUBLIC,)
    return tuple(grant for role in roles for grant in _granted(role, None))
