"""The pages on rules: an index, and a page for each rule of the builtin pack."""  # noqa: INP001 - see generate.py

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.app.rulebook.reports import Feeding, catalogue_fields, wanted_fields
from kubewitness.app.rulebook.rules import RulePage, read_rule_files, rule_of
from kubewitness.app.rulebook.sql import remarks
from kubewitness.detect.cases import example_of
from kubewitness.detect.catalogue import FAMILIES as CATALOGUE_FAMILIES
from kubewitness.detect.catalogue import entries
from kubewitness.detect.kusto import gap
from kubewitness.model.event import BY_NAME
from kubewitness.model.rule import RuleClass, RuleInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kubewitness.detect.cases import Case

FOLDER = "rules"
_EXAMPLES = 2
_NOTE = "<!-- Written by docs/generate.py (`make docs`): change the rule, not this page. -->\n"
_RULES_ARE = """\
`core` runs by default; the others are asked for with `--class`, which may be given several times.
`extended` rules find more and need knowledge of the cluster; `audit-trail` rules record what is true and
frequent. How a rule comes to an alert (`single`, `correlation`, `first_seen`) is told in [how detection
works](../explanation/detection.md). To write your own, see [write a rule](../how-to/write-a-rule.md).

Each rule has a page of its own: what it looks for and why, what it needs of a log, which logs can feed it, harmless
causes, what to check next, and events on which it alerts and does not. `kubewitness rules show ID` prints the same.
"""
_COVERS = """\
What people want to detect in Kubernetes audit logs, and the rules that do. `kubewitness rules catalogue` prints the
same for rules of your own. The ATT&CK techniques of all rules, as a layer for MITRE's ATT&CK Navigator:

```sh
kubewitness rules list --format navigator -o layer.json
```
"""
_EXPORT_IS = """\
How it is done: [use the rules elsewhere](../how-to/use-rules-elsewhere.md). A rule becomes KQL if it looks at one
event, and only at columns that the pipeline can make of the table AKSAudit.
"""
_FEEDS_ARE = """\
Derived from the rule's condition and the fixed audit policies of these platforms. Of a policy of your own,
`kubewitness policy coverage FILE` tells the same in detail.
"""
_FAMILIES = {
    "access": "Access: who comes in, from where, and who is turned away",
    "destruction": "Destruction: what is deleted",
    "discovery": "Discovery: who looks around",
    "execution": "Execution: ways into containers and nodes",
    "network": "Network: what is opened to the outside, and where traffic is led",
    "permissions": "Permissions: roles, bindings, impersonation, tokens, certificates, webhooks",
    "secrets": "Secrets: reading and changing them",
    "traces": "Traces: what hides them, and what is missing",
    "workloads": "Workloads: pods and templates with a way out, or in the wrong place",
}


def rule_pages(reference: Path) -> dict[Path, str]:
    """The index and the page of every rule that alerts."""
    pages = list(_pages())
    feeding = Feeding()
    names = entries()
    return {
        reference / "rules.md": _index([page.rule.info for page in pages]),
        reference / "sigma-export.md": _export(pages),
        **{reference / FOLDER / f"{page.rule.info.id}.md": _page(page, feeding, names) for page in pages},
    }


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _pages() -> Iterator[RulePage]:
    for file in read_rule_files():
        cases = file.cases()
        for rule in file.rules:
            if rule.alerts:
                own = [case for case in cases if rule_of(case, file) is rule]
                matching = tuple(case for case in own if case.is_match)
                yield RulePage(rule, file, matching, tuple(case for case in own if not case.is_match))


def _family(info: RuleInfo) -> str:
    return info.path.replace("\\", "/").split("/")[-2]


def _index(infos: Sequence[RuleInfo]) -> str:
    rules = sorted(infos, key=lambda info: (_family(info), info.id))
    counts = {each: sum(info.rule_class is each for info in rules) for each in RuleClass}
    parts = [
        _NOTE,
        "# The builtin rules\n",
        f"{len(rules)} rules: " + ", ".join(f"{count} {each.value}" for each, count in counts.items()) + ".\n",
        _RULES_ARE,
    ]
    for family, members in groupby(rules, key=_family):
        rows = [
            [
                _link(info.id), info.title, info.severity.value, info.rule_class.value,
                info.kind.value, ", ".join(info.catalogue), ", ".join(info.techniques),
            ]
            for info in members
        ]  # fmt: skip
        header = ["Rule", "Title", "Severity", "Class", "Kind", "Catalogue", "Techniques"]
        parts.append(f"## {_FAMILIES.get(family, family.capitalize())}\n\n" + table(header, rows))
    parts += _catalogue(rules)
    return "\n".join(parts)


def _catalogue(rules: Sequence[RuleInfo]) -> Iterator[str]:
    listed = catalogue_fields(rules)
    covered = sum(bool(entry["rules"]) for entry in listed)
    possible = sum(entry["outside"] is None for entry in listed)
    yield "## The catalogue\n"
    yield _COVERS
    yield f"{covered} of the {possible} entries that an audit log can show are covered.\n"
    for letter, members in groupby(listed, key=lambda entry: str(entry["id"])[0]):
        rows = [[entry["id"], entry["name"], _covered_by(entry)] for entry in members]
        yield f"### {letter}: {CATALOGUE_FAMILIES[letter]}\n\n" + table(["Id", "What", "Rules"], rows)


