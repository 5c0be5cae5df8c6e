"""Applying a policy to a log gives what a real server wrote under that policy."""

from __future__ import annotations

import io
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kubewitness.app.policies.apply import Applied, apply_policy
from kubewitness.app.policies.evaluation import load
from kubewitness.app.policies.lines import ApplyOptions
from kubewitness.model.recording import Level, Stage
from kubewitness.policy.model import GroupResources, Policy, PolicyRule

DIFF = Path(__file__).parent / "data" / "diff"
SHAPES = Path(__file__).resolve().parents[2] / "fixtures" / "shapes"

# Two runs of a server differ in these, whatever the policy; `full2` is the same policy twice and shows that.
VOLATILE = re.compile(
    r"requestReceivedTimestamp|stageTimestamp|uid|resourceVersion|creationTimestamp|deletionTimestamp|managedFields|time"
    r"|last\w*Time(stamp)?|eventTime|renewTime|acquireTime|startTime|expirationTimestamp|continue|token|clusterIPs?"
    r"|apiserver\.latency\.k8s\.io/.*|.*credential-id"
)
GENERATED = re.compile(r"(gen|kube-api-access)-[a-z0-9]{5}")
EITHER = re.compile(r"system:(discovery|public-info-viewer)")
# The server writes these at level Metadata only: a patch whose body is no JSON loses its event at the levels above.
ONLY_AT_METADATA = {("d-0059", "ResponseComplete"), ("d-0352", "ResponseComplete"), ("d-0353", "ResponseComplete")}


def masked(value: Any, name: str = "") -> Any:
    """A value without what differs between two runs; what is masked must still be there."""
    match value:
        case _ if VOLATILE.fullmatch(name):
            return "*"
        case dict():
            return {key: masked(item, key) for key, item in value.items()}
        case list():
            items = [masked(item) for item in value]
            # Rules of several roles, and components that are asked at the same time, come in no fixed order.
            return sorted(items, key=json.dumps) if name in {"nonResourceURLs", "nonResourceRules", "items"} else items
        case str():
            text = GENERATED.sub(r"\1-*", value)
            text = EITHER.sub("system:*", text) if name == "authorization.k8s.io/reason" else text
            return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:*", text)
        case _:
            return value


def unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        return bytes(zstandard.ZstdDecompressor().stream_reader(file).readall())


def by_request(text: bytes) -> dict[tuple[str, str], list[Any]]:
    """Events by Audit-ID and stage; one Audit-ID is of two requests."""
    found = defaultdict(list)
    for event in map(json.loads, text.splitlines()):
        found[event["auditID"], event["stage"]].append(masked(event))
    for events in found.values():
        events.sort(key=lambda event: (event["requestURI"], event["verb"]))
    return found


def apply(policy: Policy, *paths: str | Path, options: ApplyOptions | None = None) -> tuple[list[bytes], Applied]:
    out = io.BytesIO()
    applied = apply_policy(policy, [str(path) for path in paths], out, options)
    lines = out.getvalue().split(b"\n")
    assert lines.pop() == b""
    return lines, applied


@pytest.mark.parametrize("case", ["docs", "full2", "gce", "metadata", "omitstages", "request"])
@pytest.mark.parametrize("is_plain", [False, True])
def test_a_policy_gives_what_the_server_wrote_under_it(case: str, is_plain: bool, tmp_path: Path) -> None:
    source = DIFF / "full.ndjson.zst"
    if is_plain:
        source = tmp_path / "full.ndjson"
        source.write_bytes(unpacked(DIFF / "full.ndjson.zst"))
    lines, applied = apply(load(DIFF / case / "policy.yaml"), source)
    found, expected = by_request(b"\n".join(lines)), by_request(unpacked(DIFF / case / "expected.ndjson.zst"))
    for key in ONLY_AT_METADATA - found.keys():
        expected.pop(key, None)
    assert found.keys() == expected.keys()
    for key, events in expected.items():
        assert found[key] == events, key
    assert applied.read == 744
    assert applied.written == len(lines)
    assert applied.more == 0


