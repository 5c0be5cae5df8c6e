"""What a request was about: `pods/shop/web-0` in lists, "pod web-0 (namespace shop)" in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Resources of several words, by the name people know them under. Source: the Kubernetes API reference.
_KINDS = {
    kind.lower(): kind
    for kind in (
        *("APIService", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding", "ConfigMap"),
        *("ControllerRevision", "CronJob", "CSIDriver", "CustomResourceDefinition", "DaemonSet"),
        *("EndpointSlice", "HorizontalPodAutoscaler", "LimitRange", "LocalSubjectAccessReview"),
        *("MutatingAdmissionPolicy", "MutatingWebhookConfiguration", "NetworkPolicy", "PersistentVolume"),
        *("PersistentVolumeClaim", "PodDisruptionBudget", "PodTemplate", "PriorityClass", "ReplicaSet"),
        *("ReplicationController", "ResourceQuota", "RoleBinding", "RuntimeClass", "SelfSubjectAccessReview"),
        *("SelfSubjectReview", "SelfSubjectRulesReview", "ServiceAccount", "StatefulSet", "StorageClass"),
        *(
            "SubjectAccessReview",
            "TokenReview",
            "ValidatingAdmissionPolicy",
            "ValidatingWebhookConfiguration",
        ),
        *("ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicyBinding", "VolumeAttachment"),
    )
}
_SAME_IN_PLURAL = frozenset({"endpoints", "metrics", "status"})
_COLLECTION_VERBS = frozenset({"list", "watch", "deletecollection"})


def _singular_word(plural: str) -> str:
    if plural in _SAME_IN_PLURAL or not plural.endswith("s"):
        return plural
    if plural.endswith("ies"):
        return plural.removesuffix("ies") + "y"
    if plural.endswith(("sses", "xes", "shes", "ches")):
        return plural.removesuffix("es")
    return plural.removesuffix("s")


def singular(resource: str) -> str:
    """Name one object of a resource: `pods` -> pod, `clusterrolebindings` -> ClusterRoleBinding."""
    word = _singular_word(resource)
    return _KINDS.get(word, word)


def plural(resource: str) -> str:
    """Name several objects of a resource: `pods` -> pods, `networkpolicies` -> NetworkPolicies."""
    kind = singular(resource)
    if kind == kind.lower():
        return resource
    if kind.endswith("y"):
        return kind.removesuffix("y") + "ies"
    return kind + ("es" if kind.endswith("s") else "s")


def _with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in set('aeio') else 'a'} {noun}"


@dataclass(frozen=True, slots=True)
class Object:
    """What one request was about.

    Attributes:
        resource: resource in the plural, or the path of a request that has none.
        namespace: namespace, or None.
        name: name, or None where the request was on a collection or the log does not give it.
        is_collection: whether it was on all objects of the namespace or cluster.
        is_path: whether `resource` is a path of the server.
    """

    resource: str
    namespace: str | None = None
    name: str | None = None
    is_collection: bool = False
    is_path: bool = False

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> Object | None:
        """Read it from columns of the events table; None where they do not say."""
        resource, name = details.get("resource"), details.get("object_name") or details.get("name")
        if not resource:
            path = details.get("request_path") or str(details.get("request_uri") or "").partition("?")[0]
            return cls(path, is_path=True) if path else None
        namespace = details.get("namespace") or None
        if resource == "namespaces":
            name, namespace = name or namespace, None
        is_collection = not name and details.get("verb") in _COLLECTION_VERBS
        return cls(resource, namespace, name or None, is_collection=is_collection)

    @property
    def path(self) -> str:
        """`resource/namespace/name`, parts that are absent left out; a path of the server as it is.

        The subresource is left out: two ways to reach into one pod are about one object.
        """
        return "/".join(part for part in (self.resource, self.namespace, self.name) if part)

    @property
    def _where(self) -> str:
        return f" (namespace {self.namespace})" if self.namespace else ""

    @property
    def bare(self) -> str:
        """The name with its namespace, without the resource."""
        return f"{self.name}{self._where}" if self.name else self.in_words

    @property
    def in_words(self) -> str:
        """As in a sentence: "pod web-0 (namespace shop)", "secrets in namespace shop", "/metrics"."""
        if self.is_path:
            return self.resource
        if self.name:
            return f"{singular(self.resource)} {self.name}{self._where}"
        inside = f" in namespace {self.namespace}" if self.namespace else ""
        if self.is_collection:
            return f"{plural(self.resource)}{inside}" if inside else f"all {plural(self.resource)} of the cluster"
        return _with_article(singular(self.resource)) + inside


def distinct_objects(details: Iterable[Mapping[str, Any]]) -> tuple[Object, ...]:
    """Objects of several events, each once, in order."""
    found = (Object.of(each) for each in details)
    return tuple(dict.fromkeys(each for each in found if each is not None))


def summarize(objects: Sequence[Object]) -> str | None:
    """Name objects in few words: "3 pods, first web-0 (namespace shop)"; None for none."""
    if len(objects) <= 1:
        return objects[0].in_words if objects else None
    resources = {each.resource for each in objects}
    first = objects[0]
    if len(resources) > 1:
        noun = "paths" if all(each.is_path for each in objects) else "objects"
        return f"{len(objects):,} {noun}, first {first.in_words}"
    if all(each.is_collection for each in objects):
        whole = next((each for each in objects if each.namespace is None), None)
        if whole is not None:
            return whole.in_words
        return f"{plural(first.resource)} in {len(objects):,} namespaces, first {first.namespace}"
    return f"{len(objects):,} {plural(first.resource)}, first {first.bare}"
