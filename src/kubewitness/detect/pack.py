"""Loading rules from folders: the builtin pack and the user's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from kubewitness.detect.linking import bases_of, link_rules
from kubewitness.detect.sigma import narrowed, parse_documents
from kubewitness.model.errors import RuleError, reason_of
from kubewitness.model.rule import RuleClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.detect.lists import Lists
    from kubewitness.detect.rule import Filter, Rule

_SUFFIXES = (".yml", ".yaml")
_TEST_SUFFIX = ".test.yaml"


@dataclass(frozen=True, slots=True)
class Pack:
    """Rules that run together, each id once."""

    rules: tuple[Rule, ...]

    @property
    def alerting(self) -> tuple[Rule, ...]:
        """Rules whose matches are alerts."""
        return tuple(rule for rule in self.rules if rule.alerts)


def load_pack(
    folders: Sequence[Path] = (),
    *,
    builtin: bool = True,
    classes: Iterable[RuleClass] = tuple(RuleClass),
    lists: Lists | None = None,
) -> Pack:
    """Load rules; a later folder's rule replaces an earlier one of the same id, and filters narrow all of them.

    Args:
        folders: folders (searched through) or single files.
        builtin: whether the rules of this package come first.
        classes: noise classes wanted; bases of correlations stay as long as somebody counts them.
        lists: what the rules' lists hold; the builtin ones when None.

    Raises:
        RuleError: a rule cannot be loaded, or two of one folder share an id.
    """
    loaded: dict[str, Rule] = {}
    filters: list[Filter] = []
    if builtin:
        with as_file(files("kubewitness").joinpath("rules")) as folder:
            loaded |= _load(folder, Path("rules"), lists, filters)
        loaded = {rule.info.id: rule for rule in link_rules(list(loaded.values()))}
    builtin_ids = loaded.keys()
    own: dict[str, Rule] = {}
    for folder in folders:
        own |= _load(folder, folder, lists, filters)
    # Whoever counts matches of a builtin rule does not silence it.
    linked = link_rules(list((loaded | own).values()), loud=builtin_ids - own.keys())
    found = {rule.info.id: narrowed(rule, filters) for rule in linked}
    wanted = frozenset(classes)
    chosen = {
        rule_id: rule if rule.info.rule_class in wanted else replace(rule, alerts=False)
        for rule_id, rule in found.items()
    }
    needed = {rule_id for rule_id, rule in chosen.items() if rule.alerts}
    needed |= {base for rule_id in needed for base in bases_of(rule_id, chosen)}
    return Pack(tuple(rule for rule_id, rule in chosen.items() if rule_id in needed))


def rule_files(folder: Path) -> list[Path]:
    """Files of rules under a folder, sorted; the file itself when it is one."""
    if folder.is_file():
        return [folder]
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in _SUFFIXES and not path.name.endswith(_TEST_SUFFIX) and path.is_file()
    )


def _load(folder: Path, shown: Path, lists: Lists | None, filters: list[Filter]) -> dict[str, Rule]:
    """Rules under a folder by id; its filters are added to `filters`."""
    if not folder.exists():
        raise RuleError("no such folder or file", where=str(shown), hint="name a folder of Sigma rules, or one of them")
    paths = rule_files(folder)
    found: dict[str, Rule] = {}
    for path in paths:
        name = str(shown / path.relative_to(folder)) if folder.is_dir() else str(shown)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RuleError(f"cannot be read: {reason_of(error)}", where=name) from error
        documents = parse_documents(text, name, lists)
        filters += documents.filters
        for rule in documents.rules:
            if rule.info.id in found:
                raise RuleError(
                    f"id `{rule.info.id}` is already taken by {found[rule.info.id].info.path}",
                    where=name,
                    hint="give each rule a `name` of its own",
                )
            found[rule.info.id] = rule
    return found
