"""Every variant of a case: each mutation applied to all of its events that it makes sense for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.detect.mutations.mutation import Mutation
from kubewitness.detect.mutations.other_servers import in_other_version, sparse
from kubewitness.detect.mutations.patches import PATCHES, bare_patcher, patcher
from kubewitness.detect.mutations.renaming import Renamer
from kubewitness.detect.mutations.templates import CRON_JOB, DEPLOYMENT, templater

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.detect.cases import Case, Event
    from kubewitness.detect.mutations.mutation import Change


@dataclass(frozen=True, slots=True)
class Variant:
    """A case, changed.

    Attributes:
        mutation: how.
        about: what exactly was done, for people.
        events: the changed events.
        plain: whether they are to be read as plain events, not in an envelope.
    """

    mutation: Mutation
    about: str
    events: tuple[Event, ...]
    plain: bool = False


def variants(case: Case) -> Iterator[Variant]:
    """Every variant of a case. The case itself is run in an AKS envelope, so `envelope` takes it out."""
    yield from _changed(case, Mutation.ACTOR, "done by an Entra user", Renamer(case).rename)
    for mutation, about, change in PATCHES:
        for with_response in (False, True):
            shown = "at level RequestResponse" if with_response else "at level Request"
            yield from _changed(case, mutation, f"{about}, {shown}", patcher(change, with_response=with_response))
        yield from _changed(case, mutation, f"{about}, without bodies", bare_patcher(change))
    for kind in (DEPLOYMENT, CRON_JOB):
        yield from _changed(case, Mutation.TEMPLATE, f"as the template of a {kind.kind}", templater(kind))
    yield from _changed(case, Mutation.SPARSE, "without stage, annotations and userAgent", sparse)
    yield from _changed(case, Mutation.VERSION, "in another version of the API group", in_other_version)
    yield Variant(Mutation.ENVELOPE, "without the AKS envelope", case.events, plain=True)


def _changed(case: Case, mutation: Mutation, about: str, change: Change) -> Iterator[Variant]:
    """The variant in which every event that can be changed is; none when none can."""
    # A copy by way of JSON: events are JSON, and `deepcopy` takes four times as long.
    changed = [change(event) for event in json.loads(json.dumps(case.events))]
    if any(changed):
        events = tuple(new or old for new, old in zip(changed, case.events, strict=True))
        yield Variant(mutation, about, events)
