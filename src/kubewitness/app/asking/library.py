"""Named hunts: questions that are asked again and again, each a file of its own."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.detect.places import Places
from kubewitness.model.errors import HuntError, KubewitnessError, UsageError, reason_of
from kubewitness.query.filters import parse_filter
from kubewitness.query.questions import parse_question

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubewitness.query.predicate import Predicate

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TEXTS = ("title", "question", "filter", "reading")
_KEYS = (*_TEXTS, "sql", "parameters", "tags", "techniques", "catalogue")
_EXAMPLE = "a hunt has `title`, `question`, `filter` and `reading`; see docs/how-to/hunt.md"


@dataclass(frozen=True, slots=True)
class HuntParameter:
    """A value of a hunt's query that can be set.

    Attributes:
        name: stands in the query as `$name`.
        default: its value, when nothing else is said.
        about: what it is, in a few words.
    """

    name: str
    default: str | float
    about: str


@dataclass(frozen=True, slots=True)
class Hunt:
    """A question with a name.

    Attributes:
        id: its name, and that of its file.
        title: what it looks for, in a few words.
        question: that it answers.
        filter: which events it is about.
        predicate: the same, understood.
        reading: how to read the answer.
        sql: query over these events; None where the events themselves are the answer.
        parameters: of the query.
        tags: what it belongs to: `verb.get`, `scenario.pod-deleted`, `topic.secrets`.
        techniques: of ATT&CK.
        catalogue: ids of the catalogue of detections.
        path: of its file.
    """

    id: str
    title: str
    question: str
    filter: str
    predicate: Predicate
    reading: str
    sql: str | None = None
    parameters: tuple[HuntParameter, ...] = ()
    tags: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    catalogue: tuple[str, ...] = ()
    path: str = ""

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of all parameters.

        Args:
            given: some of them, as text or values.

        Raises:
            UsageError: there is no such parameter, or a number is wanted and none is given.
        """
        known = {each.name: each for each in self.parameters}
        if unknown := [name for name in given if name not in known]:
            listed = ", ".join(f"{each.name} ({each.default})" for each in self.parameters) or "it has none"
            raise UsageError(f"the hunt {self.id} has no parameter `{unknown[0]}`", hint=f"its parameters: {listed}")
        return {name: _of_kind(name, given.get(name, each.default), each.default) for name, each in known.items()}


def _of_kind(name: str, value: Any, default: str | float) -> str | float:
    if isinstance(default, str):
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"`{name}` is a number, not `{value}`", hint=f"--set {name}={default}") from error
    return int(number) if number.is_integer() else number


def load_hunts(folders: Iterable[Path] = (), *, builtin: bool = True) -> dict[str, Hunt]:
    """All hunts by their ids, in their order.

    Args:
        folders: folders or files of hunts; one of the same id takes the place of a builtin one.
        builtin: whether those of the product are among them.

    Raises:
        HuntError: one cannot be loaded; says where and why.
    """
    found: dict[str, Hunt] = {}
    if builtin:
        with_files = files("kubewitness").joinpath("hunts")
        found |= {hunt.id: hunt for hunt in _load(Path(str(with_files)))}
    for folder in folders:
        if not folder.exists():
            raise HuntError("no such folder or file", where=str(folder), hint="name a folder of hunts")
        own = list(_load(folder))
        seen: dict[str, str] = {}
        for hunt in own:
            if hunt.id in seen:
                raise HuntError(f"another hunt of this name: {seen[hunt.id]}", where=hunt.path, hint="rename one")
            seen[hunt.id] = hunt.path
        found |= {hunt.id: hunt for hunt in own}
    return dict(sorted(found.items()))


def find_hunt(name: str, hunts: Mapping[str, Hunt]) -> Hunt:
    """The hunt of this id.

    Raises:
        UsageError: there is none.
    """
    if name in hunts:
        return hunts[name]
    close = near_hunt(name, hunts)
    raise UsageError(f"no hunt is called `{name}`", hint=f"did you mean {close}?" if close else "kubewitness hunt list")


def near_hunt(name: str, hunts: Iterable[str]) -> str | None:
    """The id that somebody may have meant who wrote another one."""
    close = difflib.get_close_matches(name.lower(), list(hunts), n=1, cutoff=0.75)
    return close[0] if close else None