def _covered_by(entry: dict[str, Any]) -> str:
    if entry["rules"]:
        return ", ".join(map(_link, entry["rules"]))
    return f"no audit log shows it: {entry['outside']}" if entry["outside"] else "none"


def _export(pages: Sequence[RulePage]) -> str:
    """Which rules become KQL, and why the others do not."""
    gaps = {page.rule.info.id: gap(page.rule) for page in pages}
    able = [rule_id for rule_id, reason in gaps.items() if reason is None]
    rows = [[_link(rule_id), reason] for rule_id, reason in sorted(gaps.items()) if reason]
    return "\n".join(
        [
            _NOTE,
            "# Rules as KQL\n",
            _EXPORT_IS,
            f"{len(able)} of {len(pages)} rules become KQL:\n",
            ", ".join(map(_link, sorted(able))) + "\n",
            "## Rules that do not\n",
            table(["Rule", "Why"], rows),
        ]
    )


def _link(rule_id: str) -> str:
    return f"[`{rule_id}`]({FOLDER}/{rule_id}.md)"


def _page(page: RulePage, feeding: Feeding, names: dict[str, str]) -> str:
    info = page.rule.info
    facts = [
        ["Rule", f"`{info.id}`"],
        ["Severity", info.severity.value],
        ["Confidence", info.confidence.value],
        ["Class", info.rule_class.value],
        ["Kind", info.kind.value],
        ["Catalogue", ", ".join(f"{entry} {names.get(entry, '')}".strip() for entry in info.catalogue)],
        ["Techniques", ", ".join(map(_technique, info.techniques))],
    ]
    sections = {
        "What and why": f"{info.description}\n\n" + "".join(f"- {line}\n" for line in _counting(page)),
        "What it needs": _needs(page, feeding),
        "What can feed it": f"{_FEEDS_ARE}\n" + table(["Log", "Fed", "Why"], _feeds(page, feeding)),
        "Harmless causes": "".join(f"- {each}\n" for each in info.false_positives),
        "What to check next": f"{info.next_steps}\n" if info.next_steps else "",
        "In other clothes": _exempt(info),
        "Events on which it alerts": _examples(page.matching),
        "Events on which it does not": _examples(page.passing),
        "References": "".join(f"- <{each}>\n" for each in info.references),
    }
    written = [f"## {title}\n\n{text.rstrip()}\n" for title, text in sections.items() if text.strip()]
    head = [_NOTE, f"# {info.title}\n", table(["", ""], [row for row in facts if row[1]])]
    return "\n".join([*head, *written, "[All rules](../rules.md)\n"])


def _technique(technique: str) -> str:
    return f"[{technique}](https://attack.mitre.org/techniques/{technique.replace('.', '/')}/)"


def _counting(page: RulePage) -> Iterator[str]:
    for line in remarks(page.rule):
        yield re.sub(r"\b([a-z]+_[a-z_]+|[a-z]+[A-Za-z]*\.[A-Za-z.]+)\b", r"`\1`", line.removeprefix("-- "))


def _needs(page: RulePage, feeding: Feeding) -> str:
    wanted = feeding.wants(page.rule)
    fields = wanted_fields(wanted)
    level = f"{fields['level']}"
    if wanted.whole is not wanted.least:
        level += f"; for all that it looks for, {fields['level_for_all']}"
    rows = [["Level", level]]
    rows += [
        [name.capitalize(), ", ".join(f"`{each}`" for each in fields[name])]
        for name in ("verbs", "resources", "subresources")
        if name in fields
    ]
    rows.append(["Fields", ", ".join(map(_field, fields["fields"])) or "none in particular"])
    lists = sorted(set(re.findall(r"%([a-z][a-z0-9-]*)%", page.file.text)))
    if lists:
        rows.append(["Lists", ", ".join(f"[`{name}`](../lists.md)" for name in lists)])
    return table(["", ""], rows)


def _field(name: str) -> str:
    return f"[`{name}`](../columns.md)" if name in BY_NAME else f"`{name}`"


def _feeds(page: RulePage, feeding: Feeding) -> list[list[str]]:
    rows = [[fed.feed.title, fed.verdict.value, fed.why] for fed in feeding.feeds(page.rule)]
    level = feeding.wants(page.rule).least.value
    return [*rows, ["a cluster of your own", "by its policy", f"needs level {level}"]]


def _exempt(info: RuleInfo) -> str:
    if not info.exempt:
        return ""
    about = (
        "Matching events need not match when they are [changed](../../how-to/write-a-rule.md#in-other-clothes) so:\n\n"
    )
    return about + table(["Change", "Why"], [[f"`{name}`", reason] for name, reason in info.exempt.items()])


def _examples(cases: Sequence[Case]) -> str:
    return "\n".join(
        f"{case.about[:1].upper()}{case.about[1:]}{_repeated(case)}:\n\n```yaml\n{_yaml(example_of(case))}```\n"
        for case in cases[:_EXAMPLES]
    )


def _repeated(case: Case) -> str:
    return f" (the first of {len(case.events)} events)" if len(case.events) > 1 else ""


def _yaml(event: Any) -> str:
    return yaml.safe_dump(event, sort_keys=False, width=110, allow_unicode=True)
