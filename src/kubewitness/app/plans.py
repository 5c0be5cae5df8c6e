"""Plans, kept between runs: parsing and planning rules takes longer than reading a small log."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from kubewitness import __version__
from kubewitness.detect.plan import Plan
from kubewitness.model.rule import RuleClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

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
    folder = _cache_folder()
    path = (
        folder / f"plan-{_fingerprint(folders, wanted, lists, exceptions, today, builtin=builtin)}.json"
        if folder
        else None
    )
    if path:
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(path.read_bytes(), type=Plan)
    # Only when there is something to plan: these take long to import.
    from kubewitness.detect.attaching import plan_with_exceptions  # noqa: PLC0415
    from kubewitness.detect.makers import with_makers  # noqa: PLC0415
    from kubewitness.detect.platforms import with_signs  # noqa: PLC0415

    loaded = load_rules(folders, builtin=builtin, classes=wanted, lists=lists, exceptions=exceptions)
    plan = plan_with_exceptions(loaded.pack, loaded.exceptions, today)
    plan = with_makers(with_signs(plan, loaded.platforms))
    if path:
        _keep(path, plan)
    return plan


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


def _cache_folder() -> Path | None:
    """The user's own cache; a folder that others can write to would let them choose the SQL that is run."""
    if home := os.environ.get("XDG_CACHE_HOME"):
        return Path(home) / "kubewitness"
    try:
        return Path.home() / ".cache" / "kubewitness"
    except RuntimeError:  # a container may run as a user that has no home
        return None


def _keep(path: Path, plan: Plan) -> None:
    """Write the plan, or do without: a cache that cannot be written is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(msgspec.json.encode(plan))
        unfinished.replace(path)
        plans = sorted(path.parent.glob("plan-*.json"), key=lambda each: each.stat().st_mtime)
        for old in plans[:-_KEPT_PLANS]:
            old.unlink(missing_ok=True)
    except OSError:
        return


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
    digest = hashlib.sha256(repr((__version__, classes, builtin, named, day)).encode())
    with as_file(files("kubewitness")) as package:
        for part in ("detect", "facts", "model", "query"):
            for path in sorted((package / part).rglob("*.*")):
                if path.suffix in {".py", ".sql"}:
                    state = path.stat()
                    digest.update(f"{path.name} {state.st_size} {state.st_mtime_ns}".encode())
        own = [package / "lists", package / "platforms", *([package / "rules"] if builtin else [])]
        for folder in [*own, *folders, *lists, *exceptions]:
            for path in [folder] if folder.is_file() else sorted(folder.rglob("*.*")):
                if (path == folder or path.suffix in _DATA) and not path.name.endswith(".test.yaml") and path.is_file():
                    digest.update(f"{path} {path.stat().st_size}".encode())
                    digest.update(path.read_bytes())
    return digest.hexdigest()[:32]
