"""What is answered about rights: fields for JSON, tables for people."""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.table import Table

from kubewitness.investigate.rbac.replay import StepState
from kubewitness.look.console import open_console
from kubewitness.words.escape import visible
from kubewitness.words.plain import ledger_fields, rfc3339

if TYPE_CHECKING:
    from rich.console import Console

    from kubewitness.investigate.rbac.access import Access, Use
    from kubewitness.investigate.rbac.answers import Observed, Replayed
    from kubewitness.investigate.rbac.propose import Proposal

_MOST = 40
_LONGEST_PLACE = 22


def proposal_fields(observed: Observed, proposal: Proposal) -> dict[str, Any]:
    """What was used, and the roles that allow it."""
    return {
        **_observed_fields(observed),
        "roles": [
            {
                "kind": "ClusterRole" if role.namespace is None else "Role",
                "name": role.name,
                "namespace": role.namespace,
                "rules": [
                    {
                        "verbs": list(each.rule.verbs),
                        "apiGroups": list(each.rule.groups),
                        "resources": list(each.rule.resources),
                        "resourceNames": list(each.rule.names),
                        "nonResourceURLs": list(each.rule.urls),
                        "folded": list(each.folded),
                        "uses": [_use_fields(use) for use in each.uses],
                    }
                    for each in role.rules
                ],
            }
            for role in proposal.roles
        ],
        "left_out": [_use_fields(use) for use in proposal.left_out],
    }


def replay_fields(found: Replayed) -> dict[str, Any]:
    """What roles would have done."""
    return {
        **_observed_fields(found.observed),
        "remarks": list(found.remarks),
        "denied": [
            {
                **_access_fields(each.access),
                "count": each.count,
                "last_at": rfc3339(each.last_at),
                "uses": [_use_fields(use) for use in each.uses],
            }
            for each in found.denied
        ],
        "gained": [_use_fields(use) for use in found.gained],
        "steps": [
            {
                "rule_id": step.rule_id,
                "title": step.title,
                "severity": step.severity,
                "first_at": rfc3339(step.first_at),
                "state": step.state.value,
                "denied": step.denied,
                "requests": step.requests,
            }
            for step in found.steps
        ],
        "permissions": [
            {
                "role": each.role,
                "rule": each.rule,
                "verb": each.verb,
                "what": each.what,
                "namespace": each.namespace,
                "names": list(each.names),
                "count": each.count,
                "last_at": rfc3339(each.last_at),
                "used_as": list(each.used_as),
            }
            for each in found.permissions
        ],
    }


def _observed_fields(observed: Observed) -> dict[str, Any]:
    subject = observed.subject
    return {
        "subject": {"kind": subject.kind.value, "name": subject.name, "namespace": subject.namespace or None},
        "groups": list(observed.groups),
        "first_at": rfc3339(observed.first_at),
        "last_at": rfc3339(observed.last_at),
        "undecided": observed.undecided,
        "remarks": list(observed.remarks),
        "ledger": ledger_fields(observed.ledger),
    }


def _access_fields(access: Access) -> dict[str, Any]:
    return {
        "verb": access.verb,
        "api_group": access.group if access.is_for_resource else None,
        "resource": access.resource or None,
        "subresource": access.subresource or None,
        "namespace": access.namespace or None,
        "name": access.name or None,
        "path": access.path or None,
    }


def _use_fields(use: Use) -> dict[str, Any]:
    return {
        **_access_fields(use.access),
        "count": use.count,
        "first_at": rfc3339(use.first_at),
        "last_at": rfc3339(use.last_at),
        "inferred": use.inferred.value if use.inferred else None,
        "example": use.example or None,
    }


def replay_table(found: Replayed, *, is_replay: bool) -> str:
    """What roles would have done, for people."""
    out = io.StringIO()
    console = open_console(out)
    observed = found.observed
    console.print(visible(f"{observed.subject.kind.value} {observed.user}"))
    asked = sum(use.count for use in observed.allowed if use.inferred is None)
    if is_replay:
        denied = sum(use.count for each in found.denied for use in each.uses if use.inferred is None)
        console.print(f"{denied:,} of {asked:,} allowed requests would have been denied")
        _print_denied(console, found)
        _print_steps(console, found)
    _print_permissions(console, found)
    for remark in found.remarks:
        console.print(visible(f"note: {remark}"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _print_denied(console: Console, found: Replayed) -> None:
    if found.denied:
        table = _table("WOULD BE DENIED", "COUNT", "LAST (UTC)", "NAMES", "EXAMPLE")
        for each in found.denied[:_MOST]:
            table.add_row(
                visible(str(each.access)),
                f"{each.count:,}",
                f"{each.last_at:%Y-%m-%d %H:%M}" if each.last_at else "",
                visible(", ".join(each.names)),
                _tail((each.examples or ("",))[0]),
            )
        console.print(table)
        _more(console, len(found.denied))
    if found.gained:
        console.print(f"{sum(use.count for use in found.gained):,} requests were denied that it would allow:")
        for use in found.gained[:_MOST]:
            console.print(visible(f"  {use.access} ({use.count:,})"))
        _more(console, len(found.gained))


def _tail(place: str) -> str:
    """The end of a place, which tells more than its beginning."""
    return visible(place if len(place) <= _LONGEST_PLACE else f"...{place[-_LONGEST_PLACE:]}")


def _print_steps(console: Console, found: Replayed) -> None:
    if not found.steps:
        return
    counts = Counter(step.state for step in found.steps)
    console.print(
        "\nattack steps: " + ", ".join(f"{counts[state]:,} {state.value}" for state in StepState if counts[state])
    )
    table = _table("WHEN (UTC)", "ALERT", "SEVERITY", "OUTCOME", "DENIED")
    for step in found.steps[:_MOST]:
        table.add_row(
            f"{step.first_at:%Y-%m-%d %H:%M:%S}" if step.first_at else "",
            visible(step.title),
            step.severity,
            step.state.value,
            f"{step.denied:,}/{step.requests:,}" if step.requests else "",
        )
    console.print(table)
    _more(console, len(found.steps))


def _print_permissions(console: Console, found: Replayed) -> None:
    never = [each for each in found.permissions if not each.is_used]
    wide = [each for each in found.permissions if each.used_as]
    console.print(f"\n{len(never):,} of {len(found.permissions):,} permissions were never used")
    if never:
        table = _table("NEVER USED", "WHERE", "RULE OF")
        for each in never[:_MOST]:
            names = f" ({', '.join(each.names)})" if each.names else ""
            table.add_row(
                visible(f"{each.verb} {each.what}{names}"),
                visible(each.namespace or "cluster"),
                visible(f"{each.role} [{each.rule}]"),
            )
        console.print(table)
        _more(console, len(never))
    for each in wide[:_MOST]:
        shown = ", ".join(each.used_as[:5]) + (f" and {len(each.used_as) - 5} more" if len(each.used_as) > 5 else "")  # noqa: PLR2004
        console.print(visible(f"{each.verb} {each.what} was used for: {shown}"))


def _table(*headers: str) -> Table:
    table = Table(*headers, box=None, pad_edge=False, header_style="dim")
    for column in table.columns:
        column.overflow = "fold"
    return table


def _more(console: Console, count: int) -> None:
    if count > _MOST:
        console.print(f"  and {count - _MOST:,} more: --format json")
