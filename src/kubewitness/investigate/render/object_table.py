"""The lives of an object for people at a terminal; plain text of 100 columns where there is no terminal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from rich.text import Text

from kubewitness.investigate.changes import Change, ChangeKind, changes_between
from kubewitness.investigate.render.object_fields import reads_of, touches_of
from kubewitness.investigate.render.object_words import (
    SIGNS,
    as_yaml,
    changed,
    could,
    differences,
    ending,
    known_before,
    last_set,
    life_in_words,
    stretches,
    title,
    told,
    who,
)
from kubewitness.investigate.writes import Evidence
from kubewitness.look.console import open_console, print_hanging
from kubewitness.words.escape import visible
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from rich.console import Console

    from kubewitness.investigate.lives import Life, Revision

    Show = Callable[[Any], Any]

_LEAD = 22
_MOST_CHANGES = 16
_STYLES = {ChangeKind.ADDED: "green", ChangeKind.REMOVED: "red", ChangeKind.CHANGED: "yellow"}

_print_hanging = partial(print_hanging, indent=_LEAD)


def write_lives(
    lives: Sequence[Life], show: Show, out: TextIO, *, with_status: bool = False, with_blame: bool = False
) -> None:
    """Write the lives as text.

    Args:
        lives: lives of one object.
        show: makes of a state what may be shown.
        out: where to.
        with_status: whether to list each change of status; otherwise changes of status alone that follow each other
            are one line.
        with_blame: whether to say who last set each field.
    """
    console = open_console(out)
    for number, life in enumerate(lives, 1):
        _print_head(console, number, life)
        _print_revisions(console, life, show, with_status=with_status)
        _print_touches(console, life)
        _print_ending(console, life)
        if with_blame:
            _print_blame(console, life, show)
        console.print()


def write_diffs(lives: Sequence[Life], show: Show, out: TextIO) -> None:
    """Write what each revision changed as differences between two texts of YAML."""
    for number, life in enumerate(lives, 1):
        before = ""
        label = "(nothing)"
        for revision in life.revisions:
            if revision.state is None:
                out.write(f"# life {number} r{revision.number}: {title(revision)}: {could(revision)}\n")
                continue
            after = as_yaml(show(revision.state))
            name = f"life {number} r{revision.number} {title(revision)}"
            out.writelines(visible(line) + "\n" for line in differences(before, after, label, name))
            before, label = after, f"life {number} r{revision.number}"


def _print_head(console: Console, number: int, life: Life) -> None:
    head = Text(visible(f"life {number}{life_in_words(life)}"), style="bold")
    for line in head.wrap(console, console.width, overflow="fold"):
        line.rstrip()
        console.print(line)


def _print_revisions(console: Console, life: Life, show: Show, *, with_status: bool) -> None:
    for together in stretches(life, with_status=with_status):
        before = known_before(life, together[0])
        if len(together) == 1:
            _print_revision(console, together[0], before, show)
        else:
            _print_folded(console, together, before, show)


def _print_folded(console: Console, revisions: Sequence[Revision], before: Any, show: Show) -> None:
    first, last = revisions[0], revisions[-1]
    lead = f"{_time(first.at)} r{first.number}-{last.number}"
    text = f"{counted(len(revisions), 'change')} of status by {visible(who(first.by))}; in all"
    _print_hanging(console, Text(f"{lead:<{_LEAD}}"), Text(text, style="dim"))
    _print_changes(console, changes_between(before, last.state), before, last.state, show)


def _print_revision(console: Console, revision: Revision, before: Any, show: Show) -> None:
    lead = Text(f"{_time(revision.at)} r{revision.number}".ljust(_LEAD))
    is_striped = revision.evidence is Evidence.NONE
    lead.stylize("bold" if not is_striped else "magenta")
    text = Text(visible(title(revision)), style="magenta" if is_striped else "")
    if not revision.is_certain and not is_striped:
        text.append(" (uncertain)", style="magenta")
    _print_hanging(console, lead, text)
    if is_striped:
        _print_hanging(
            console, Text("/ / / / / / /".rjust(_LEAD - 2).ljust(_LEAD), style="magenta"), Text(could(revision))
        )
    for note in revision.notes:
        _print_hanging(console, Text(" " * _LEAD), Text(f"note: {visible(note)}", style="dim"))
    _print_changes(console, revision.changes, before, revision.state, show)


def _print_changes(console: Console, changes: Sequence[Change], before: Any, after: Any, show: Show) -> None:
    old, new = show(before), show(after)
    listed = told(changes)
    for change in listed[:_MOST_CHANGES]:
        style = _STYLES[change.kind]
        lead = Text(f"{SIGNS[change.kind]} ".rjust(_LEAD), style=style)
        _print_hanging(console, lead, Text(visible(changed(change, old, new)), style=style))
    if len(listed) > _MOST_CHANGES:
        more = counted(len(listed) - _MOST_CHANGES, "more field", "more fields")
        _print_hanging(console, Text(" " * _LEAD), Text(f"and {more}: --diff shows all", style="dim"))


def _print_touches(console: Console, life: Life) -> None:
    for actor, action in touches_of(life):
        number = f" [{len(action.requests)}]" if len(action.requests) > 1 else ""
        text = Text(visible(f"{actor or 'somebody'} {action.text}{number}"), style="dim")
        _print_hanging(console, Text(f"{_time(action.began_at)} -".ljust(_LEAD), style="dim"), text)
    reads = reads_of(life)
    if reads:
        readers = list(dict.fromkeys(who(request) for request in reads))
        more = f" and {len(readers) - 3} more" if len(readers) > 3 else ""  # noqa: PLR2004 - three fit on the line
        by = f"read {counted(len(reads), 'time')} by {', '.join(readers[:3])}{more}"
        _print_hanging(console, Text(" " * _LEAD), Text(visible(by), style="dim"))


def _print_ending(console: Console, life: Life) -> None:
    text = ending(life)
    if text and life.deletion:
        lead = Text(f"{_time(life.deletion.asked_at)} end".ljust(_LEAD), style="bold")
        _print_hanging(console, lead, Text(visible(text), style="bold"))
    elif text:
        console.print(Text(text, style="dim"))


def _print_blame(console: Console, life: Life, show: Show) -> None:
    console.print(Text("who last set each field:", style="bold"))
    for name, value, revision in last_set(life, show(life.state)):
        lead = f"r{revision.number} {_time(revision.at)}".ljust(_LEAD)
        text = f"{name}: {value}  {who(revision.by)}"
        _print_hanging(console, Text(lead, style="dim"), Text(visible(text)))


def _time(at: datetime | None) -> str:
    return f"{at:%m-%d %H:%M:%S}" if at else " " * 14
