"""Documents: arrays by element, line numbers, damaged elements."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from kubewitness.decode import Event, Outcome, decode_document

HEAD = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","verb":"get"'
GOOD = HEAD + b"}"
DATA = Path(__file__).parent / "data"


def decode(text: bytes) -> list[Outcome]:
    return list(decode_document(io.BytesIO(text)))


def summary(outcomes: list[Outcome]) -> list[str]:
    return [
        f"{outcome.line} " + (("partial" if outcome.partial else "event") if isinstance(outcome, Event) else "no event")
        for outcome in outcomes
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[\n" + GOOD + b",\n\n" + GOOD + b"]\n" + GOOD, ["2 event", "4 event", "5 event"]),
        (GOOD + GOOD + b"\n" + GOOD, ["1 event", "1 event", "2 event"]),
        (b"[]", []),
        (b"[" + GOOD + b"," + HEAD, ["1 event", "1 partial"]),
        (b"[" + GOOD + b',7,"x, [y]",' + GOOD + b"]", ["1 event", "1 no event", "1 no event", "1 event"]),
        (
            b"[" + GOOD + b"," + HEAD + b',"u":"x"y"},' + GOOD + b"," + GOOD + b"]",
            ["1 event", "1 partial", *["1 event"] * 2],
        ),
        (
            b"[" + GOOD + b"," + HEAD + b',"u":"x},' + GOOD + b"," + GOOD + b"]",
            ["1 event", "1 partial", *["1 event"] * 2],
        ),
        (
            b"[\n" + HEAD + b',"u":{"a":1,\n' + GOOD + b",\n" + GOOD + b"]",
            ["2 partial", "3 event", "4 event"],
        ),
        (b"[\n" + HEAD + b',"u":"a\n' + GOOD + b",\n" + GOOD + b"]", ["2 partial", "3 event", "4 event"]),
        (
            b"# a comment\n" + GOOD + b"\nI0624 20:14:59.855669 1 x.go:4] y\n",
            ["1 no event", "2 event", "3 no event"],
        ),
    ],
    ids=repr,
)
def test_elements_are_found_with_their_lines(text: bytes, expected: list[str]) -> None:
    assert summary(decode(text)) == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    text = ("\ufeff" if encoding.endswith("e") else "") + f"[{GOOD.decode()},\n{GOOD.decode()}]"
    assert summary(decode(text.encode(encoding))) == ["1 event", "2 event"]


def test_pretty_printed_elements_know_their_lines_also_within_an_envelope() -> None:
    event = json.loads(GOOD)
    array = json.dumps([event, event], indent=2).encode()
    listed = json.dumps({"kind": "EventList", "items": [event, event]}, indent=2).encode()
    assert summary(decode(array)) == ["2 event", "8 event"]
    assert summary(decode(listed)) == ["4 event", "10 event"]


def test_elements_larger_than_a_read_are_put_together() -> None:
    large = HEAD + b',"requestObject":"' + b"x" * 3_000_000 + b'"}'
    outcomes = decode(b"[" + b",\n".join([GOOD, large, large, GOOD]) + b"]")
    assert summary(outcomes) == ["1 event", "2 event", "3 event", "4 event"]
    assert [outcome.text for outcome in outcomes if isinstance(outcome, Event)] == [GOOD, large, large, GOOD]


def test_memory_holds_one_element_not_the_array() -> None:
    class Endless(io.RawIOBase):
        """An array without end."""

        def __init__(self) -> None:
            super().__init__()
            self.given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            data = (b"[" if not self.given else b"") + (GOOD + b",") * 1000
            data = data[: len(buffer)] if self.given else b"["
            buffer[: len(data)] = data
            self.given += len(data)
            return len(data)

    stream = Endless()
    outcomes = decode_document(stream)  # type: ignore[arg-type]
    for _ in range(3000):
        assert isinstance(next(outcomes), Event)
    assert stream.given < 4_000_000


def test_a_post_of_the_audit_webhook_is_read() -> None:
    outcomes = decode((DATA / "webhook_post.json").read_bytes())
    assert summary(outcomes) == ["1 event"] * len(outcomes)
    assert [json.loads(outcome.text)["auditID"] for outcome in outcomes if isinstance(outcome, Event)] == [
        item["auditID"] for item in json.loads((DATA / "webhook_post.json").read_bytes())["items"]
    ]
