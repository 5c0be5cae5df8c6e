"""From the names that rules use to columns of the events table."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from kubewitness.model.errors import KubewitnessError
from kubewitness.model.event import BY_API, BY_NAME, Column

# Objects of the API whose dotted names may go on, and the column that holds them as JSON.
_BODIES = {
    "requestObject": "request_object",
    "responseObject": "response_object",
    "authenticationMetadata": "authentication_metadata",
}
# Maps: everything after the name is one key, dots and slashes included.
_MAPS = {
    "annotations": "annotations",
    "user.extra": "user_extra",
    "impersonatedUser.extra": "impersonated_extra",
}
# An object as a whole stands for the part that is always there.
_WHOLES = {
    "user": "username",
    "impersonatedUser": "impersonated_username",
    "objectRef": "resource",
    "responseStatus": "code",
}
# Names that published Sigma rules give to what the API calls otherwise.
_PUBLISHED = {"apiGroup": "api_group", "hostPath": "host_paths"}
_OTHER_NAMES = _WHOLES | _PUBLISHED


class UnknownFieldError(KubewitnessError):
    """A name that is neither the API's nor a fact."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value, or several, of an event.

    Attributes:
        name: as the rule spells it.
        column: column of the events table.
        path: keys to follow inside a JSON column, through arrays; empty for the column itself.
    """

    name: str
    column: Column
    path: tuple[str, ...] = ()


def find_field(name: str) -> Field:
    """The field of this name: an API dotted name, a column or a fact.

    Raises:
        UnknownFieldError: no event has such a field.
    """
    if column := BY_API.get(name) or BY_NAME.get(name) or BY_NAME.get(_OTHER_NAMES.get(name, "")):
        return Field(name, column)
    for prefix, column_name in _MAPS.items():
        if name.startswith(prefix + "."):
            return Field(name, BY_NAME[column_name], (name[len(prefix) + 1 :],))
    head, _, rest = name.partition(".")
    if head in _BODIES and rest:
        return Field(name, BY_NAME[_BODIES[head]], tuple(rest.split(".")))
    raise UnknownFieldError(f"no event has a field `{name}`", hint=_suggestion(name))


def is_published_name(name: str) -> bool:
    """Whether published Sigma rules call a field so, and nobody else."""
    return name in _PUBLISHED


def _suggestion(name: str) -> str:
    known = [*BY_API, *BY_NAME]
    lowered = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    by_leaf = [candidate for candidate in BY_API if candidate.rpartition(".")[2].lower() == name.lower()]
    if by_leaf or close:
        return f"did you mean `{by_leaf[0] if by_leaf else lowered[close[0]]}`?"
    return "fields are the API's dotted names, such as objectRef.resource, and the facts: see the table of columns"