def _load(folder: Path) -> Iterator[Hunt]:
    paths = [folder] if folder.is_file() else sorted(each for each in folder.rglob("*.y*ml") if each.is_file())
    for path in paths:
        yield _Document(path).hunt()


class _Document:
    """A file of one hunt, while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise HuntError(
                f"cannot be read: {reason_of(error)}", where=str(path), hint="a hunt is a file of text"
            ) from error
        self._places = Places(text)
        try:
            document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - CSafeLoader is the safe loader in C
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else str(path)
            raise HuntError(f"not YAML: {' '.join(str(error).split())}", where=where, hint=_EXAMPLE) from error
        if not isinstance(document, dict):
            raise HuntError("is no mapping", where=str(path), hint=_EXAMPLE)
        self._fields: dict[Any, Any] = document

    def hunt(self) -> Hunt:
        """The hunt; everything about it is checked."""
        if not _NAME.fullmatch(self._path.stem):
            raise HuntError(
                f"`{self._path.stem}` is no name of a hunt",
                where=str(self._path),
                hint="name the file in lower case with hyphens: secret-readers.yml",
            )
        for key in self._fields:
            if key not in _KEYS:
                close = difflib.get_close_matches(str(key), _KEYS, n=1)
                raise self._error(
                    f"a hunt has no `{key}`", str(key), f"did you mean `{close[0]}`?" if close else _EXAMPLE
                )
        texts = {key: self._text(key) for key in _TEXTS}
        parameters = tuple(self._parameters())
        return Hunt(
            id=self._path.stem,
            **texts,
            predicate=self._predicate(texts["filter"]),
            sql=self._sql(parameters),
            parameters=parameters,
            tags=self._list("tags"),
            techniques=self._list("techniques"),
            catalogue=self._list("catalogue"),
            path=str(self._path),
        )

    def _error(self, message: str, key: str, hint: str | None = _EXAMPLE) -> HuntError:
        place = self._places.key((), key)
        return HuntError(message, where=f"{self._path}:{place.line}" if place else str(self._path), hint=hint)

    def _text(self, key: str) -> str:
        value = self._fields.get(key)
        if value is None:
            raise self._error(f"`{key}` is missing", key)
        if not isinstance(value, str) or (key != "filter" and not value.strip()):
            raise self._error(f"`{key}` is no text", key)
        return " ".join(value.split()) if key != "filter" else value.strip()

    def _list(self, key: str) -> tuple[str, ...]:
        value = self._fields.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._error(f"`{key}` is no list of texts", key)
        return tuple(value)

    def _predicate(self, text: str) -> Predicate:
        try:
            return parse_filter(text)
        except KubewitnessError as error:
            raise self._error(f"{error.where}: {error.message}", "filter", error.hint) from error

    def _parameters(self) -> Iterator[HuntParameter]:
        value = self._fields.get("parameters", {})
        if not isinstance(value, dict):
            raise self._error("`parameters` is no mapping", "parameters")
        for name, item in value.items():
            if not isinstance(item, dict) or item.keys() != {"default", "about"} or not isinstance(name, str):
                raise self._error(f"the parameter `{name}` has a `default` and an `about`", "parameters")
            if isinstance(item["default"], bool) or not isinstance(item["default"], str | int | float):
                raise self._error(f"the default of `{name}` is neither a text nor a number", "parameters")
            yield HuntParameter(name, item["default"], str(item["about"]))

    def _sql(self, parameters: tuple[HuntParameter, ...]) -> str | None:
        value = self._fields.get("sql")
        if value is None:
            if parameters:
                raise self._error("parameters are of a query, and there is none", "parameters")
            return None
        if not isinstance(value, str):
            raise self._error("`sql` is no text", "sql")
        try:
            question = parse_question(value, {each.name: each.default for each in parameters})
        except KubewitnessError as error:
            raise self._error(error.message, "sql", error.hint) from error
        if unused := {each.name for each in parameters} - question.parameters:
            raise self._error(f"the query does not use the parameter `{min(unused)}`", "parameters")
        return value.strip()
