"""What the builtin rules find in a labelled log, and what they say about the rest of it.

    python benchmarks/quiet.py                      the log of tests/fixtures/cluster
    python benchmarks/quiet.py --noise PATH...      logs without labels: alerts of medium or above per 10,000 events

In a labelled log every request of an attack is named by its Audit-ID; all else is what a healthy cluster does, with
look-alikes. A scenario counts as found when a rule of its kind (kinds.yaml) makes an alert of medium or above that
holds one of its requests. An alert of medium or above without any labelled request is noise.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.app.scan import scan
from kubewitness.model.alert import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kubewitness.model.alert import Alert, Report

CLUSTER = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "cluster"
LEAST = Severity.MEDIUM
MOST_NOISE = 2
"""Alerts of medium or above per 10,000 events of a healthy cluster."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """An attack in the log.

    Attributes:
        id: as the labels call it.
        name: what it is.
        found: rules that made an alert of medium or above of it, with the number of its events.
        kind: those of them that are of its kind.
    """

    id: str
    name: str
    found: Counter[str]
    kind: tuple[str, ...]


@dataclass(slots=True)
class Proof:
    """How the rules did.

    Attributes:
        scenarios: all attacks, in the order of the labels.
        noise: alerts of medium or above without any labelled request.
        events: number of events of the log.
    """

    scenarios: list[Scenario] = field(default_factory=list)
    noise: list[Alert] = field(default_factory=list)
    events: int = 0

    @property
    def missed(self) -> list[str]:
        """Attacks that no rule of their kind found."""
        return [scenario.id for scenario in self.scenarios if not scenario.kind]

    @property
    def noise_per_10k(self) -> float:
        """Noise per 10,000 events."""
        return len(self.noise) * 10_000 / max(self.events, 1)


def prove(report: Report, truth: Mapping[str, Any], kinds: Mapping[str, Any]) -> Proof:
    """Compare what was found with the labels."""
    labels: dict[str, set[str]] = {}
    for scenario in truth["scenarios"]:
        for audit_id in scenario["auditIDs"]:
            labels.setdefault(audit_id, set()).add(scenario["id"])
    found: dict[str, Counter[str]] = {scenario["id"]: Counter() for scenario in truth["scenarios"]}
    catalogue: dict[str, tuple[str, ...]] = {}
    proof = Proof(events=report.ledger.events + report.ledger.partial)
    for alert in _loud(report):
        catalogue[alert.rule_id] = alert.catalogue
        ids = [scenario for event in alert.events for scenario in labels.get(event.audit_id or "", ())]
        for scenario in ids:
            found[scenario][alert.rule_id] += 1
        if not ids:
            proof.noise.append(alert)
    for scenario in truth["scenarios"]:
        own = found[scenario["id"]]
        kind = kinds.get(scenario["id"], {})
        of_kind = tuple(rule for rule in own if _is_of_kind(rule, catalogue[rule], kind))
        proof.scenarios.append(Scenario(scenario["id"], scenario["name"], own, of_kind))
    return proof


def _is_of_kind(rule: str, catalogue: Sequence[str], kind: Mapping[str, Sequence[str]]) -> bool:
    return bool(set(catalogue) & set(kind.get("catalogue", ()))) or any(
        fnmatchcase(rule, pattern) for pattern in kind.get("rules", ())
    )


def _loud(report: Report) -> Iterator[Alert]:
    return (alert for alert in report.alerts if alert.severity.rank >= LEAST.rank)


def prove_cluster() -> Proof:
    """The proof on the labelled log that comes with the project."""
    truth, kinds = (yaml.safe_load((CLUSTER / f"{name}.yaml").read_text("utf-8")) for name in ("ground_truth", "kinds"))
    return prove(scan([str(CLUSTER / "cluster.ndjson.zst")]), truth, kinds)


def _print_proof(proof: Proof) -> None:
    for scenario in proof.scenarios:
        others = [rule for rule in scenario.found if rule not in scenario.kind]
        print(f"{scenario.id} {scenario.name}: {', '.join(scenario.kind) or 'NOT FOUND by a rule of its kind'}")
        if others:
            print(f"    also {', '.join(others)}")
    count = len(proof.scenarios)
    print(f"\nfound: {count - len(proof.missed)} of {count} attacks")
    _print_noise(proof.noise, proof.events)


def _print_noise(alerts: Iterable[Alert], events: int) -> None:
    alerts = list(alerts)
    print(f"noise: {len(alerts)} alerts of medium or above in {events:,} events", end="")
    print(f" = {len(alerts) * 10_000 / max(events, 1):.2f} per 10,000")
    for alert in alerts:
        print(f"    {alert.severity} {alert.rule_id}: {alert.explanation}")


def main() -> int:
    """Print the proof, or the noise in other logs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--noise", nargs="+", metavar="PATH", help="logs without labels")
    arguments = parser.parse_args()
    if arguments.noise:
        report = scan(arguments.noise)
        _print_noise(_loud(report), report.ledger.events + report.ledger.partial)
        return 0
    proof = prove_cluster()
    _print_proof(proof)
    return 1 if proof.missed or proof.noise_per_10k > MOST_NOISE else 0


if __name__ == "__main__":
    sys.exit(main())
