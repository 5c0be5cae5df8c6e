"""`kubewitness rbac`: the least that allows what somebody did, and what a given role would have done."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kubewitness.cli.logs import PATHS_HELP, LogOptions, warn_of
from kubewitness.cli.writing import write
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from kubewitness.investigate.rbac.answers import Observed, Replayed
    from kubewitness.investigate.rbac.propose import Folding, Proposal
    from kubewitness.investigate.rbac.roles import Manifests

_EXAMPLE = "kubewitness rbac shop/web audit.log"


class RbacFormat(StrEnum):
    """How to print it."""

    YAML = "yaml"
    TABLE = "table"
    JSON = "json"


def rbac(
    name: Annotated[
        str,
        Parameter(help="User, service account (namespace/name), or group (group:name); wildcards where one is meant."),
    ],
    /,
    *paths: Annotated[str, Parameter(help=PATHS_HELP, allow_leading_hyphen=True)],
    replay: Annotated[
        list[Path] | None,
        Parameter(help="Say what these roles and bindings would have denied; several times.", negative=()),
    ] = None,
    unused: Annotated[
        list[Path] | None,
        Parameter(help="Say which permissions of these roles were never used; several times.", negative=()),
    ] = None,
    exact: Annotated[bool, Parameter(help="Grant what was used and nothing more.", negative="")] = False,
    fold_namespaces: Annotated[
        int, Parameter(help="Grant in all namespaces what was used in so many; 0 is never.")
    ] = 5,
    fold_names: Annotated[int, Parameter(help="Grant on any name what was used on so many; 0 is never.")] = 10,
    fold_urls: Annotated[
        int, Parameter(help="Grant /part/* when so many paths below /part were used; 0 is never.")
    ] = 5,
    fold_verbs: Annotated[int, Parameter(help="Grant every verb on what was used with so many; 0 is never.")] = 0,
    default_roles: Annotated[
        bool,
        Parameter(
            help="Grant also what every user may by system:discovery, system:basic-user, system:public-info-viewer."
        ),
    ] = True,
    attack: Annotated[bool, Parameter(help="With --replay, scan for alerts and say which steps it stops.")] = True,
    reveal: Annotated[bool, Parameter(help="Show names and paths that look like credentials.", negative="")] = False,
    format: Annotated[  # noqa: A002
        RbacFormat | None,
        Parameter(name=["--format", "-f"], help="yaml for roles (the usual), table or json for what they would do."),
    ] = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Write to this file.")] = None,
    logs: LogOptions | None = None,
) -> None:
    """Write the least Role, ClusterRole and bindings that allow what somebody did in a log.

    Only requests that were allowed count. With --replay, says instead what given roles would have denied.
    """
    from kubewitness.app.investigate.rbac import propose_roles, replay_role  # noqa: PLC0415 - the engine comes with it

    options = logs or LogOptions()
    where = options.logs(paths, example=_EXAMPLE)
    if replay or unused:
        if format is RbacFormat.YAML:
            raise UsageError("what a role would have done is no YAML", hint="use --format table or json")
        manifests = _manifests([*(replay or ()), *(unused or ())])
        found = replay_role(where, name, manifests, attack=attack and bool(replay), reveal=reveal)
        warn_of(found.observed.ledger)
        text = _replayed_text(found, format, is_replay=bool(replay))
    else:
        if format is RbacFormat.TABLE:
            raise UsageError("roles are written as YAML or JSON", hint="use --format yaml, or --replay FILE")
        folding = _folding(exact, fold_namespaces, fold_names, fold_urls, fold_verbs)
        observed, proposal = propose_roles(where, name, folding, everybodys=default_roles, reveal=reveal)
        warn_of(observed.ledger)
        text = _proposed_text(observed, proposal, folding, format)
        for remark in observed.remarks:
            print(f"note: {remark}", file=sys.stderr)  # noqa: T201 - this is the front end
    write(output, lambda out: print(text, end="", file=out))


def _folding(exact: bool, namespaces: int, names: int, urls: int, verbs: int) -> Folding:
    from kubewitness.investigate.rbac.propose import EXACT, Folding  # noqa: PLC0415

    if min(namespaces, names, urls, verbs) < 0:
        raise UsageError("a threshold is below zero", hint="0 is never")
    return EXACT if exact else Folding(namespaces or None, names or None, urls or None, verbs or None)


def _manifests(files: list[Path]) -> Manifests:
    from kubewitness.investigate.rbac.manifests import read_manifests  # noqa: PLC0415
    from kubewitness.investigate.rbac.roles import Manifests  # noqa: PLC0415

    found = Manifests()
    for file in files:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is no text in UTF-8"
            raise UsageError(
                f"cannot be read: {reason}", where=str(file), hint="name a file of roles and bindings in YAML or JSON"
            ) from error
        read = read_manifests(text, str(file))
        found = Manifests((*found.roles, *read.roles), (*found.bindings, *read.bindings))
    return found


def _proposed_text(
    observed: Observed,
    proposal: Proposal,
    folding: Folding,
    format: RbacFormat | None,  # noqa: A002
) -> str:
    from kubewitness.investigate.rbac.write import to_yaml  # noqa: PLC0415
    from kubewitness.investigate.render.rbac_text import proposal_fields  # noqa: PLC0415

    if format is RbacFormat.JSON:
        return json.dumps(proposal_fields(observed, proposal), indent=2) + "\n"
    count = sum(use.count for use in observed.allowed if use.inferred is None)
    period = (
        f", {observed.first_at:%Y-%m-%d %H:%M} to {observed.last_at:%Y-%m-%d %H:%M} UTC"
        if observed.first_at and observed.last_at
        else ""
    )
    folds = [
        f"{kind} from {limit:,} on"
        for kind, limit in (
            ("namespaces", folding.namespaces), ("names", folding.names),
            ("paths", folding.urls), ("verbs", folding.verbs),
        )
        if limit
    ]  # fmt: skip
    head = [
        f"What {observed.user} used: {count:,} allowed requests{period}.",
        f"Folded: {', '.join(folds)}; --exact folds nothing." if folds else "Nothing is folded.",
        "What was not done in this time is not granted: check rare work (restores, upgrades) before use.",
        *(f"Note: {remark}." for remark in observed.remarks),
    ]
    return to_yaml(proposal, head)


def _replayed_text(found: Replayed, format: RbacFormat | None, *, is_replay: bool) -> str:  # noqa: A002
    from kubewitness.investigate.render.rbac_text import replay_fields, replay_table  # noqa: PLC0415

    if format is RbacFormat.JSON:
        return json.dumps(replay_fields(found), indent=2) + "\n"
    return replay_table(found, is_replay=is_replay)
