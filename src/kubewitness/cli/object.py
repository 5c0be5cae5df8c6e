"""`kubewitness object`: the life of an object, revision by revision."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, TextIO

from cyclopts import Parameter

from kubewitness.cli.logs import PATHS_HELP, LogOptions, moment, warn_of
from kubewitness.cli.writing import write
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from datetime import datetime

    from kubewitness.app.investigate.objects import ObjectStory

_EXAMPLE = "kubewitness object shop/deployment/web audit.log"
_DEFAULTS = LogOptions()


class ObjectFormat(StrEnum):
    """How to print the life of an object."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    HTML = "html"


def object_command(
    name: Annotated[str, Parameter(help="NAMESPACE/KIND/NAME or KIND/NAME; a kind may be a resource, or short.")],
    /,
    *paths: Annotated[str, Parameter(help=PATHS_HELP, allow_leading_hyphen=True)],
    diff: Annotated[bool, Parameter(help="Print what each revision changed as differences of YAML.", negative="")] = (
        False
    ),
    at: Annotated[str | None, Parameter(help="Print the object as it was at this time, as YAML.")] = None,
    blame: Annotated[bool, Parameter(help="Say who last set each field.", negative="")] = False,
    status: Annotated[bool, Parameter(help="List every change of status.", negative="")] = False,
    managed_fields: Annotated[
        bool, Parameter(help="Tell of changes in what the server keeps for itself, too.", negative="")
    ] = False,
    reveal: Annotated[bool, Parameter(help="Show secrets, tokens and command arguments.", negative="")] = False,
    format: Annotated[ObjectFormat, Parameter(name=["--format", "-f"], help="How to print it.")] = ObjectFormat.TABLE,  # noqa: A002
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Write to this file.")] = None,
    options: LogOptions = _DEFAULTS,
) -> None:
    """Follow an object through its life: revisions out of bodies and patches, who changed which field, and its end."""
    from kubewitness.app.investigate.objects import object_story  # noqa: PLC0415 - the engine is imported when it runs

    logs = options.logs(paths, example=_EXAMPLE)
    when = moment(at)
    story = object_story(logs, name, reveal=reveal, with_noise=managed_fields)
    warn_of(story.ledger)
    if when is not None:
        write(output, lambda out: _write_at(story, when, out))
        return
    match format:
        case ObjectFormat.JSON:
            write(output, lambda out: _write_json(story, out))
        case ObjectFormat.NDJSON:
            write(output, lambda out: _write_lines(story, out))
        case ObjectFormat.HTML:
            write(output, lambda out: _write_page(story, out))
        case ObjectFormat.TABLE:
            write(output, lambda out: _write_text(story, out, diff=diff, with_status=status, with_blame=blame))


def _write_text(story: ObjectStory, out: TextIO, *, diff: bool, with_status: bool, with_blame: bool) -> None:
    from kubewitness.investigate.render.object_table import write_diffs, write_lives  # noqa: PLC0415

    if diff:
        if not any(life.revisions for life in story.lives):
            out.write(f"# no change of {story.name} is in this log: {_summary(story)}\n")
        write_diffs(story.lives, story.show, out)
        return
    out.write(f"{story.name}: {_summary(story)}\n")
    out.writelines(f"note: {remark}\n" for remark in story.remarks)
    if not story.lives:
        out.write("what this log could not have shown: kubewitness coverage PATH\n")
        return
    out.write("\n")
    write_lives(story.lives, story.show, out, with_status=with_status, with_blame=with_blame)


def _summary(story: ObjectStory) -> str:
    lives = f"{len(story.lives)} {'life' if len(story.lives) == 1 else 'lives'}"
    events = story.ledger.events + story.ledger.partial
    return f"{lives}, {counted(story.requests, 'request')}; {counted(events, 'event')} looked at"


def _write_page(story: ObjectStory, out: TextIO) -> None:
    from kubewitness.investigate.render.object_page import to_page  # noqa: PLC0415

    text = to_page(
        str(story.name),
        story.lives,
        story.show,
        summary=_summary(story),
        remarks=story.remarks,
        ledger=story.ledger,
    )
    out.write(f"{text}\n")


def _write_lines(story: ObjectStory, out: TextIO) -> None:
    from kubewitness.investigate.render.object_fields import line_fields  # noqa: PLC0415

    out.writelines(json.dumps(fields) + "\n" for fields in line_fields(str(story.name), story.lives, story.show))


def _write_json(story: ObjectStory, out: TextIO) -> None:
    from kubewitness.investigate.render.object_fields import life_fields  # noqa: PLC0415
    from kubewitness.words.plain import ledger_fields, to_json  # noqa: PLC0415

    summary = {"object": str(story.name), "requests": story.requests, "remarks": list(story.remarks)}
    lives = ",\n".join(to_json(life_fields(life, story.show)) for life in story.lives)
    out.write(f'{{"summary": {to_json(summary)},\n"ledger": {json.dumps(ledger_fields(story.ledger))},\n')
    out.write(f'"lives": [\n{lives}]}}\n')


def _write_at(story: ObjectStory, when: datetime, out: TextIO) -> None:
    from kubewitness.investigate.render.object_at import write_state  # noqa: PLC0415

    write_state(story.lives, when, story.show, out, name=str(story.name))
