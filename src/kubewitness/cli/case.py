"""`kubewitness case`: pin what was found, with notes, and hand it on."""

from __future__ import annotations

import getpass
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from kubewitness.cli import EXIT_MET, examples
from kubewitness.cli.logs import PATHS_HELP, LogOptions
from kubewitness.cli.writing import write
from kubewitness.model.errors import UsageError
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from kubewitness.app.investigate.cases import Added
    from kubewitness.investigate.case import Case

app = App(name="case", help="Keep what was found: events, alerts, queries and notes in a folder; hand it on.")

Folder = Annotated[Path, Parameter(help="Folder of the case.")]
Author = Annotated[str | None, Parameter(help="Who says so; the user of this machine when not given.")]


class CaseFormat(StrEnum):
    """How to print it."""

    TABLE = "table"
    JSON = "json"


@app.command(
    help_epilogue=examples('kubewitness case new storefront-case --title "Token of storefront used elsewhere"')
)
def new(
    folder: Folder,
    /,
    *,
    title: Annotated[str, Parameter(help="What it is about.")],
    author: Author = None,
) -> None:
    """Make a case: a folder of small text files that can be read, kept under version control and merged."""
    from kubewitness.app.investigate.case_folder import new_case  # noqa: PLC0415 - help must come quickly

    case = new_case(folder, title, author or _user())
    _say(f"case {case.id} in {folder}; its records/ will hold original records that are NOT redacted")


@app.command(
    help_epilogue=examples(
        "kubewitness case add storefront-case logs/ --rule pod-token-used-elsewhere --note 'where it began'",
        "kubewitness case add storefront-case --alerts report.json",
        "kubewitness case add storefront-case logs/ --audit-id 3f12e615-7b86-4100-bbe8-68affb471412",
        "kubewitness case add storefront-case logs/ --filter 'user:*storefront AND code:403' --note 'tries doors'",
        "kubewitness case add storefront-case --at logs/audit.log:1204",
        "kubewitness case add storefront-case logs/ --query 'verb:delete' --note 'nothing was deleted'",
        "kubewitness case add storefront-case logs/ --coverage",
    )
)
def add(
    folder: Folder,
    /,
    *paths: Annotated[str, Parameter(help=PATHS_HELP, allow_leading_hyphen=True)],
    rule: Annotated[list[str] | None, Parameter(help="Pin alerts of this rule; several times.", negative=())] = None,
    alerts: Annotated[Path | None, Parameter(help="Pin alerts of this report of scan --format json.")] = None,
    actor: Annotated[str | None, Parameter(help="Only alerts of this actor.")] = None,
    filter: Annotated[str | None, Parameter(help="Pin events that this filter finds.")] = None,  # noqa: A002
    audit_id: Annotated[
        list[str] | None, Parameter(help="Pin events of this request; several times.", negative=())
    ] = None,
    at: Annotated[list[str] | None, Parameter(help="Pin the event at FILE:LINE; several times.", negative=())] = None,
    query: Annotated[str | None, Parameter(help="Pin a filter and its answer now, also an empty one.")] = None,
    coverage: Annotated[bool, Parameter(help="Pin what these logs could not have shown.", negative="")] = False,
    most: Annotated[int, Parameter(help="How many events to pin at most.")] = 200,
    note: Annotated[str, Parameter(help="What you have to say about it.")] = "",
    author: Author = None,
    logs: LogOptions | None = None,
) -> None:
    """Pin something: events or alerts with their original records, a query with its answer, or coverage.

    What is shown of them is redacted; the original records in the folder are not.
    """
    from kubewitness.app.investigate import cases  # noqa: PLC0415 - the engine comes with it

    who, options = author or _user(), logs or LogOptions()
    ways = [bool(each) for each in (alerts, rule and not alerts, filter, audit_id, at, query, coverage)]
    if sum(ways) != 1:
        raise UsageError(
            "say one thing to pin",
            hint="--rule, --alerts, --filter, --audit-id, --at, --query or --coverage: see its --help",
        )
    if alerts:
        added = cases.pin_alerts_of_report(folder, alerts, who, note, rules=rule or (), actor=actor)
    elif at:
        added = cases.pin_places(folder, at, who, note)
    else:
        where = options.logs(paths, example="kubewitness case add FOLDER audit.log --filter 'verb:delete'")
        if rule:
            added = cases.pin_alerts(folder, where, rule, who, note, actor=actor)
        elif query is not None:
            added = cases.pin_query(folder, where, query, who, note)
        elif coverage:
            added = cases.pin_coverage(folder, where, who, note)
        else:
            predicate = cases.events_of(filter, audit_id or ())
            added = cases.pin_events(folder, where, predicate, who, note, most=most)
    _tell(added)


