"""Leaving out of named queries the columns that nobody asks for.

The engine would not compute them, but it must understand and simplify every expression before it can know that, and the
facts are long: that takes longer than reading a small log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TOKEN = re.compile(
    r"""
    --[^\n]* | /\*.*?\*/            # comments
    | '(?:[^']|'')*'                # text
    | "(?:[^"]|"")*"                # a quoted name
    | [A-Za-z_]\w* | \$\w+ | [\d.]+ # words, parameters, numbers
    | \S
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"--[^\n]*|'(?:[^']|'')*'|([A-Za-z_]\w*)")
_NO_STAR = re.compile(r"--[^\n]*|'(?:[^']|'')*'|count\(\*\)", re.IGNORECASE)
_CLAUSES = frozenset(
    {"WHERE", "GROUP", "HAVING", "WINDOW", "QUALIFY", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT"}
)


@dataclass(frozen=True, slots=True)
class _Item:
    """One of the columns that a query selects.

    Attributes:
        sql: text.
        name: that it gets, in lower case; None where it says none, as `*` does.
        words: all words in it, names of columns among them, in lower case.
    """

    sql: str
    name: str | None
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Level:
    """`SELECT items FROM source condition`, where source is a level in parentheses or a name."""

    items: tuple[_Item, ...]
    source: _Level | str
    condition: str


def pruned(named: Sequence[tuple[str, str]], asked: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The named queries, each of which reads from the one before it, without columns that are not needed.

    A word of the same spelling counts as a column, so what is needed always stays. A query that is not of the simple
    form `SELECT ... FROM one thing [WHERE ...]` stays as it is.

    Args:
        named: name and SQL, lowest first; each gives one row for one that it reads.
        asked: SQL that reads from them; the last one says what comes out, and when it says `*`, all stays.
    """
    asked = list(asked)
    if "*" in _NO_STAR.sub("", asked[-1]):
        return tuple(named)
    return _pruned(named, asked)[0]


def needed(named: Sequence[tuple[str, str]], asked: Iterable[str]) -> set[str]:
    """Words in lower case, names of columns among them, that are needed from below the named queries.

    Args:
        named: as for `pruned`.
        asked: SQL that reads from them; `*` is taken for no column.
    """
    return _pruned(named, asked)[1]


def columns_of(sql: str) -> tuple[str, ...]:
    """Names in lower case of the columns of a query of the simple form."""
    level = _parse(sql)
    return tuple(item.name for item in level.items if item.name) if level else ()


def _pruned(named: Sequence[tuple[str, str]], asked: Iterable[str]) -> tuple[tuple[tuple[str, str], ...], set[str]]:
    needed = {word for sql in asked for word in _words(sql)}
    kept: list[tuple[str, str]] = []
    for name, sql in reversed(named):
        level = _parse(sql)
        if level is None:
            needed |= _words(sql)
            kept.append((name, sql))
        else:
            kept.append((name, _prune(level, needed)))
    return tuple(reversed(kept)), needed


def _prune(level: _Level, needed: set[str]) -> str:
    """The level as SQL; adds to the needed names those that it takes from below."""
    needed |= _words(level.condition)
    waiting = list(level.items)
    kept: set[int] = set()
    while True:  # an item may use the name of another one beside it
        found = [item for item in waiting if item.name is None or item.name in needed]
        if not found:
            break
        waiting = [item for item in waiting if item not in found]
        for item in found:
            kept.add(id(item))
            needed |= item.words
    listed = ",\n    ".join(item.sql for item in level.items if id(item) in kept) or "NULL"
    source = level.source if isinstance(level.source, str) else f"(\n{_prune(level.source, needed)}\n)"
    return f"SELECT\n    {listed}\nFROM {source}{level.condition}"


def _words(sql: str) -> set[str]:
    """What may be names of columns: all words but those in comments and text."""
    return set(_WORD.findall(sql.lower()))


@lru_cache(maxsize=64)
def _parse(sql: str) -> _Level | None:
    """The query in its parts; None when it is of another form."""
    tokens = [match for match in _TOKEN.finditer(sql) if not match[0].startswith(("--", "/*"))]
    if [token[0].upper() for token in tokens[:1]] != ["SELECT"] or tokens[1][0].upper() == "DISTINCT":
        return None
    items: list[_Item] = []
    depth, first = 0, 1
    for at, token in enumerate(tokens):
        word = token[0].upper()
        depth += (word in {"(", "["}) - (word in {")", "]"})
        is_end = depth == 0 and word == "FROM" and tokens[at - 1][0].upper() != "DISTINCT"
        if depth == 0 and (word == "," or is_end):
            if at == first:
                return None
            items.append(_item(sql, tokens[first:at]))
            first = at + 1
        if is_end:
            break
        if depth == 0 and word in _CLAUSES:
            return None
    else:
        return None
    return _with_source(sql, items, tokens[first:])


def _with_source(sql: str, items: list[_Item], tokens: list[re.Match[str]]) -> _Level | None:
    if not tokens:
        return None
    end = _end_of_first(tokens)
    is_nested = tokens[0][0] == "("
    source = _parse(sql[tokens[0].end() : tokens[end - 1].start()]) if is_nested else tokens[0][0]
    after = tokens[end:]
    if source is None or (after and after[0][0].upper() != "WHERE"):
        return None
    if any(token[0].upper() in _CLAUSES for token in after[1:]):
        return None
    return _Level(tuple(items), source, f"\n{sql[after[0].start() :].rstrip()}" if after else "")


def _end_of_first(tokens: list[re.Match[str]]) -> int:
    """How many tokens the first one, or what it opens, takes."""
    depths = accumulate((token[0] == "(") - (token[0] == ")") for token in tokens)
    return next((end for end, depth in enumerate(depths, start=1) if depth <= 0), len(tokens))


def _item(sql: str, tokens: list[re.Match[str]]) -> _Item:
    text = sql[tokens[0].start() : tokens[-1].end()]
    name = None
    if len(tokens) == 1 and text != "*":
        name = text
    elif len(tokens) > 2 and tokens[-2][0].upper() == "AS":  # noqa: PLR2004 - expression AS name
        name = tokens[-1][0]
    return _Item(text, name and name.strip('"').lower(), frozenset(_words(text)))
