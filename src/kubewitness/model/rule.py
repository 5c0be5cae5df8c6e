"""What is known of a rule besides its logic."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kubewitness.model.alert import Confidence, Severity


class RuleKind(StrEnum):
    """How a rule comes to an alert."""

    SINGLE = "single"
    CORRELATION = "correlation"
    FIRST_SEEN = "first_seen"
    UNFINISHED = "unfinished"


class RuleClass(StrEnum):
    """How much noise to expect: `core` runs by default, the others are asked for."""

    CORE = "core"
    EXTENDED = "extended"
    AUDIT_TRAIL = "audit-trail"


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What people read about a rule.

    Attributes:
        id: kebab-case, equals the file name.
        title: a few words.
        description: what it detects and why that matters.
        severity: how bad a match is.
        kind: how it comes to an alert.
        rule_class: how much noise to expect.
        catalogue: ids of the detections it covers.
        techniques: ATT&CK technique ids, upper case.
        false_positives: known harmless causes.
        explain: verb phrase for the alert's sentence, with `{placeholders}`; None takes a general one.
        next_steps: what to check next.
        references: links for further reading.
        path: file it was read from.
        exempt: mutations under which its matching cases need not match, with the reason (detect/mutations).
        uuid: Sigma's id of the rule, by which other documents may name it; None without one.
        confidence: how sure it is that something is amiss when it matches.
    """

    id: str
    title: str
    description: str
    severity: Severity
    kind: RuleKind
    rule_class: RuleClass
    catalogue: tuple[str, ...]
    techniques: tuple[str, ...]
    false_positives: tuple[str, ...]
    explain: str | None
    next_steps: str
    references: tuple[str, ...]
    path: str
    exempt: dict[str, str] = field(default_factory=dict)
    uuid: str | None = None
    confidence: Confidence = Confidence.MEDIUM
