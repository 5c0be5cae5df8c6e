"""Well-known recordings: what gets into the logs of clouds and distributions, and of policies that many copy."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from kubewitness.model.errors import UsageError
from kubewitness.policy.coverage import Recording
from kubewitness.policy.load import load_policy, policy_of

PREFIX = "builtin:"
"""What stands before a name where the path of a policy file could stand."""


@cache
def recordings() -> dict[str, Recording]:
    """Every well-known recording by its name."""
    folder = files("kubewitness.policy").joinpath("builtin")
    listed = yaml.safe_load(folder.joinpath("recordings.yaml").read_text(encoding="utf-8"))
    policies = {
        name: policy_of(load_policy(builtin_policy(name).encode()), f"{PREFIX}{name}")
        for name in sorted({about["policy"] for about in listed.values()})
    }
    return {
        name: Recording(
            policies[about["policy"]],
            frozenset(about.get("dropped_verbs", ())),
            frozenset(about.get("absent_columns", ())),
            about["title"],
            about["about"],
            about["policy"],
        )
        for name, about in listed.items()
    }


def find_recording(name: str) -> Recording:
    """The well-known recording of this name, with or without the prefix.

    Raises:
        UsageError: there is none.
    """
    known = recordings()
    found = known.get(name.removeprefix(PREFIX))
    if found is None:
        raise UsageError(f"there is no builtin policy `{name}`", hint=f"one of {', '.join(known)}")
    return found


def builtin_policy(name: str) -> str:
    """The text of a builtin policy."""
    return files("kubewitness.policy").joinpath("builtin").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
