"""Tests of loading hunts: what is wrong with a file is said with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubewitness.app.asking.library import load_hunts
from kubewitness.model.errors import HuntError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "title: T\nquestion: Q?\nfilter: verb:get\nreading: R.\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("title: T\nquestion: Q?\nfilter: verb:get\n", 1, "`reading` is missing"),
        (GOOD + "descripton: x\n", 5, "a hunt has no `descripton`"),
        (GOOD + "parameter: {}\n", 5, "did you mean `parameters`?"),
        ("title: [a]\nquestion: Q?\nfilter: verb:get\nreading: R.\n", 1, "`title` is no text"),
        (GOOD.replace("verb:get", "verb:("), 3, "filter, character 7"),
        (GOOD.replace("verb:get", "verbs:get"), 3, "no event has a field `verbs`"),
        (f"{GOOD}sql: FROM events SELECT usr\n", 5, "did you mean `username`?"),
        (GOOD + "sql: COPY events TO 'x'\n", 5, "only queries that read"),
        (GOOD + "sql: SELECT $least\n", 5, "has a parameter `$least`"),
        (GOOD + "sql: [a]\n", 5, "`sql` is no text"),
        (GOOD + "parameters: {least: {default: 1, about: a}}\n", 5, "there is none"),
        (
            GOOD + "sql: SELECT 1\nparameters: {least: {default: 1, about: a}}\n",
            6,
            "does not use the parameter `least`",
        ),
        (GOOD + "sql: SELECT $least\nparameters: {least: 1}\n", 6, "has a `default` and an `about`"),
        (
            GOOD + "sql: SELECT $least\nparameters: {least: {default: [1], about: a}}\n",
            6,
            "neither a text nor a number",
        ),
        (GOOD + "sql: SELECT $least\nparameters: [least]\n", 6, "`parameters` is no mapping"),
        (GOOD + "tags: topic.x\n", 5, "`tags` is no list of texts"),
        ("title: T\n  question: Q?\n", 2, "not YAML"),
    ],
)
def test_a_hunt_that_cannot_be_loaded_is_told_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(text)
    with pytest.raises(HuntError) as caught:
        load_hunts([tmp_path])
    assert caught.value.where == f"{path}:{line}"
    assert says in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(("name", "text"), [("Mine.yml", GOOD), ("my_hunt.yml", GOOD), ("mine.yml", "[]")])
def test_a_file_that_is_no_hunt_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(HuntError, match=name.replace(".", r"\.")):
        load_hunts([tmp_path], builtin=False)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(HuntError, match="no such folder"):
        load_hunts([tmp_path / "missing"])


def test_a_hunt_of_ones_own_takes_the_place_of_a_builtin_one(tmp_path: Path) -> None:
    path = tmp_path / "secret-readers.yml"
    path.write_text(GOOD)
    assert load_hunts([path])["secret-readers"].title == "T"
    assert load_hunts()["secret-readers"].title != "T"


def test_two_hunts_of_ones_own_cannot_have_one_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.yml").write_text(GOOD)
    with pytest.raises(HuntError, match="another hunt of this name"):
        load_hunts([tmp_path])


def test_values_of_parameters_are_of_the_kind_of_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text(
        GOOD + "sql: SELECT $n, $t\nparameters: {n: {default: 1, about: a}, t: {default: x, about: b}}\n"
    )
    hunt = load_hunts([tmp_path])["mine"]
    assert hunt.values({}) == {"n": 1, "t": "x"}
    assert hunt.values({"n": "2.5", "t": "3"}) == {"n": 2.5, "t": "3"}
    with pytest.raises(UsageError, match="is a number"):
        hunt.values({"n": "many"})
    with pytest.raises(UsageError, match="no parameter"):
        hunt.values({"m": 1})