@app.command(
    help_epilogue=examples(
        "kubewitness case note storefront-case 'the key was in a public repository'",
        "kubewitness case note storefront-case --on 1f0c2a9b 'confirmed by the owner'",
    )
)
def note(
    folder: Folder,
    text: Annotated[str, Parameter(help="What you have to say.")],
    /,
    *,
    on: Annotated[str | None, Parameter(help="Entry that it is about; the beginning of its id is enough.")] = None,
    author: Author = None,
) -> None:
    """Add a note, on the case or on one of its entries."""
    from kubewitness.app.investigate.cases import add_note  # noqa: PLC0415 - help must come quickly

    _say(f"note {add_note(folder, text, author or _user(), on).id}")


@app.command(help_epilogue=examples("kubewitness case show storefront-case"))
def show(
    folder: Folder,
    /,
    *,
    format: Annotated[  # noqa: A002
        CaseFormat, Parameter(name=["--format", "-f"], help="How to print it.")
    ] = CaseFormat.TABLE,
) -> None:
    """Tell the story of a case, by time."""
    from kubewitness.app.investigate.case_folder import read_case  # noqa: PLC0415
    from kubewitness.investigate.render.case_page import to_text  # noqa: PLC0415
    from kubewitness.words.plain import plain  # noqa: PLC0415

    case = read_case(folder)
    sys.stdout.write(json.dumps(plain(case), indent=2) + "\n" if format is CaseFormat.JSON else to_text(case))


@app.command(help_epilogue=examples("kubewitness case rerun storefront-case 77aa01cd"))
def rerun(
    folder: Folder,
    entry: Annotated[str, Parameter(help="Entry of a query; the beginning of its id is enough.")],
    /,
) -> int:
    """Ask a pinned query again; exit code 1 when the answer is another one now."""
    from kubewitness.app.investigate.cases import ask_again  # noqa: PLC0415 - the engine comes with it

    then, now = ask_again(folder, entry)
    print(f"then: {then.count:,} of {counted(then.looked_at, 'record')}")  # noqa: T201 - this is the front end
    print(f"now:  {now.count:,} of {counted(now.looked_at, 'record')}")  # noqa: T201
    same = (then.count, [event.sha256 for event in then.events]) == (now.count, [each.sha256 for each in now.events])
    print("the same answer" if same else "another answer")  # noqa: T201
    return 0 if same else EXIT_MET


