"""The command line: parses, calls one use case, renders. What a command needs is imported when it runs."""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError

from kubewitness import __version__

app = App(
    name="kubewitness",
    help="Ask Kubernetes audit logs who did what, whether it was allowed, and what they could not see.",
    version=__version__,
    help_format="plaintext",  # markdown takes as long to import as all the rest
    help_epilogue="Short alias: kw. Data goes to stdout, everything else to stderr; NO_COLOR is honoured.",
)
app.command(
    "kubewitness.cli.scan:scan",
    name="scan",
    help="Read audit logs in any shape and report what happened.",
    help_epilogue="Examples:\n\n"
    "    kubewitness scan audit.log\n\n"
    "    kubewitness scan insights-logs-kube-audit/ --format html -o report.html\n\n"
    "    zcat audit-*.log.gz | kubewitness scan - --format json --fail-on high",
)
app.command("kubewitness.cli.rules:app", name="rules", help="List, show and test rules.")

EXIT_MET = 1
EXIT_UNUSABLE = 2


def main() -> None:
    """Entry point of the command."""
    from kubewitness.model.errors import KubewitnessError  # noqa: PLC0415 - help must come quickly

    try:
        result = app(exit_on_error=False, print_error=False)
    except KubewitnessError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - this is the front end
        sys.exit(EXIT_UNUSABLE)
    except CycloptsError as error:
        words = " ".join(("kubewitness", *(error.command_chain or ())))
        print(f"error: {error}\nhint: {words} --help", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_UNUSABLE)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(EXIT_UNUSABLE)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(result if isinstance(result, int) else 0)
