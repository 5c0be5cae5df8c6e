"""The lives of an object for people at a terminal; plain text of 100 columns where there is no terminal."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, TextIO

import yaml
from rich.text import Text

from kubewitness.investigate.changes import (
    Change,
    ChangeKind,
    Part,
    changes_between,
    is_noise,
    parts_of,
    value_at,
    written,
)
from kubewitness.investigate.kinds import field_manager
from kubewitness.investigate.lives import blame
from kubewitness.investigate.render.object_fields import reads_of, touches_of
from kubewitness.investigate.writes import Evidence
from kubewitness.look.console import open_console
from kubewitness.words.escape import visible
from kubewitness.words.lists import counted, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from rich.console import Console

    from kubewitness.investigate.deletions import Deletion
    from kubewitness.investigate.lives import Life, Revision
    from kubewitness.investigate.requests import Request

    Show = Callable[[Any], Any]

_LEAD = 22
_MOST_CHANGES = 16
# Said by the headline.
_GIVEN = frozenset({("metadata", name) for name in ("name", "namespace", "uid", "creationTimestamp")})
_MOST_LEVELS = 3
_LONGEST_VALUE = 200
_SIGNS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~"}
_STYLES = {ChangeKind.ADDED: "green", ChangeKind.REMOVED: "red", ChangeKind.CHANGED: "yellow"}
_COULD = {
    "status": "its status may have changed",
    "scale": "the number of its pods may have changed",
    "binding": "it was put on a node",
    None: "anything but its status may have changed",
}
_DELETED = {
    "deleted": "deleted by {}",
    "collection": "deleted with others of its kind by {}",
    "namespace": "deleted with its namespace by {}",
    "garbage": "deleted with its owner by {}",
    "evicted": "evicted by {}",
    "replaced": "gone, and the log does not say how",
}


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
        if life.deletion:
            _print_deletion(console, life.deletion)
        elif life.revisions:
            console.print(Text("still there where the log ends", style="dim"))
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
                out.write(f"# life {number} r{revision.number}: {_title(revision)}: {_could(revision)}\n")
                continue
            after = as_yaml(show(revision.state))
            name = f"life {number} r{revision.number} {_title(revision)}"
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), label, name, lineterm="", n=2)
            out.writelines(visible(line) + "\n" for line in lines)
            before, label = after, f"life {number} r{revision.number}"


def as_yaml(state: Any) -> str:
    """A state as YAML, without what the server keeps for itself."""
    return yaml.dump(_without_noise(state, ()), Dumper=_Dumper, sort_keys=False, width=10_000)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such; what is not ASCII is escaped, so nothing hides."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - whatever the value is
        """Write the same value twice rather than refer to it."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _without_noise(value: Any, path: tuple[str, ...]) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {
        key: _without_noise(each, (*path, str(key)))
        for key, each in value.items()
        if (len(path) == 0 and key in {"apiVersion", "kind"}) or not is_noise((*path, str(key)))
    }
    order = [key for key in ("apiVersion", "kind", "metadata") if not path and key in kept]
    return {key: kept[key] for key in (*order, *(key for key in kept if key not in order))}


def _print_head(console: Console, number: int, life: Life) -> None:
    by_evidence = {each: sum(revision.evidence is each for revision in life.revisions) for each in Evidence}
    known = ", ".join(f"{count} {each.about}" for each, count in by_evidence.items() if count)
    uid = f", uid {life.uid}" if life.uid else ""
    born = "" if life.is_born else "; it was there before the log begins, or its creation is missing"
    revisions = counted(len(life.revisions), "revision")
    head = Text(f"life {number}{visible(uid)}: {revisions}{f' ({known})' if known else ''}{born}", style="bold")
    for line in head.wrap(console, console.width, overflow="fold"):
        line.rstrip()
        console.print(line)


