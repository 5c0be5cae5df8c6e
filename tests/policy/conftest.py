"""What a real kube-apiserver v1.36.2 decided on requests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from kubewitness.policy.attributes import Attributes
from kubewitness.policy.load import load_policy, policy_of

if TYPE_CHECKING:
    from kubewitness.policy.model import Policy


@dataclass(frozen=True)
class Vector:
    """One decision: the policy's name, the request, and what is recorded of it."""

    policy: str
    attributes: Attributes
    level: str
    omit_stages: frozenset[str]
    omit_managed_fields: bool


@dataclass(frozen=True)
class Vectors:
    policies: dict[str, Policy]
    vectors: list[Vector]


@pytest.fixture(scope="session")
def vectors() -> Vectors:
    """Ten thousand decisions over two hundred policies."""
    policies: dict[str, Policy] = {}
    found: list[Vector] = []
    with (Path(__file__).parent / "data" / "vectors.jsonl.zst").open("rb") as file:
        for line in zstandard.ZstdDecompressor().stream_reader(file).readall().splitlines():
            item = json.loads(line)
            name, result = item["policyId"], item["result"]
            if name not in policies:
                policies[name] = policy_of(load_policy(item["policy"].encode()), name)
            stages = frozenset(result["omitStages"] or ())
            attributes = _attributes(item["attributes"])
            found.append(Vector(name, attributes, result["level"], stages, result["omitManagedFields"]))
    return Vectors(policies, found)


def _attributes(found: dict[str, Any]) -> Attributes:
    return Attributes(
        user=found["user"],
        groups=tuple(found["groups"] or ()),
        verb=found["verb"],
        api_group=found["apiGroup"],
        resource=found["resource"],
        subresource=found["subresource"],
        namespace=found["namespace"],
        name=found["name"],
        path=found["path"],
        is_resource_request=found["isResourceRequest"],
    )
