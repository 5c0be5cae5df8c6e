"""The evaluator of roles against decisions of a real kube-apiserver v1.36.2.

The data is what a server wrote into its audit log: roles and bindings as they were written, and every different request
between two changes of them with its decision. Left out are kubelets (the node authorizer decides about them too) and
requests that were allowed by a binding whose writing the log does not have.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import zstandard

from kubewitness.investigate.rbac.access import Access
from kubewitness.investigate.rbac.manifests import read_manifests
from kubewitness.investigate.rbac.roles import Manifests, is_allowed

DATA = Path(__file__).parent / "data" / "decisions.json.zst"


def _key(document: dict[str, Any]) -> tuple[str, str | None, str]:
    return document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"]


def test_every_decision_of_a_real_server_is_the_same_here() -> None:
    steps = json.loads(zstandard.ZstdDecompressor().decompress(DATA.read_bytes(), max_output_size=1 << 24))
    documents: dict[tuple[str, str | None, str], Manifests] = {}
    wrong: list[tuple[str, Access, bool]] = []
    decisions = {True: 0, False: 0}
    for step in steps:
        for kind, namespace, name in step["drop"]:
            for key in [key for key in documents if key[:2] == (kind, namespace) and name in (None, key[2])]:
                del documents[key]
        documents |= {_key(document): read_manifests(json.dumps(document), "log") for document in step["set"]}
        manifests = Manifests(
            tuple(role for each in documents.values() for role in each.roles),
            tuple(binding for each in documents.values() for binding in each.bindings),
        )
        if not manifests.bindings:
            continue
        held = {(user, tuple(groups)): list(manifests.grants(user, groups)) for user, groups, *_ in step["asks"]}
        for user, groups, access, expected in step["asks"]:
            asked = Access(*access)
            decisions[expected] += 1
            if is_allowed(held[user, tuple(groups)], asked, groups) != expected:
                wrong.append((user, asked, expected))
    assert wrong == []
    assert decisions[True] > 4_700
    assert decisions[False] > 70
