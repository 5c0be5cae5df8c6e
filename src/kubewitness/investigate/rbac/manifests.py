"""Reads roles and bindings from YAML or JSON, one or more documents, as `kubectl get -o yaml` writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.investigate.rbac.access import RBAC_GROUP
from kubewitness.investigate.rbac.roles import Binding, Manifests, Role, RoleRule, Subject, SubjectKind
from kubewitness.model.errors import KubewitnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ROLES = frozenset({"Role", "ClusterRole"})
_BINDINGS = frozenset({"RoleBinding", "ClusterRoleBinding"})
_LISTS = frozenset({"List", *(f"{kind}List" for kind in _ROLES | _BINDINGS)})
_HINT = "give Role, ClusterRole, RoleBinding or ClusterRoleBinding of rbac.authorization.k8s.io/v1"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ManifestError(KubewitnessError):
    """A role or binding cannot be read; `where` says in which file, document and field."""


def read_manifests(text: str, where: str) -> Manifests:
    """Roles and bindings of a text; documents of other kinds are passed over.

    Args:
        text: YAML or JSON.
        where: name of the file, for errors.

    Raises:
        ManifestError: the text is no YAML, a role or binding is malformed, or there is none.
    """
    roles: list[Role] = []
    bindings: list[Binding] = []
    for place, document in _documents(text, where):
        kind = document.get("kind")
        if kind in _ROLES:
            roles.append(_role(document, place))
        elif kind in _BINDINGS:
            bindings.append(_binding(document, place))
    if not roles and not bindings:
        raise ManifestError("holds no role and no binding", where=where, hint=_HINT)
    return Manifests(tuple(roles), tuple(bindings))


def _documents(text: str, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        problem = getattr(error, "problem", None) or "cannot be read"
        raise ManifestError(f"is no YAML: {problem}", where=place, hint=_HINT) from error
    for number, document in enumerate(documents, start=1):
        place = f"{where}, document {number}" if len(documents) > 1 else where
        if isinstance(document, dict):
            yield from _unpacked(document, place)
        elif document is not None:
            raise ManifestError("is no object", where=place, hint=_HINT)


def _unpacked(document: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    kind = document.get("kind")
    if kind not in _LISTS:
        yield place, document
        return
    for index, item in enumerate(_list(document, "items", place)):
        if not isinstance(item, dict):
            raise ManifestError("is no object", where=f"{place}, items[{index}]", hint=_HINT)
        yield f"{place}, items[{index}]", {"kind": str(kind).removesuffix("List"), **item}


def _role(document: Mapping[str, Any], place: str) -> Role:
    _check_group(document, place)
    name, namespace = _metadata(document, place)
    rules = []
    for index, rule in enumerate(_list(document, "rules", place)):
        at = f"{place}, rules[{index}]"
        if not isinstance(rule, dict):
            raise ManifestError("is no object", where=at, hint=_HINT)
        rules.append(
            RoleRule(
                verbs=_texts(rule, "verbs", at),
                groups=_texts(rule, "apiGroups", at),
                resources=_texts(rule, "resources", at),
                names=_texts(rule, "resourceNames", at),
                urls=_texts(rule, "nonResourceURLs", at),
            )
        )
        if not rules[-1].verbs:
            raise ManifestError("has no verbs", where=at, hint="write verbs: [get, list]")
    is_cluster = document["kind"] == "ClusterRole"
    return Role(
        name,
        None if is_cluster else namespace or "default",
        tuple(rules),
        place,
        is_aggregated=is_cluster and bool(document.get("aggregationRule")),
    )


def _binding(document: Mapping[str, Any], place: str) -> Binding:
    _check_group(document, place)
    name, namespace = _metadata(document, place)
    role = document.get("roleRef")
    if not isinstance(role, dict) or role.get("kind") not in _ROLES or not isinstance(role.get("name"), str):
        raise ManifestError("names no role", where=f"{place}, roleRef", hint="write roleRef: {kind: Role, name: x}")
    subjects = []
    for index, subject in enumerate(_list(document, "subjects", place)):
        at = f"{place}, subjects[{index}]"
        try:
            kind = SubjectKind(subject["kind"])
            subjects.append(Subject(kind, str(subject["name"]), str(subject.get("namespace") or "")))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ManifestError(
                "is no subject", where=at, hint="write kind: User, Group or ServiceAccount, and a name"
            ) from error
    is_cluster = document["kind"] == "ClusterRoleBinding"
    return Binding(
        name, None if is_cluster else namespace or "default", role["kind"], role["name"], tuple(subjects), place
    )


def _check_group(document: Mapping[str, Any], place: str) -> None:
    version = document.get("apiVersion")
    if version is not None and str(version).partition("/")[0] != RBAC_GROUP:
        raise ManifestError(f"{document['kind']} of {version} is not RBAC", where=place, hint=_HINT)


def _metadata(document: Mapping[str, Any], place: str) -> tuple[str, str | None]:
    metadata = document.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise ManifestError("is no object", where=f"{place}, metadata", hint="write metadata: {name: x}")
    namespace = metadata.get("namespace")
    return str(metadata.get("name") or ""), str(namespace) if namespace else None


def _list(document: Mapping[str, Any], key: str, place: str) -> list[Any]:
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ManifestError("is no list", where=f"{place}, {key}", hint=f"write {key}: [...]")
    return value


def _texts(rule: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    values = _list(rule, key, place)
    for value in values:
        if not isinstance(value, str):
            raise ManifestError(
                f"`{value}` is no text",
                where=f"{place}, {key}",
                hint="put it in quotes: YAML takes it for something else",
            )
    return tuple(values)
