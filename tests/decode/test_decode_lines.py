"""Lines: hostile input, neighbours, objects over several lines."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.decode import Event, Other, Outcome, Rejected, decode_document, decode_lines

HEAD = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","verb":"get"'
GOOD = HEAD + b"}"


def lines(text: bytes) -> list[Outcome]:
    return list(decode_lines(enumerate(text.split(b"\n"), 1)))


def summary(outcomes: list[Outcome]) -> list[str]:
    """Say of each outcome what it is and where: `1 event`, `2 partial`, `3 rejected`."""
    kinds = [
        ("partial" if outcome.partial else "event") if isinstance(outcome, Event) else type(outcome).__name__.lower()
        for outcome in outcomes
    ]
    return [f"{outcome.line} {kind}" for outcome, kind in zip(outcomes, kinds, strict=True)]


def only(text: bytes) -> tuple[Event, dict[str, Any]]:
    (event,) = lines(text)
    assert isinstance(event, Event)
    return event, json.loads(event.text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + b"\n\n  \n" + GOOD, ["1 event", "4 event"]),
        (GOOD + b"\r\n" + GOOD + b"\r\n", ["1 event", "2 event"]),
        (GOOD + b"\r" + GOOD + b"\r" + GOOD, ["1 event", "1 event", "1 event"]),
        (b"\xef\xbb\xbf" + GOOD, ["1 event"]),
        (GOOD + b" " + GOOD, ["1 event", "1 event"]),
        (GOOD + b" oops", ["1 event", "1 rejected"]),
        (b"oops: " + GOOD, ["1 event"]),
        (b"[\n" + GOOD + b",\n" + GOOD + b"\n]\n" + GOOD, ["2 event", "3 event", "5 event"]),
        (b"}\n" + GOOD, ["1 rejected", "2 event"]),
        (b"{\n" + GOOD, ["1 rejected", "2 event"]),
        (b"\0" * 512 + GOOD + b"\0", ["1 event"]),
        (b"\0\0", ["1 rejected"]),
    ],
    ids=repr,
)
def test_records_are_found_however_lines_are_joined(text: bytes, expected: list[str]) -> None:
    assert summary(lines(text)) == expected


@pytest.mark.parametrize(
    "cut",
    [
        b',"requestURI":"/a',
        b',"requestURI":',
        b",",
        b"",
        b',"user":{',
        b',"user":{"groups":["a",',
        b',"code":20',
    ],
)
@pytest.mark.parametrize("joint", [b"", b"\n"])
def test_a_cut_record_does_not_swallow_the_next_one(cut: bytes, joint: bytes) -> None:
    first, second = lines(HEAD + cut + joint + GOOD)
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert first.partial
    assert json.loads(first.text)["auditID"] == "a"
    assert (second.text, second.partial) == (GOOD, False)


def test_cut_lines_in_a_row_stay_apart() -> None:
    text = b"\n".join([HEAD + b',"stageTimestamp":'] * 3 + [GOOD])
    assert summary(lines(text)) == ["1 partial", "2 partial", "3 partial", "4 event"]


def test_a_pretty_printed_object_amid_lines_becomes_one_record() -> None:
    pretty = json.dumps(json.loads(HEAD + b',"requestObject":{"a":[{},[],{"b":1}]}}'), indent=2).encode()
    text = b"\n".join([GOOD, pretty, GOOD, pretty, pretty[: len(pretty) // 2], GOOD])
    rows = pretty.count(b"\n") + 1
    assert summary(lines(text)) == [
        "1 event",
        "2 event",
        f"{2 + rows} event",
        f"{3 + rows} event",
        f"{3 + 2 * rows} partial",
        f"{4 + 2 * rows + pretty[: len(pretty) // 2].count(bytes([10]))} event",
    ]


def test_lines_that_are_apart_are_not_joined() -> None:
    assert summary(list(decode_lines([(1, b"{"), (9, b'"auditID":"a"}')]))) == ["1 rejected", "9 rejected"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{}", "an empty object, not an audit event"),
        (b"12", "a JSON number, not an audit event"),
        (b'"x"', "a JSON string, not an audit event"),
        (b"null", "a JSON null, not an audit event"),
        (b'["a","b"]', "a JSON array of strings, not of audit events"),
        (b"hello there", "not JSON: expected '{' at character 1"),
        (b"kind: Policy", "a line of YAML, not an audit event"),
        (b'{"a":1 "b":2}', "expected ',' or '}' at character 8, before anything that tells the request"),
        (b'{"level":"Meta', "cut after 14 characters, before anything that tells the request"),
        (b'{"kind":"Pod","apiVersion":"v1"}', "a Pod object of v1, not an audit event"),
        (
            b'{"kind":"Policy","apiVersion":"audit.k8s.io/v1","rules":[]}',
            "a Policy object of audit.k8s.io/v1, not an audit event",
        ),
        (
            b'{"kind":"Event","apiVersion":"v1","involvedObject":{}}',
            "a Kubernetes Event object, not an audit event",
        ),
        (
            b'{"kind":"Event","apiVersion":"events.k8s.io/v1","regarding":{}}',
            "a Kubernetes Event object, not an audit event",
        ),
        (b'{"a":1,"b":2}', "an object with the keys a, b, not an audit event"),
        (
            b'{"category":"kube-audit","properties":{"pod":"p"}}',
            "an Azure record of category kube-audit without a log",
        ),
        (b'{"error":{"message":"no such table"}}', "an error answer, not audit events: no such table"),
    ],
)
def test_what_is_no_event_is_rejected_with_a_telling_reason(text: bytes, reason: str) -> None:
    assert lines(text) == [Rejected(1, reason)]


@pytest.mark.parametrize(
    "text",
    [
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1"}',
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1beta1","auditID":"a","timestamp":"2019-01-01T00:00:00Z"}',
        b'{"apiVersion":"audit.k8s.io/v1alpha1","auditID":"a"}',
        b'{"auditID":"a","stage":"ResponseComplete"}',
        b'{"verb":"get","requestURI":"/readyz"}',
        b'{"auditID":5,"user":"x","responseStatus":{"code":"200"},"sourceIPs":null,"annotations":[]}',
        b'{"auditID":"a","verb":"get","verb":"delete"}',
    ],
)
def test_events_of_every_age_and_with_wrong_types_keep_their_text(text: bytes) -> None:
    event, _ = only(text)
    assert (event.text, event.partial, event.truncated) == (text, False, False)


def test_words_out_of_a_log_are_safe_to_print() -> None:
    (rejected,) = lines(rb'{"kind":"\u001b[31mPod\n","apiVersion":"v1"}')
    assert rejected == Rejected(1, "a \ufffd[31mPod\ufffd object of v1, not an audit event")
    (other,) = lines(b'{"category":"' + b"x" * 1000 + b'","properties":{"log":""}}')
    assert other == Other(1, "x" * 297 + "...")


def test_an_azure_record_whose_log_says_only_event_is_an_event() -> None:
    event, found = only(b'{"category":"kube-audit","properties":{"log":"{\\"kind\\":\\"Event\\"}"}}')
    assert (found, event.partial) == ({"kind": "Event"}, False)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (rb'"a\u0000b"', "a\ufffdb"),
        (rb'"a\\u0000b"', r"a\u0000b"),
        (rb'"\ud83d\ude00 \ud83d \ude00"', "\U0001f600 \ufffd \ufffd"),
        (b'"a\0b"', "a\ufffdb"),
        (b'"a\xffb"', "a\ufffdb"),
        (b'"a\tb"', "a\tb"),
        (rb'"a\qb"', r"a\qb"),
        (b"NaN", None),
        (b"-Infinity", None),
    ],
)
def test_characters_that_the_engine_refuses_are_replaced(raw: bytes, expected: str | None) -> None:
    event, found = only(HEAD + b',"userAgent":' + raw + b"}")
    assert found["userAgent"] == expected
    assert (event.truncated, event.partial) == (False, False)


@pytest.mark.parametrize(("levels", "truncated"), [(100, False), (101, True), (3000, True), (200_000, True)])
def test_deep_bodies_are_pruned_and_the_event_kept(levels: int, truncated: bool) -> None:
    body = b"[" * levels + b"]" * levels
    event, found = only(HEAD + b',"requestObject":' + body + b',"stage":"Panic"}')
    assert (found["stage"], event.truncated, event.partial) == ("Panic", truncated, False)


def test_nesting_without_end_is_one_rejection() -> None:
    assert summary(lines(b"[" * 100_000)) == ["1 rejected"]


def test_brackets_in_strings_are_not_nesting() -> None:
    event, _ = only(HEAD + b',"userAgent":"' + b"[" * 500 + rb"\"{" + b'"}')
    assert not event.truncated


@pytest.mark.parametrize("tail", [b'"}', b"", b"\\"])
def test_a_giant_line_is_read_in_linear_time(tail: bytes) -> None:
    event, found = only(HEAD + b',"requestObject":"' + rb"\"\\" * 1_000_000 + tail)
    assert event.partial == (tail != b'"}')
    assert found["auditID"] == "a"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_outcomes(text: bytes) -> None:
    lines(text)
    list(decode_document(io.BytesIO(text)))


@settings(deadline=None)
@given(st.data())
def test_a_damaged_record_never_loses_its_neighbours(data: st.DataObject) -> None:
    """One byte of a record is replaced or taken out; the lines before and after it stay events."""
    record = HEAD + b',"user":{"groups":["x","y"]},"responseStatus":{"code":201},"userAgent":"a \\" b"}'
    at = data.draw(st.integers(0, len(record) - 1))
    byte = data.draw(st.sampled_from([b"", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\0", b"\xff", b"x"]))
    damaged = record[:at] + byte + record[at + 1 :]
    outcomes = lines(b"\n".join([GOOD, damaged, GOOD]))
    found = summary(outcomes)
    assert (found[0], found[-1]) == ("1 event", "3 event")
    assert len(found) >= 3
