"""`kubewitness policy`: audit policies, evaluated, explained, applied."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from kubewitness.cli import EXIT_UNUSABLE, examples
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.policy.attributes import Attributes
    from kubewitness.policy.explain import Explanation, Step

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})


class Format(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


PolicyFile = Annotated[Path, Parameter(help="Audit policy, YAML or JSON.")]


def _examples(*commands: str) -> str:
    return examples(*(f"kubewitness policy {command}" for command in commands))


app = App(name="policy", help="Evaluate, explain and apply audit policies.")


@app.command(name="eval", help_epilogue=_examples("eval policy.yaml --requests requests.jsonl"))
def evaluate(
    file: PolicyFile,
    /,
    *,
    requests: Annotated[
        str, Parameter(help="Requests, one JSON object a line; - for standard input.", allow_leading_hyphen=True)
    ],
) -> int:
    """Say for each request what kube-apiserver would record of it: one line of JSON each.

    A line that is no request gets a line with its error, and the command ends with exit code 2.
    """
    from kubewitness.app.policies.evaluation import decision_fields, evaluate_requests, load  # noqa: PLC0415 - help must come quickly

    policy = load(file)
    is_whole = True
    for answer in evaluate_requests(policy, _lines(requests)):
        if answer.decision is None:
            is_whole = False
            print(f"error: {requests}:{answer.line}: {answer.error}", file=sys.stderr)  # noqa: T201 - the front end
            _write(json.dumps({"error": answer.error, "line": answer.line}))
        else:
            for key in answer.ignored:
                print(f"warning: {requests}:{answer.line}: `{key}` is ignored", file=sys.stderr)  # noqa: T201
            _write(json.dumps(decision_fields(answer.decision)))
    return 0 if is_whole else EXIT_UNUSABLE


@app.command(
    help_epilogue=_examples(
        "explain policy.yaml --event event.json",
        "explain policy.yaml --user alice --verb create --resource pods/exec --namespace shop --name web-0",
        "explain policy.yaml --user alice --verb GET --url '/api/v1/secrets?limit=500'",
    )
)
def explain(
    file: PolicyFile,
    /,
    *,
    event: Annotated[
        str | None,
        Parameter(help="Audit event in any shape, or - for standard input.", allow_leading_hyphen=True),
    ] = None,
    user: Annotated[str | None, Parameter(help="Who authenticated; nobody (401) when not given.")] = None,
    group: Annotated[list[str] | None, Parameter(help="Group of the user; several times.", negative=())] = None,
    verb: Annotated[str | None, Parameter(help="Verb, or with --url also an HTTP method in capitals.")] = None,
    api_group: Annotated[str, Parameter(help="API group; empty for the core group.")] = "",
    resource: Annotated[str | None, Parameter(help="Resource in the plural, such as pods or pods/exec.")] = None,
    subresource: Annotated[str, Parameter(help="Subresource.")] = "",
    namespace: Annotated[str, Parameter(help="Namespace.")] = "",
    name: Annotated[str, Parameter(help="Name of the object.")] = "",
    url: Annotated[str | None, Parameter(help="Path and query of the request, instead of the resource.")] = None,
    format: Annotated[Format, Parameter(name=["--format", "-f"], help="How to print it.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Walk through the rules for one request: why each matches or not, which decides, what is recorded."""
    from kubewitness.app.policies.evaluation import explain_event, explain_request, explanation_fields, load  # noqa: PLC0415

    policy = load(file)
    if event is not None:
        explanation = explain_event(policy, event, _read(event))
    else:
        if (url is None) == (resource is None):
            raise UsageError(
                "say which request: --event, --url or --resource", hint="kubewitness policy explain --help"
            )
        who = (user, tuple(group or ()))
        if url is not None:
            asked = _of_url(who, verb, url)
        else:
            asked = _of_resource(who, verb or ("get" if name else "list"), resource or "", api_group, subresource)
            asked = replace(asked, namespace=namespace, name=name)
        explanation = explain_request(policy, asked)
    if format is Format.JSON:
        _write(json.dumps(explanation_fields(explanation)))
    else:
        _print_explanation(explanation)


_MODULES = {"simulate": "policy_simulate", "volume": "policy_simulate"}
for _name, _about, _lines_shown in (
    (
        "simulate",
        "Measure what a policy would keep of a log, and what that costs.",
        ("simulate policy.yaml logs/", "simulate builtin:metadata logs/ --compare builtin:gce --chart bytes.html"),
    ),
    (
        "volume",
        "Say who and what fills a log, by bytes.",
        ("volume logs/", "volume logs/ --top 20 --format json"),
    ),
    (
        "coverage",
        "Say for each detection rule whether a log under a policy could show it.",
        ("coverage builtin:aks-kube-audit-admin --gaps", "coverage policy.yaml --rules my-rules --format json"),
    ),
    (
        "diff",
        "Say what another policy records differently, and which detections are lost and won.",
        ("diff old.yaml new.yaml", "diff builtin:aks-kube-audit builtin:aks-kube-audit-admin"),
    ),
    (
        "advise",
        "Write the smallest policy under which the chosen detections could be shown.",
        ("advise -o policy.yaml", "advise --keep exec-into-pod --keep C01"),
    ),
):
    app.command(
        f"kubewitness.cli.{_MODULES.get(_name, 'policy_coverage')}:{_name}",
        name=_name,
        help=_about,
        help_epilogue=_examples(*_lines_shown),
    )
