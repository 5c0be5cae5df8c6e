"""What a report says of exceptions and platforms, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.alert.explain import listed
from kubewitness.model.exception import ExceptionState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.model.alert import Report
    from kubewitness.model.exception import ExceptionUse


def platform_sentences(report: Report) -> Iterator[str]:
    """What each platform found took out: one sentence per platform."""
    by_platform: dict[str, list[str]] = {}
    for each in report.platforms:
        if each.platform:
            by_platform.setdefault(each.platform, []).append(each.cluster or "the log")
    for platform, clusters in by_platform.items():
        own = [use for use in report.exceptions if use.info.platform == platform]
        requests = sum(use.requests for use in own)
        used = sum(use.state is ExceptionState.USED for use in own)
        is_given = all(each.is_given for each in report.platforms)
        names = [cluster.rstrip("/").rsplit("/", 1)[-1] for cluster in clusters]
        verb = "is taken for" if is_given else "looks like"
        yield (
            f"{listed(names)} {verb if len(names) == 1 else verb.replace('is', 'are').replace('looks', 'look')}"
            f" {platform}: {_count(requests, 'request')} taken out as the platform's own work"
            f" ({used} of {_count(len(own), 'exception')})"
        )


def exception_sentences(report: Report) -> Iterator[str]:
    """What became of each exception that somebody answers for."""
    for use in report.exceptions:
        if use.info.platform is None:
            yield _sentence(use)


def _sentence(use: ExceptionUse) -> str:
    info = use.info
    match use.state:
        case ExceptionState.EXPIRED:
            return f"{info.id} ({info.owner}) expired on {info.expires} and takes nothing out any more"
        case ExceptionState.UNUSED:
            return f"{info.id} ({info.owner}, until {info.expires}) took nothing out"
        case ExceptionState.USED:
            rules = listed([f"{count:,} of {rule}" for rule, count in use.by_rule.items()])
            return f"{info.id} ({info.owner}, until {info.expires}) took out {_count(use.requests, 'request')}: {rules}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
