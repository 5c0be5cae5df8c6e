"""Baselines: what is known of actors, learned from logs, kept in a file, and held against new logs.

A baseline is a text file of JSON lines, one for each rule, history and value; `by` and `value` have the fields' names:

    {"rule": "access-from-new-network", "by": {"cluster": null, "actor": "alice"},
     "value": {"source_network": "192.0.2.0/24"}, "events": 31, "first_at": "...", "last_at": "..."}
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime  # noqa: TC003 - read at run time: entries are read from JSON by their types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from kubewitness.app.judging import judge
from kubewitness.app.readings import demand_events
from kubewitness.detect.correlate.matches import CREATE_KIND_SIGHTS
from kubewitness.detect.correlate.sights import CREATE_KNOWN, history_sql, value_sql, values_sql
from kubewitness.detect.keeping import hash_sql, is_several, text_sql, texts_sql
from kubewitness.facts import macros
from kubewitness.model.errors import UnreadableError, UsageError
from kubewitness.query.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kubewitness.app.evidence import Evidence
    from kubewitness.detect.plan import Plan
    from kubewitness.detect.rule import FirstSeen
    from kubewitness.query.fields import Field

_HEAD = b'{"kubewitness": "baseline", "version": 1}\n'
_BATCH = 50_000
_READ = "SELECT count(*) FILTER (outcome IN (1, 2)), count(*) FILTER (outcome = 3) FROM staged"

Named = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Familiar:
    """A value that a history has shown.

    Attributes:
        rule: id of the rule that asks.
        by: whose history it is: text by field.
        value: text by field.
        events: number of events that showed it.
        first_at: when it was first seen (UTC, naive).
        last_at: when it was last seen.
    """

    rule: str
    by: Named
    value: Named
    events: int
    first_at: datetime
    last_at: datetime

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from others."""
        return self.rule, tuple(self.by.items()), tuple(self.value.items())

    def joined(self, other: Familiar) -> Familiar:
        """Both as one."""
        return replace(
            self,
            events=self.events + other.events,
            first_at=min(self.first_at, other.first_at),
            last_at=max(self.last_at, other.last_at),
        )


@dataclass(frozen=True, slots=True)
class Learned:
    """What became of learning.

    Attributes:
        entries: number of values in the baseline.
        new: how many of them it did not have before.
        rules: number of rules that asked.
        events: number of events read.
    """

    entries: int
    new: int
    rules: int
    events: int


def learn_baseline(
    paths: Sequence[str],
    output: Path,
    folders: Sequence[Path] = (),
    *,
    builtin: bool = True,
    cluster: str | None = None,
) -> Learned:
    """Learn from logs what is known, and add it to the file, which is replaced as a whole.

    Args:
        paths: files, directories, globs, `-` for standard input.
        output: the baseline; what it has stays.
        folders: folders or files of rules; those with `first_seen` say what to learn.
        builtin: whether the builtin rules come first.
        cluster: name for events whose log does not say.

    Raises:
        UnreadableError: nothing of the paths could be read, or the file is no baseline.
        UsageError: the file cannot be written.
        RuleError: a rule cannot be loaded.
    """
    # Only here: these take long to import, and a scan has its plan from the cache.
    from kubewitness.detect.pack import Pack, load_pack  # noqa: PLC0415
    from kubewitness.detect.planning import build_plan  # noqa: PLC0415

    pack = load_pack(folders, builtin=builtin)
    plan = build_plan(Pack(tuple(rule for rule in pack.rules if rule.first_seen)))
    known = {each.key: each for each in read_baseline(output)} if output.exists() else {}
    before = len(known)
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        engine = Engine(Path(folder))
        try:
            engine.run(macros())
            judged = judge(engine, plan, paths, Path(folder), cluster=cluster)
            for each in _seen(engine, plan, judged.evidence):
                known[each.key] = known[each.key].joined(each) if each.key in known else each
            ((events, other),) = engine.run(_READ)
            demand_events(judged.reading.ledger(events=events, partial=0, duplicates=0, other=other))
        finally:
            engine.close()
    write_baseline(output, known.values())
    rules = sum(rule.first_seen is not None for rule in plan.rules)
    return Learned(len(known), len(known) - before, rules, events)


def read_baseline(path: Path) -> Iterator[Familiar]:
    """The values of a baseline, in the order of its lines.

    Raises:
        UnreadableError: it cannot be read, or is no baseline; says which line and why.
    """
    decoder = msgspec.json.Decoder(Familiar)
    try:
        with path.open("rb") as file:
            if file.readline() != _HEAD:
                raise UnreadableError(
                    "is no baseline", where=str(path), hint="kubewitness baseline learn LOGS -o FILE writes one"
                )
            for number, line in enumerate(file, 2):
                try:
                    yield decoder.decode(line)
                except msgspec.MsgspecError as error:
                    raise UnreadableError(f"is no entry of a baseline: {error}", where=f"{path}:{number}") from error
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}", where=str(path)) from error


