"""What is said about events: match, alert, report."""

from __future__ import annotations

# These are read at run time: alerts are written to and read from JSON by their types.
from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kubewitness.model.ledger import Origin

if TYPE_CHECKING:
    from kubewitness.model.exception import ClusterPlatform, ExceptionUse
    from kubewitness.model.ledger import Ledger


class Severity(StrEnum):
    """How bad, in rising order. Source: Sigma specification, `level`."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position from 0 (informational) to 4 (critical)."""
        return list(Severity).index(self)


class Confidence(StrEnum):
    """How sure it is, in rising order, that something is amiss when a rule matches."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Match:
    """A rule matched an event. Fields but the last are the command line contract of `scan --matches`.

    `details` are further columns of the events table by name, as far as they were read; already redacted.
    """

    rule_id: str
    catalogue: tuple[str, ...]
    severity: Severity
    audit_id: str | None
    stage: str | None
    source: str
    line: int | None
    at: datetime | None
    actor: str | None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Maker:
    """Who last wrote the workload for which a controller made something.

    Attributes:
        actor: who it was.
        resource: of the workload, in the plural.
        namespace: of the workload.
        name: of the workload.
        at: when (UTC, naive).
    """

    actor: str
    resource: str | None
    namespace: str | None
    name: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One event of an alert.

    Attributes:
        audit_id: id of its request.
        stage: stage it records.
        source: file it was read from.
        line: line it begins on, from 1.
        at: when it happened (UTC, naive).
        details: further columns of the events table by name, without those that are null; already redacted.
        maker: who is behind it, where a controller acted for a workload and the log shows who wrote that.
    """

    audit_id: str | None
    stage: str | None
    source: str
    line: int | None
    at: datetime | None
    details: Mapping[str, Any]
    maker: Maker | None = None

    @property
    def origin(self) -> Origin:
        """Where its record stands."""
        return Origin(self.source, self.line)


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Events of an alert that it does not list.

    Attributes:
        events: how many.
        last_at: time of the last event of the alert (UTC, naive), listed or not.
        times: how many of all events of the alert, listed or not, happened from a time (UTC, naive) to the next one.
    """

    events: int = 0
    last_at: datetime | None = None
    times: tuple[tuple[datetime, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """Matches of one cause, grouped: one rule, one actor, one cluster, one stretch of time.

    Attributes:
        rule_id: id of the rule.
        title: its title.
        severity: its severity.
        catalogue: ids of the detections it covers.
        techniques: ATT&CK technique ids.
        cluster: cluster, or None when the log does not say.
        actor: effective identity, or None (a 401 has none).
        source_ips: distinct addresses that the server observed.
        user_agents: distinct user agents.
        objects: distinct objects as `resource/namespace/name`, parts that are absent left out.
        first_at: time of the first event (UTC, naive).
        last_at: time of the last event.
        count: number of requests (stages of one request count once).
        events: the first of its events, in order of time, and of the others the first of each kind: who, from where,
            did what with what result.
        explanation: one sentence in plain words.
        next_steps: what to check next.
        known_before: of a rule about what is new, values that were known before, the most frequent first.
        attributed_to: who is behind it, where controllers acted for workloads of others.
        confidence: how sure it is that something is amiss.
        unlisted: its other events, where there are any.
    """

    rule_id: str
    title: str
    severity: Severity
    catalogue: tuple[str, ...]
    techniques: tuple[str, ...]
    cluster: str | None
    actor: str | None
    source_ips: tuple[str, ...]
    user_agents: tuple[str, ...]
    objects: tuple[str, ...]
    first_at: datetime | None
    last_at: datetime | None
    count: int
    events: tuple[AlertEvent, ...]
    explanation: str
    next_steps: str
    known_before: tuple[str, ...] = ()
    attributed_to: tuple[str, ...] = ()
    confidence: Confidence = Confidence.MEDIUM
    unlisted: Unlisted | None = None

    @property
    def size(self) -> int:
        """Number of its events, listed or not."""
        return len(self.events) + (self.unlisted.events if self.unlisted else 0)

    @property
    def object(self) -> str | None:
        """The object, or the first of them with how many more there are."""
        if not self.objects:
            return None
        more = len(self.objects) - 1
        return f"{self.objects[0]} (+{more})" if more else self.objects[0]


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of a scan.

    Attributes:
        ledger: what became of every record.
        alerts: by severity, worst first, then by time.
        matches: one per rule and event, in the order of reading; empty unless asked for.
        clusters: names of the clusters seen.
        first_at: time of the earliest event.
        last_at: time of the latest event.
        rules: number of rules that ran.
        remarks: sentences about what the log could not show or what was left out.
        duration_s: seconds the scan took.
        platforms: what each cluster runs on.
        exceptions: what is known to be harmless, and how much of it there was.
    """

    ledger: Ledger
    alerts: tuple[Alert, ...]
    matches: tuple[Match, ...]
    clusters: tuple[str, ...]
    first_at: datetime | None
    last_at: datetime | None
    rules: int
    remarks: tuple[str, ...]
    duration_s: float
    platforms: tuple[ClusterPlatform, ...] = ()
    exceptions: tuple[ExceptionUse, ...] = ()
