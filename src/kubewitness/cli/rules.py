"""`kubewitness rules`: list rules, read them, test them."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager, redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from kubewitness.cli import EXIT_MET, examples
from kubewitness.cli.content import ListFolders, RuleFolders  # noqa: TC001 - cyclopts reads the annotations
from kubewitness.cli.issues import IssueFormat, print_issues
from kubewitness.model.errors import UsageError
from kubewitness.model.rule import RuleClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

    from kubewitness.app.rulebook.reports import Feeding
    from kubewitness.app.rulebook.rules import RulePage
    from kubewitness.detect.cases import Case
    from kubewitness.detect.feeds import Fed, Wants

_MOST_EXAMPLES = 2


class Format(StrEnum):
    """How to print a list."""

    TABLE = "table"
    JSON = "json"


class ListFormat(StrEnum):
    """How to print the list of rules."""

    TABLE = "table"
    JSON = "json"
    NAVIGATOR = "navigator"


class Dialect(StrEnum):
    """SQL of which engine."""

    DUCKDB = "duckdb"
    SPARK = "spark"


RuleId = Annotated[str, Parameter(help="Id of the rule.")]
Folder = Annotated[Path, Parameter(help="Folder or file of Sigma rules.")]
Formats = Annotated[Format, Parameter(name=["--format", "-f"], help="How to print it.")]


def _examples(*commands: str) -> str:
    return examples(*(f"kubewitness rules {command}" for command in commands))


app = App(name="rules", help="List, show and test rules.")


Classes = Annotated[
    list[RuleClass] | None,
    Parameter(name="--class", help="Noise classes; all when not given.", negative=()),
]
Output = Annotated[Path | None, Parameter(name=["--output", "-o"], help="Write to this file.")]
BuiltinRules = Annotated[bool, Parameter(help="Take the builtin rules.")]


@app.command(
    name="list",
    help_epilogue=_examples(
        "list", "list --rules my-rules --class core --format json", "list --format navigator -o layer.json"
    ),
)
def list_(
    *,
    rules: RuleFolders = None,
    builtin_rules: BuiltinRules = True,
    rule_class: Classes = None,
    format: Annotated[  # noqa: A002 - the name of the option
        ListFormat,
        Parameter(name=["--format", "-f"], help="How to print it; navigator is a layer for MITRE's ATT&CK Navigator."),
    ] = ListFormat.TABLE,
    output: Output = None,
) -> None:
    """List the rules."""
    from kubewitness.app.rulebook.reports import navigator_layer  # noqa: PLC0415 - help must come quickly
    from kubewitness.app.rulebook.rules import list_rules, rule_fields  # noqa: PLC0415

    infos = list_rules(rules or (), builtin=builtin_rules, classes=rule_class or tuple(RuleClass))
    listed = [rule_fields(info) for info in infos]
    names = ("severity", "class", "id", "title")
    with _output(output):
        match format:
            case ListFormat.JSON:
                _print("[" + ",\n ".join(map(_json, listed)) + "]")
            case ListFormat.NAVIGATOR:
                _print(json.dumps(navigator_layer(infos), indent=1))
            case ListFormat.TABLE:
                _print_table(names, ([rule[name] for name in names] for rule in listed))


@app.command(help_epilogue=_examples("catalogue", "catalogue --class core --format json"))
def catalogue(
    *,
    rules: RuleFolders = None,
    builtin_rules: BuiltinRules = True,
    rule_class: Classes = None,
    format: Formats = Format.TABLE,  # noqa: A002
) -> None:
    """List what people want to detect in audit logs, and the rules that do."""
    from kubewitness.app.rulebook.reports import catalogue_fields  # noqa: PLC0415
    from kubewitness.app.rulebook.rules import list_rules  # noqa: PLC0415

    infos = list_rules(rules or (), builtin=builtin_rules, classes=rule_class or tuple(RuleClass))
    entries = catalogue_fields(infos)
    if format is Format.JSON:
        _print("[" + ",\n ".join(map(_json, entries)) + "]")
        return
    _print_table(
        ("id", "name", "rules"),
        ([each["id"], each["name"], _covered_by(each)] for each in entries),
    )
    covered = sum(bool(each["rules"]) for each in entries)
    possible = sum(each["outside"] is None for each in entries)
    _print(f"\n{covered} of {possible} that audit logs can show are covered")


def _covered_by(entry: dict[str, Any]) -> str:
    if entry["rules"]:
        return ", ".join(entry["rules"])
    return f"({entry['outside']})" if entry["outside"] else "-"


@app.command(
    help_epilogue=_examples(
        "show exec-into-pod",
        "show exec-into-pod --format json",
        "show exec-into-pod --yaml > my-rules/exec-into-pod.yml",
    )
)
def show(
    rule_id: RuleId,
    /,
    *,
    rules: RuleFolders = None,
    yaml: Annotated[bool, Parameter(help="Print the rule's file as it is.", negative="")] = False,
    format: Formats = Format.TABLE,  # noqa: A002
) -> None:
    """Show what a rule looks for, why, what it needs, and what to do about its alerts."""
    from kubewitness.app.rulebook.reports import Feeding, page_fields  # noqa: PLC0415
    from kubewitness.app.rulebook.rules import show_rule  # noqa: PLC0415

    page = show_rule(rule_id, rules or ())
    if yaml:
        sys.stdout.write(page.file.text)
    elif format is Format.JSON:
        _print(_json(page_fields(page, Feeding(rules or ()))))
    else:
        _print_page(page, Feeding(rules or ()))


@app.command(help_epilogue=_examples("pipeline > kusto.yml", "pipeline --lists my-lists -o kusto.yml"))
def pipeline(
    *,
    rules: RuleFolders = None,
    lists: ListFolders = None,
    output: Output = None,
) -> None:
    """Print the pipeline with which `sigma convert` makes KQL of rules, for the table AKSAudit."""
    from kubewitness.app.rulebook.reports import kusto_pipeline  # noqa: PLC0415

    text = kusto_pipeline(rules or (), lists or ())
    with _output(output):
        sys.stdout.write(text)


@app.command(name="test", help_epilogue=_examples("test", "test my-rules", "test my-rules --events --format json"))
def run_cases(
    folder: Folder | None = None,
    /,
    *,
    events: Annotated[bool, Parameter(help="Show the events of failing cases.", negative="")] = False,
    format: Formats = Format.TABLE,  # noqa: A002
) -> int:
    """Run the cases beside the builtin rules, or beside those of a folder, as they are and in other clothes.

    Exits with 1 when a rule does not alert where it should, alerts where it should not, has fewer than two cases of
    either kind, or has an exemption that it does not need.
    """
    from kubewitness.app.rulebook.cases import check_cases, outcome_fields  # noqa: PLC0415
    from kubewitness.words.lists import counted  # noqa: PLC0415

    outcome = check_cases(folder)
    if format is Format.JSON:
        _print(_json(outcome_fields(outcome, events=events)))
    else:
        for failure in outcome.failures:
            subject = f" ({failure.rule_id})" if failure.rule_id else ""
            case = f"case `{failure.case}` " if failure.case else ""
            mutation = f" [{failure.mutation}]" if failure.mutation else ""
            _print(f"{failure.path}{subject}: {case}{failure.message}{mutation}")
            for event in failure.events if events else ():
                _print(f"    {_json(event)}")
        result = counted(len(outcome.failures), "failure") if outcome.failures else "all pass"
        tried = [
            counted(outcome.rules, "rule"),
            counted(outcome.cases, "case"),
            counted(outcome.variants, "variant"),
        ]
        _print(f"{', '.join(tried)}: {result}")
    return EXIT_MET if outcome.failures else 0


@app.command(help_epilogue=_examples("lint", "lint my-rules", "lint my-rules/exec-at-night.yml --format sarif"))
def lint(
    folder: Folder | None = None,
    /,
    *,
    lists: ListFolders = None,
    format: Annotated[IssueFormat, Parameter(name=["--format", "-f"], help="How to print it.")] = IssueFormat.TABLE,  # noqa: A002
) -> int:
    """Find rules that cannot be loaded, can never match, repeat others, or lack something; builtin ones without FOLDER.

    Exits with 1 when there is an error.
    """
    from kubewitness.app.rulebook.lint import lint_rules  # noqa: PLC0415

    return print_issues(lint_rules(folder, lists or ()), format)


@app.command(help_epilogue=_examples("sql exec-into-pod", "sql exec-into-pod --dialect spark"))
def sql(
    rule_id: RuleId,
    /,
    *,
    rules: RuleFolders = None,
    dialect: Annotated[Dialect, Parameter(help="SQL of which engine.")] = Dialect.DUCKDB,
) -> None:
    """Print what a rule asks of one event, as SQL over the table of events."""
    from kubewitness.app.rulebook import sql as rule_sql  # noqa: PLC0415

    _print(rule_sql.rule_sql(rule_id, rules or (), rule_sql.Dialect(dialect)))


@contextmanager
def _output(path: Path | None) -> Iterator[None]:
    """Let what is printed go to a file, if one is named."""
    if path is None:
        yield
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as out, redirect_stdout(out):
            yield
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(path)) from error


def _print(text: str) -> None:
    from kubewitness.words.escape import visible  # noqa: PLC0415

    sys.stdout.write("\n".join(visible(line) for line in text.split("\n")) + "\n")


def _json(value: Any) -> str:
    return json.dumps(value)  # pure ASCII: nothing in it can be mistaken for a control character


def _print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table  # noqa: PLC0415

    from kubewitness.words.escape import visible  # noqa: PLC0415

    table = Table(*map(str.upper, header), box=None, pad_edge=False, header_style="dim")
    for column in table.columns[:-1]:
        column.no_wrap = True
    table.columns[-1].overflow = "fold"
    for row in rows:
        table.add_row(*map(visible, row))
    _console().print(table)


def _console() -> Console:

    from kubewitness.look.console import open_console  # noqa: PLC0415

    return open_console()


def _print_page(page: RulePage, feeding: Feeding) -> None:
    from rich.text import Text  # noqa: PLC0415

    from kubewitness.words.escape import visible  # noqa: PLC0415

    console = _console()
    info = page.rule.info
    console.print(Text(visible(info.title), style="bold"))
    for name, value in (
        ("rule", info.id),
        ("severity", info.severity.value),
        ("confidence", info.confidence.value),
        ("class", info.rule_class.value),
        ("kind", info.kind.value),
        ("catalogue", ", ".join(info.catalogue)),
        ("techniques", ", ".join(info.techniques)),
        ("file", page.file.path),
    ):
        if value:
            console.print(Text.assemble((f"{name:<12}", "dim"), visible(value)))
    for title, paragraphs in (
        ("What and why", [info.description]),
        ("What it needs", list(_need_lines(feeding.wants(page.rule)))),
        ("What can feed it", list(_feed_lines(feeding.feeds(page.rule)))),
        ("Known false positives", [f"- {each}" for each in info.false_positives]),
        ("What to check next", [info.next_steps]),
        ("Need not match", [f"- {name}: {reason}" for name, reason in info.exempt.items()]),
        ("References", [f"- {each}" for each in info.references]),
        ("Events on which it alerts", _example_lines(page.matching)),
        ("Events on which it does not", _example_lines(page.passing)),
    ):
        if any(paragraphs):
            console.print()
            console.print(Text(title, style="bold"))
        for paragraph in filter(None, paragraphs):
            for line in Text(visible(paragraph)).wrap(console, console.width - 2, overflow="fold"):
                line.rstrip()
                console.print(Text("  ") + line, no_wrap=True, overflow="ignore", crop=False)


def _need_lines(wanted: Wants) -> Iterator[str]:
    from kubewitness.app.rulebook.reports import wanted_fields  # noqa: PLC0415

    for name, value in wanted_fields(wanted).items():
        if name != "level_for_all" or wanted.whole is not wanted.least:
            text = value if isinstance(value, str) else ", ".join(value)
            yield f"{name.replace('_', ' ')}: {text or '-'}"


def _feed_lines(feeds: Iterable[Fed]) -> Iterator[str]:
    for fed in feeds:
        yield f"{fed.verdict.value:<7} {fed.feed.title.replace('`', '')}" + (f": {fed.why}" if fed.why else "")


def _example_lines(cases: Sequence[Case]) -> list[str]:
    from kubewitness.detect.cases import example_of  # noqa: PLC0415

    return [
        line
        for case in cases[:_MOST_EXAMPLES]
        for line in (f"{case.about}:", json.dumps(example_of(case), ensure_ascii=False))
    ]