@app.command(
    help_epilogue=examples(
        "kubewitness case export storefront-case --html storefront.html",
        "ssh-keygen -t ed25519 -f case-key -N ''",
        "kubewitness case export storefront-case --zip storefront.zip --key case-key",
    )
)
def export(
    folder: Folder,
    /,
    *,
    html: Annotated[Path | None, Parameter(help="Write the case as one page that opens offline; redacted.")] = None,
    zip: Annotated[  # noqa: A002
        Path | None, Parameter(help="Write the original records (NOT redacted) with a manifest of hashes.")
    ] = None,
    key: Annotated[
        Path | None, Parameter(help="Sign the manifest: OpenSSH private key, or 32 bytes or more for HMAC.")
    ] = None,
    reveal: Annotated[bool, Parameter(help="Show original records in the page.", negative="")] = False,
) -> None:
    """Write a case to hand on: a page for readers, an archive of evidence for those who check."""
    from kubewitness.app.investigate.case_archive import write_archive  # noqa: PLC0415
    from kubewitness.app.investigate.case_folder import originals, read_case  # noqa: PLC0415
    from kubewitness.investigate.render.case_page import to_page  # noqa: PLC0415

    if not html and not zip:
        raise UsageError("say what to write", hint="--html case.html for readers, --zip case.zip for evidence")
    if key and not zip:
        raise UsageError("only an archive is signed", hint="--zip case.zip --key FILE")
    case = read_case(folder)
    _hint_coverage(case)
    if html:
        text = to_page(case, originals(folder, case) if reveal else None)
        write(html, lambda out: print(text, file=out))
    if zip:
        signed = write_archive(folder, zip, to_page(case), key)
        _say(f"written to {zip}, {signed.value}")
        _say("CAREFUL: it holds original records that are NOT redacted")


@app.command(
    help_epilogue=examples(
        "kubewitness case verify storefront.zip",
        "kubewitness case verify storefront.zip --signers allowed_signers",
        "kubewitness case verify storefront-case --sources",
    )
)
def verify(
    path: Annotated[Path, Parameter(help="Folder of a case, or an archive of case export --zip.")],
    /,
    *,
    key: Annotated[Path | None, Parameter(help="Key of the seal, where it is HMAC.")] = None,
    signers: Annotated[Path | None, Parameter(help="Who may sign: an allowed_signers file of ssh-keygen.")] = None,
    sources: Annotated[
        bool, Parameter(help="Look at the logs again: do the records still stand where they were?", negative="")
    ] = False,
) -> int:
    """Check a case: every hash, every record, the signature; exit code 1 when something is wrong."""
    from kubewitness.app.investigate.case_archive import Signed, verify_case  # noqa: PLC0415
    from kubewitness.words.escape import visible  # noqa: PLC0415

    found = verify_case(path, key=key, signers=signers, sources=sources)
    for problem in (*found.problems, *found.moved):
        print(visible(f"WRONG: {problem}"))  # noqa: T201 - this is the front end
    files, records = counted(found.files, "file"), counted(found.records, "original record")
    print(f"{files}, {records} with the hashes that entries name")  # noqa: T201
    if found.sources is not None:
        verb = "stands in its log as it was" if found.sources == 1 else "stand in their logs as they were"
        print(f"{counted(found.sources, 'record')} {verb} pinned")  # noqa: T201
    if path.is_file():
        print(visible(f"{found.signed.value}{': ' + found.signer if found.signer else ''}"))  # noqa: T201
        if found.signed is Signed.SSH and signers is None and found.is_sound:
            print("who that key belongs to is not checked: --signers FILE")  # noqa: T201
    print("sound" if found.is_sound else "NOT sound")  # noqa: T201
    return 0 if found.is_sound else EXIT_MET


def _tell(added: Added) -> None:
    for entry in added.entries[:10]:
        _say(f"{entry.kind.value} {entry.id}" + (f", {counted(len(entry.events), 'record')}" if entry.events else ""))
    if len(added.entries) > 10:  # noqa: PLR2004 - enough to see
        _say(f"and {len(added.entries) - 10:,} more")
    if added.known:
        _say(f"{added.known:,} {'was' if added.known == 1 else 'were'} in the case already")
    if added.bare:
        _say(f"warning: {added.bare:,} alerts are pinned without records: their logs are not where the report says")
    if added.left_out > 0:
        _say(f"{added.left_out:,} more were found and not pinned: --most, or a narrower filter")


def _hint_coverage(case: Case) -> None:
    if not case.coverage:
        _say("hint: say what the logs could not have shown: kubewitness case add FOLDER LOGS --coverage")


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - this is the front end


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"
