"""Names of objects as people write them: `shop/deployment/web`, `pod/web-0`, `deployments.apps/web`, `ns/shop`."""

from __future__ import annotations

from dataclasses import dataclass

from kubewitness.model.errors import UsageError
from kubewitness.policy.resources import resources_named

# Short names of the API, and singulars that the rules below get wrong. Source: kubectl api-resources.
_SHORT = {
    "cm": "configmaps", "cs": "componentstatuses", "ep": "endpoints", "ev": "events", "limits": "limitranges",
    "ns": "namespaces", "no": "nodes", "pvc": "persistentvolumeclaims", "pv": "persistentvolumes", "po": "pods",
    "rc": "replicationcontrollers", "quota": "resourcequotas", "sa": "serviceaccounts", "svc": "services",
    "crd": "customresourcedefinitions", "crds": "customresourcedefinitions", "ds": "daemonsets",
    "deploy": "deployments",
    "rs": "replicasets", "sts": "statefulsets", "hpa": "horizontalpodautoscalers", "cj": "cronjobs",
    "csr": "certificatesigningrequests", "ing": "ingresses", "netpol": "networkpolicies", "pdb": "poddisruptionbudgets",
    "pc": "priorityclasses", "sc": "storageclasses", "endpoints": "endpoints", "ingress": "ingresses",
    "event": "events", "status": "status", "metrics": "metrics",
}  # fmt: skip
_EXAMPLES = "shop/deployment/web, pod/web-0, deployments.apps/web, clusterrole/admin"


@dataclass(frozen=True, slots=True)
class ObjectName:
    """Which object somebody means.

    Attributes:
        resource: resource in the plural, in lower case.
        name: its name.
        namespace: its namespace; None for a cluster-wide object, or one of any namespace.
        group: its API group; None where it was not said.
    """

    resource: str
    name: str
    namespace: str | None = None
    group: str | None = None

    @classmethod
    def parse(cls, text: str) -> ObjectName:
        """Read `NAMESPACE/KIND/NAME` or `KIND/NAME`; a kind may be a resource or short, and have its group.

        Alerts write `secrets/shop/web`: so `KIND/NAMESPACE/NAME` is read, too, where only the first part is a kind that
        is known.

        Raises:
            UsageError: it is neither.
        """
        parts = text.strip().strip("/").split("/")
        if len(parts) not in {2, 3} or not all(parts):
            raise UsageError(f"`{text}` names no object", hint=f"write {_EXAMPLES}")
        *namespace, kind, name = parts
        if namespace and not _is_known(kind) and _is_known(namespace[0]):
            namespace, kind = [kind], namespace[0]
        word, _, group = kind.partition(".")
        return cls(plural_of(word), name, namespace[0] if namespace else None, group or None)

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return "/".join(part for part in (self.namespace, kind, self.name) if part)


def _is_known(kind: str) -> bool:
    """Whether a kind is known to have objects in namespaces; the names of namespaces have no dots, as groups do."""
    word, dot, _ = kind.partition(".")
    return bool(dot) or any(resource.is_namespaced for resource in resources_named(plural_of(word)))


def plural_of(kind: str) -> str:
    """The resource of a kind, or of a short name: `Deployment` -> deployments, `svc` -> services."""
    word = kind.lower()
    if word in _SHORT:
        return _SHORT[word]
    if word.endswith("s") and not word.endswith("ss"):
        return word
    if word.endswith("y") and word[-2:-1] not in set("aeiou"):
        return word.removesuffix("y") + "ies"
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    return word + "s"