app.command(
    "kubewitness.cli.policy_lint:lint",
    name="lint",
    help="Say what is wrong with a policy, and mend it.",
    help_epilogue=_examples("lint policy.yaml", "lint policy.yaml --fix", "lint policy.yaml --format sarif"),
)
app.command("kubewitness.cli.policy_coverage:builtins", name="list", help="List the builtin policies.")
app.command(
    "kubewitness.cli.policy_apply:apply",
    name="apply",
    help="Write what kube-apiserver would have written under a policy.",
    help_epilogue=_examples(
        "apply policy.yaml audit.log -o less.ndjson",
        "apply policy.yaml insights-logs-kube-audit/ --keep-envelope -o less.ndjson",
        "apply policy.yaml audit.log --redact-secrets key.bin > shareable.ndjson",
    ),
)


def _of_url(who: tuple[str | None, tuple[str, ...]], verb: str | None, url: str) -> Attributes:
    from kubewitness.policy.attributes import attributes_of_event, attributes_of_request  # noqa: PLC0415

    user, groups = who
    if verb is None or verb in _METHODS:
        return attributes_of_request(verb or "GET", url, user=user, groups=groups)
    known = {} if user is None else {"username": user, "groups": list(groups)}
    return attributes_of_event({"verb": verb, "requestURI": url, "user": known})


def _of_resource(
    who: tuple[str | None, tuple[str, ...]], verb: str, resource: str, api_group: str, subresource: str
) -> Attributes:
    from kubewitness.policy.attributes import Attributes  # noqa: PLC0415

    resource, _, part = resource.partition("/")
    return Attributes(
        *who,
        verb=verb,
        api_group=api_group,
        resource=resource,
        subresource=subresource or part,
        is_resource_request=True,
    )


def _read(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=path) from error


def _lines(path: str) -> Iterator[bytes]:
    try:
        if path == "-":
            yield from sys.stdin.buffer
        else:
            with Path(path).open("rb") as file:
                yield from file
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=path) from error


def _print_explanation(explanation: Explanation) -> None:
    from rich.table import Table  # noqa: PLC0415

    from kubewitness.look.console import open_console  # noqa: PLC0415
    from kubewitness.words.escape import visible  # noqa: PLC0415

    console = open_console()
    table = Table("RULE", "LINE", "LEVEL", "MATCHES", "WHY", box=None, pad_edge=False, header_style="dim")
    for column in table.columns[:-1]:
        column.no_wrap = True
    table.columns[-1].overflow = "fold"
    for step in explanation.steps:
        table.add_row(
            str(step.rule),
            str(step.mark.line) if step.mark else "",
            step.level.value,
            "yes" if step.is_match else "no",
            visible(_why(step)),
        )
    console.print(table)
    console.print()
    for label, text in _summary(explanation):
        console.print(f"{label:<14}{visible(text)}", soft_wrap=True)


def _why(step: Step) -> str:
    if step.is_match:
        return "decides" if step.is_reached else "never asked: an earlier rule decides"
    return "; ".join(f"{reason.part.value}: {reason.message}" for reason in step.reasons)


def _summary(explanation: Explanation) -> Iterator[tuple[str, str]]:
    asked, decision, recorded = explanation.attributes, explanation.decision, explanation.recorded
    what = asked.path if not asked.is_resource_request else " ".join(filter(None, _object_words(asked)))
    yield "request", f"{asked.user or 'nobody (401)'}: {asked.verb} {what}"
    yield "decided by", "no rule" if decision.rule is None else f"rule {decision.rule}"
    yield "level", decision.level.value
    if recorded.stages:
        yield "events at", ", ".join(recorded.stages)
        bodies = [("requestObject", recorded.request_object), ("responseObject", recorded.response_object)]
        held = [name for name, is_in in bodies if is_in]
        managed = "" if recorded.managed_fields or not held else ", without managedFields"
        yield "bodies", (" and ".join(held) + managed) if held else "none"
    else:
        yield "events at", "no stage"
    for note in recorded.notes:
        yield "note", note


def _object_words(asked: Attributes) -> Iterator[str]:
    yield f"{asked.combined_resource}.{asked.api_group}" if asked.api_group else asked.combined_resource
    yield asked.name
    yield f"in {asked.namespace}" if asked.namespace else ""


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
