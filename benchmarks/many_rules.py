"""Many rules for the benchmark: `python benchmarks/many_rules.py --seed 1 --count 1000 -o FOLDER`.

Sigma rules of the kinds that the builtin pack has, over verbs, resources, users, names, addresses and what written pods
contain, in about the same shares. None is meant to find anything in particular; together they look at most events that
a cluster has.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from uuid import UUID

NAMESPACED = ("pods", "secrets", "configmaps", "services", "serviceaccounts", "roles", "rolebindings", "ingresses")
CLUSTER = ("nodes", "namespaces", "clusterroles", "clusterrolebindings", "persistentvolumes")
WORKLOADS = ("deployments", "daemonsets", "statefulsets", "replicasets", "jobs", "cronjobs")
RESOURCES = (*NAMESPACED, *CLUSTER, *WORKLOADS)
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
WRITES = ("create", "update", "patch")
SUBRESOURCES = ("exec", "attach", "portforward", "proxy", "log", "token", "eviction", "scale")
KINDS = ("user", "service_account", "node", "anonymous")
FACTS = ("privileged", "host_pid", "host_network", "host_ipc")
LEVELS = ("informational", "low", "medium", "high", "critical")
WORDS = ("payments", "billing", "vault", "ingress", "backup", "metrics", "build", "argo", "legacy", "edge", "shop")


def main() -> None:
    """Write the rules, one file each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder, made if it is not there")
    chosen = parser.parse_args()
    write(chosen.output, chosen.count, chosen.seed)


def write(folder: Path, count: int, seed: int) -> None:
    """Write that many rules into a folder; the same seed gives the same rules."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    for number in range(count):
        (folder / f"generated-{number}.yml").write_text(rule(number, chance), encoding="utf-8")


def rule(number: int, chance: random.Random) -> str:
    """One rule as YAML."""
    kind = chance.choices((about_request, about_subresource, about_pod, about_body, about_user), (40, 15, 25, 10, 10))[
        0
    ]
    selection = kind(chance)
    lines = "".join(f"    {name}: {value}\n" for name, value in selection.items())
    filters, condition = "", "selection"
    if chance.random() < 0.5:
        left_out = [f"system:serviceaccount:{word}-system:{word}" for word in chance.sample(WORDS, 3)]
        filters, condition = f"  filter:\n    user.username: {listed(left_out)}\n", "selection and not filter"
    return (
        f"title: Generated rule {number}\nid: {UUID(int=chance.getrandbits(128), version=4)}\n"
        f"name: generated-{number}\nstatus: test\ndescription: A rule of the benchmark.\nauthor: kubewitness\n"
        "logsource: {product: kubernetes, service: audit}\n"
        f"detection:\n  selection:\n{lines}{filters}  condition: {condition}\nlevel: {chance.choice(LEVELS)}\n"
    )


def about_request(chance: random.Random) -> dict[str, str]:
    """Some verbs on some resources, with a name, a namespace or a client."""
    return {
        "verb": listed(chance.sample(VERBS, chance.randint(1, 3))),
        "objectRef.resource": listed(chance.sample(RESOURCES, chance.randint(1, 3))),
    } | chance.choice(
        (
            {"objectRef.namespace|startswith": word(chance)},
            {"objectRef.name|contains": word(chance)},
            {"userAgent|contains": word(chance)},
            {"actor_kind": chance.choice(KINDS), "objectRef.name|endswith": word(chance)},
            {"sourceIPs|cidr": f"10.{chance.randint(0, 255)}.0.0/16"},
        )
    )


def about_subresource(chance: random.Random) -> dict[str, str]:
    """A subresource of pods or service accounts."""
    return {
        "objectRef.subresource": chance.choice(SUBRESOURCES),
        "objectRef.resource": listed(["pods", "serviceaccounts", "deployments"]),
        "objectRef.namespace|contains": word(chance),
    }


def about_pod(chance: random.Random) -> dict[str, str]:
    """A fact about the pods that a write makes."""
    asked = {"verb": listed(WRITES), "objectRef.resource": listed(["pods", *chance.sample(WORKLOADS, 3)])}
    if chance.random() < 0.4:
        return asked | {chance.choice(FACTS): "true", "objectRef.namespace|startswith": word(chance)}
    field = chance.choice(("images", "host_paths", "pod_commands", "capabilities"))
    return asked | {f"{field}|contains": word(chance)}


def about_body(chance: random.Random) -> dict[str, str]:
    """A path of a body."""
    return {
        "verb": listed(WRITES),
        "objectRef.resource": chance.choice(NAMESPACED),
        f"requestObject.metadata.labels.{word(chance)}|contains": word(chance),
    }


def about_user(chance: random.Random) -> dict[str, str]:
    """Certain users, or codes."""
    if chance.random() < 0.5:
        return {
            "user.username": listed([f"{word(chance)}@contoso.com" for _ in range(3)]),
            "verb": chance.choice(VERBS),
        }
    return {"responseStatus.code": listed(["401", "403"]), "objectRef.resource": chance.choice(RESOURCES)}


def word(chance: random.Random) -> str:
    """A word that hardly occurs, and a number."""
    return f"{chance.choice(WORDS)}{chance.randint(1, 99)}"


def listed(values: list[str] | tuple[str, ...]) -> str:
    """A YAML list."""
    return f"[{', '.join(value if value.isdigit() else json.dumps(value) for value in values)}]"


if __name__ == "__main__":
    main()
