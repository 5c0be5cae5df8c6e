"""What a report says of exceptions and platforms, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.model.exception import ExceptionState
from kubewitness.words.lists import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.model.alert import Report
    from kubewitness.model.exception import ExceptionUse


def platform_sentences(report: Report) -> Iterator[str]:
    """What was taken out for each platform found, and in any cluster: a sentence for each."""
    by_platform: dict[str, list[str]] = {}
    for each in report.platforms:
        if each.platform:
            by_platform.setdefault(each.platform, []).append(each.cluster or "the log")
    is_given = any(each.is_given for each in report.platforms)
    for platform, clusters in by_platform.items():
        names = listed([cluster.rstrip("/").rsplit("/", 1)[-1] for cluster in clusters])
        if is_given:
            seems = f"{names} {'is' if len(clusters) == 1 else 'are'} taken for {platform}"
        else:
            seems = f"{names} {'looks' if len(clusters) == 1 else 'look'} like {platform}"
        yield f"{seems}: {_taken_out(report, platform)} as the platform's own work"
    if any(use.requests for use in report.exceptions if use.info.platform == "any"):
        yield f"{_taken_out(report, 'any')} as the work of controllers that any cluster may have"


def _taken_out(report: Report, platform: str) -> str:
    requests = sum(use.requests for use in report.exceptions if use.info.platform == platform)
    return f"{counted(requests, 'request')} taken out"


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
            return (
                f"{info.id} ({info.owner}, until {info.expires}) took out {counted(use.requests, 'request')}: {rules}"
            )
