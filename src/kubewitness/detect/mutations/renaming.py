"""The same, done by people of Entra ID instead of whoever did it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from kubewitness.detect.cases import Case, Event

_PEOPLE = ("jane.doe", "john.roe", "mary.major", "richard.miles")
_OWN_GROUPS = ("system:serviceaccounts", "system:nodes", "system:masters")
_REASON_SUBJECT = re.compile(r' to (?:User|ServiceAccount|Group) "[^"]*"$')


class Renamer:
    """Gives everybody in a case the name of an Entra user, and different people different names."""

    def __init__(self, case: Case) -> None:
        """Choose the names."""
        names = list(dict.fromkeys(filter(None, map(_username, case.events))))
        self._names = {
            name: f"{_PEOPLE[number % len(_PEOPLE)]}{number // len(_PEOPLE) or ''}@fabrikam.example"
            for number, name in enumerate(names)
        }

    def rename(self, event: Event) -> Event | None:
        """The event as done by the person that its user has become; None where it names no user."""
        if not (old := _username(event)):
            return None
        new = self._names[old]
        user = event["user"]
        user["username"] = new
        user.pop("uid", None)
        if isinstance(groups := user.get("groups"), list):
            kept = [group for group in groups if not str(group).startswith(_OWN_GROUPS)]
            user["groups"] = [str(uuid5(NAMESPACE_URL, "group")), *kept]
        if "extra" in user:
            user["extra"] = {"oid": [str(uuid5(NAMESPACE_URL, new))]}
        status = event.get("responseStatus")
        if isinstance(status, dict) and isinstance(message := status.get("message"), str):
            status["message"] = message.replace(f'User "{old}"', f'User "{new}"')
        annotations = event.get("annotations")
        reason = "authorization.k8s.io/reason"
        if isinstance(annotations, dict) and isinstance(text := annotations.get(reason), str):
            annotations[reason] = _REASON_SUBJECT.sub(f' to User "{new}"', text)
        for body in ("requestObject", "responseObject"):
            if body in event:
                event[body] = self._in_body(event[body], old, new)
        return event

    def _in_body(self, value: Any, old: str, new: str) -> Any:
        """The body with the user's name changed where it means the user: in subjects and reviews."""
        match value:
            case {"kind": "User", "name": str(name)} if name == old:
                return {**value, "name": new}
            case dict():
                return {
                    key: new if key in {"user", "username"} and item == old else self._in_body(item, old, new)
                    for key, item in value.items()
                }
            case list():
                return [self._in_body(item, old, new) for item in value]
            case _:
                return value


def _username(event: Event) -> str | None:
    user = event.get("user")
    name = user.get("username") if isinstance(user, dict) else None
    return name if isinstance(name, str) and name else None
