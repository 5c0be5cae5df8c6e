"""Options that say which events to ask, the same for every command that asks some."""

from __future__ import annotations

import glob
import os
import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kubewitness.model.errors import UsageError
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from kubewitness.app.events import Logs
    from kubewitness.model.ledger import Ledger

PATHS_HELP = "Files, directories, globs, or - for standard input."
FILTER_HELP = "Only events of which this filter holds: 'code:403'."

_MOST_SECONDS = 1_000_000
_BARE = re.compile(r"[\w@*?-]+")
_READS_AS_FILTER = re.compile(r"""\s|^[("!]|^[\w.]+:(?!//)""")


class EngineName(StrEnum):
    """What carries out a question."""

    DUCKDB = "duckdb"
    SPARK = "spark"


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Who asks the events of a store."""

    engine: Annotated[EngineName, Parameter(help="Ask on this machine, or a store on a Spark cluster.")] = (
        EngineName.DUCKDB
    )
    spark_master: Annotated[
        str | None, Parameter(help="URL of the Spark cluster; what the environment says when not given.")
    ] = None

    def is_spark(self, store: str | None) -> bool:
        """Whether Spark is asked.

        Raises:
            UsageError: the options do not fit each other.
        """
        if self.engine is not EngineName.SPARK:
            if self.spark_master is not None:
                raise UsageError("--spark-master is for Spark", hint="add --engine spark")
            return False
        if store is None:
            raise UsageError(
                "Spark asks a store", hint="kubewitness ingest PATH... --store DIR, then the same with --store DIR"
            )
        return True


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which events to ask, besides paths."""

    since: Annotated[str | None, Parameter(help="Leave out events before this time, such as 2026-11-17T08:00:00Z.")] = (
        None
    )
    until: Annotated[str | None, Parameter(help="Leave out events from this time on.")] = None
    cluster: Annotated[
        str | None, Parameter(help="Name of the cluster where the log does not say; of a store, the only one wanted.")
    ] = None
    store: Annotated[str | None, Parameter(help="Ask this store instead of logs.")] = None

    def logs(self, paths: tuple[str, ...], *, example: str) -> Logs:
        """The logs that a command names.

        Args:
            paths: what was named.
            example: a right use of the command, for the hint.

        Raises:
            UsageError: nothing was named, or what was named is an option.
        """
        from kubewitness.app.events import Logs  # noqa: PLC0415 - the engine is imported when a command runs

        if self.store is not None and paths:
            raise UsageError("logs and a store", hint="name either; kubewitness ingest puts logs into a store")
        if self.store is None:
            demand_paths(paths, example=example)
        since, until = moment(self.since), moment(self.until)
        if since and until and until <= since:
            raise UsageError(
                "--until is not after --since: no event is of this period",
                hint="--since 2026-11-17 --until 2026-11-18 is one day",
            )
        return Logs(paths, since=since, until=until, cluster=self.cluster, store=self.store)


def split_filter(words: tuple[str, ...], text: str = "", *, has_store: bool) -> tuple[str, tuple[str, ...]]:
    """The filter and the paths that a command names.

    The first word is a filter where no file has that name and it reads as one: `field:value`, several words, or a text
    in quotes. Where a store is asked there are no paths, and any word is one.

    Args:
        words: what was named.
        text: the filter, where an option said it: then all words are paths.
        has_store: whether a store is asked.

    Raises:
        UsageError: the first word may be either.
    """
    first = words[0] if words else ""
    if text or not first or _names_files(first):
        return text, words
    if has_store or _READS_AS_FILTER.search(first):
        return first, words[1:]
    if len(words) > 1 and _BARE.fullmatch(first):
        raise UsageError(
            f"`{first}` is no file, and may be a filter", hint=f"--filter {first}, or ./{first} for a file"
        )
    return "", words


def _names_files(word: str) -> bool:
    return word == "-" or os.path.exists(word) or bool(glob.glob(word, recursive=True))  # noqa: PTH110 - paths are text


def demand_paths(paths: tuple[str, ...], *, example: str) -> None:
    """Do nothing when logs are named.

    Raises:
        UsageError: nothing was named, or what was named is an option.
    """
    refuse_options(paths, example=example)
    if not paths:
        raise UsageError("no logs named", hint=f"{example}, or - for standard input")


def refuse_options(paths: tuple[str, ...], *, example: str) -> None:
    """Do nothing when no path is an option that there is none of.

    Raises:
        UsageError: one is.
    """
    if unknown := [path for path in paths if path.startswith("-") and path != "-"]:
        raise UsageError(
            f"unknown option {unknown[0]}", hint=f"{example}; --help names the options; a file of that name is ./-name"
        )


def demand_seconds(seconds: float) -> None:
    """Do nothing when a limit of time is one.

    Raises:
        UsageError: it is no time that anything could take.
    """
    if not 0 < seconds <= _MOST_SECONDS:
        raise UsageError(f"--seconds is a time above 0, of at most {_MOST_SECONDS:,}", hint="--seconds 600")


def demand_policy(policy: Path | None) -> None:
    """Do nothing when a policy that is named can be loaded: it is needed only once nothing was found.

    Raises:
        UsageError: it cannot be read.
        PolicyError: kube-apiserver would not load it.
    """
    if policy is not None:
        from kubewitness.app.policies.evaluation import load  # noqa: PLC0415 - few name one

        load(policy)


def warn_of(ledger: Ledger) -> None:
    """Say what could not be read, beside the answer, by what became of every record."""
    for item in ledger.unreadable:
        print(f"warning: {item.origin}: {item.reason}", file=sys.stderr)  # noqa: T201 - this is the front end
    if rejected := ledger.rejected:
        first = next(iter(ledger.rejections), None)
        where = f", the first at {first.origin}: {first.reason}" if first else ""
        print(f"warning: {counted(rejected, 'record is no event', 'records are no events')}{where}", file=sys.stderr)  # noqa: T201


def moment(text: str | None) -> datetime | None:
    """The time that a text names (UTC, naive).

    Raises:
        UsageError: it names none.
    """
    if text is None:
        return None
    from kubewitness.decode.times import utc  # noqa: PLC0415 - most commands name no time

    try:
        return utc(text)
    except ValueError as error:
        raise UsageError(f"`{text}` is no time", hint="write 2026-11-17 or 2026-11-17T08:00:00Z") from error