def _print_revisions(console: Console, life: Life, show: Show, *, with_status: bool) -> None:
    folded: list[Revision] = []
    before: Any = None
    folded_before: Any = None
    for revision in life.revisions:
        is_folded = not with_status and revision.number > 1 and _is_status_alone(revision)
        if folded and not (is_folded and _actor(revision.by) == _actor(folded[-1].by)):
            _print_folded(console, folded, folded_before, show)
            folded = []
        if is_folded:
            folded_before = folded_before if folded else before
            folded.append(revision)
        else:
            _print_revision(console, revision, before, show)
        before = revision.state if revision.state is not None else before
    if folded:
        _print_folded(console, folded, folded_before, show)


def _is_status_alone(revision: Revision) -> bool:
    return revision.state is not None and all(change.part is Part.STATUS for change in revision.changes)


def _print_folded(console: Console, revisions: Sequence[Revision], before: Any, show: Show) -> None:
    if len(revisions) == 1:
        _print_revision(console, revisions[0], before, show)
        return
    first, last = revisions[0], revisions[-1]
    lead = f"{_time(first.at)} r{first.number}-{last.number}"
    text = f"{counted(len(revisions), 'change')} of status by {visible(_who(first.by))}; in all"
    _print_hanging(console, Text(f"{lead:<{_LEAD}}"), Text(text, style="dim"))
    _print_changes(console, changes_between(before, last.state), before, last.state, show)


def _print_revision(console: Console, revision: Revision, before: Any, show: Show) -> None:
    lead = Text(f"{_time(revision.at)} r{revision.number}".ljust(_LEAD))
    is_striped = revision.evidence is Evidence.NONE
    lead.stylize("bold" if not is_striped else "magenta")
    text = Text(visible(_title(revision)), style="magenta" if is_striped else "")
    if not revision.is_certain and not is_striped:
        text.append(" (uncertain)", style="magenta")
    _print_hanging(console, lead, text)
    if is_striped:
        _print_hanging(
            console, Text("/ / / / / / /".rjust(_LEAD - 2).ljust(_LEAD), style="magenta"), Text(_could(revision))
        )
    for note in revision.notes:
        _print_hanging(console, Text(" " * _LEAD), Text(f"note: {visible(note)}", style="dim"))
    _print_changes(console, revision.changes, before, revision.state, show)


def _print_changes(console: Console, changes: Sequence[Change], before: Any, after: Any, show: Show) -> None:
    old, new = show(before), show(after)
    told = [each for change in changes if change.path not in _GIVEN for each in _unfolded(change)]
    for change in told[:_MOST_CHANGES]:
        style = _STYLES[change.kind]
        lead = Text(f"{_SIGNS[change.kind]} ".rjust(_LEAD), style=style)
        _print_hanging(console, lead, Text(visible(_changed(change, old, new)), style=style))
    if len(told) > _MOST_CHANGES:
        more = counted(len(told) - _MOST_CHANGES, "more field", "more fields")
        _print_hanging(console, Text(" " * _LEAD), Text(f"and {more}: --diff shows all", style="dim"))


def _unfolded(change: Change, levels: int = _MOST_LEVELS) -> Iterator[Change]:
    """A long value that came or went, part by part."""
    is_added = change.kind is ChangeKind.ADDED
    whole = change.after if is_added else change.before
    parts = parts_of(whole, change.path)
    if change.kind is ChangeKind.CHANGED or not parts or not levels or len(_json(whole)) <= _LONGEST_VALUE:
        yield change
        return
    for step, value in parts.items():
        part = Change((*change.path, step), change.kind, None if is_added else value, value if is_added else None)
        yield from _unfolded(part, levels - 1)


def _changed(change: Change, old: Any, new: Any) -> str:
    before, after = value_at(old, change.path), value_at(new, change.path)
    match change.kind:
        case ChangeKind.ADDED:
            return f"{change.where}: {_value(after)}"
        case ChangeKind.REMOVED:
            return f"{change.where}: {_value(before)}"
        case ChangeKind.CHANGED if before == after:
            return f"{change.where}: {_value(after)} (another one)"
        case ChangeKind.CHANGED:
            return f"{change.where}: {_value(before)} -> {_value(after)}"


