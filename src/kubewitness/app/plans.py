"""Plans, kept between runs: parsing and planning rules takes longer than reading a small log."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from kubewitness.app.caching import keep, program_state, recall
from kubewitness.detect.plan import Plan
from kubewitness.model.rule import RuleClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from kubewitness.detect.exceptions import RuleException
    from kubewitness.detect.pack import Pack
    from kubewitness.detect.platforms import Platform

_KEPT_PLANS = 20
_DATA = {".yml", ".yaml", ".txt"}


def plan_rules(
    folders: Sequence[Path] = (),
    *,
    builtin: bool = True,
    classes: Iterable[RuleClass] = (RuleClass.CORE,),
    lists: Sequence[Path] = (),
    exceptions: Sequence[Path] = (),
) -> Plan:
    """The plan for the rules of these folders, from the cache when neither they nor this program have changed.

    Args:
        folders: folders or files of rules.
        builtin: whether the builtin rules come first.
        classes: noise classes wanted.
        lists: folders or files of lists.
        exceptions: files of exceptions.

    Raises:
        RuleError: a rule cannot be loaded.
        ListError: a list cannot be loaded.
        ExceptionError: an exception cannot be used.
    """
    wanted = tuple(sorted(classes))
    today = datetime.now(UTC).date()
    name = f"plan-{_fingerprint(folders, wanted, lists, exceptions, today, builtin=builtin)}.json"
    if kept := recall(name, Plan):
        return kept
    # Only when there is something to plan: these take long to import.
    from kubewitness.detect.attaching import plan_with_exceptions  # noqa: PLC0415
    from kubewitness.detect.makers import with_makers  # noqa: PLC0415
    from kubewitness.detect.platforms import with_signs  # noqa: PLC0415

    loaded = load_rules(folders, builtin=builtin, classes=wanted, lists=lists, exceptions=exceptions)
    plan = plan_with_exceptions(loaded.pack, loaded.exceptions, today)
    plan = with_makers(with_signs(plan, loaded.platforms))
    keep(name, plan, most=_KEPT_PLANS)
    return plan


def builtin_plan_state() -> str:
    """What the plan of the builtin rules depends on, as a hash."""
    return _fingerprint((), (RuleClass.CORE,), (), (), datetime.now(UTC).date(), builtin=True)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a plan is made of.

    Attributes:
        pack: the rules.
        exceptions: what is harmless: that of users, then that of platforms.
        platforms: that are known.
    """

    pack: Pack
    exceptions: tuple[RuleException, ...]
    platforms: tuple[Platform, ...]


def load_rules(
    folders: Sequence[Path] = (),
    *,
    builtin: bool = True,
    classes: Iterable[RuleClass] = (RuleClass.CORE,),
    lists: Sequence[Path] = (),
    exceptions: Sequence[Path] = (),
) -> Loaded:
    """Load what `plan_rules` plans, by the same arguments.

    Raises:
        RuleError: a rule cannot be loaded.
        ListError: a list cannot be loaded.
        ExceptionError: an exception cannot be used.
    """
    from kubewitness.detect.exceptions import load_exceptions  # noqa: PLC0415
    from kubewitness.detect.lists import load_lists  # noqa: PLC0415
    from kubewitness.detect.pack import load_pack  # noqa: PLC0415
    from kubewitness.detect.platforms import builtin_platforms  # noqa: PLC0415

    named = load_lists(lists)
    pack = load_pack(folders, builtin=builtin, classes=tuple(sorted(classes)), lists=named)
    platforms = builtin_platforms()
    known = (*load_exceptions(exceptions, named), *(each for platform in platforms for each in platform.exceptions))
    return Loaded(pack, known, platforms)


def _fingerprint(
    folders: Sequence[Path],
    classes: Sequence[RuleClass],
    lists: Sequence[Path],
    exceptions: Sequence[Path],
    today: date,
    *,
    builtin: bool,
) -> str:
    """What the plan depends on: the bytes of rules, lists and exceptions, and this program's files."""
    named = [[str(path) for path in paths] for paths in (folders, lists, exceptions)]
    # Exceptions expire.
    day = today if exceptions else None
    made_by = program_state("detect", "facts", "model", "query")
    digest = hashlib.sha256(repr((made_by, classes, builtin, named, day)).encode())
    with as_file(files("kubewitness")) as package:
        own = [package / "lists", package / "platforms", *([package / "rules"] if builtin else [])]
        for folder in [*own, *folders, *lists, *exceptions]:
            for path in [folder] if folder.is_file() else sorted(folder.rglob("*.*")):
                if (path == folder or path.suffix in _DATA) and not path.name.endswith(".test.yaml") and path.is_file():
                    digest.update(f"{path} {path.stat().st_size}".encode())
                    digest.update(path.read_bytes())
    return digest.hexdigest()[:32]
