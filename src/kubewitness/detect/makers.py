"""Makers: who wrote the workload for which a controller made a pod.

A pod of a Deployment is made by the replicaset-controller for a ReplicaSet, which the deployment-controller made for
the Deployment, which somebody wrote. Bodies name the owner of an object, so the log tells the whole chain as long as
it goes back to the beginning. Two keys per write are kept for it: of the object that was written, and of its owner.
They are joined for hits alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubewitness.detect.correlate.matches import LIVE

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan

_WORKLOADS = "deployments replicasets daemonsets statefulsets replicationcontrollers jobs cronjobs".split()
_IS_WRITE = "verb IN ('create', 'update', 'patch') AND subresource IS NULL"
# What a controller writes into a workload that nothing owns is its bookkeeping.
_CONTROLLER = "'^system:(serviceaccount:kube-system:.*-controller|kube-controller-manager)$'"
ANY_WRITES = f"resource IN {tuple(_WORKLOADS)} AND {_IS_WRITE}"
"""What `WRITES` says of the kind of an event."""
WRITES = (
    f"{ANY_WRITES} AND coalesce(carried_out, TRUE)"
    f" AND (owner_kind IS NOT NULL OR NOT coalesce(regexp_matches(actor, {_CONTROLLER}), FALSE))"
)
"""Condition on an event: it writes a workload, and whoever did may be a maker."""

_COLUMNS = {
    "object_key": f"CASE WHEN {WRITES} THEN hash(cluster, resource, namespace, object_name) END",
    # The plural of every kind of workload is made by an s. What was refused to a controller is its maker's doing too.
    "owner_key": (
        f"CASE WHEN owner_name IS NOT NULL AND {_IS_WRITE}"
        " THEN hash(cluster, lower(owner_kind) || 's', namespace, owner_name) END"
    ),
}

_NEXT = f"""
    SELECT asked.event, written.event AS writer, written.owner_key
    FROM {{asked}} AS asked
    JOIN (
        SELECT event, object_key, owner_key, happened_at FROM candidates
        WHERE object_key IS NOT NULL AND happened_at IS NOT NULL AND {LIVE}
    ) AS written
        ON written.object_key = asked.owner_key AND written.happened_at <= asked.happened_at
    -- Who wrote it last, or, of what is owned itself, who made it.
    QUALIFY row_number() OVER (
        PARTITION BY asked.event ORDER BY (written.owner_key IS NOT NULL), written.happened_at DESC, written.event
    ) = 1
"""  # noqa: S608 - constants of this project

MAKERS = f"""
-- One row per hit on what a controller made: the event by which its workload was written last.
WITH asked AS (
    SELECT DISTINCT event, owner_key, happened_at
    FROM hits JOIN candidates USING (event)
    WHERE owner_key IS NOT NULL AND happened_at IS NOT NULL
),
first_hop AS ({_NEXT.format(asked="asked")}),
asked_again AS (
    SELECT event, first_hop.owner_key, asked.happened_at
    FROM first_hop JOIN asked USING (event) WHERE first_hop.owner_key IS NOT NULL
),
second_hop AS ({_NEXT.format(asked="asked_again")})
SELECT event, coalesce(second_hop.writer, first_hop.writer) AS writer
FROM first_hop LEFT JOIN second_hop USING (event)
WHERE first_hop.owner_key IS NULL OR second_hop.owner_key IS NULL AND second_hop.writer IS NOT NULL
"""  # noqa: S608 - constants of this project


def with_makers(plan: Plan) -> Plan:
    """A plan whose pass over candidates also keeps what `MAKERS` joins."""
    candidates = replace(
        plan.candidates,
        columns=plan.candidates.columns | dict.fromkeys(_COLUMNS, "UBIGINT"),
        values=plan.candidates.values | _COLUMNS,
    )
    return replace(plan, candidates=candidates)


def keeps_makers(plan: Plan) -> bool:
    """Whether `MAKERS` can be run."""
    return "owner_key" in plan.candidates.columns
