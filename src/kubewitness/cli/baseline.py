"""`kubewitness baseline`: learn what actors usually do."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import Annotated

from cyclopts import App, Parameter

from kubewitness.cli.content import RuleFolders  # noqa: TC001 - cyclopts reads the annotations
from kubewitness.cli.logs import demand_paths
from kubewitness.words.lists import counted

app = App(name="baseline", help="Learn what actors usually do, so that a scan sees what is new.")


@app.command(
    help_epilogue="Examples:\n\n    kubewitness baseline learn october/ -o baseline.jsonl\n\n"
    "    kubewitness scan today.log --baseline baseline.jsonl"
)
def learn(
    *paths: Annotated[
        str, Parameter(help="Files, directories, globs, or - for standard input.", allow_leading_hyphen=True)
    ],
    output: Annotated[
        Path, Parameter(name=["--output", "-o"], help="The baseline; one that is there already is added to.")
    ],
    rules: RuleFolders = None,
    builtin_rules: Annotated[bool, Parameter(help="Learn for the builtin rules.")] = True,
    cluster: Annotated[str | None, Parameter(help="Name of the cluster where the log does not say.")] = None,
    quiet: Annotated[bool, Parameter(help="No remarks on standard error.", negative="")] = False,
) -> None:
    """Learn from logs what actors usually do, for the rules that ask for what is new."""
    from kubewitness.app.baselines import learn_baseline  # noqa: PLC0415 - help must come quickly

    demand_paths(paths, example="kubewitness baseline learn audit.log -o baseline.jsonl")
    learned = learn_baseline(paths, output, rules or (), builtin=builtin_rules, cluster=cluster)
    if not quiet:
        print(  # noqa: T201 - this is the front end
            f"{counted(learned.events, 'event')} read for {counted(learned.rules, 'rule')};"
            f" {output} has {counted(learned.entries, 'value')}, {learned.new:,} of them new",
            file=sys.stderr,
        )
