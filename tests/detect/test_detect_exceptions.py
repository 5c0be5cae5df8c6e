"""What an exception may be, and what the file says of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubewitness.detect.exceptions import load_exceptions, parse_exception, read_exceptions
from kubewitness.detect.lists import Lists
from kubewitness.model.errors import ExceptionError

TABLE = yaml.safe_load((Path(__file__).parent / "exceptions.yaml").read_text(encoding="utf-8"))
REST = {"reason": "a reason", "owner": "team", "expires": date(2027, 3, 31)}


@pytest.mark.parametrize("row", TABLE, ids=[row["case"] for row in TABLE])
def test_an_exception_is_accepted_or_says_what_is_wrong(row: dict[str, Any]) -> None:
    if row["says"] is None:
        assert parse_exception(REST | row["item"], "here").info.expires == date(2027, 3, 31)
        return
    with pytest.raises(ExceptionError) as caught:
        parse_exception(REST | row["item"], "here")
    assert row["says"] in caught.value.message
    assert (caught.value.where, bool(caught.value.hint)) == ("here", True)


def test_each_exception_of_a_file_says_its_line() -> None:
    text = """
# ours
- rule: a
  match: {actor: x, verb: get}
  reason: r
  owner: o
  expires: 2027-01-01

- rule: b
  match: {actor: x}
  reason: r
  owner: o
  expires: 2027-01-01
"""
    first, second = read_exceptions(text, "e.yml")
    assert not isinstance(first, ExceptionError)
    assert (first.info.id, first.info.origin) == ("e.yml:3", "e.yml:3")
    assert isinstance(second, ExceptionError)
    assert second.where == "e.yml:9"


@pytest.mark.parametrize(
    ("text", "says"),
    [("- [", "not YAML"), ("a: b", "is a list"), ("- a", "is a mapping"), ("&a [*a]", "is a mapping")],
)
def test_what_is_no_file_of_exceptions_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "e.yml").write_text(text)
    with pytest.raises(ExceptionError, match=says):
        load_exceptions([tmp_path / "e.yml"])


def test_the_list_may_stand_under_its_name() -> None:
    text = "exceptions:\n  - {rule: a, match: {actor: x, verb: get}, reason: r, owner: o, expires: 2027-01-01}\n"
    (found,) = read_exceptions(text, "e.yml")
    assert not isinstance(found, ExceptionError)
    assert found.info.origin == "e.yml:2"


def test_an_empty_file_holds_no_exceptions() -> None:
    assert list(read_exceptions("# none yet\n", "e.yml")) == []


def test_an_exception_may_name_a_list() -> None:
    item = REST | {"rule": "a", "match": {"actor|expand": "%batch%", "verb": "get"}}
    lists = Lists().with_values({"batch": ["nightly"]})
    assert parse_exception(item, "here", lists).predicate != parse_exception(item, "here", Lists()).predicate


def test_an_exception_holds_through_its_last_day() -> None:
    info = parse_exception(REST | {"rule": "a", "match": {"actor": "x", "verb": "get"}}, "here").info
    assert not info.is_expired(date(2027, 3, 31))
    assert info.is_expired(date(2027, 4, 1))
