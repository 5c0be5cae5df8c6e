"""The lives of an object in words: who did what, what it changed, how it ended; for a terminal and for a page."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.investigate.changes import Change, ChangeKind, Part, is_noise, parts_of, value_at, written
from kubewitness.investigate.kinds import field_manager
from kubewitness.investigate.lives import blame
from kubewitness.investigate.writes import Evidence
from kubewitness.words.lists import counted, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubewitness.investigate.deletions import Deletion
    from kubewitness.investigate.lives import Life, Revision
    from kubewitness.investigate.requests import Request

SIGNS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~"}
_GIVEN = frozenset({("metadata", name) for name in ("name", "namespace", "uid", "creationTimestamp")})
"""Fields that the headline says."""

_MOST_LEVELS = 3
_LONGEST_VALUE = 200
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


def life_in_words(life: Life) -> str:
    """What a life is, behind its name: id, number of revisions and how they are known."""
    by_evidence = {each: sum(revision.evidence is each for revision in life.revisions) for each in Evidence}
    known = ", ".join(f"{count} {each.about}" for each, count in by_evidence.items() if count)
    uid = f", uid {life.uid}" if life.uid else ""
    born = "" if life.is_born else "; it was there before the log begins, or its creation is missing"
    return f"{uid}: {counted(len(life.revisions), 'revision')}{f' ({known})' if known else ''}{born}"


def told(changes: Iterable[Change]) -> list[Change]:
    """Changes that are worth telling; a long value that came or went is told part by part."""
    return [each for change in changes if change.path not in _GIVEN for each in _unfolded(change)]


def stretches(life: Life, *, with_status: bool) -> Iterator[list[Revision]]:
    """The revisions in their order; changes of status alone by one actor that follow each other are together.

    Args:
        life: of an object.
        with_status: whether each of these is by itself, too.
    """
    together: list[Revision] = []
    for revision in life.revisions:
        is_folded = not with_status and revision.number > 1 and _is_status_alone(revision)
        if together and not (is_folded and _actor(revision.by) == _actor(together[-1].by)):
            yield together
            together = []
        if is_folded:
            together.append(revision)
        else:
            yield [revision]
    if together:
        yield together


def known_before(life: Life, revision: Revision) -> Any:
    """The last state before a revision that is known."""
    earlier = life.revisions[: revision.number - 1]
    return next((each.state for each in reversed(earlier) if each.state is not None), None)


def differences(before: str, after: str, label: str, name: str) -> list[str]:
    """Lines of the difference of two texts."""
    return [*difflib.unified_diff(before.splitlines(), after.splitlines(), label, name, lineterm="", n=2)]


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


def changed(change: Change, old: Any, new: Any) -> str:
    """A change in a line."""
    before, after = value_at(old, change.path), value_at(new, change.path)
    match change.kind:
        case ChangeKind.ADDED:
            return f"{change.where}: {value_text(after)}"
        case ChangeKind.REMOVED:
            return f"{change.where}: {value_text(before)}"
        case ChangeKind.CHANGED if before == after:
            return f"{change.where}: {value_text(after)} (another one)"
        case ChangeKind.CHANGED:
            return f"{change.where}: {value_text(before)} -> {value_text(after)}"


def value_text(value: Any) -> str:
    """A value in a line."""
    return shorten(_json(value), _LONGEST_VALUE)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)


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


def title(revision: Revision) -> str:
    """What a revision was made by, in a line."""
    request = revision.request
    if request is None:
        return "somebody"
    if revision.evidence is Evidence.READ:
        return f"somebody; found in a read by {who(request)}"
    verb, subresource = request.details.get("verb"), request.details.get("subresource")
    what = f"{verb} of {subresource}" if subresource else str(verb)
    return f"{who(request)}: {what}"


def who(request: Request | None) -> str:
    """Who sent a request, and with which program."""
    if request is None:
        return "somebody"
    details = request.details
    actor, username = details.get("actor"), details.get("username")
    who = f"{username} as {actor}" if username and actor and username != actor else str(actor or username or "somebody")
    program = field_manager(str(details.get("request_uri") or "")) or details.get("user_agent_family")
    return f"{who} ({program})" if program else who


def _actor(request: Request | None) -> object:
    return request.details.get("actor") if request else None


def could(revision: Revision) -> str:
    """What may have changed with a revision whose state is not known."""
    if revision.request is None:
        version = f" at version {revision.resource_version}" if revision.resource_version else ""
        return f"changed{version}, the log has no record of it"
    could = _COULD.get(revision.request.details.get("subresource"), "it may have changed")
    return f"what was written is not recorded: {could}"


def _is_status_alone(revision: Revision) -> bool:
    return revision.state is not None and all(change.part is Part.STATUS for change in revision.changes)


def ending(life: Life) -> str | None:
    """How a life ended, or that it did not; None for one of which nothing is known."""
    if life.deletion:
        return _end(life.deletion)
    return "still there where the log ends" if life.revisions else None


def last_set(life: Life, state: Any) -> Iterator[tuple[str, str, Revision]]:
    """Each field of the last state that is worth telling: its name, its value, and the revision that set it.

    Args:
        life: of the object.
        state: its last state, as it may be shown.
    """
    for each in blame(life):
        if not is_noise(each.path) and each.path not in _GIVEN:
            yield written(each.path), value_text(value_at(state, each.path)), each.revision


def _end(deletion: Deletion) -> str:
    """How an object ended, or was asked to."""
    by = who(deletion.request)
    text = _DELETED[deletion.kind.value].format(by)
    if not deletion.is_sure:
        text = f"perhaps {text}"
    text += f" {deletion.how}" if deletion.how else ""
    text += f", {deletion.cause}" if deletion.cause else ""
    if deletion.gone_at is None:
        text += "" if not deletion.is_sure else "; it was still there where the log ends"
    elif deletion.asked_at and (wait := (deletion.gone_at - deletion.asked_at).total_seconds()) >= 1:
        text += f"; gone after {wait:.0f} s"
    return text
