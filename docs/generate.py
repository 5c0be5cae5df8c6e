"""Writes the pages that say what the code says: columns, rules, command line, and the demo in the README.

`make docs` runs it; a test holds that every page is up to date. A generated page says so in its first line.
"""  # noqa: INP001 - a script beside the pages, not a package

from __future__ import annotations

import inspect
import io
import re
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from kubewitness.alert.render import FORMATS
from kubewitness.app.asking.library import load_hunts
from kubewitness.app.scan import scan
from kubewitness.cli.application import app
from kubewitness.detect.lists import builtin_lists
from kubewitness.detect.platforms import builtin_platforms
from kubewitness.model.alert import Severity
from kubewitness.model.event import COLUMNS, Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cyclopts import App

    from kubewitness.app.asking.library import Hunt
    from kubewitness.model.event import Column

sys.path.insert(0, str(Path(__file__).parent))

from rule_pages import FOLDER, rule_pages, table

ROOT = Path(__file__).resolve().parent.parent
DEMO = "examples/aks-attack"
_NOTE = "<!-- Written by docs/generate.py (`make docs`): change the code, not this page. -->\n"
_COLUMNS_ARE = """\
One row is one audit event. Columns have the API's own names in snake_case; facts are derived from the
event. Rules may use the column's name or the API's dotted name as a field. Absent is null, never an empty
text. Times are UTC. The values of `action` and `actor_kind` are [on their own page](actions.md).
"""
_PLATFORMS_ARE = """\
What is known to be harmless on each platform, for events that match all of it: who, from where, and what is done. How
a platform is found out, and how to say another one, is told in [why the pack is quiet](../explanation/quiet.md). The
form is that of [exceptions](../how-to/make-exceptions.md).
"""
_LISTS_ARE = """\
A rule names a list with `expand`, and `scan --lists` adds to one: see [use lists](../how-to/use-lists.md). `*` and
`?` in a value are wildcards.
"""
_HUNTS_ARE = """\
Questions with a name: `kubewitness hunt NAME PATH...` asks one of them. How to read an answer and how to write
hunts of your own is told in [hunt](../how-to/hunt.md). A hunt without a query shows the events themselves; one with a
query asks it of the events that its filter finds, as [`sql`](sql.md) does. `kubewitness hunt show NAME` prints it, too.
"""
_COMMAND_IS = """\
`kubewitness` and its short alias `kw` are the same command. Data goes to standard output, everything else
to standard error. `NO_COLOR` is honoured. What the exit codes mean is [on a page of its
own](exit-codes.md); the formats are described in [report formats](report-formats.md).
"""
_DEMO_PART = re.compile(r"(<!-- demo -->\n).*?(<!-- /demo -->)", re.DOTALL)
_HEAD_PART = re.compile(r"(<!-- head -->\n).*?(<!-- /head -->)", re.DOTALL)
_SHOWN_ALERTS = 3
_FIRST_WORDS = ("SEVERITY", *(f"{severity.value} " for severity in Severity))  # of an alert in the table
_GROUPS = {
    Group.PROVENANCE: "Provenance: where the record stood",
    Group.EVENT: "Event: the request",
    Group.USER: "User: who authenticated, whom they acted as",
    Group.OBJECT: "Object: what the request was about",
    Group.RESPONSE: "Response",
    Group.BODY: "Bodies",
    Group.FACT: "Facts: derived from the event",
}


def pages() -> dict[Path, str]:
    """Every generated file and what must stand in it."""
    reference = ROOT / "docs" / "reference"
    readme, tutorial = ROOT / "README.md", ROOT / "docs" / "tutorial.md"
    head, alerts = demo()
    return {
        reference / "columns.md": columns_page(),
        **rule_pages(reference),
        reference / "lists.md": lists_page(),
        reference / "platforms.md": platforms_page(),
        reference / "hunts.md": hunts_page(),
        reference / "cli.md": cli_page(),
        readme: _with_part(readme, _DEMO_PART, transcript(head, alerts)),
        tutorial: _with_part(tutorial, _HEAD_PART, f"```text\n{head}\n```\n"),
    }


def _with_part(page: Path, part: re.Pattern[str], text: str) -> str:
    """A page with the text between its marks."""
    return part.sub(lambda found: found[1] + text + found[2], page.read_text("utf-8"))


def columns_page() -> str:
    """The events table: one row per audit event."""
    parts = [
        _NOTE,
        "# Columns of the events table\n",
        _COLUMNS_ARE,
    ]
    for group, title in _GROUPS.items():
        rows = [_column_row(column) for column in COLUMNS if column.group is group]
        parts.append(f"## {title}\n\n" + table(["Column", "Type", "API name", "What"], rows))
    return "\n".join(parts)


def _column_row(column: Column) -> list[str]:
    api = f"`{column.api}`" if column.api else ""
    return [f"`{column.name}`", column.type, api, _sentence(column.about)]


def lists_page() -> str:
    """Every builtin list with its values."""
    parts = [_NOTE, "# Lists\n", _LISTS_ARE]
    for name, found in sorted(builtin_lists().by_name.items()):
        rows = [[f"`{entry.value}`", entry.reason] for entry in found.entries]
        parts.append(f"## {name}\n\n{found.about}\n\n" + table(["Value", "Why"], rows))
    return "\n".join(parts)


