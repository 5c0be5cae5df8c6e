"""What the engine reads by itself is what the decoder would have read, and both are what went in."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.model.event import API

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[..., Any]

FIXTURES = Path(__file__).parent.parent / "fixtures"
EXPECTED: dict[str, dict[str, Any]] = yaml.safe_load((FIXTURES / "expected.yaml").read_text(encoding="utf-8"))["shapes"]
EVENTS: dict[str, dict[str, Any]] = {
    event["auditID"]: event for event in json.loads((FIXTURES / "events.json").read_text(encoding="utf-8"))
}
SKIPPED = "skipped-too-big-size-object"
DEFAULT_TRUNCATED = [audit_id for audit_id, event in EVENTS.items() if event.get("requestObject") == SKIPPED]


def in_api(event: dict[str, Any], name: str) -> Any:
    head, _, leaf = name.partition(".")
    value = event.get(head)
    return value.get(leaf) if leaf and isinstance(value, dict) else value


def expected_of(event: dict[str, Any], lost: list[str]) -> dict[str, Any]:
    """The columns that an event must have, as far as the shape carries them."""
    columns: dict[str, Any] = {}
    for column in API:
        assert column.api
        value = in_api(event, column.api)
        is_lost = any(column.api == name or column.api.startswith(f"{name}.") for name in lost)
        is_absent = value == "" and column.name in ("subresource", "namespace", "name")
        if is_lost or is_absent or value in (None, {}, SKIPPED):
            continue
        if column.type == "TIMESTAMP":
            value = datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
        columns[column.name] = value
    return columns


@pytest.mark.parametrize("shape", sorted(EXPECTED))
def test_every_field_comes_out_of_every_shape_as_it_went_in(read: Read, shape: str) -> None:
    expected = EXPECTED[shape]
    seen = read(FIXTURES / "shapes" / shape)
    found = {event["audit_id"]: event for _, _, event in seen.events}
    assert found.keys() == EVENTS.keys()
    truncated = {audit_id for audit_id, event in found.items() if event["truncated"]}
    partial = {audit_id for audit_id, event in found.items() if event["partial"]}
    assert truncated == set(expected.get("truncated", DEFAULT_TRUNCATED)) | partial
    lost = expected.get("lost", {})
    for audit_id, event in EVENTS.items():
        columns = found[audit_id]
        for column in API:
            if column.type == "JSON" and column.name in columns:
                columns[column.name] = json.loads(columns[column.name])
        wanted = expected_of(event, [*lost.get("all", []), *lost.get(audit_id, [])])
        assert {name: columns.get(name) for name in wanted} == wanted, audit_id
    assert sorted({event.get("cluster") or "" for event in found.values()}) == sorted(
        name or "" for name in expected["clusters"]
    )


ENGINE_SHAPES = [
    "plain.ndjson", "plain.ndjson.gz", "v1beta1.ndjson", "crlf_bom_blank.ndjson", "azure_2020.ndjson",
    "azure_object_log.ndjson", "insights-logs-kube-audit", "mixed_categories.ndjson", "aks_audit_rows.ndjson",
    "mixed.ndjson", "eventhub_lines.ndjson", "cut_16k.ndjson", "cut_32k.ndjson", "cut_line.ndjson",
]  # fmt: skip


def differences(one: Any, other: Any) -> list[Any]:
    """Events, fields and counts in which two readings differ. A NUL that is escaped stays, or becomes U+FFFD."""
    found: list[Any] = []
    if one.lines != other.lines:
        found.append(("lines", one.lines, other.lines))
    for (_, line, event), (_, _, same) in zip(one.events, other.events, strict=False):
        for name in sorted(event.keys() | same.keys()):
            values = [repr(item.get(name)) for item in (event, same)]
            if len({value.replace("\\x00", "\ufffd").replace("\\\\u0000", "\ufffd") for value in values}) > 1:
                found.append((line, name, *values))
    if (one.others, one.rejected) != (other.others, other.rejected):
        found.append(("counts", one.others, other.others, one.rejected, other.rejected))
    return found


@pytest.mark.parametrize("shape", ENGINE_SHAPES)
def test_the_engine_and_the_decoder_read_a_shape_alike(read: Read, shape: str) -> None:
    path = FIXTURES / "shapes" / shape
    assert differences(read(path), read(path, by_engine=False)) == []


RESOURCE_ID = "/SUBSCRIPTIONS/0A/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.{}/N"
VALUES: list[Any] = [
    None, True, 1, -1.5, "x", "", [], {}, ["a"], {"a": 1}, [None], "200", 2**70, 1e300, "2026-11-17T08:00:00Z",
    "2026-11-17T10:00:00+02:00", "2026-11-17 08:00:00", "9999999-01-01T00:00:00Z", [[1]], {"username": 3}, "null", " ",
]  # fmt: skip
FIELDS = (
    "kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "sourceIPs", "userAgent",
    "objectRef", "responseStatus", "requestObject", "responseObject", "requestReceivedTimestamp", "stageTimestamp",
    "annotations", "impersonatedUser", "timestamp", "authenticationMetadata",
)  # fmt: skip
NOISE = [
    b"", b" ", b"\t\v\f", b"\r", b"\0", b"\xc2\xa0", b"null", b"1", b'"x"', b"{}", b"[]", b"[1]", b'{"a":1}',
    b"garbage", b"# comment", b'{"log":1}', b'{"properties":{"log":"{}"},"category":"kube-audit"}',
    b'{"properties":{"log":null},"category":"kube-audit"}', b'{"properties":{"log":""},"category":"guard"}',
    b'{"properties":{"log":"klog text"},"category":"guard"}', b"{" * 200, b"\xff\xfe", b'{"auditID":"a"', b"]",
]  # fmt: skip


def azure(event: dict[str, Any], kind: str = "CONTAINERSERVICE/MANAGEDCLUSTERS", **fields: Any) -> dict[str, Any]:
    log = json.dumps(event, ensure_ascii=False)
    record = {"category": "kube-audit", "properties": {"log": log + "\n"}, "resourceId": RESOURCE_ID.format(kind)}
    return record | {"time": "2026-11-17T08:00:00.123456789Z"} | fields


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def hostile_line(chance: random.Random, number: int, wrap: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """A line that is perhaps one event."""
    event = dict(chance.choice(list(EVENTS.values()))) | {"auditID": f"id-{number}"}
    way = chance.randrange(12)
    if way < 3:
        event[chance.choice(FIELDS)] = chance.choice(VALUES)
    elif way < 5:
        within = chance.choice(["user", "objectRef", "responseStatus"])
        keys = ["username", "groups", "extra", "code", "resource", "name", "namespace", "subresource"]
        event[within] = dict(event.get(within) or {}) | {chance.choice(keys): chance.choice(VALUES)}
    line = compact(wrap(event))
    place = chance.randrange(len(line))
    match way:
        case 5:
            return chance.choice(NOISE)
        case 6:
            return line[:place]
        case 7:
            signs = [b"\xff", b"\0", b"\r", b"\x1b", b"\\ud800", b"\\u0000", b'"', b"{", b"}", b","]
            return line[:place] + chance.choice(signs) + line[place:]
        case 8:
            return chance.choice([line + line, line + b" " + line, line + b",", b"[" + line + b"]"])
        case 9:
            after = [b"\r" + line, b" x", b"}", b"\0\0 ", b"\r"]
            return chance.choice([b"\xef\xbb\xbf" + line, *(line + end for end in after)])
        case 10:
            return chance.choice([json.dumps(event, indent=1).encode(), compact({"records": [azure(event)] * 2})])
        case _:
            return line


def message(event: dict[str, Any]) -> dict[str, Any]:
    """Two records; without resource ids, of which the engine takes damaged ones where the decoder does not."""
    both = azure(event), azure(event | {"auditID": f"{event.get('auditID')}-again"})
    records = [{key: value for key, value in record.items() if key != "resourceId"} for record in both]
    return {"records": records, "PartitionId": 1}


WRAPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "plain": lambda event: event,
    "azure": azure,
    "message": message,
}


@pytest.mark.parametrize("shape", WRAPS)
@pytest.mark.parametrize("seed", range(12))
def test_the_engine_and_the_decoder_read_hostile_lines_alike(read: Read, tmp_path: Path, shape: str, seed: int) -> None:
    chance = random.Random(f"{shape} {seed}")  # noqa: S311 - to be repeated, not to be secret
    lines = [hostile_line(chance, number, WRAPS[shape]) for number in range(60)]
    whole = [compact(WRAPS[shape](event)) for event in list(EVENTS.values())[:5]]  # so that it is taken for its shape
    log = tmp_path / "audit.log"
    log.write_bytes(b"\n".join(whole + lines) + chance.choice([b"", b"\n", b"\n\n \n"]))
    assert differences(read(log), read(log, by_engine=False)) == []


@pytest.mark.parametrize(
    "kind",
    [
        "CONTAINERSERVICE/MANAGEDCLUSTERS", "CONTAINERSERVICE/FLEETS", "KUBERNETES/CONNECTEDCLUSTERS",
        "REDHATOPENSHIFT/OPENSHIFTCLUSTERS",
    ],
)  # fmt: skip
def test_both_name_the_cluster_of_every_kind_alike(read: Read, tmp_path: Path, kind: str) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(compact(azure(EVENTS[min(EVENTS)], kind)) + b"\n")
    clusters = [read(log, by_engine=way, cluster="told").events[0][2].get("cluster") for way in (True, False)]
    assert clusters == [RESOURCE_ID.format(kind).lower()] * 2


def test_times_do_not_depend_on_the_zone_of_the_machine(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line_of: Callable[..., bytes]
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    log = tmp_path / "audit.log"
    texts = ["2026-11-17T08:00:00.000000Z", "2026-11-17T10:00:00+02:00", "2026-11-17T08:00:00.123456789Z"]
    log.write_bytes(b"\n".join(line_of(n, requestReceivedTimestamp=text) for n, text in enumerate(texts)))
    moments = [event["happened_at"] for _, _, event in read(log).events]
    assert [moment.isoformat() for moment in moments] == [
        "2026-11-17T08:00:00",
        "2026-11-17T08:00:00",
        "2026-11-17T08:00:00.123456",
    ]
