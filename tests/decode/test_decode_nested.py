"""Events are found wherever they lie in an answer, a dump or an export of a program that no format is written for."""

from __future__ import annotations

import base64
import gzip
import io
import json
from typing import Any

import pytest

from kubewitness.decode import Event, Outcome, Rejected, decode_document, decode_lines

EVENT: dict[str, Any] = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a", "verb": "get"}
OTHER = {**EVENT, "auditID": "b"}
LOG, LOG_OF_OTHER = json.dumps(EVENT), json.dumps(OTHER)
PAYLOAD = {
    "messageType": "DATA_MESSAGE",
    "logGroup": "/aws/eks/prod/cluster",
    "logStream": "kube-apiserver-audit-1",
    "logEvents": [{"id": "1", "timestamp": 1764000000000, "message": LOG}, {"id": "2", "message": LOG_OF_OTHER}],
}
PACKED = base64.b64encode(gzip.compress(json.dumps(PAYLOAD).encode())).decode()
RESOURCE_ID = "/SUBSCRIPTIONS/1/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/C"
AZURE = [
    {"category": "kube-audit", "resourceId": RESOURCE_ID, "properties": {"log": log}} for log in (LOG, LOG_OF_OTHER)
]
FIELDS = [{"field": "@message", "value": LOG}, {"field": "@log", "value": "111122223333:/aws/eks/prod/cluster"}]

SHAPES: dict[str, tuple[object, str | None]] = {
    "Elastic, a search": (
        {"took": 1, "hits": {"hits": [{"_source": {"message": LOG}}, {"_source": {"kubernetes": {"audit": OTHER}}}]}},
        None,
    ),
    "Loki, a query": ({"data": {"result": [{"stream": {}, "values": [["1", LOG], ["2", LOG_OF_OTHER]]}]}}, None),
    "Splunk, results": ({"preview": False, "results": [{"_raw": LOG}, {"_raw": LOG_OF_OTHER}]}, None),
    "Datadog, a search": ({"data": [{"attributes": {"attributes": each}} for each in (EVENT, OTHER)]}, None),
    "OpenTelemetry": (
        {
            "resourceLogs": [
                {"scopeLogs": [{"logRecords": [{"body": {"stringValue": x}} for x in (LOG, LOG_OF_OTHER)]}]}
            ]
        },
        None,
    ),
    "kcat": ({"topic": "t", "offset": 1, "payload": json.dumps({"records": AZURE})}, RESOURCE_ID.lower()),
    "an event hub's body": ({"body": {"records": AZURE}, "sequenceNumber": 1}, RESOURCE_ID.lower()),
    "Filebeat, taken apart": (
        {"azure": {"platformlogs": {"resource_id": RESOURCE_ID, "list": [EVENT, OTHER]}}},
        RESOURCE_ID.lower(),
    ),
    "Kinesis": ({"Records": [{"kinesis": {"data": PACKED}, "eventSource": "aws:kinesis"}]}, "prod"),
    "Lambda": ({"awslogs": {"data": PACKED}}, "prod"),
    "journal": ([{"_HOSTNAME": "m", "MESSAGE": LOG}, {"_HOSTNAME": "m", "MESSAGE": LOG_OF_OTHER}], None),
    "texts in a list": ([LOG, LOG_OF_OTHER], None),
    "Logs Insights": (
        {"results": [FIELDS, [{"field": "@message", "value": LOG_OF_OTHER}, FIELDS[1]]], "statistics": {}},
        "prod",
    ),
}


def decode(text: str) -> list[Outcome]:
    return list(decode_lines(enumerate(text.encode().split(b"\n"), 1)))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("indent", [None, 2])
def test_events_are_found_with_their_cluster(name: str, indent: int | None) -> None:
    shape, cluster = SHAPES[name]
    text = json.dumps(shape, indent=indent)
    outcomes = list(decode_document(io.BytesIO(text.encode()))) if indent else decode(text)
    events = [outcome for outcome in outcomes if isinstance(outcome, Event)]
    assert [json.loads(event.text)["auditID"] for event in events] == ["a", "b"]
    assert {event.cluster for event in events} == {cluster}
    assert len(outcomes) == len(events)


def test_what_lies_beside_events_in_a_list_is_counted() -> None:
    hits = [{"_source": {"message": LOG}}, {"_source": {"message": "GET / HTTP/1.1"}}, {"_source": {"message": LOG}}]
    event, neighbour, _ = decode(json.dumps({"took": 1, "hits": {"hits": hits}}))
    assert isinstance(event, Event)
    assert isinstance(neighbour, Rejected)


CUTTABLE = json.dumps({"took": 1, "hits": {"hits": [{"_source": {"message": LOG}}, {"_source": {"audit": OTHER}}]}})
FIRST_ENDS = CUTTABLE.index("}}, {")


@pytest.mark.parametrize("cut", range(FIRST_ENDS + 1, len(CUTTABLE), 7))
def test_of_a_cut_answer_what_came_before_is_kept(cut: int) -> None:
    first, *others = [outcome for outcome in decode(CUTTABLE[:cut]) if isinstance(outcome, Event)]
    assert (json.loads(first.text)["auditID"], first.partial) == ("a", False)
    assert all(event.partial for event in others)


@pytest.mark.parametrize(
    "text",
    [
        '{"token":"eyJhbGciOiJSUzI1NiJ9.e30.x"}',
        '{"data":"H4sIAAAA"}',
        '{"note":"an auditID is a name"}',
        '{"policy":{"apiVersion":"audit.k8s.io/v1","kind":"Policy"}}',
    ],
)
def test_what_holds_no_event_is_rejected_for_what_it_is(text: str) -> None:
    (outcome,) = decode(text)
    assert isinstance(outcome, Rejected)
    assert outcome.reason.startswith("an object with the keys")


@pytest.mark.parametrize(
    "prefix",
    ["[pod/kube-apiserver-m/kube-apiserver] ", "[2026-11-23T03:36:45Z] ", "[info] audit: ", "[kube.audit] [x] "],
)
def test_a_word_in_brackets_before_an_event_is_a_prefix(prefix: str) -> None:
    (outcome,) = decode(prefix + LOG)
    assert isinstance(outcome, Event)


@pytest.mark.parametrize("text", ['["a"]', "[true, false]", "[1, 2]"])
def test_a_list_of_something_else_is_no_prefix(text: str) -> None:
    rejected, event = decode(f"{text}\n{LOG}")
    assert isinstance(rejected, Rejected)
    assert isinstance(event, Event)


def test_texts_of_events_are_read_line_by_line() -> None:
    outcomes = decode("\n".join(map(json.dumps, [LOG + "\n", LOG_OF_OTHER, "no event"])))
    assert [type(outcome) for outcome in outcomes] == [Event, Event, Rejected]