def test_bodies_that_a_server_left_out_by_their_size_are_all_that_a_policy_cannot_tell() -> None:
    lines, _ = apply(load(DIFF / "truncate" / "policy.yaml"), DIFF / "full.ndjson.zst")
    found, expected = by_request(b"\n".join(lines)), by_request(unpacked(DIFF / "truncate" / "expected.ndjson.zst"))
    assert found.keys() == expected.keys()
    shortened = 0
    for key, events in expected.items():
        for whole, event in zip(found[key], events, strict=True):
            if event.get("annotations", {}).pop("audit.k8s.io/truncated", None):
                shortened += 1
                whole.pop("requestObject", None)
                whole.pop("responseObject", None)
            assert whole == event, key
    assert shortened == 6


def test_what_nothing_changes_is_copied_byte_for_byte(tmp_path: Path) -> None:
    text = unpacked(DIFF / "full.ndjson.zst")
    log = tmp_path / "log.ndjson"
    log.write_bytes(text.rstrip(b"\n"))
    lines, applied = apply(load(DIFF / "full2" / "policy.yaml"), log)
    assert b"\n".join(lines) == text.rstrip(b"\n")
    assert applied.lowered == 0


METADATA = Policy((PolicyRule(Level.METADATA),))
EVERYTHING = Policy((PolicyRule(Level.REQUEST_RESPONSE),))


@pytest.mark.parametrize("path", sorted(SHAPES.rglob("*.*")), ids=lambda path: path.name)
@pytest.mark.parametrize("keep_envelope", [False, True])
def test_every_shape_is_read_and_what_is_written_can_be_read_again(
    path: Path, keep_envelope: bool, tmp_path: Path
) -> None:
    if path.is_dir():
        pytest.skip("its file comes too")
    lines, applied = apply(METADATA, path, options=ApplyOptions(keep_envelope=keep_envelope))
    assert applied.written == len(lines) == applied.read - applied.other - applied.rejected
    again = tmp_path / "again.ndjson"
    again.write_bytes(b"".join(line + b"\n" for line in lines))
    second, then = apply(METADATA, again, options=ApplyOptions(keep_envelope=keep_envelope))
    assert second == lines
    assert (then.written, then.cut, then.lowered, then.rejected) == (applied.written, applied.cut, 0, 0)


@pytest.mark.parametrize("path", sorted(SHAPES.glob("*.*json*")), ids=lambda path: path.name)
def test_bodies_are_gone_below_the_levels_that_hold_them(path: Path) -> None:
    for line in apply(METADATA, path)[0]:
        if line.endswith(b"}"):
            event = json.loads(line)
            assert "requestObject" not in event
            assert event.get("level") in {"Metadata", None}


def written(folder: Path, *records: object) -> Path:
    file = folder / "log.ndjson"
    texts = (record if isinstance(record, str) else json.dumps(record, separators=(",", ":")) for record in records)
    file.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    return file


def event(**fields: Any) -> dict[str, Any]:
    return {
        "level": "RequestResponse",
        "auditID": "a",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods",
        "verb": "create",
        "user": {"username": "alice", "groups": ["dev"]},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web-0", "apiVersion": "v1"},
        **fields,
    }


def test_an_impersonated_user_and_the_name_of_a_created_object_do_not_count(tmp_path: Path) -> None:
    policy = Policy(
        (
            PolicyRule(Level.NONE, users=("bob",)),
            PolicyRule(Level.NONE, resources=(GroupResources("", ("pods",), ("web-0",)),)),
            PolicyRule(Level.REQUEST, users=("alice",)),
        )
    )
    log = written(tmp_path, event(impersonatedUser={"username": "bob"}, responseObject={}))
    (line,), _ = apply(policy, log)
    assert json.loads(line)["level"] == "Request"


def test_stages_and_levels_that_a_policy_leaves_out_are_dropped_and_counted(tmp_path: Path) -> None:
    policy = Policy((PolicyRule(Level.NONE, verbs=("get",)), PolicyRule(Level.METADATA)), (Stage.REQUEST_RECEIVED,))
    log = written(tmp_path, event(verb="get"), event(stage="RequestReceived"), event(), {"level": "x"})
    lines, applied = apply(policy, log)
    assert len(lines) == 1
    assert (applied.read, applied.dropped_by_level, applied.dropped_by_stage, applied.rejected) == (4, 1, 1, 1)


