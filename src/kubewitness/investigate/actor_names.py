"""Names of actors as people type them, and which of those in a log they mean."""

from __future__ import annotations

import difflib
import re
from fnmatch import translate
from typing import TYPE_CHECKING

from kubewitness.model.errors import KubewitnessError
from kubewitness.query.fields import find_field
from kubewitness.query.predicate import Operator, Or, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.query.predicate import Predicate

_SHORT = re.compile(r"(?:sa:|serviceaccount:)?(?P<namespace>[a-z0-9*?][a-z0-9*?.-]*)/(?P<name>[a-z0-9*?][a-z0-9*?.-]*)")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GROUP = "group:"
OBJECT_ID = "user.extra.oid"
_SHOWN = 5
_SUBJECTS = ("actor", "username", "impersonated_username")
_GROUPS = ("groups", "impersonated_groups")


class UnknownActorError(KubewitnessError):
    """A log knows nobody of a name, or several."""


class NobodyError(UnknownActorError):
    """A log knows nobody of a name."""


def user_name(text: str) -> str:
    """The user name that is meant: `namespace/name` is a service account, everything else is as it stands."""
    short = _SHORT.fullmatch(text)
    return f"system:serviceaccount:{short['namespace']}:{short['name']}" if short else text


def group_name(text: str) -> str | None:
    """The group that `group:name` means; None where it does not say that it is a group."""
    return text.removeprefix(_GROUP) if text.startswith(_GROUP) else None


def is_pattern(name: str) -> bool:
    """Whether a name has wildcards."""
    return "*" in name or "?" in name


def is_about(name: str, *, groups: bool = False) -> Predicate:
    """Holds of events of those whom a name or pattern means, and of those who acted as them.

    Args:
        name: as `user_name` gives it.
        groups: whether members of a group of that name count.
    """
    name = (group_name(name) or name) if groups else name
    operator, text = (Operator.LIKE, name.replace("\\", "\\\\")) if is_pattern(name) else (Operator.EQUALS, name)
    columns = (*_SUBJECTS, *(_GROUPS if groups else ()), *((OBJECT_ID,) if is_object_id(name) else ()))
    return Or(tuple(Text(find_field(column), operator, text, cased=True) for column in columns))


def is_object_id(name: str) -> bool:
    """Whether a name may be an object id of Entra, which stands beside a user's name."""
    return _GUID.fullmatch(name) is not None


def choose(name: str, known: Iterable[str]) -> str | None:
    """The one of these that a name or pattern means; None when there is none.

    Raises:
        UnknownActorError: a pattern means several.
    """
    if not is_pattern(name):
        return name if name in set(known) else None
    pattern = re.compile(translate(name.replace("[", "[[]")))
    found = sorted({each for each in known if pattern.match(each)})
    if len(found) > 1:
        raise UnknownActorError(f"`{name}` is {len(found):,} in this log", hint=f"name one of them: {_listed(found)}")
    return found[0] if found else None


def unknown(name: str, known: Sequence[str]) -> NobodyError:
    """The error that says that nobody has this name, and who is meant perhaps."""
    lowered = {each.lower(): each for each in known}
    close = [lowered[each] for each in difflib.get_close_matches(name.lower(), lowered, n=_SHOWN, cutoff=0.6)]
    last = re.split("[:/]", name.lower())[-1].strip("*?")
    close += [each for each in known if last and last in each.lower() and each not in close]
    if close:
        hint = f"did you mean {_listed(close)}?"
    elif known:
        hint = f"it knows {_listed(known)}"
    else:
        hint = "the log has no events of this period"
    return NobodyError(f"this log knows nobody called `{name}`", hint=hint)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
