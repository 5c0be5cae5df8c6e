"""The catalogue: what people want to detect in Kubernetes audit logs, by id. Rules name the entries they cover."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.model.rule import RuleInfo

FAMILIES = {
    "A": "Initial access, exposure, identity of the caller",
    "B": "Execution",
    "C": "Persistence and rights",
    "D": "Privilege escalation: pods and identities",
    "E": "Credential access",
    "F": "Discovery",
    "G": "Defence evasion",
    "H": "Lateral movement",
    "I": "Impact",
    "J": "Sequences",
}
"""What the first letter of an id stands for."""

OUTSIDE = {
    "G11": "a feed that falls silent is seen by whoever receives it, not in the log",
    "H05": "it is in the cloud's own activity log",
}
"""Entries that no audit log can show, and why."""


def entries() -> dict[str, str]:
    """Names of all entries by id, in order."""
    text = files("kubewitness.detect").joinpath("catalogue.yaml").read_text(encoding="utf-8")
    return {str(entry): str(name) for entry, name in yaml.safe_load(text).items()}


def coverage(infos: Iterable[RuleInfo]) -> dict[str, list[str]]:
    """For every entry the ids of the rules that cover it, in order."""
    covered: dict[str, list[str]] = {entry: [] for entry in entries()}
    for info in infos:
        for entry in info.catalogue:
            if entry in covered:
                covered[entry].append(info.id)
    return covered