def test_more_than_the_log_holds_cannot_be_had(tmp_path: Path) -> None:
    log = written(tmp_path, event(level="Metadata"), event(level="Request"), event())
    lines, applied = apply(EVERYTHING, log)
    assert [json.loads(line)["level"] for line in lines] == ["Metadata", "Request", "RequestResponse"]
    assert applied.more == 2
    assert any("asks for more than the log holds" in remark for remark in applied.remarks())


def test_unknown_fields_and_the_order_of_fields_stay(tmp_path: Path) -> None:
    record = {"new": 1.0, **event(responseObject={"a": 1}, requestObject={"b": 2}), "newer": {"x": [1e3]}}
    (line,), _ = apply(METADATA, written(tmp_path, record))
    del record["responseObject"], record["requestObject"]
    assert line.decode() == json.dumps(record | {"level": "Metadata"}, separators=(",", ":"))


def test_cut_records_stay_as_they_are_unless_the_policy_drops_them(tmp_path: Path) -> None:
    whole = json.dumps(event(requestObject={"spec": {"x": "y" * 50}}), separators=(",", ":"))
    cut = whole[:-30]
    envelope = {"category": "kube-audit", "properties": {"log": cut}, "resourceId": "/X"}
    log = written(tmp_path, whole, cut, envelope, whole)
    lines, applied = apply(METADATA, log)
    assert lines[1:3] == [cut.encode(), cut.encode()]
    assert applied.cut == 2
    kept, _ = apply(METADATA, log, options=ApplyOptions(keep_envelope=True))
    assert kept[1:3] == [cut.encode(), json.dumps(envelope, separators=(",", ":")).encode()]
    lines, applied = apply(Policy((PolicyRule(Level.NONE),)), log)
    assert (lines, applied.dropped_by_level) == ([], 4)
    # What the record does not tell any more cannot speak against it.
    short = whole[: whole.index('"user"')]
    lines, _ = apply(Policy((PolicyRule(Level.NONE),)), written(tmp_path, whole, short))
    assert lines == [short.encode()]


def test_records_keep_their_envelope_and_what_else_is_in_it(tmp_path: Path) -> None:
    inner = json.dumps(event(requestObject={"a": "/"}, responseObject={"b": 1})) + "\n"
    text = json.dumps({"time": "x", "properties": {"log": inner, "pod": "p"}, "category": "kube-audit"})
    text = text.replace("/", "\\/")
    (line,), _ = apply(METADATA, written(tmp_path, text), options=ApplyOptions(keep_envelope=True))
    record = json.loads(line)
    assert list(record) == ["time", "properties", "category"]
    assert record["properties"]["pod"] == "p"
    found = json.loads(record["properties"]["log"])
    assert found["level"] == "Metadata"
    assert "requestObject" not in found
    (line,), _ = apply(EVERYTHING, written(tmp_path, text), options=ApplyOptions(keep_envelope=True))
    assert line.decode() == text


def test_sources_come_one_after_the_other_and_lines_in_their_order(tmp_path: Path) -> None:
    for name, ids in (("a.ndjson", range(40)), ("b.ndjson", range(40, 80))):
        records = [event(auditID=str(number)) for number in ids]
        texts = [json.dumps(record, indent=1 if number % 7 == 3 else None) for number, record in enumerate(records)]
        texts[20:20] = ["", '{"category":"kube-scheduler","operationName":"x","properties":{"log":"I0101 x"}}']
        (tmp_path / name).write_text("\n".join(texts) + "\n", encoding="utf-8")
    lines, applied = apply(METADATA, tmp_path)
    assert [json.loads(line)["auditID"] for line in lines] == [str(number) for number in range(80)]
    assert applied.other == 2
    assert Counter(json.loads(line)["level"] for line in lines) == {"Metadata": 80}
