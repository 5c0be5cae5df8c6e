"""Actions in words: "kubectl apply of 14 objects, first deployment web (namespace shop)"."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from kubewitness.investigate.kinds import ActionKind, Sort, is_dry_run, is_kubectl, release_of
from kubewitness.investigate.requests import Ending
from kubewitness.words.lists import counted, listed, shorten
from kubewitness.words.objects import Object, distinct_objects, plural, summarize
from kubewitness.words.verbs import as_attempt, infinitive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.investigate.requests import Request

_MOST_NAMED = 3
_LONGEST_COMMAND = 120
_FAILED = {
    401: "not authenticated (401)",
    403: "refused (403)",
    404: "not found (404)",
    409: "in conflict (409)",
    422: "invalid (422)",
    429: "put off (429)",
}
_SHELL = re.compile(r"(?:/\S*/)?(?:ba|z|a|da|k|c|tc)?sh|(?:/\S*/)?(?:pwsh|powershell|cmd)(?:\.exe)?", re.IGNORECASE)
_COPY_OUT = re.compile(r"tar (?:-?c\w*f|cf) - (?P<path>\S.*)")
_COPY_IN = re.compile(r"tar (?:-?x\w*f\w*|xf|xmf) -.*?(?:-C (?P<path>\S+))?$")

_VERBS = {
    ActionKind.DISCOVERY: "discovery",
    ActionKind.HEALTH: "health checks",
    ActionKind.LEASE: "kept leases",
    ActionKind.REPORT: "wrote Kubernetes events",
    ActionKind.ASK_OWN_RIGHTS: "asked what they may do",
    ActionKind.ASK_RIGHTS: "asked who somebody is or what they may do",
}
_PHRASES = {
    ActionKind.LOGS: "read logs of {}",
    ActionKind.ATTACH: "attached to {}",
    ActionKind.PORT_FORWARD: "forwarded a port of {}",
    ActionKind.PROXY: "sent requests through {}",
    ActionKind.DEBUG: "added a debug container to {}",
    ActionKind.TOKEN: "requested a token for {}",
    ActionKind.EVICT: "evicted {}",
    ActionKind.APPROVE: "approved {}",
    ActionKind.SCALE: "scaled {}",
    ActionKind.STATUS: "wrote the status of {}",
    ActionKind.CREATE: "created {}",
    ActionKind.UPDATE: "updated {}",
    ActionKind.PATCH: "patched {}",
    ActionKind.DELETE: "deleted {}",
    ActionKind.GET: "read {}",
    ActionKind.WATCH: "watched {}",
    ActionKind.PATH: "read {}",
}


def phrase(sort: Sort, requests: Sequence[Request], beside: Sequence[Request] = ()) -> str:
    """A phrase for an action that begins with a verb and does not say who did it.

    Args:
        sort: what the requests are part of.
        requests: what the action is about; at least one.
        beside: requests that were made for these.

    Returns:
        The phrase. Text from the log stands in it as it is.
    """
    text = _text(sort, requests, beside)
    if all(request.is_failed for request in requests) and infinitive(text.partition(" ")[0]):
        text = as_attempt(text)
    dry = " (dry run)" if requests and all(is_dry_run(request.details) for request in requests) else ""
    return text + dry + _outcome(sort, requests)


def _text(sort: Sort, requests: Sequence[Request], beside: Sequence[Request]) -> str:
    details = [request.details for request in requests]
    objects = distinct_objects(details)
    what = summarize(objects) or "something that the log does not name"
    if sort.kind in _VERBS:
        return f"{_VERBS[sort.kind]}: {counted(len(requests), 'request')}"
    match sort.kind:
        case ActionKind.EXEC:
            return _exec(requests, what)
        case ActionKind.APPLY:
            return _apply(sort, requests, objects, beside)
        case ActionKind.KUBECTL:
            return f"kubectl {sort.group[0]} of {what}"
        case ActionKind.HELM:
            return _helm(requests)
        case ActionKind.LIST:
            return _list(requests, objects)
        case ActionKind.DESCRIBE:
            described = summarize(distinct_objects([request.details for request in beside]))
            return f"kubectl describe of {described or what}"
        case ActionKind.PROBE:
            return _probe(requests, objects)
        case ActionKind.DELETE if any(request.details.get("verb") == "list" for request in beside):
            return f"listed and deleted {what}"
        case ActionKind.GET if is_kubectl(details[0]) and len(sort.group) == 1:
            return f"kubectl get of {what}"
        case ActionKind.OTHER:
            return f"{sort.group[0] or 'requested'} {what}"
        case _:
            return _with_subresource(_PHRASES[sort.kind].format(_what(sort, objects, what)), sort)


def _what(sort: Sort, objects: Sequence[Object], what: str) -> str:
    if sort.kind is not ActionKind.WATCH:
        return what
    resources = list(dict.fromkeys(plural(each.resource) for each in objects))
    return listed(resources, "kind", "kinds") if resources else what


def _with_subresource(text: str, sort: Sort) -> str:
    subresource = next((each for each in sort.group[1:] if each != "dry run"), None)
    return f"{text} ({subresource})" if subresource else text


def _exec(requests: Sequence[Request], what: str) -> str:
    commands = [str(request.details.get("exec_command") or "") for request in requests]
    others = list(dict.fromkeys(command for command in commands if command and not _SHELL.fullmatch(command)))
    if not any(commands):
        return f"ran {counted(len(requests), 'command')} that the log does not give in {what}"
    shells = sum(_SHELL.fullmatch(command) is not None for command in commands)
    if shells:
        opened = "opened a shell" if shells == 1 else f"opened {shells:,} shells"
        ran = f" and ran {counted(len(others), 'command')}: {_commands(others)}" if others else ""
        return f"{opened} in {what}{ran}"
    if len(others) == 1:
        if copied := _COPY_OUT.match(others[0]):
            return f"copied {shorten(copied['path'], _LONGEST_COMMAND)} out of {what}"
        if copied := _COPY_IN.match(others[0]):
            return f"copied files into {what}" + (f" ({copied['path']})" if copied["path"] else "")
        return f"ran {_commands(others)} in {what}"
    return f"ran {counted(len(requests), 'command')} in {what}: {_commands(others)}"


def _commands(commands: Sequence[str]) -> str:
    return listed([f"`{shorten(command, _LONGEST_COMMAND)}`" for command in commands])


def _apply(sort: Sort, requests: Sequence[Request], objects: Sequence[Object], beside: Sequence[Request]) -> str:
    by = sort.group[0] if sort.group else ""
    command = f"apply by {by}" if by else "kubectl apply"
    created = sum(request.details.get("verb") == "create" or request.code == 201 for request in requests)  # noqa: PLR2004
    looked_at = distinct_objects([request.details for request in beside])
    unchanged = len({each.path for each in looked_at} - {each.path for each in objects})
    number = len(objects) + unchanged
    parts = [f"{created} created"] if 0 < created < number else ["created"] if created else []
    parts += [f"{unchanged} unchanged"] if unchanged else []
    how = f" ({', '.join(parts)})" if parts else ""
    if number <= 1:
        return f"{command} of {summarize(objects) or 'an object'}{how}"
    first = f", first {objects[0].in_words}" if objects else ""
    return f"{command} of {number:,} objects{how}{first}"


def _helm(requests: Sequence[Request]) -> str:
    written = [
        (release, str(request.details.get("verb")))
        for request in requests
        if (release := release_of(request.details)) and request.details.get("verb") not in {"get", "list", "watch"}
    ]
    others = len({each.path for each in distinct_objects([request.details for request in requests])})
    if not written:
        return f"helm read of {counted(others, 'object')}"
    names = list(dict.fromkeys(name for (name, _), _ in written))
    parts = []
    for name in names:
        verbs = {(revision, verb) for (each, revision), verb in written if each == name}
        newest = max(revision for revision, _ in verbs)
        if any(verb == "create" for _, verb in verbs):
            parts.append(f"helm install of {name}" if newest == 1 else f"helm upgrade of {name} (revision {newest})")
        elif all(verb == "delete" for _, verb in verbs):
            parts.append(f"helm uninstall of {name}")
        else:
            parts.append(f"helm update of {name} (revision {newest})")
    return f"{listed(parts)}: {counted(len(requests), 'request')}"


def _list(requests: Sequence[Request], objects: Sequence[Object]) -> str:
    verb = "kubectl get of" if all(is_kubectl(request.details) for request in requests) else "listed"
    resources = list(dict.fromkeys(plural(each.resource) for each in objects))
    if len(resources) <= 1:
        return f"{verb} {summarize(objects) or 'objects'}"
    return f"{verb} {len(resources):,} kinds of objects ({listed(resources)}){_place(objects)}"


def _place(objects: Sequence[Object]) -> str:
    namespaces = list(dict.fromkeys(each.namespace for each in objects if each.namespace))
    if not namespaces or any(each.is_collection and not each.namespace for each in objects):
        return ", of the whole cluster"
    return f" in namespace {namespaces[0]}" if len(namespaces) == 1 else f" in {len(namespaces):,} namespaces"


def _probe(requests: Sequence[Request], objects: Sequence[Object]) -> str:
    resources = list(dict.fromkeys(plural(each.resource) for each in objects))
    kinds = counted(len(resources), "kind of objects", "kinds of objects")
    return f"made {counted(len(requests), 'read')} of {kinds} ({listed(resources)}){_place(objects)}"


def _outcome(sort: Sort, requests: Sequence[Request]) -> str:
    codes = Counter(request.code for request in requests if request.is_failed)
    parts = []
    for code, number in codes.most_common(_MOST_NAMED):
        what = _FAILED.get(code or 0, f"failed ({code})" if code else "failed")
        parts.append(what if number == len(requests) else f"{number:,} {what}")
    endings = Counter(request.ending for request in requests)
    for ending, number in endings.items():
        is_said = ending in {Ending.NEVER, Ending.PANICKED} or (
            ending is Ending.OPEN and sort.kind is not ActionKind.WATCH
        )
        if is_said:
            parts.append(ending.about if number == len(requests) else f"{number:,} {ending.about}")
    longest = max((request.duration_s or 0 for request in requests), default=0)
    is_stream = sort.kind in {ActionKind.EXEC, ActionKind.ATTACH, ActionKind.PORT_FORWARD}
    if is_stream and longest >= 1:
        parts.append(f"for {duration(longest)}")
    return f"; {', '.join(parts)}" if parts else ""


def duration(seconds: float) -> str:
    """A length of time in one unit or two: "850 ms", "4.2 s", "3 min", "2 h 5 min", "3 d 4 h"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"
