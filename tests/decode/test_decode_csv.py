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
