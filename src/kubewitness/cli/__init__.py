"""The command line: parses, calls one use case, renders. What a command needs is imported when it runs."""

from __future__ import annotations

import io
import os
import sys

ABOUT = "Ask Kubernetes audit logs who did what, whether it was allowed, and what they could not see."
EPILOGUE = "Short alias: kw. Data goes to stdout, everything else to stderr; NO_COLOR is honoured."
COMMANDS = {
    "scan": ("kubewitness.cli.scan:scan", "Read audit logs in any shape and report what happened."),
    "exceptions": ("kubewitness.cli.exceptions:app", "Check files of exceptions."),
    "baseline": ("kubewitness.cli.baseline:app", "Learn what actors usually do, so that a scan sees what is new."),
    "ingest": ("kubewitness.cli.ingest:ingest", "Keep the events of logs in a store."),
    "store": ("kubewitness.cli.store:app", "Look after a store of events."),
    "rules": ("kubewitness.cli.rules:app", "List, show and test rules."),
    "hunt": ("kubewitness.cli.hunt:app", "Look for events by a filter or a named hunt."),
    "sql": ("kubewitness.cli.sql:sql", "Ask events in SQL."),
    "actor": ("kubewitness.cli.actor:actor", "Say what a log knows of one actor."),
    "compare": ("kubewitness.cli.compare:compare", "Say what is different between two logs, times or clusters."),
    "rbac": ("kubewitness.cli.rbac:rbac", "Write the least role for what somebody did; replay a role on a log."),
    "timeline": ("kubewitness.cli.timeline:timeline", "Put what was done and what was alarming on one axis."),
    "case": ("kubewitness.cli.case:app", "Keep what was found, with notes; hand it on as a page or as evidence."),
    "object": ("kubewitness.cli.object:object_command", "Follow an object through its life, revision by revision."),
    "facets": ("kubewitness.cli.facets:facets", "Show what values the fields of events have."),
    "coverage": ("kubewitness.cli.coverage:coverage", "Say what a log could not have shown."),
    "policy": ("kubewitness.cli.policy:app", "Evaluate, explain and apply audit policies."),
}
"""Name of each command: where it is, and what it does."""

EXIT_MET = 1
EXIT_UNUSABLE = 2
EXIT_UNREAD = 141
"""Whoever read the output went away: what a shell says of a program that SIGPIPE has ended."""


def examples(*lines: str) -> str:
    """What stands at the end of the help of a command: how it is used."""
    return "\n\n".join(("Examples:", *(f"    {line}" for line in lines)))


def main() -> None:
    """Entry point of the command."""
    if sys.argv[1:] in ([], ["-h"], ["--help"]):
        print(overview())  # noqa: T201 - this is the front end
        return
    _buffer_output()
    sys.exit(_run())


def _buffer_output() -> None:
    """Give standard output a buffer where it has none (PYTHONUNBUFFERED): a part of a long text is else lost silently.

    A stream without a buffer writes what the system takes at once, which is less when a disk is full or a pipe is
    closed, and nobody looks at how much that was.
    """
    raw = getattr(sys.stdout, "buffer", None)
    if isinstance(raw, io.RawIOBase):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw), sys.stdout.encoding, sys.stdout.errors, line_buffering=sys.stdout.isatty()
        )


def overview() -> str:
    """What `kubewitness --help` says: without the parser, because importing it takes longer than reading this."""
    commands = [*((name, about) for name, (_, about) in COMMANDS.items()), ("--version", "Show the version.")]
    width = max(len(name) for name, _ in commands)
    listed = "\n".join(f"  {name:{width}}  {about}" for name, about in commands)
    usage = "Usage: kubewitness COMMAND [OPTIONS]"
    more = "kubewitness COMMAND --help shows options and examples."
    return f"{usage}\n\n{ABOUT}\n\nCommands:\n{listed}\n\n{more}\n{EPILOGUE}"


def _run() -> int:
    from cyclopts import CycloptsError  # noqa: PLC0415 - the overview must come quickly

    from kubewitness.model.errors import KubewitnessError  # noqa: PLC0415

    try:
        code = _call()
        sys.stdout.flush()
    except KubewitnessError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_UNUSABLE
    except CycloptsError as error:
        words = " ".join(("kubewitness", *(error.command_chain or ())))
        print(f"error: {error}\nhint: {words} --help", file=sys.stderr)  # noqa: T201
        return EXIT_UNUSABLE
    except BrokenPipeError:
        _let_output_go()
        return EXIT_UNREAD
    except OSError as error:
        if error.filename is not None:  # of a file, and nobody expected it
            raise
        print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)  # noqa: T201
        _let_output_go()
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        return 130
    return code


def _call() -> int:
    """Call the command of the arguments; gives its exit code, whether it returns it or the parser exits with it."""
    from kubewitness.cli.application import app  # noqa: PLC0415

    try:
        result = app(exit_on_error=False, print_error=False)
    except SystemExit as end:
        result = end.code
    return result if isinstance(result, int) else 0


def _let_output_go() -> None:
    """Let what is left of the output go: it is flushed at the end, and that would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
