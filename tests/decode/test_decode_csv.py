"""CSV exports."""

from __future__ import annotations

import csv
import io
import json

import pytest

from kubewitness.decode import Event, Layout, Other, Outcome, Rejected, decode_csv, sniff

EVENT = {"kind": "Event", "auditID": "a", "verb": "get", "userAgent": 'x "y"\n', "requestObject": {"a": [1]}}
LOG = json.dumps(EVENT, indent=1)
RESOURCE_ID = "/subscriptions/1/resourceGroups/r/providers/Microsoft.ContainerService/managedClusters/C"


def table(*rows: list[str], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def decode(text: str, encoding: str = "utf-8") -> list[Outcome]:
    return list(decode_csv(io.BytesIO(text.encode(encoding))))


DIAGNOSTICS = table(
    ["TimeGenerated [UTC]", "Category", "log_s", "_ResourceId"],
    ["11/15/2024, 9:00:02.091 PM", "kube-audit", LOG, RESOURCE_ID],
    ["11/15/2024, 12:00:02.091 AM", "guard", "I0624 text", RESOURCE_ID],
    ["2024-11-15T21:00:02.091Z", "kube-audit", LOG[:80], RESOURCE_ID],
    ["", "", "", ""],
    ["2024-11-15T21:00:02.091Z", "kube-audit", "", RESOURCE_ID],
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_rows_of_azure_diagnostics_are_read(encoding: str) -> None:
    whole, other, cut, empty = decode(DIAGNOSTICS, encoding)
    assert isinstance(whole, Event)
    assert json.loads(whole.text) == EVENT
    assert (whole.line, whole.cluster) == (2, RESOURCE_ID.lower())
    assert (whole.logged_at, whole.partial) == ("2024-11-15T21:00:02.091Z", False)
    rows = LOG.count("\n") + 1
    assert other == Other(2 + rows, "guard")
    assert isinstance(cut, Event)
    assert (cut.line, cut.partial, json.loads(cut.text)["auditID"]) == (3 + rows, True, "a")
    assert isinstance(empty, Rejected)
    assert sniff(DIAGNOSTICS.encode(encoding)) is Layout.CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_of_the_audit_table_are_read(delimiter: str) -> None:
    text = table(
        [
            "TimeGenerated [UTC]",
            "AuditId",
            "Verb",
            "User",
            "SourceIps",
            "RequestObject",
            "RequestReceivedTime [UTC]",
        ],
        [
            "11/15/2024, 9:00:02.091 PM",
            "a",
            "create",
            '{"username":"x","groups":["g"]}',
            '["203.0.113.7"]',
            "skipped-too-big-size-object",
            "11/15/2024, 9:00:01.5 PM",
        ],
        delimiter=delimiter,
    )
    (event,) = decode(text)
    assert isinstance(event, Event)
    assert json.loads(event.text) == {
        "auditID": "a",
        "verb": "create",
        "user": {"username": "x", "groups": ["g"]},
        "sourceIPs": ["203.0.113.7"],
        "requestObject": "skipped-too-big-size-object",
        "requestReceivedTimestamp": "2024-11-15T21:00:01.5Z",
    }
    assert (event.truncated, event.partial) == (True, False)
    assert sniff(text.encode()) is Layout.CSV


def test_every_prefix_of_an_export_gives_outcomes() -> None:
    for end in range(0, len(DIAGNOSTICS), 3):
        for outcome in decode(DIAGNOSTICS[:end]):
            if isinstance(outcome, Event):
                found = json.loads(outcome.text)
                assert outcome.partial or found == EVENT
                assert all(found[key] == EVENT[key] for key in found if key != "requestObject")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (["log_s"], [json.dumps(EVENT)]),
        (["timestamp", "message"], ["1764000000000", json.dumps(EVENT)]),
        (["@timestamp", "@message"], ["2026-11-23 03:36:45.598", json.dumps(EVENT)]),
        (["_time", "_raw", "host"], ["2026-11-23T03:36:45.598+0000", json.dumps(EVENT), "m"]),
        (["Time", "Line", "labels (all)"], ["1", json.dumps({"apiVersion": "audit.k8s.io/v1", **EVENT}), "{}"]),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_column_with_the_event_as_text_is_enough(header: list[str], row: list[str], delimiter: str) -> None:
    text = table(header, row, row, delimiter=delimiter)
    events = decode(text)
    assert [(type(event), event.line) for event in events] == [(Event, 2), (Event, 3)]
    assert sniff(text.encode()) is Layout.CSV


def test_a_line_that_says_what_separates_is_skipped() -> None:
    text = "sep=,\r\n" + DIAGNOSTICS
    assert sniff(text.encode()) is Layout.CSV
    assert isinstance(decode(text)[0], Event)


@pytest.mark.parametrize("first", ["starting up", "I1123 03:36:45.1 main.go:7] audit", "{}", '"a" said: "b"'])
def test_lines_of_a_log_are_no_header(first: str) -> None:
    assert sniff(f'{first}\n{{"auditID":"a","verb":"get"}}\n'.encode()) is not Layout.CSV


def times(*cells: str) -> list[str]:
    rows = [["x", "a", "get", cell] for cell in cells]
    events = decode(table(["TimeGenerated [UTC]", "AuditId", "Verb", "RequestReceivedTime [UTC]"], *rows))
    return [json.loads(event.text)["requestReceivedTimestamp"] for event in events if isinstance(event, Event)]


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("11/23/2026, 3:36:45.598 AM", "2026-11-23T03:36:45.598Z"),
        ("23/11/2026, 03:36:45.598", "2026-11-23T03:36:45.598Z"),
        ("5.11.2026, 03:36:45,598", "2026-11-05T03:36:45.598Z"),
        ("05-11-2026 03:36:45", "2026-11-05T03:36:45Z"),
        ("2026/11/23 3:36:45.598", "2026-11-23T03:36:45.598Z"),
        ("2026-11-05, 3:36:45.598 p.m.", "2026-11-05T15:36:45.598Z"),
        ("11/5/2026, 3:36:45\u202fPM", "2026-11-05T15:36:45Z"),
    ],
)
def test_times_are_read_as_a_country_writes_them(cell: str, time: str) -> None:
    assert times(cell) == [time]


def test_one_time_with_the_day_first_says_so_for_all_of_a_file() -> None:
    assert times("05/11/2026, 03:36:45", "13/11/2026, 03:36:45") == ["2026-11-05T03:36:45Z", "2026-11-13T03:36:45Z"]
    assert times("05/11/2026, 03:36:45", "05/13/2026, 03:36:45") == ["2026-05-11T03:36:45Z", "2026-05-13T03:36:45Z"]
    assert times(*["05/11/2026, 03:36:45"] * 1500, "13/11/2026, 03:36:45")[-1] == "2026-11-13T03:36:45Z"
