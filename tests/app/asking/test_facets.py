"""Tests of facets: what is counted, and which fields are left out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.app.asking.hunt_log import write_log

from kubewitness.app.asking.facets import FIELDS, Facets, facets
from kubewitness.app.asking.shown import Could
from kubewitness.app.asking.sql import ask
from kubewitness.app.events import Logs
from kubewitness.app.lake.ingest import ingest
from kubewitness.model.event import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    LineOf = Callable[..., bytes]

DEMO = Logs((str(Path(__file__).parents[3] / "examples" / "aks-attack"),))


def _values(found: Facets, field: str) -> dict[str, int]:
    (facet,) = [each for each in found.facets if each.field == field]
    return {value.value: value.count for value in facet.values}


def _left(found: Facets) -> dict[str, str]:
    return {each.field: each.reason for each in found.left_out}


def _lines(path: Path, *events: bytes) -> Logs:
    path.write_bytes(b"\n".join(events) + b"\n")
    return Logs((str(path),))


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Logs:
    """A log in which nearly every field has a value."""
    path = tmp_path_factory.mktemp("facets") / "audit.log"
    write_log(path)
    return Logs((str(path),))


def test_the_counts_of_every_field_are_those_of_the_events(logs: Logs) -> None:
    found = facets("", logs, most=10_000)
    with ask("FROM events", logs, reveal=True) as asked:
        events = [dict(zip(asked.names, row, strict=True)) for row in asked.rows]
    assert found.events == len(events)
    for facet in found.facets:
        values: Counter[str] = Counter()
        for event in events:
            value: Any = event[facet.field]
            if facet.field == "registry_list":
                value = value and value.split(" ")
            each = value if isinstance(value, list) else [value]
            values.update(
                str(item).lower() if isinstance(item, bool) else str(item) for item in each if item is not None
            )
        assert {value.value: value.count for value in facet.values} == dict(values), facet.field
        assert facet.distinct == len(values)
        assert facet.present == values.total()


def test_a_store_gives_the_same_facets_as_its_logs(logs: Logs, tmp_path: Path) -> None:
    store = str(tmp_path / "lake")
    ingest(logs.paths, store)
    for text in ("", "verb:delete", "actor_kind:service_account"):
        of_files, of_store = facets(text, logs), facets(text, Logs(store=store))
        assert (of_store.facets, of_store.left_out) == (of_files.facets, of_files.left_out)


def test_values_have_share_rarity_and_times(tmp_path: Path, line_of: LineOf) -> None:
    times = {"requestReceivedTimestamp": "2026-11-17T09:00:00.000000Z"}
    logs = _lines(tmp_path / "a.log", line_of(1), line_of(2), line_of(3), line_of(4, verb="list", **times))
    (verb,) = [each for each in facets("", logs).facets if each.field == "verb"]
    often, seldom = verb.values
    assert (often.value, often.share, round(often.rarity, 3)) == ("get", 0.75, 0.415)
    assert (seldom.value, seldom.share, seldom.rarity) == ("list", 0.25, 2.0)
    assert str(often.last_at) == "2026-11-17 08:00:00"
    assert str(seldom.first_at) == "2026-11-17 09:00:00"


def test_the_rarest_values_stand_apart_from_the_most_frequent(tmp_path: Path, line_of: LineOf) -> None:
    events = [
        line_of(10 * number + copy, user={"username": f"user-{number}"})
        for number in range(1, 9)
        for copy in range(number)
    ]
    (actor,) = [
        each
        for each in facets("", _lines(tmp_path / "a.log", *events), most=2, rarest=2).facets
        if each.field == "actor"
    ]
    assert [value.value for value in actor.values] == ["user-8", "user-7"]
    assert [value.value for value in actor.rarest] == ["user-1", "user-2"]
    assert actor.distinct == 8


def test_fields_that_say_nothing_are_left_out_and_the_reason_is_told(tmp_path: Path, line_of: LineOf) -> None:
    logs = _lines(tmp_path / "a.log", *(line_of(number, verb="get" if number % 3 else "list") for number in range(60)))
    found = facets("", logs)
    assert [each.field for each in found.facets] == ["verb"]
    left = _left(found)
    assert left["resource"] == "constant"
    assert left["exec_command"] == "empty"
    assert left["object_name"] == "wide"
    assert left["audit_id"] == "unique"
    assert {each.field: each.value for each in found.left_out}["resource"] == "pods"
    assert set(FIELDS) <= left.keys() | {"verb"}


def test_a_filter_says_of_which_events() -> None:
    found = facets("action:exec", DEMO)
    assert _values(found, "action" if "action" not in _left(found) else "code").values()
    assert sum(_values(found, "actor").values()) == found.events == 9
    assert found.ledger.events > 2000


def test_secrets_in_values_are_redacted(tmp_path: Path, line_of: LineOf) -> None:
    reference = {"resource": "pods", "subresource": "exec", "namespace": "a", "name": "b"}
    uris = [
        f"/api/v1/namespaces/a/pods/b/exec?command=mysql&command={word}" for word in ("--password%3Dhunter22", "-h")
    ]
    logs = _lines(
        tmp_path / "a.log",
        *(line_of(number, verb="create", requestURI=uri, objectRef=reference) for number, uri in enumerate(uris)),
    )
    assert "hunter22" not in str(facets("", logs).fields())
    assert "hunter22" in str(facets("", logs, reveal=True).fields())


def test_nothing_found_says_whether_it_could_have_been() -> None:
    found = facets("verb:get resource:secrets user:nobody", DEMO)
    assert (found.events, found.facets, found.left_out) == (0, (), ())
    assert found.shown is not None
    assert found.shown.could in {Could.YES, Could.PARTLY}
    assert found.fields()["could_have_shown"] == found.shown.fields()


def test_every_field_is_a_column() -> None:
    assert set(FIELDS) <= BY_NAME.keys()