def _value(value: Any) -> str:
    return shorten(_json(value), _LONGEST_VALUE)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)


def _title(revision: Revision) -> str:
    request = revision.request
    if request is None:
        return "somebody"
    if revision.evidence is Evidence.READ:
        return f"somebody; found in a read by {_who(request)}"
    verb, subresource = request.details.get("verb"), request.details.get("subresource")
    what = f"{verb} of {subresource}" if subresource else str(verb)
    return f"{_who(request)}: {what}"


def _who(request: Request | None) -> str:
    if request is None:
        return "somebody"
    details = request.details
    actor, username = details.get("actor"), details.get("username")
    who = f"{username} as {actor}" if username and actor and username != actor else str(actor or username or "somebody")
    program = field_manager(str(details.get("request_uri") or "")) or details.get("user_agent_family")
    return f"{who} ({program})" if program else who


def _actor(request: Request | None) -> object:
    return request.details.get("actor") if request else None


def _could(revision: Revision) -> str:
    if revision.request is None:
        version = f" at version {revision.resource_version}" if revision.resource_version else ""
        return f"changed{version}, the log has no record of it"
    could = _COULD.get(revision.request.details.get("subresource"), "it may have changed")
    return f"what was written is not recorded: {could}"


def _print_touches(console: Console, life: Life) -> None:
    for actor, action in touches_of(life):
        number = f" [{len(action.requests)}]" if len(action.requests) > 1 else ""
        text = Text(visible(f"{actor or 'somebody'} {action.text}{number}"), style="dim")
        _print_hanging(console, Text(f"{_time(action.began_at)} -".ljust(_LEAD), style="dim"), text)
    reads = reads_of(life)
    if reads:
        readers = list(dict.fromkeys(_who(request) for request in reads))
        more = f" and {len(readers) - 3} more" if len(readers) > 3 else ""  # noqa: PLR2004 - three fit on the line
        by = f"read {counted(len(reads), 'time')} by {', '.join(readers[:3])}{more}"
        _print_hanging(console, Text(" " * _LEAD), Text(visible(by), style="dim"))


def _print_deletion(console: Console, deletion: Deletion) -> None:
    who = _who(deletion.request)
    text = _DELETED[deletion.kind.value].format(visible(who))
    if not deletion.is_sure:
        text = f"perhaps {text}"
    text += f" {deletion.how}" if deletion.how else ""
    text += f", {visible(deletion.cause)}" if deletion.cause else ""
    if deletion.gone_at is None:
        text += "" if not deletion.is_sure else "; it was still there where the log ends"
    elif deletion.asked_at and (wait := (deletion.gone_at - deletion.asked_at).total_seconds()) >= 1:
        text += f"; gone after {wait:.0f} s"
    _print_hanging(
        console, Text(f"{_time(deletion.asked_at)} end".ljust(_LEAD), style="bold"), Text(text, style="bold")
    )


def _print_blame(console: Console, life: Life, show: Show) -> None:
    console.print(Text("who last set each field:", style="bold"))
    state = show(life.state)
    for each in blame(life):
        if is_noise(each.path) or each.path in _GIVEN:
            continue
        lead = f"r{each.revision.number} {_time(each.revision.at)}".ljust(_LEAD)
        text = f"{written(each.path)}: {_value(value_at(state, each.path))}  {_who(each.revision.by)}"
        _print_hanging(console, Text(lead, style="dim"), Text(visible(text)))


def _print_hanging(console: Console, lead: Text, text: Text) -> None:
    if lead.cell_len > _LEAD or not lead.plain.endswith(" "):
        console.print(lead, no_wrap=True, overflow="ignore", crop=False)
        lead = Text(" " * _LEAD)
    for index, line in enumerate(text.wrap(console, max(console.width - _LEAD, 20), overflow="fold")):
        line.rstrip()
        before = lead if index == 0 else Text(" " * _LEAD)
        console.print(before + line, no_wrap=True, overflow="ignore", crop=False)


def _time(at: datetime | None) -> str:
    return f"{at:%m-%d %H:%M:%S}" if at else " " * 14
