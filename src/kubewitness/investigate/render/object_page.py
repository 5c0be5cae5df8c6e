"""The lives of an object as one page that loads nothing: a strip per life, its revisions, who set each field."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kubewitness.investigate.changes import ChangeKind, changes_between, value_at
from kubewitness.investigate.render.object_fields import reads_of, touches_of
from kubewitness.investigate.render.object_words import (
    SIGNS,
    as_yaml,
    could,
    differences,
    ending,
    known_before,
    last_set,
    life_in_words,
    stretches,
    title,
    told,
    value_text,
    who,
)
from kubewitness.investigate.render.pages import page
from kubewitness.investigate.writes import Evidence
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from kubewitness.investigate.changes import Change
    from kubewitness.investigate.lives import Life, Revision
    from kubewitness.model.ledger import Ledger, Origin

    Show = Callable[[Any], Any]

_LEAST_SHARE = 1.5
_MOST_LINES = 400
_KINDS = (("change", "changes"), ("status", "status"), ("gap", "not recorded"), ("touch", "without change"))


@dataclass(frozen=True, slots=True)
class _Segment:
    """A stretch of time in the strip of a life.

    Attributes:
        share: of the strip's width, in percent.
        tone: `known`, `uncertain` or `gap`.
        label: what it is.
        anchor: number of the revision where it is told of.
    """

    share: float
    tone: str
    label: str
    anchor: int


@dataclass(frozen=True, slots=True)
class _Item:
    """What is listed of a life, in the order of time.

    Attributes:
        kind: one of `_KINDS`.
        anchor: the number of the revision, for links.
        lead: number or numbers of revisions, or nothing.
        at: when.
        title: who did what.
        tags: how it is known, and what is uncertain.
        notes: further sentences.
        changes: sign, class, field, value before, value after.
        lines: class and text of each line of the difference of YAML.
        left_out: lines of it that are not shown.
        origins: file and line of its records.
    """

    kind: str
    anchor: int
    lead: str
    at: datetime | None
    title: str
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    changes: tuple[tuple[str, str, str, str, str], ...] = ()
    lines: tuple[tuple[str, str], ...] = ()
    left_out: int = 0
    origins: tuple[Origin, ...] = ()


def to_page(
    name: str, lives: Sequence[Life], show: Show, *, summary: str, remarks: Sequence[str], ledger: Ledger
) -> str:
    """The whole page.

    Args:
        name: of the object.
        lives: of that name.
        show: makes of a state what may be shown.
        summary: of what was looked at, in a sentence.
        remarks: what was left out.
        ledger: what became of every record.
    """
    told_lives = [told_life(number, life, show) for number, life in enumerate(lives, 1)]
    present = {item.kind for life in told_lives for item in life["items"]}
    kinds = [(kind, label) for kind, label in _KINDS if kind in present]
    return page("object", name=name, summary=summary, remarks=remarks, lives=told_lives, kinds=kinds, ledger=ledger)


def told_life(number: int, life: Life, show: Show) -> dict[str, Any]:
    """A life as the template takes it."""
    return {
        "number": number,
        "head": life_in_words(life).removeprefix(", ").removeprefix(": "),
        "strip": _strip(life),
        "began_at": next((each.at for each in life.revisions if each.at), None),
        "ended_at": _ended_at(life),
        "items": _in_order([*_revisions(number, life, show), *_touches(life)]),
        "reads": _reads(life),
        "ending": ending(life),
        "deletion": life.deletion,
        "fields": list(_fields(life, show)),
        "state": as_yaml(show(life.state)).splitlines() if life.state is not None else [],
    }


def _in_order(items: list[_Item]) -> list[_Item]:
    """By time; what has none stays behind what it followed."""
    ordered: list[tuple[datetime | None, int, _Item]] = []
    last: datetime | None = None
    for place, item in enumerate(items):
        last = item.at or last
        ordered.append((last, place, item))
    return [item for at, place, item in sorted(ordered, key=lambda each: (each[0] is not None, each[0], each[1]))]


def _revisions(life_number: int, life: Life, show: Show) -> Iterator[_Item]:
    for together in stretches(life, with_status=False):
        before = known_before(life, together[0])
        if len(together) > 1:
            yield _folded(life_number, together, before, show)
        else:
            yield _revision(life_number, together[0], before, show)


def _folded(life_number: int, together: Sequence[Revision], before: Any, show: Show) -> _Item:
    first, last = together[0], together[-1]
    lines, left_out = _difference(life_number, before, last, show)
    return _Item(
        kind="status",
        anchor=first.number,
        lead=f"r{first.number}-{last.number}",
        at=first.at,
        title=f"{who(first.by)}: {counted(len(together), 'change')} of status; in all",
        changes=_changes(changes_between(before, last.state), before, last.state, show),
        lines=lines,
        left_out=left_out,
        origins=tuple(origin for each in together if each.request for origin in each.request.origins),
    )


def _revision(life_number: int, revision: Revision, before: Any, show: Show) -> _Item:
    is_gap = revision.evidence is Evidence.NONE
    is_status = bool(revision.changes) and all(change.part.value == "status" for change in revision.changes)
    lines, left_out = ((), 0) if revision.state is None else _difference(life_number, before, revision, show)
    return _Item(
        kind="gap" if is_gap else "status" if is_status else "change",
        anchor=revision.number,
        lead=f"r{revision.number}",
        at=revision.at,
        title=title(revision),
        tags=(revision.evidence.about, *(() if revision.is_certain or is_gap else ("uncertain",))),
        notes=(*((could(revision),) if is_gap else ()), *revision.notes),
        changes=_changes(revision.changes, before, revision.state, show),
        lines=lines,
        left_out=left_out,
        origins=revision.request.origins if revision.request else (),
    )


def _changes(
    changes: Sequence[Change], before: Any, after: Any, show: Show
) -> tuple[tuple[str, str, str, str, str], ...]:
    old, new = show(before), show(after)
    found = []
    for change in told(changes):
        was, now = value_at(old, change.path), value_at(new, change.path)
        is_other = change.kind is ChangeKind.CHANGED and was == now  # both are redacted
        found.append(
            (
                SIGNS[change.kind],
                change.kind.value,
                change.where,
                "" if change.kind is ChangeKind.ADDED else value_text(was),
                "" if change.kind is ChangeKind.REMOVED else value_text(now) + (" (another one)" if is_other else ""),
            )
        )
    return tuple(found)


def _difference(
    life_number: int, before: Any, revision: Revision, show: Show
) -> tuple[tuple[tuple[str, str], ...], int]:
    old = as_yaml(show(before)) if before is not None else ""
    name = f"life {life_number} r{revision.number}"
    lines = differences(old, as_yaml(show(revision.state)), "before" if old else "(nothing)", name)
    shown = tuple((_line_class(line), line) for line in lines[:_MOST_LINES])
    return shown, len(lines) - len(shown)


def _line_class(line: str) -> str:
    if line.startswith(("+++", "---", "@@")):
        return "place"
    return {"+": "added", "-": "removed"}.get(line[:1], "same")


def _touches(life: Life) -> Iterator[_Item]:
    for actor, action in touches_of(life):
        number = f", {counted(len(action.requests), 'request')}" if len(action.requests) > 1 else ""
        yield _Item(
            kind="touch",
            anchor=0,
            lead="",
            at=action.began_at,
            title=f"{actor or 'somebody'} {action.text}{number}",
            origins=tuple(origin for request in action.requests for origin in request.origins),
        )


def _reads(life: Life) -> str | None:
    reads = reads_of(life)
    if not reads:
        return None
    readers: dict[str, int] = {}
    for request in reads:
        readers[who(request)] = readers.get(who(request), 0) + 1
    listed = ", ".join(f"{name} ({count:,})" for name, count in sorted(readers.items(), key=lambda each: -each[1]))
    return f"Read {counted(len(reads), 'time')}: {listed}."


def _ended_at(life: Life) -> datetime | None:
    if life.deletion and (at := life.deletion.gone_at or life.deletion.asked_at):
        return at
    return max((each.at for each in life.revisions if each.at), default=None)


def _strip(life: Life) -> list[_Segment]:
    """The life from its first revision to its end, a segment from each revision to the next; gaps are told apart."""
    anchors = {each.number: some[0].number for some in stretches(life, with_status=False) for each in some}
    dated = [each for each in life.revisions if each.at]
    end = _ended_at(life)
    if not dated or end is None:
        return []
    times = [each.at for each in dated if each.at] + [end]
    spans = [max((after - at).total_seconds(), 0.0) for at, after in pairwise(times)]
    whole = sum(spans)
    shares = [max(100 * span / whole, _LEAST_SHARE) if whole else 1.0 for span in spans]
    return [
        _Segment(
            share=100 * share / sum(shares),
            tone="gap" if each.state is None else "known" if each.is_certain else "uncertain",
            label=f"r{each.number} from {each.at:%Y-%m-%d %H:%M:%S}: {each.evidence.about}",
            anchor=anchors[each.number],
        )
        for each, share in zip(dated, shares, strict=True)
    ]


def _fields(life: Life, show: Show) -> Iterator[tuple[str, str, Revision, str]]:
    """Each field of the last state: its name, its value, the revision that set it, and who that was."""
    for name, value, revision in last_set(life, show(life.state)):
        yield name, value, revision, who(revision.by)
