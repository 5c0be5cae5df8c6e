"""An object as it was at a moment, as YAML, with what is uncertain in comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from kubewitness.investigate.lives import state_at
from kubewitness.investigate.render.object_words import as_yaml
from kubewitness.words.escape import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from kubewitness.investigate.lives import Life, Revision


def write_state(lives: Sequence[Life], when: datetime, show: Callable[[Any], Any], out: TextIO, *, name: str) -> None:
    """Write the state of a moment; a comment where it was not there, or where the log does not know it."""
    out.write(f"# {visible(name)} at {when:%Y-%m-%d %H:%M:%S} UTC\n")
    found = state_at(lives, when)
    if found is None:
        born = next((life.is_born for life in lives if life.revisions), False)
        out.write("# it was not there\n" if born else "# the log does not say whether it was there\n")
        return
    life, revision = found
    known = next((each for each in reversed(life.revisions[: revision.number]) if each.state is not None), None)
    out.writelines(f"# {visible(note)}\n" for note in _notes(life, revision, known))
    if known is not None:
        out.write(as_yaml(show(known.state)))


def _notes(life: Life, revision: Revision, known: Revision | None) -> Iterator[str]:
    if known is None:
        yield f"revision {revision.number}, whose state is not recorded"
        return
    at = f" of {known.at:%Y-%m-%d %H:%M:%S}" if known.at else ""
    yield f"revision {known.number}{at}, {known.evidence.about}"
    yield from known.notes
    if known.number < revision.number:
        yield f"uncertain: {revision.number - known.number} later changes are not recorded"
    elif not known.is_certain:
        yield "uncertain: changes before it are not recorded, and may still show"
    if life.deletion and life.deletion.asked_at and known.at and life.deletion.asked_at <= known.at:
        yield "its deletion had been asked for"
