"""Exceptions at work: what they take out is counted exactly, and nothing else is taken out."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubewitness.app.scan import ScanOptions, scan
from kubewitness.detect.attaching import attach, plan_with_exceptions
from kubewitness.detect.exceptions import parse_exception
from kubewitness.detect.pack import Pack
from kubewitness.detect.sigma import parse_rules
from kubewitness.model.alert import Severity
from kubewitness.model.exception import ExceptionState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kubewitness.detect.exceptions import RuleException
    from kubewitness.detect.rule import Rule
    from kubewitness.model.alert import Report

TODAY = date(2027, 1, 1)
HEAD = {"logsource": {"product": "kubernetes", "service": "audit"}, "level": "low"}


def single(name: str, **own: Any) -> dict[str, Any]:
    detection = own.pop("detection")
    return HEAD | {"title": name, "name": name, "detection": {"s": detection, "condition": "s"}} | own


COUNT = {
    "type": "event_count",
    "rules": ["secret-read"],
    "group-by": ["actor"],
    "timespan": "1h",
    "condition": {"gte": 3},
    "generate": True,
}


def rules_of(*documents: dict[str, Any]) -> list[Rule]:
    return parse_rules(yaml.safe_dump_all(documents), "rules.yml")


# The first is asked of every event, the second of few: their answers stand in different tables.
RULES = rules_of(
    single("any-uri", detection={"requestURI|contains": "x"}),
    single("secret-read", detection={"verb": "get", "objectRef.resource": "secrets"}),
    {"title": "many-reads", "name": "many-reads", "level": "high", "correlation": COUNT},
)


def event(number: int, actor: str, name: str, **own: Any) -> dict[str, Any]:
    at = datetime(2026, 11, 23, 8) + timedelta(seconds=number)  # noqa: DTZ001
    return {
        "auditID": f"id-{number}",
        "stage": "ResponseComplete",
        "requestReceivedTimestamp": at.isoformat(timespec="microseconds") + "Z",
        "verb": "get",
        "requestURI": f"/api/v1/namespaces/n/secrets/{name}",
        "user": {"username": actor},
        "sourceIPs": ["10.0.0.1"],
        "objectRef": {"resource": "secrets", "namespace": "n", "name": name},
        "responseStatus": {"code": 200},
    } | own


def exception(rule: str | list[str], match: Any, **own: Any) -> RuleException:
    item = {"rule": rule, "match": match, "reason": "r", "owner": "o", "expires": date(2027, 1, 1)}
    return parse_exception(item | own, f"e.yml:{own.get('id', 1)}")


def run(
    folder: Path, events: Sequence[dict[str, Any]], exceptions: Sequence[RuleException], rules: Sequence[Rule] = RULES,
    **options: Any,
) -> Report:  # fmt: skip
    file = folder / "audit.log"
    file.write_text("".join(json.dumps(each) + "\n" for each in events), encoding="utf-8")
    plan = plan_with_exceptions(Pack(tuple(rules)), exceptions, TODAY)
    return scan([str(file)], plan, ScanOptions(**{"matches": True} | options))


def lines(report: Report, rule: str) -> list[int | None]:
    return [match.line for match in report.matches if match.rule_id == rule]


EVENTS = [event(number, actor, f"x{number}") for number, actor in enumerate("aaabbb", 1)]


def test_an_exception_takes_out_its_rule_alone(tmp_path: Path) -> None:
    report = run(tmp_path, EVENTS, [exception("secret-read", {"actor": "a", "verb": "get", "name": ["x1", "x2"]})])
    assert lines(report, "secret-read") == [3, 4, 5, 6]
    assert lines(report, "any-uri") == [1, 2, 3, 4, 5, 6]
    (use,) = report.exceptions
    assert (use.state, use.requests, use.by_rule) == (ExceptionState.USED, 2, {"secret-read": 2})


def test_what_does_not_alert_is_not_counted_either(tmp_path: Path) -> None:
    report = run(tmp_path, EVENTS, [exception("secret-read", {"actor": "a", "verb": "get", "name": "x1"})])
    assert lines(report, "many-reads") == [4, 5, 6]


def test_a_correlation_alone_can_be_excepted_from(tmp_path: Path) -> None:
    report = run(tmp_path, EVENTS, [exception("many-*", {"actor": "a", "verb": "get"})])
    assert lines(report, "many-reads") == [4, 5, 6]
    assert lines(report, "secret-read") == [1, 2, 3, 4, 5, 6]
    assert report.exceptions[0].by_rule == {"many-reads": 3}


def test_a_correlation_excepted_from_still_counts_what_is_left(tmp_path: Path) -> None:
    events = [*EVENTS, event(7, "a", "y7")]
    report = run(tmp_path, events, [exception("many-reads", {"actor": "a", "verb": "get", "name": "x1"})])
    assert lines(report, "many-reads") == [2, 3, 4, 5, 6, 7]


def test_stages_and_copies_of_a_request_count_once(tmp_path: Path) -> None:
    one = event(1, "a", "x1")
    events = [one | {"stage": "RequestReceived"}, one, one]
    report = run(tmp_path, events, [exception("secret-*", {"actor": "a", "verb": "get"})])
    assert (report.exceptions[0].requests, lines(report, "secret-read")) == (1, [])


def test_rules_asked_of_every_event_can_be_excepted_from(tmp_path: Path) -> None:
    report = run(tmp_path, EVENTS, [exception("any-uri", {"actor": "b", "verb": "get"})])
    assert lines(report, "any-uri") == [1, 2, 3]
    assert report.exceptions[0].by_rule == {"any-uri": 3}


def test_several_exceptions_of_one_event_each_count_it(tmp_path: Path) -> None:
    exceptions = [
        exception("*", {"actor": "a", "verb": "get", "name": "x1"}, id="one"),
        exception(["any-uri", "secret-read"], {"actor": "a", "verb": "get"}, id="two"),
    ]
    report = run(tmp_path, EVENTS, exceptions)
    assert [(use.info.id, use.requests) for use in report.exceptions] == [("one", 1), ("two", 3)]
    assert lines(report, "any-uri") == [4, 5, 6]


def test_an_expired_exception_takes_nothing_out_and_is_named(tmp_path: Path) -> None:
    old = exception("*", {"actor": "a", "verb": "get", "resource": "secrets"}, expires=date(2026, 12, 31))
    report = run(tmp_path, EVENTS, [old])
    assert lines(report, "secret-read") == [1, 2, 3, 4, 5, 6]
    assert [(use.state, use.requests) for use in report.exceptions] == [(ExceptionState.EXPIRED, 0)]


def test_an_exception_that_nothing_meets_is_named(tmp_path: Path) -> None:
    exceptions = [
        exception("secret-read", {"actor": "nobody", "verb": "get"}, id="a"),
        exception("no-such-rule", {"actor": "a", "verb": "get"}, id="b"),
    ]
    report = run(tmp_path, EVENTS, exceptions)
    assert [use.state for use in report.exceptions] == [ExceptionState.UNUSED, ExceptionState.UNUSED]


def test_only_what_the_scan_is_about_is_counted(tmp_path: Path) -> None:
    exceptions = [exception(["secret-read", "many-reads"], {"actor": ["a", "b"], "verb": "get"})]
    since = datetime(2026, 11, 23, 8, 0, 3)  # noqa: DTZ001
    assert run(tmp_path, EVENTS, exceptions, since=since).exceptions[0].requests == 4
    above = run(tmp_path, EVENTS, exceptions, min_severity=Severity.MEDIUM)
    assert above.exceptions[0].by_rule == {"many-reads": 6}


def test_a_history_is_made_without_what_is_excepted(tmp_path: Path) -> None:
    document = single(
        "new-name", detection={"verb": "get"}, first_seen={"field": "objectRef.name", "by": ["actor"], "after": 2}
    )
    events = [event(1, "a", "p"), event(2, "a", "p"), event(3, "a", "q"), event(4, "a", "r")]
    exceptions = [exception("new-name", {"actor": "a", "verb": "get", "name": "q"})]
    report = run(tmp_path, events, exceptions, rules_of(document))
    assert lines(report, "new-name") == [4]


def test_a_pack_without_excepted_correlations_stays_as_it_is() -> None:
    pack = Pack(tuple(RULES))
    assert attach(pack, [exception("secret-read", {"actor": "a", "verb": "get"})])[0] == pack


@given(
    events=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["x1", "x2", "y"])), min_size=1, max_size=12),
    exceptions=st.lists(
        st.tuples(
            st.sampled_from(["any-uri", "secret-read", "*"]),
            st.sampled_from("ab"),
            st.sampled_from(["x1", "x2", "y", "x*"]),
        ),
        max_size=3,
    ),
)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.usefixtures("tmp_path")
def test_matches_and_what_is_taken_out_are_what_matches_without_exceptions(
    tmp_path: Path, events: list[tuple[str, str]], exceptions: list[tuple[str, str, str]]
) -> None:
    log = [event(number, actor, name) for number, (actor, name) in enumerate(events, 1)]
    known = [
        exception(rule, {"actor": actor, "verb": "get", "name": name}, id=number)
        for number, (rule, actor, name) in enumerate(exceptions)
    ]
    everything = run(tmp_path, log, [])
    report = run(tmp_path, log, known)
    for rule in ("any-uri", "secret-read"):
        taken = {
            line
            for line, (actor, name) in enumerate(events, 1)
            for pattern, who, what in exceptions
            if pattern in {rule, "*"} and who == actor and (what == name or (what == "x*" and name != "y"))
        }
        assert lines(report, rule) == [line for line in lines(everything, rule) if line not in taken]
        counted = [use.by_rule.get(rule, 0) for use in report.exceptions]
        assert (sum(counted) > 0) == bool(taken & set(lines(everything, rule)))
