"""What asks not to be carried out does not raise what the change itself would."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubewitness.app.rulebook.rules import read_rule_files, rule_of
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.detect.pack import load_pack
from kubewitness.detect.planning import build_plan
from kubewitness.model.alert import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITES = {"create", "update", "patch", "delete", "deletecollection"}
# The server carries these out all the same.
STREAMS = {"exec", "attach", "portforward", "proxy", "token"}
# Here it is not the change that matters: who asks, for whom, what they asked about, that it was refused, or that it was
# only tried.
ALL_THE_SAME = {
    "asked-for-every-right",
    "bootstrap-credential-in-other-hands",
    "certificate-approval-refused",
    "control-plane-identity-from-elsewhere",
    "dangerous-dry-run",
    "decoy-touched",
    "local-admin-used",
    "offensive-tool",
    "privileged-identity-impersonated",
    "rbac-escalation-refused",
    "workload-asks-its-own-rights",
}


def _dry_runs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Rule and event of each matching case about a change, asked for as a dry run."""
    for file in read_rule_files():
        for case in file.cases():
            rule = rule_of(case, file)
            if rule is None or not case.is_match or rule.predicate is None or rule.first_seen or rule.unfinished:
                continue
            for event in case.events if rule.info.severity.rank >= Severity.MEDIUM.rank else ():
                about = event.get("objectRef") or {}
                if event.get("verb") in WRITES and about and about.get("subresource") not in STREAMS:
                    uri = event.get("requestURI", "/")
                    asked = event | {"requestURI": f"{uri}{'&' if '?' in uri else '?'}dryRun=All"}
                    if event["verb"].startswith("delete"):
                        asked["requestObject"] = {"dryRun": ["All"]}
                    yield rule.info.id, asked


def test_dry_runs_are_not_taken_for_changes(tmp_path: Path) -> None:
    asked = list(_dry_runs())
    assert len(asked) > 100
    log = tmp_path / "audit.log"
    events = [event | {"auditID": str(number)} for number, (_, event) in enumerate(asked)]
    log.write_text("\n".join(json.dumps(event, default=str) for event in events), encoding="utf-8")
    plan = build_plan(load_pack())
    found = {(match.rule_id, match.audit_id) for match in scan([str(log)], plan, ScanOptions(matches=True)).matches}
    loud = {rule for number, (rule, _) in enumerate(asked) if (rule, str(number)) in found}
    assert loud <= ALL_THE_SAME
