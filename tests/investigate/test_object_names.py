"""Tests of names of objects as people write them."""

from __future__ import annotations

import pytest

from kubewitness.investigate.object_names import ObjectName, plural_of
from kubewitness.model.errors import UsageError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop/deployment/web", ObjectName("deployments", "web", "shop")),
        ("shop/deploy/web", ObjectName("deployments", "web", "shop")),
        ("shop/Deployment/web", ObjectName("deployments", "web", "shop")),
        ("shop/deployments.apps/web", ObjectName("deployments", "web", "shop", "apps")),
        ("shop/deployments.apps.example.org/web", ObjectName("deployments", "web", "shop", "apps.example.org")),
        ("clusterrole/system:admin", ObjectName("clusterroles", "system:admin")),
        ("ns/shop", ObjectName("namespaces", "shop")),
        ("secrets/shop/web", ObjectName("secrets", "web", "shop")),
        ("deployments.apps/shop/web", ObjectName("deployments", "web", "shop", "apps")),
        ("rollouts.argoproj.io/shop/web", ObjectName("rollouts", "web", "shop", "argoproj.io")),
        ("events/pods/web", ObjectName("pods", "web", "events")),
        ("shop/rollout/web", ObjectName("rollouts", "web", "shop")),
        ("nodes/rollout/web", ObjectName("rollouts", "web", "nodes")),
    ],
)
def test_a_name_is_read(text: str, name: ObjectName) -> None:
    assert ObjectName.parse(text) == name
    assert ObjectName.parse(str(name)) == name


@pytest.mark.parametrize("text", ["web", "", "a/b/c/d", "a//c", "/"])
def test_what_names_no_object_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="names no object"):
        ObjectName.parse(text)


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("pod", "pods"), ("po", "pods"), ("Ingress", "ingresses"), ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"), ("endpoints", "endpoints"), ("StorageClass", "storageclasses"), ("pods", "pods"),
        ("ingresses", "ingresses"),
    ],
)  # fmt: skip
def test_a_kind_has_a_plural(kind: str, resource: str) -> None:
    assert plural_of(kind) == resource
