"""What Spark is to ask for a scan: what for, and of what."""

from __future__ import annotations

from datetime import datetime

import pytest

from kubewitness.app.plans import load_rules, plan_rules
from kubewitness.app.spark.kinds import Kind
from kubewitness.app.spark.questions import Questions, Use, questions_for

EARLY, LATE = datetime(2026, 11, 17, 8), datetime(2026, 11, 18, 8)  # noqa: DTZ001 - times in the model are naive UTC


@pytest.fixture(scope="module")
def questions() -> Questions:
    return questions_for(load_rules(), plan_rules())


def test_a_memory_is_of_kinds_where_all_that_it_looks_at_is(questions: Questions) -> None:
    plan = plan_rules()
    by_kind = {plan.rules[number].info.id for number in questions.by_kind}
    assert {"person-new-in-cluster", "workload-does-what-it-never-did"} <= by_kind
    assert by_kind.isdisjoint({"image-from-new-registry", "refused-with-new-client", "secret-read"})
    of_events = [each for each in questions.asked if each.use is Use.REMEMBERED and each.left is not None]
    assert of_events
    assert all(each.shows for each in of_events)


def test_what_is_counted_has_its_own_number(questions: Questions) -> None:
    counted = {number: each for number, each in enumerate(questions.asked) if each.use is Use.COUNTED}
    assert any("audit_id" in each.shows for each in counted.values())
    assert all(f"'number', {number}," in each.shows for number, each in counted.items())


def test_a_kind_is_not_asked_what_it_does_not_see(questions: Questions) -> None:
    asked = "\n".join(each.of_kind for each in questions.asked)
    assert "user_agent" in asked
    for own in ("request_uri", "object_labels", "audit_id", "privileged"):
        assert own not in asked


def test_events_of_a_kind_in_several_files_are_of_one_kind() -> None:
    kind = Kind(1, 3, 2, LATE, LATE, ("b", 4), LATE, ("b", 5))
    kind.add(Kind(1, 2, 2, EARLY, EARLY, ("a", 7), EARLY, ("a", 8)))
    kind.add(Kind(1, 1, 0, None, None, ("c", 0), EARLY, ("c", 0)))
    assert kind == Kind(1, 6, 4, EARLY, LATE, ("a", 7), LATE, ("b", 5))
