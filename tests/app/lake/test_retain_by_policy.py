"""Keeping of old events what a policy would have recorded: the same as if it had been applied to the log."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.events import Logs
from kubewitness.app.lake import lowering, retaining, writing
from kubewitness.app.lake.export import export_records
from kubewitness.app.lake.info import store_info
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.lake.retaining import Keeping, KeptPolicy, Retained, retain
from kubewitness.app.lake.upkeep import compact
from kubewitness.app.lake.verify import trace_events, verify_store
from kubewitness.app.plans import plan_rules
from kubewitness.app.policies.apply import apply_policy
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.model.event import API, FACTS
from kubewitness.store.lake import Lake
from kubewitness.store.table import LISTED

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from tests.app.lake.conftest import Line, Stored

    Ids = Callable[[Path], Counter[str]]

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "aks-attack"
LATER = date(2027, 1, 1)
OLD = Keeping(days=0)
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
POLICIES = {
    "metadata of all": HEAD + "rules: [{level: Metadata}]",
    "requests without managedFields": HEAD + "omitManagedFields: true\nrules: [{level: Request}]",
    "bodies of writes, without stages": HEAD
    + """
omitStages: [RequestReceived]
rules:
- {level: None, verbs: [watch, list], users: ["system:kube-controller-manager", "system:apiserver"]}
- {level: Metadata, resources: [{group: "", resources: [secrets, configmaps, serviceaccounts/token]}]}
- {level: Request, omitManagedFields: true, verbs: [patch]}
- {level: RequestResponse, omitManagedFields: true, verbs: [create, update, delete], omitStages: [ResponseStarted]}
- {level: None, nonResourceURLs: ["/healthz*", "/metrics"]}
""",
}
MANAGED = {"metadata": {"name": "p", "managedFields": [{"manager": "kubectl"}]}, "spec": {}}


def written(folder: Path, text: str) -> KeptPolicy:
    path = folder / "policy.yaml"
    path.write_text(text)
    return KeptPolicy.read(path)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.mark.parametrize("text", POLICIES.values(), ids=POLICIES)
def test_a_store_is_left_with_what_the_policy_applied_to_its_log_leaves(
    text: str, store: Path, tmp_path: Path, stored: Stored
) -> None:
    policy = written(tmp_path, text)
    ingest([str(EXAMPLE)], str(store))
    retain(str(store), OLD, policy, today=LATER)
    out = io.BytesIO()
    applied = apply_policy(policy.policy, [str(EXAMPLE)], out)
    log = tmp_path / "applied.ndjson"
    log.write_bytes(out.getvalue())
    other = tmp_path / "applied"
    ingest([str(log)], str(other))
    assert applied.lowered
    # Where the log was, and what only its envelope said, the plain one cannot tell.
    columns = [column.name for column in (*API, *FACTS) if column.name != "happened_at"]
    assert _by_id(stored(store, *columns)) == _by_id(stored(other, *columns))
    assert _records(store) == _records(other)


def _by_id(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    for row in rows:
        for name in ("annotations", "request_object", "response_object", "user_extra", "config_data"):
            row[name] = row[name] and json.loads(row[name])
    return sorted((tuple(row.items()) for row in rows), key=str)


def _records(store: Path) -> list[Any]:
    texts = [text for text in export_records(Logs(store=str(store))) if text.endswith(b"}")]  # but the cut ones
    return sorted((json.loads(text) for text in texts), key=str)


def test_what_records_say_beyond_their_columns_is_lowered_too(
    store: Path, tmp_path: Path, line: Line, stored: Stored
) -> None:
    gated = {"patch.webhook.admission.k8s.io/round_0_index_0": "x", "authorization.k8s.io/decision": "allow"}
    body = {"verb": "update", "level": "RequestResponse", "requestObject": MANAGED, "responseObject": MANAGED}
    lines = [
        line(1, **body, annotations=gated),
        line(2, **body, new={"field": None}),
        line(3, **body).replace(b'"level"', b'"level": "Request", "level"'),  # a key that stands twice
        line(4, **{**body, "requestObject": "skipped-too-big-size-object"}),
        line(5, **{**body, "verb": "patch"}),
        line(6, level=None, requestObject={"a": 1}),
    ]
    log = tmp_path / "audit.log"
    log.write_bytes(b"".join(lines))
    policy = written(tmp_path, POLICIES["metadata of all"])
    ingest([str(log)], str(store))
    done = retain(str(store), OLD, policy, today=LATER)
    assert (done.events, done.lowered, done.trimmed) == (0, 6, 0)
    for text in export_records(Logs(store=str(store))):
        assert b"Object" not in text
        assert b"patch.webhook" not in text
        assert b"RequestResponse" not in text
    assert {row["lowered_by"] for row in stored(store, "lowered_by")} == {policy.sha256}
    assert retain(str(store), OLD, policy, today=LATER) == Retained(0, 0, 0, 0, (), policy.sha256)


def test_managed_fields_are_taken_out_once_and_a_patch_keeps_them(
    store: Path, tmp_path: Path, line: Line, stored: Stored
) -> None:
    log = tmp_path / "audit.log"
    body = {"level": "Request", "requestObject": MANAGED}
    log.write_bytes(line(1, verb="update", **body) + line(2, verb="patch", **body) + line(3))
    policy = written(tmp_path, HEAD + "omitManagedFields: true\nrules: [{level: RequestResponse}]")
    ingest([str(log)], str(store))
    assert retain(str(store), OLD, policy, today=LATER).trimmed == 1
    assert [row["m"] for row in stored(store, "contains(request_object, 'kubectl') AS m", "line")] == [
        False,
        True,
        None,
    ]
    assert [row["lowered_by"] is None for row in stored(store, "lowered_by", "line")] == [False, True, True]
    assert not retain(str(store), OLD, policy, today=LATER).days


def test_what_is_edited_a_slice_at_a_time_is_the_same(
    store: Path, tmp_path: Path, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, other = written(tmp_path, POLICIES["bodies of writes, without stages"]), tmp_path / "other"
    ingest([str(EXAMPLE)], str(store))
    shutil.copytree(store, other)
    whole = retain(str(store), OLD, policy, today=LATER)
    monkeypatch.setattr(lowering, "_SLICES", lowering._SLICES.replace(str(lowering._SLICE_BYTES), "5000"))
    monkeypatch.setattr(lowering, "_PAGE_ROWS", 7)
    parts = retain(str(other), OLD, policy, today=LATER)
    assert (parts.lowered, parts.trimmed) == (whole.lowered, whole.trimmed)
    assert len(Lake.open(str(other)).files()) > len(Lake.open(str(store)).files())
    assert stored(other, LISTED) == stored(store, LISTED)


def test_only_what_is_old_is_asked_about(store: Path, tmp_path: Path, line: Line, ids: Ids) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(
        b"".join(line(day, requestReceivedTimestamp=f"2026-11-{day:02}T08:00:00.000000Z") for day in range(1, 11))
    )
    ingest([str(log)], str(store))
    policy = written(tmp_path, HEAD + 'rules: [{level: Metadata, users: ["user-1"]}]')
    done = retain(str(store), Keeping(days=14), policy, today=date(2026, 11, 20))
    assert (done.events, done.days[0], done.days[-1]) == (3, date(2026, 11, 2), date(2026, 11, 5))
    assert set(ids(store)) == {f"id-{day}" for day in (1, 4, 6, 7, 8, 9, 10)}


def test_a_dry_run_says_what_would_be_and_leaves_it(store: Path, tmp_path: Path, stored: Stored) -> None:
    ingest([str(EXAMPLE)], str(store))
    policy = written(tmp_path, POLICIES["bodies of writes, without stages"])
    before, files = stored(store, "*"), sorted(store.rglob("*"))
    said = retain(str(store), OLD, policy, today=LATER, is_dry_run=True)
    assert (stored(store, "*"), sorted(store.rglob("*"))) == (before, files)
    assert retain(str(store), OLD, policy, today=LATER) == said
    assert said.bytes > 0


def test_what_went_or_was_lowered_does_not_come_back(store: Path, tmp_path: Path, line: Line, stored: Stored) -> None:
    log = tmp_path / "audit.log"
    body = {"level": "Request", "requestObject": {"kind": "Pod"}, "verb": "create"}
    log.write_bytes(b"".join(line(number, **body) for number in range(9)))
    ingest([str(log)], str(store))
    policy = written(tmp_path, HEAD + 'rules: [{level: None, users: ["user-0"]}, {level: Metadata}]')
    retain(str(store), OLD, policy, today=LATER)
    left = stored(store, LISTED)
    assert len(left) == 6
    packed = tmp_path / "old.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert ingest([str(log), str(packed)], str(store)).ledger.read == 0
    with log.open("ab") as file:
        file.write(line(9, **body))
    assert ingest([str(log)], str(store)).ledger.events == 1
    # Another export, which overlaps: whole and cut copies of records that were lowered.
    export = tmp_path / "export.log"
    export.write_bytes(line(1, **body) + line(2, **body)[:-30] + b"\n")
    ledger = ingest([str(export)], str(store), is_finished=True).ledger
    assert (ledger.events, ledger.partial, ledger.duplicates) == (0, 0, 2)
    assert [row for row in stored(store, LISTED) if row["audit_id"] != "id-9"] == left


def test_the_store_says_what_was_lowered_and_by_which_policy(store: Path, tmp_path: Path, line: Line) -> None:
    log = tmp_path / "audit.log"
    body = {"level": "Request", "requestObject": MANAGED, "verb": "create"}
    log.write_bytes(line(0, **body) + line(1, **body) + line(2, **body))
    ingest([str(log)], str(store))
    policy = written(
        tmp_path,
        HEAD + 'rules: [{level: None, users: ["user-2"]}, {level: Metadata, users: ["user-1"]}, {level: Request}]',
    )
    retain(str(store), OLD, policy, today=LATER)
    sha256 = hashlib.sha256((tmp_path / "policy.yaml").read_bytes()).hexdigest()
    (let_go,) = store_info(str(store)).let_go
    assert (let_go.sha256, let_go.gone, let_go.lowered, let_go.trimmed) == (sha256, 1, 1, 0)
    compact(str(store))
    checked = verify_store(str(store))
    assert (checked.is_sound, checked.events, checked.lowered) == (True, 2, {sha256: 1})
    (whole,) = trace_events(str(store), audit_id="id-0", origin=None)
    (lowered,) = trace_events(str(store), audit_id="id-1", origin=None)
    assert (whole.lowered_by, whole.is_same_record) == (None, True)
    assert (lowered.lowered_by, lowered.is_same_record) == (sha256, True)
    assert "requestObject" not in lowered.record
    assert lowered.record_sha256 == hashlib.sha256(lowered.record.encode()).hexdigest()
    assert lowered.line_sha256 == hashlib.sha256(line(1, **body).rstrip()).hexdigest()


def test_a_line_that_was_changed_is_not_taken_for_what_was_lowered(store: Path, tmp_path: Path, line: Line) -> None:
    log = tmp_path / "audit.log"
    body = {"level": "Request", "requestObject": MANAGED, "verb": "create"}
    log.write_bytes(line(0) + line(1, **body))
    ingest([str(log)], str(store))
    retain(str(store), OLD, written(tmp_path, POLICIES["metadata of all"]), today=LATER)
    log.write_bytes(log.read_bytes().replace(b"192.0.2.7", b"192.0.2.8"))
    (found,) = trace_events(str(store), audit_id="id-1", origin=None)
    assert found.is_same_record is False


def test_who_has_opened_the_store_reads_on_and_a_killed_run_changes_nothing(
    store: Path, tmp_path: Path, line: Line, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"".join(line(number, level="Request", requestObject={"a": 1}) for number in range(4)))
    ingest([str(log)], str(store))
    policy = written(tmp_path, POLICIES["metadata of all"])
    before, files = stored(store, "*"), sorted(store.rglob("*.parquet"))
    rewrite = writing.rewrite_files

    def killed(*args: Any, **options: Any) -> Any:
        rewrite(*args, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(retaining, "rewrite_files", killed)
        with pytest.raises(KeyboardInterrupt):
            retain(str(store), OLD, policy, today=LATER)
    assert stored(store, "*") == before
    snapshot = open_snapshot(str(store))
    assert retain(str(store), OLD, policy, today=LATER).lowered == 4
    assert {Path(snapshot.place.paths([each.path])[each.path]) for each in snapshot.files} == {*files}
    assert all(path.exists() for path in files)
    assert {row["level"] for row in stored(store, "level")} == {"Metadata"}


def test_an_ingest_at_the_same_time_loses_nothing(
    store: Path, tmp_path: Path, line: Line, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, late = tmp_path / "audit.log", tmp_path / "late.log"
    log.write_bytes(b"".join(line(number, level="Request", requestObject={"a": 1}) for number in range(4)))
    late.write_bytes(b"".join(line(number) for number in range(4, 8)))
    ingest([str(log)], str(store))
    rewrite = writing.rewrite_files

    def slow(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(retaining, "rewrite_files", rewrite)
        ingest([str(late)], str(store))
        return rewrite(*args, **options)

    monkeypatch.setattr(retaining, "rewrite_files", slow)
    assert retain(str(store), OLD, written(tmp_path, POLICIES["metadata of all"]), today=LATER).lowered == 4
    assert ids(store) == {f"id-{number}": 1 for number in range(8)}
    assert len(Lake.open(str(store)).files()) == 2


def test_a_scan_says_that_records_were_lowered_and_does_not_see_what_went(store: Path, tmp_path: Path) -> None:
    ingest([str(EXAMPLE)], str(store))
    options = ScanOptions(store=str(store))
    before = scan([], plan_rules(), options)
    done = retain(str(store), OLD, written(tmp_path, POLICIES["metadata of all"]), today=LATER)
    after = scan([], plan_rules(), options)
    assert any(remark.startswith(f"{done.lowered:,} events are not as they were taken") for remark in after.remarks)
    assert not any("not as they were taken" in remark for remark in before.remarks)
    assert after.ledger.events == before.ledger.events
    assert {alert.rule_id for alert in after.alerts} < {alert.rule_id for alert in before.alerts}
