"""Use cases of audit policies: evaluate requests, explain a decision."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.app.reading import decoder
from kubewitness.decode import Event, sniff
from kubewitness.model.errors import UnreadableError, UsageError
from kubewitness.model.recording import Stage
from kubewitness.policy.attributes import Attributes, attributes_of_event
from kubewitness.policy.evaluate import Decision, Evaluator
from kubewitness.policy.explain import Explanation, explain
from kubewitness.policy.load import policy_of, read_policy
from kubewitness.policy.recordings import PREFIX, find_recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kubewitness.policy.model import Policy

_HEAD_BYTES = 64 << 10
_TEXTS = {
    "verb": "verb",
    "apiGroup": "api_group",
    "resource": "resource",
    "subresource": "subresource",
    "namespace": "namespace",
    "name": "name",
    "path": "path",
}
_KNOWN = {*_TEXTS, "user", "groups", "isResourceRequest", "apiVersion"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one line of requests.

    Attributes:
        line: its number, from 1.
        decision: None for a line that is no request.
        error: why it is none, or None.
        ignored: keys that no request has.
    """

    line: int
    decision: Decision | None = None
    error: str | None = None
    ignored: tuple[str, ...] = ()


def load(path: Path) -> Policy:
    """The policy in a file, or a builtin one by `builtin:NAME`.

    Raises:
        UsageError: it cannot be read.
        PolicyError: kube-apiserver would not load it.
    """
    name = str(path)
    return find_recording(name).policy if name.startswith(PREFIX) else policy_of(read_policy(path), name)


def evaluate_requests(policy: Policy, lines: Iterable[bytes]) -> Iterator[Answer]:
    """One answer for each line that is not blank: the attributes of a request as a JSON object."""
    evaluator = Evaluator(policy)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Answer(number, error=f"is no JSON: {error}")
            continue
        try:
            attributes = attributes_of_json(found)
        except UsageError as error:
            yield Answer(number, error=error.message)
            continue
        yield Answer(number, evaluator.decide(attributes), ignored=tuple(sorted(set(found) - _KNOWN)))


def attributes_of_json(found: Any) -> Attributes:
    """Attributes of a request out of an object with the names of the API's own attributes, in camelCase.

    Raises:
        UsageError: it is none; says which part.
    """
    if not isinstance(found, dict):
        raise UsageError("is no JSON object")
    texts: dict[str, str] = {}
    for key, name in _TEXTS.items():
        value = found.get(key)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"`{key}` is no text")
        texts[name] = value or ""
    user, groups, is_resource = found.get("user"), found.get("groups"), found.get("isResourceRequest")
    if user is not None and not isinstance(user, str):
        raise UsageError("`user` is neither a text nor null")
    if groups is not None and not (isinstance(groups, list) and all(isinstance(group, str) for group in groups)):
        raise UsageError("`groups` is no list of texts")
    if is_resource is not None and not isinstance(is_resource, bool):
        raise UsageError("`isResourceRequest` is neither true nor false")
    return Attributes(
        user=user,
        groups=tuple(groups or ()),
        **texts,
        is_resource_request=bool(texts["resource"]) if is_resource is None else is_resource,
    )


def decision_fields(decision: Decision) -> dict[str, Any]:
    """A decision as JSON."""
    return {
        "level": decision.level.value,
        "omit_stages": [stage.value for stage in Stage if stage in decision.omit_stages],
        "omit_managed_fields": decision.omit_managed_fields,
        "rule": decision.rule,
    }


def explain_event(policy: Policy, path: str, data: bytes) -> Explanation:
    """Explain the decision about the request of the first audit event in a file, in whatever shape it is.

    Raises:
        UnreadableError: there is no audit event in it.
    """
    stream: Any = io.BufferedReader(io.BytesIO(data))
    for outcome in decoder(sniff(data[:_HEAD_BYTES]), stream):
        if isinstance(outcome, Event):
            return explain(policy, attributes_of_event(json.loads(outcome.text)))
    raise UnreadableError("holds no audit event", where=path)


def explain_request(policy: Policy, attributes: Attributes) -> Explanation:
    """Explain the decision about a request."""
    return explain(policy, attributes)


def explanation_fields(explanation: Explanation) -> dict[str, Any]:
    """An explanation as JSON."""
    asked, recorded = explanation.attributes, explanation.recorded
    return {
        "request": {
            "user": asked.user,
            "groups": list(asked.groups),
            **{key: getattr(asked, name) for key, name in _TEXTS.items()},
            "isResourceRequest": asked.is_resource_request,
        },
        "rules": [
            {
                "rule": step.rule,
                "line": step.mark.line if step.mark else None,
                "level": step.level.value,
                "matches": step.is_match,
                "reached": step.is_reached,
                "reasons": [{"part": reason.part.value, "message": reason.message} for reason in step.reasons],
            }
            for step in explanation.steps
        ],
        "decision": decision_fields(explanation.decision),
        "event": {
            "stages": [stage.value for stage in recorded.stages],
            "request_object": recorded.request_object,
            "response_object": recorded.response_object,
            "managed_fields": recorded.managed_fields,
            "notes": list(recorded.notes),
        },
    }
