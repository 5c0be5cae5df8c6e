"""Lists: how they are read, and what a rule that names one says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.detect.lists import Entry, Lists, builtin_lists, expand, load_lists, named_lists
from kubewitness.detect.sigma import parse_match, parse_rules
from kubewitness.model.errors import ListError
from kubewitness.query.predicate import Not, Or

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kubewitness.model.alert import Report

    Scan = Callable[..., Report]

LISTS = Lists().with_values({"tools": ["kube-hunter", "nm?p"], "networks": ["10.0.0.0/8", "2001:db8::/32"]})
NAMED_AND_WRITTEN_OUT: list[tuple[Any, Any]] = [
    ({"name|expand": "%tools%"}, {"name": ["kube-hunter", "nm?p"]}),
    ({"userAgent|contains|expand": "%tools%"}, {"userAgent|contains": ["kube-hunter", "nm?p"]}),
    ({"userAgent|expand|startswith": "%tools%"}, {"userAgent|startswith": ["kube-hunter", "nm?p"]}),
    ({"source_ip|cidr|expand": "%networks%"}, {"source_ip|cidr": ["10.0.0.0/8", "2001:db8::/32"]}),
    ({"name|expand": ["%tools%", "plain"]}, {"name": ["kube-hunter", "nm?p", "plain"]}),
    ({"name|expand": "x/%tools%:*"}, {"name": ["x/kube-hunter:*", "x/nm?p:*"]}),
    ({"name|expand": ["%missing%", "plain"]}, {"name": ["plain"]}),
    ([{"verb": "get"}, {"name|expand": "%tools%"}], [{"verb": "get"}, {"name": ["kube-hunter", "nm?p"]}]),
    ({"name": "%tools%"}, {"name": "%tools%"}),
]


@pytest.mark.parametrize(("named", "written_out"), NAMED_AND_WRITTEN_OUT)
def test_a_named_list_means_the_same_as_its_values_written_out(named: Any, written_out: Any) -> None:
    assert expand(named, LISTS) == written_out


@pytest.mark.parametrize(
    "match",
    [
        {"name|expand": "%missing%"},
        {"source_ip|cidr|expand": "%missing%"},
        {"userAgent|re|expand": "%missing%"},
        {"|contains|expand": "%missing%"},
    ],
)
def test_a_missing_list_matches_nothing_by_any_modifier(match: Any) -> None:
    assert parse_match(match, LISTS) == Or(())


def test_a_filter_by_a_missing_list_filters_nothing(scan_events: Scan) -> None:
    text = """
title: t
name: t
logsource: {product: kubernetes, service: audit}
detection:
  read: {verb: get}
  filter: {name|expand: '%missing%'}
  condition: read and not filter
"""
    (rule,) = parse_rules(text, "t.yml")
    assert Not(Or(())) in rule.predicate.items  # type: ignore[union-attr]
    event = {"verb": "get", "requestURI": "/api", "objectRef": {"resource": "pods", "name": "x"}}
    assert len(scan_events([rule], [event]).matches) == 1


def test_the_names_of_lists_are_found_anywhere_in_a_rule() -> None:
    detection = {"a": [{"name|expand": ["%x%", "%y%/*"]}, {"verb": "get"}], "b": {"|expand": "%z%"}, "condition": "a"}
    assert list(named_lists({"detection": detection})) == ["x", "y", "z"]


def test_a_list_of_yaml_holds_values_with_reasons(tmp_path: Path) -> None:
    (tmp_path / "decoys.yml").write_text("about: Bait.\nentries:\n  - value: 7\n    reason: planted\n")
    found = load_lists([tmp_path]).by_name["decoys"]
    assert (found.about, found.entries) == ("Bait.", (Entry("7", "planted"),))


def test_a_list_of_text_takes_reasons_from_the_line_or_from_above(tmp_path: Path) -> None:
    file = tmp_path / "threat-networks.txt"
    file.write_text("\n# exit nodes\n198.51.100.0/24\n203.0.113.7 # guessed passwords\n203.0.113.8\n")
    assert load_lists([file]).by_name["threat-networks"].entries == (
        Entry("198.51.100.0/24", "exit nodes"),
        Entry("203.0.113.7", "guessed passwords"),
        Entry("203.0.113.8", "exit nodes"),
    )


def test_lists_of_one_name_are_joined_unless_the_later_one_replaces(tmp_path: Path) -> None:
    for folder, text in (
        ("a", "entries: [{value: x, reason: old}, {value: y, reason: old}]"),
        ("b", "entries: [{value: x, reason: new}]"),
        ("c", "replaces: true\nentries: [{value: z, reason: only}]"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "l.yml").write_text(text)
    joined = load_lists([tmp_path / "a", tmp_path / "b"]).by_name["l"]
    assert joined.entries == (Entry("x", "new"), Entry("y", "old"))
    assert load_lists([tmp_path / "a", tmp_path / "c"]).values("l") == ("z",)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.yml", "entries: [{value: x}]", "a.yml, entry 1: an entry has"),
        ("a.yml", "entries: [x]", "an entry has"),
        ("a.yml", "entries: {x: y}", "is not a list"),
        ("a.yml", "values: []", "nothing else"),
        ("a.yml", "entries: [", "not YAML"),
        ("a.txt", "203.0.113.7", "a.txt:1: a value needs a reason"),
        ("A list.yml", "entries: []", "is no name of a list"),
    ],
)
def test_what_is_no_list_is_refused_with_where_and_why(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ListError) as error:
        load_lists([tmp_path])
    assert says in str(error.value)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ListError, match="no such folder"):
        load_lists([tmp_path / "none"])


def test_every_builtin_list_says_what_it_holds_and_why() -> None:
    assert len(builtin_lists().by_name) > 5
    for found in builtin_lists().by_name.values():
        assert found.about
        assert all(entry.value.strip() and entry.reason for entry in found.entries)
