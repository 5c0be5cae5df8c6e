"""The same twelve events in every shape, through the whole scan: ledger, clusters, origins, alerts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.app.plans import plan_rules
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.model.rule import RuleClass

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan
    from kubewitness.model.alert import Report

FIXTURES = Path(__file__).parent.parent / "fixtures"
EXPECTED: dict[str, dict[str, Any]] = yaml.safe_load((FIXTURES / "expected.yaml").read_text(encoding="utf-8"))["shapes"]
SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "third_party"
COUNTS = ("events", "partial", "duplicates", "other", "rejected")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_rules(classes=tuple(RuleClass))


def scanned(plan: Plan, *paths: Path | str) -> Report:
    return scan([str(path) for path in paths], plan, ScanOptions(matches=True))


@pytest.fixture(scope="module")
def reports(plan: Plan) -> dict[str, Report]:
    return {shape: scanned(plan, FIXTURES / "shapes" / shape) for shape in EXPECTED}


@pytest.mark.parametrize("shape", sorted(EXPECTED))
def test_every_record_of_a_shape_is_accounted_for(reports: dict[str, Report], shape: str) -> None:
    report = reports[shape]
    expected = EXPECTED[shape]
    assert {name: getattr(report.ledger, name) for name in COUNTS} == dict.fromkeys(COUNTS, 0) | expected["ledger"]
    assert report.ledger.is_balanced
    assert list(report.clusters) == [name for name in expected["clusters"] if name]
    assert not report.ledger.unreadable


@pytest.mark.parametrize("shape", sorted(EXPECTED))
def test_every_match_names_a_line_of_its_file(reports: dict[str, Report], shape: str) -> None:
    report = reports[shape]
    for match in report.matches:
        assert match.line is not None
        assert match.line >= 1
        assert match.source.startswith(str(FIXTURES / "shapes" / shape))


WHOLE = [name for name, shape in EXPECTED.items() if "lost" not in shape and "partial" not in shape["ledger"]]


@pytest.mark.parametrize("shape", sorted(WHOLE))
def test_shapes_that_lose_nothing_give_the_same_matches(reports: dict[str, Report], shape: str) -> None:
    def matched(name: str) -> set[tuple[str, str | None, str | None]]:
        return {(match.rule_id, match.audit_id, match.actor) for match in reports[name].matches}

    assert matched(shape) == matched("plain.ndjson")


def test_many_small_files_are_many_sources_of_one_ledger(plan: Plan, tmp_path: Path) -> None:
    line = (FIXTURES / "shapes" / "plain.ndjson").read_text(encoding="utf-8").splitlines()[3]
    event = json.loads(line)
    for number in range(300):
        event["auditID"] = f"{number:08d}"
        (tmp_path / f"audit-{number:03d}.log").write_text(f"\n{json.dumps(event)}\n" if number % 7 else "garbage\n")
    report = scanned(plan, tmp_path)
    assert (report.ledger.read, report.ledger.events, report.ledger.rejected) == (300, 257, 43)
    assert {match.line for match in report.matches} == {2}
    assert len({match.source for match in report.matches}) == 257


def test_the_same_record_in_two_files_and_two_shapes_is_one_event(plan: Plan) -> None:
    shapes = FIXTURES / "shapes"
    report = scanned(plan, shapes / "plain.ndjson", shapes / "array.json")
    assert (report.ledger.events, report.ledger.duplicates) == (12, 12)


def test_a_reused_audit_id_does_not_make_another_request_vanish(plan: Plan, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    base = json.loads((FIXTURES / "shapes" / "plain.ndjson").read_text(encoding="utf-8").splitlines()[0])
    other = base | {"requestURI": "/api/v1/secrets", "verb": "list"}
    later = base | {"requestReceivedTimestamp": "2026-11-17T23:00:00.000001Z"}
    anonymous = {key: value for key, value in base.items() if key != "auditID"}
    events = [base, base, other, later, anonymous, anonymous]
    log.write_text("".join(json.dumps(event) + "\n" for event in events))
    report = scanned(plan, log)
    assert (report.ledger.events, report.ledger.duplicates) == (5, 1)


def cut_pair(folder: Path, *, image_of_whole: str) -> Path:
    """A record cut inside its body, and a whole one of the same request."""
    pods = {"kind": "Pod", "spec": {"containers": [{"image": "a", "env": [{"name": "x", "value": "y" * 200}]}]}}
    event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": "same",
        "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/shop/pods", "verb": "create",
        "user": {"username": "eve"}, "objectRef": {"resource": "pods", "namespace": "shop"},
        "responseStatus": {"code": 201}, "requestObject": pods,
        "requestReceivedTimestamp": "2026-11-17T08:00:00.000000Z",
    }  # fmt: skip
    cut = json.dumps(event)[:-150]
    event["requestObject"] = json.loads(json.dumps(pods).replace('"image": "a"', f'"image": "{image_of_whole}"'))
    log = folder / "audit.log"
    log.write_text(f"{cut}\n{json.dumps(event)}\n")
    return log


def test_a_cut_copy_yields_to_the_whole_record(plan: Plan, tmp_path: Path) -> None:
    report = scanned(plan, cut_pair(tmp_path, image_of_whole="a"))
    assert (report.ledger.events, report.ledger.partial, report.ledger.duplicates) == (1, 0, 1)


def test_a_cut_record_with_another_body_stays(plan: Plan, tmp_path: Path) -> None:
    report = scanned(plan, cut_pair(tmp_path, image_of_whole="b"))
    assert (report.ledger.events, report.ledger.partial, report.ledger.duplicates) == (1, 1, 0)


def test_hostile_lines_do_not_take_their_neighbours_with_them(plan: Plan, tmp_path: Path) -> None:
    good = (FIXTURES / "shapes" / "plain.ndjson").read_bytes().splitlines()[0]
    event = json.loads(good)
    hostile = [
        b"\xff\xfe\xfa not utf-8",
        b"\0" * 500,
        json.dumps(event | {"auditID": "deep", "requestObject": None}).encode().replace(
            b'"requestObject": null', b'"requestObject": ' + b"[" * 5000 + b"]" * 5000
        ),
        json.dumps(event | {"auditID": "wrong", "user": "x", "sourceIPs": None}).encode(),
        json.dumps(event | {"auditID": "types", "responseStatus": {"code": "200"}, "objectRef": []}).encode(),
        b'{"auditID":"twice","verb":"get","verb":"delete","requestURI":"/x"}',
        json.dumps(event | {"auditID": "big", "userAgent": "a" * (20 << 20)}).encode(),
        good[:-40],
    ]  # fmt: skip
    log = tmp_path / "audit.log"
    lines: list[bytes] = []
    for number, line in enumerate(hostile):
        lines += [line, json.dumps(event | {"auditID": f"good-{number}"}).encode()]
    log.write_bytes(b"\n".join(lines))
    report = scanned(plan, log)
    ledger = report.ledger
    assert ledger.is_balanced
    assert ledger.read == len(lines)
    assert (ledger.events, ledger.partial, ledger.rejected) == (len(hostile) + 5, 1, 2)


def test_a_cut_gzip_file_gives_what_stands_before_the_cut(plan: Plan, tmp_path: Path) -> None:
    events = b"".join(
        json.dumps({"auditID": str(number), "verb": "get", "requestURI": f"/api/{number}"}).encode() + b"\n"
        for number in range(20_000)
    )
    log = tmp_path / "audit.log.gz"
    log.write_bytes(gzip.compress(events)[:-5000])
    report = scanned(plan, log)
    assert 5000 < report.ledger.events < 20_000
    assert len(report.ledger.unreadable) == 1


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="other people's samples are not part of the repository")
def test_other_peoples_samples_are_read_to_the_last_record(plan: Plan) -> None:
    for path in sorted(SAMPLES.rglob("*.*json")):
        ledger = scanned(plan, path).ledger
        assert ledger.is_balanced, path
        assert ledger.read, path
        assert not ledger.rejected, path
