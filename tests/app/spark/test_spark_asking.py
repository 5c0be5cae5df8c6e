"""Hunts and questions on Spark: the same events, and nothing but events."""

from __future__ import annotations

import pytest

from kubewitness.app.asking.hunt import hunt, run_hunt
from kubewitness.app.asking.library import load_hunts
from kubewitness.app.asking.sql import ask
from kubewitness.app.events import Logs
from kubewitness.app.spark.asking import ask_on_spark
from kubewitness.app.spark.narrowing import narrowed
from kubewitness.query.filters import parse_filter
from kubewitness.query.predicate import ALWAYS

FILTERS = ["verb:(get OR list) AND resource:secrets", "user:*admin* NOT code:403", "verb:nobody-has-this"]
QUESTIONS = [
    "SELECT verb, count(*) AS n FROM events GROUP BY verb ORDER BY verb",
    "SELECT resource, max(happened_at) AS last FROM events WHERE code = 403 GROUP BY resource ORDER BY resource",
    "WITH e AS (SELECT * FROM events) SELECT count(DISTINCT audit_id) AS n FROM e",
    "SELECT DISTINCT request_object FROM events WHERE resource = 'secrets' ORDER BY 1 LIMIT 1",
]


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_finds_the_same_events(store: str, text: str) -> None:
    logs = Logs(store=store)
    expected = hunt(text, logs, policy=None)
    with narrowed(logs, parse_filter(text), None) as selected:
        assert hunt(text, selected) == expected


@pytest.mark.usefixtures("spark")
def test_a_hunt_answers_the_same(store: str) -> None:
    wanted = load_hunts(())["secret-readers"]
    logs = Logs(store=store)
    with narrowed(logs, wanted.predicate, None) as selected:
        assert run_hunt(wanted, selected) == run_hunt(wanted, logs)


@pytest.mark.usefixtures("spark")
def test_a_question_is_answered_by_spark(store: str) -> None:
    logs = Logs(store=store)
    for question in QUESTIONS[:3]:
        with ask(question, logs) as asked, ask_on_spark(question, logs, where=ALWAYS) as answer:
            assert [*answer.rows] == [*asked.rows], question
            assert answer.names == asked.names
            assert answer.ledger.events == asked.events.ledger.events
    with ask_on_spark(QUESTIONS[3], logs, where=ALWAYS) as answer:
        assert [*answer.rows] in ([[{"redacted": True}]], [[None]], [])
