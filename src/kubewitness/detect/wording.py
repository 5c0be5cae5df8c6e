"""Correlations in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.rule import CorrelationKind

if TYPE_CHECKING:
    from kubewitness.detect.rule import Correlation

_MEASURES = {
    CorrelationKind.EVENTS: "the number of requests",
    CorrelationKind.VALUES: "the number of different values of {counted}",
    CorrelationKind.SUM: "the sum of {counted}",
    CorrelationKind.AVERAGE: "the average of {counted}",
    CorrelationKind.MEDIAN: "the median of {counted}",
    CorrelationKind.PERCENTILE: "the {percentile}th percentile of {counted}",
    CorrelationKind.TEMPORAL: "the number of rules that match",
}


def describe_correlation(correlation: Correlation) -> str:
    """What must be so within the window: "the number of requests >= 10"."""
    if correlation.alternatives:
        link = " and then " if correlation.kind is CorrelationKind.ORDERED else " and "
        terms = []
        for alternative in correlation.alternatives:
            wanted = link.join(correlation.rules[place] for place in alternative.wanted)
            unwanted = "".join(f" and not {correlation.rules[place]}" for place in alternative.unwanted)
            terms.append(wanted + unwanted)
        return f"{', or '.join(terms)} match{'es' if len(correlation.rules) == 1 else ''}"
    measure = _MEASURES[correlation.kind].format(
        counted=" and ".join(key.name for key in correlation.counted), percentile=correlation.percentile
    )
    return f"{measure} {correlation.comparison} {correlation.threshold:.15g}"