def write_baseline(path: Path, entries: Iterable[Familiar]) -> None:
    """Write a baseline; nobody ever sees half of it.

    Raises:
        UsageError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            file.write(_HEAD)
            for each in sorted(entries, key=lambda entry: msgspec.json.encode(entry.key)):
                file.write(msgspec.json.encode(each) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise UsageError(f"cannot be written: {error.strerror}", where=str(path)) from error


def load_baseline(engine: Engine, plan: Plan, path: Path) -> int:
    """Fill the table `known` with what a baseline has for rules of the plan; gives the number of values.

    Entries of other rules, or of rules that ask for other fields by now, are left out.

    Raises:
        UnreadableError: the file cannot be read, or is no baseline.
    """
    engine.run(CREATE_KNOWN)
    asking = {rule.info.id: rule.first_seen for rule in plan.rules if rule.first_seen}
    by_rule: dict[str, list[Familiar]] = {}
    for each in read_baseline(path):
        first_seen = asking.get(each.rule)
        if first_seen and [*each.by] == _names(first_seen.by) and [*each.value] == _names(first_seen.fields):
            by_rule.setdefault(each.rule, []).append(each)
    for rule_id, entries in by_rule.items():
        first_seen = asking[rule_id]
        for start in range(0, len(entries), _BATCH):
            _insert(engine, plan.number(rule_id), first_seen, entries[start : start + _BATCH])
    return sum(map(len, by_rule.values()))


def _insert(engine: Engine, number: int, first_seen: FirstSeen, entries: Sequence[Familiar]) -> None:
    history = history_sql([hash_sql(f"history[{place + 1}]") for place in range(len(first_seen.by))])
    value = value_sql([hash_sql(f"shown[{place + 1}]") for place in range(len(first_seen.fields))])
    engine.run(
        f"""
        INSERT INTO known
        SELECT {number}, {history}, {value}, shown, events, first_at
        FROM (SELECT unnest($history) AS history, unnest($shown) AS shown, unnest($events) AS events,
            unnest($first_at) AS first_at)
        """,  # noqa: S608 - numbers only
        {
            "history": [list(each.by.values()) for each in entries],
            "shown": [list(each.value.values()) for each in entries],
            "events": [each.events for each in entries],
            "first_at": [each.first_at for each in entries],
        },
    )


def known_before(engine: Engine, plan: Plan, evidence: Evidence) -> dict[tuple[int, int], list[str]]:
    """What was known before something new, in words, most frequent and earliest first; by rule and cause."""
    rows = engine.rows(
        "SELECT familiar.* FROM familiar LEFT JOIN staged ON staged.rowid = event"
        " WHERE (familiar.rule, familiar.cause) IN (SELECT (rule, cause) FROM hits)"
        " ORDER BY events DESC, shown, happened_at, event"
    )
    found: dict[tuple[int, int], list[str]] = {}
    texts: dict[int, dict[int, dict[str, Any]]] = {}
    events: dict[int, set[int]] = {}
    for row in rows:
        if row["event"] is not None:
            events.setdefault(row["rule"], set()).add(row["event"])
    for number, own in events.items():
        if first_seen := plan.rules[number].first_seen:
            texts[number] = evidence.values(own, _wanted(first_seen.fields, "value"))
    for row in rows:
        first_seen = plan.rules[row["rule"]].first_seen
        if not first_seen:
            continue
        shown = row["shown"] or list(
            _named(first_seen.fields, "value", texts[row["rule"]].get(row["event"], {}), row["parts"]).values()
        )
        if None not in shown:
            found.setdefault((row["rule"], row["cause"]), []).append(" ".join(shown))
    return found


def _seen(engine: Engine, plan: Plan, evidence: Evidence) -> Iterator[Familiar]:
    """All values of all histories, as rules with `first_seen` ask for them."""
    engine.run(CREATE_KIND_SIGHTS)
    engine.run(values_sql(plan, range(len(plan.rules))))
    for number, rule in enumerate(plan.rules):
        first_seen = rule.first_seen
        if not first_seen:
            continue
        rows = engine.rows(
            "SELECT event, parts, events, first.at AS first_at, last_at FROM seen WHERE rule = $number ORDER BY event",
            {"number": number},
        )
        wanted = _wanted(first_seen.by, "by", several=False) | _wanted(first_seen.fields, "value")
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            texts = evidence.values((row["event"] for row in batch), wanted)
            for row in batch:
                event = texts.get(row["event"])
                if event is None:
                    continue
                by = {field.name: event.get(f"by_{place}") for place, field in enumerate(first_seen.by)}
                value = _named(first_seen.fields, "value", event, row["parts"])
                if None not in value.values():
                    yield Familiar(rule.info.id, by, value, row["events"], row["first_at"], row["last_at"])


def _wanted(fields: Sequence[Field], prefix: str, *, several: bool = True) -> dict[str, str]:
    """SQL for the texts of fields; of those with several values, also their hashes, to find the one that is meant."""
    wanted: dict[str, str] = {}
    for place, field in enumerate(fields):
        if several and is_several(field):
            wanted[f"{prefix}_{place}"] = texts_sql(field)
            wanted[f"{prefix}_{place}_hashes"] = f"list_transform({texts_sql(field)}, lambda text: {hash_sql('text')})"
        else:
            wanted[f"{prefix}_{place}"] = text_sql(field)
    return wanted


def _named(fields: Sequence[Field], prefix: str, event: Mapping[str, Any], parts: Sequence[int] | None) -> Named:
    """Text by field, of an event's values those whose hashes are the parts."""
    found: Named = {}
    for place, field in enumerate(fields):
        value = event.get(f"{prefix}_{place}")
        if isinstance(value, list):
            meant = dict(zip(event.get(f"{prefix}_{place}_hashes") or (), value, strict=True))
            value = meant.get(parts[place]) if parts else None
        found[field.name] = value
    return found


def _names(fields: Iterable[Field]) -> list[str]:
    return [field.name for field in fields]
