"""Who in a log is meant by a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.app.events import open_events
from kubewitness.investigate.actor_names import NobodyError, choose, group_name, is_object_id, unknown
from kubewitness.investigate.rbac.roles import SubjectKind

if TYPE_CHECKING:
    from kubewitness.app.events import Events, Logs

_USERS = """
-- One row per user that the events know: who authenticated, and as whom.
SELECT DISTINCT unnest([actor, username, impersonated_username]) AS name FROM events
"""
_GROUPS = """
-- One row per group that the events know.
SELECT DISTINCT unnest(list_concat(groups, impersonated_groups)) AS name FROM events
"""
_OF_ID = """
-- One row per user with this object id in Entra.
SELECT DISTINCT username AS name FROM events
WHERE username IS NOT NULL AND json_extract_string(user_extra, '$.oid[0]') = $id
"""
_ALL = """
-- One row per user or group, the most frequent first.
SELECT name FROM (
    SELECT unnest(list_distinct([actor, username])) AS name FROM events
    UNION ALL SELECT unnest(groups) AS name FROM events
) WHERE name IS NOT NULL GROUP BY name ORDER BY count(*) DESC, name
"""


def meant(events: Events, logs: Logs, name: str, *, groups: bool = False) -> tuple[SubjectKind, str]:
    """Who is meant: whether it is a user or a group, and the full name.

    Args:
        events: of the name, with actor, username, impersonated_username and user_extra (and groups,
            impersonated_groups).
        logs: where the events are from, to look for similar names when it is none of them.
        name: as it was typed, a service account's short form made long.
        groups: whether it may be a group.

    Raises:
        NobodyError: nobody is meant.
        UnknownActorError: several are.
    """
    if groups and (only := group_name(name)) is not None:
        groups_known = [row["name"] for row in events.rows(_GROUPS) if row["name"]]
        if group := choose(only, groups_known):
            return SubjectKind.GROUP, group
        raise _unknown(logs, only, groups=True)
    users = [row["name"] for row in events.rows(_USERS) if row["name"]]
    if user := choose(name, users):
        return SubjectKind.USER, user
    if is_object_id(name) and (user := choose("*", [row["name"] for row in events.rows(_OF_ID, {"id": name})])):
        return SubjectKind.USER, user
    if groups and (group := choose(name, [row["name"] for row in events.rows(_GROUPS) if row["name"]])):
        return SubjectKind.GROUP, group
    raise _unknown(logs, name, groups=groups)


def _unknown(logs: Logs, name: str, *, groups: bool) -> NobodyError:
    if "-" in logs.paths:  # it is read up
        return NobodyError(f"this log knows nobody called `{name}`", hint="name files to get suggestions")
    columns = ["actor", "username", "groups"]
    with open_events(logs, columns) as events:
        known = [row["name"] for row in events.rows(_ALL)]
        only_users = {
            row["name"] for row in events.rows("SELECT DISTINCT unnest([actor, username]) AS name FROM events")
        }
    return unknown(name, known if groups else [each for each in known if each in only_users])