def platforms_page() -> str:
    """What is harmless on each platform, as its file says it."""
    folder = ROOT / "src" / "kubewitness" / "platforms"
    parts = [_NOTE, "# Platforms\n", _PLATFORMS_ARE]
    for platform in builtin_platforms():
        rows = [
            [f"`{each.info.id}`", each.info.reason, ", ".join(f"`{rule}`" for rule in each.info.rules)]
            for each in platform.exceptions
        ]
        text = (folder / f"{platform.name}.yml").read_text("utf-8")
        parts.append(f"## {platform.title}\n\n" + table(["Exception", "Why it is harmless", "Rules"], rows))
        parts.append(f"As the file says it:\n\n```yaml\n{text}```\n")
    return "\n".join(parts)


def hunts_page() -> str:
    """Every builtin hunt: its question, its query, and how to read the answer."""
    found = load_hunts()
    rows = [
        [f"[`{name}`](#{name})", hunt.title, ", ".join(f"`{tag}`" for tag in hunt.tags)] for name, hunt in found.items()
    ]
    parts = [_NOTE, "# Hunts\n", _HUNTS_ARE, table(["Name", "What", "Tags"], rows)]
    parts += [_hunt_section(hunt) for hunt in found.values()]
    return "\n".join(parts)


def _hunt_section(hunt: Hunt) -> str:
    parts = [f"## {hunt.id}\n", f"**{hunt.question}** {hunt.reading}\n"]
    parts.append(f"```text\n{hunt.filter or '(all events)'}\n```\n")
    if hunt.sql:
        parts.append(f"```sql\n{hunt.sql}\n```\n")
    if hunt.parameters:
        rows = [[f"`--set {each.name}={each.default}`", _sentence(each.about)] for each in hunt.parameters]
        parts.append(table(["Parameter", "What"], rows))
    about = [*(f"ATT&CK {each}" for each in hunt.techniques), *(f"catalogue {each}" for each in hunt.catalogue)]
    if about:
        parts.append(", ".join(about) + "\n")
    return "\n".join(parts)


def cli_page() -> str:
    """Every command with its arguments and options."""
    parts = [
        _NOTE,
        "# Command line\n",
        _COMMAND_IS,
        *(_command_section(words, command) for words, command in commands()),
    ]
    return "\n".join(parts)


def commands(parent: App = app, words: tuple[str, ...] = ("kubewitness",)) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command that can be run, with the words that run it."""
    for name in sorted(name for name in parent if not name.startswith("-")):
        command = parent[name]
        if command.default_command is not None:
            yield (*words, name), command
        yield from commands(command, (*words, name))


def _command_section(words: tuple[str, ...], command: App) -> str:
    about, _, examples = inspect.cleandoc(command.help or "").partition("Examples:")
    arguments: list[list[str]] = []
    options: list[list[str]] = []
    for argument in command.assemble_argument_collection():
        default = argument.field_info.default
        row = [_values(argument.hint), _sentence(argument.parameter.help or ""), _default(default)]
        if argument.index is not None:
            arguments.append([f"`{argument.names[0]}`", *row[:2]])
        elif argument.names != ("*",):  # a group of options, each of which comes by itself
            options.append([", ".join(f"`{name}`" for name in argument.names), *row])
    usage = [*words, *(name.strip("`") for name, *_ in arguments), *(["[OPTIONS]"] if options else [])]
    parts = [f"## {' '.join(words[1:])}\n", f"`{' '.join(usage)}`\n", f"{about.strip()}\n"]
    if arguments:
        parts.append(table(["Argument", "Value", "What"], arguments))
    if options:
        parts.append(table(["Option", "Value", "What", "Default"], options))
    shown = [line.strip() for line in examples.splitlines() if line.strip()]
    if shown:
        parts.append("```sh\n" + "\n".join(shown) + "\n```\n")
    return "\n".join(parts)


def _values(hint: Any) -> str:
    """What an argument takes, for people."""
    inner = [part for part in get_args(hint) if part not in {type(None), Ellipsis}]
    if inner:
        return _values(inner[0]) + (", several" if getattr(hint, "__origin__", None) in {list, tuple} else "")
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(f"`{each.value}`" for each in hint)
    return {Path: "path", str: "text", int: "number", bool: ""}.get(hint, "text")


def _default(value: Any) -> str:
    if value is None or value is inspect.Parameter.empty or isinstance(value, bool):
        return "yes" if value is True else ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith(".") else f"{text}."


def demo() -> tuple[str, list[str]]:
    """What a scan of the demo prints: the first lines, and its alerts. How long it took is left out."""
    out = io.StringIO()
    FORMATS["table"](scan([str(ROOT / DEMO)]), out)
    text = "\n".join(line.rstrip() for line in out.getvalue().replace(f"{ROOT}/", "").splitlines())
    head, *blocks = re.split(r"\n\n+", text)
    head = re.sub(r", [\d.]+ s$", "", head, flags=re.MULTILINE)
    return head, [block for block in blocks if block.startswith(_FIRST_WORDS)]


def transcript(head: str, alerts: list[str]) -> str:
    """The demo as the README shows it: its first alerts."""
    shown = "\n\n".join([head, *alerts[:_SHOWN_ALERTS]])
    more = len(alerts) - _SHOWN_ALERTS
    return f"```text\n$ kubewitness scan {DEMO}\n{shown}\n\n... {more} more alerts\n```\n"


def main() -> None:
    """Write every page that is not up to date, remove those of rules that are gone, and say which."""
    written = pages()
    for path, text in written.items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    for path in gone(written):
        path.unlink()
        sys.stdout.write(f"removed {path.relative_to(ROOT)}\n")


def gone(written: dict[Path, str]) -> list[Path]:
    """Pages of rules that there are no longer."""
    return sorted(set((ROOT / "docs" / "reference" / FOLDER).glob("*.md")) - written.keys())


if __name__ == "__main__":
    main()
