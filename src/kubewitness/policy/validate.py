"""What the server demands of a policy that it could decode. Source: k8s.io/apiserver/pkg/apis/audit/validation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubewitness.model.recording import Level, Stage
from kubewitness.policy.document.go_text import listed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_BYTES = 253
_SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    f" end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN.pattern}')"
)
_STAGES = ",".join(Stage)
_LEVELS = ", ".join(map(quoted, Level))

Finding = tuple[str, str, str]
"""Path as the server names it, message, and the exact path."""


def findings(policy: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with a decoded policy, in the server's order and words; a path may come several times."""
    yield from _stages(policy["omitStages"], "omitStages")
    for index, rule in enumerate(policy["rules"]):
        yield from _rule(rule, f"rules[{index}]")


def _rule(rule: dict[str, Any], path: str) -> Iterator[Finding]:
    level = rule["level"]
    if not level:
        yield _at(f"{path}.level", "Required value")
    elif level not in set(Level):
        yield _at(f"{path}.level", f"Unsupported value: {quoted(level)}: supported values: {_LEVELS}")
    yield from _urls(rule["nonResourceURLs"], f"{path}.nonResourceURLs")
    yield from _resources(rule["resources"], f"{path}.resources")
    yield from _stages(rule["omitStages"], f"{path}.omitStages")
    if rule["nonResourceURLs"] and (rule["resources"] or rule["namespaces"]):
        message = "rules cannot apply to both regular resources and non-resource URLs"
        yield _at(f"{path}.nonResourceURLs", f"Invalid value: {listed(rule['nonResourceURLs'])}: {message}")


def _urls(urls: list[str], path: str) -> Iterator[Finding]:
    for index, url in enumerate(urls):
        if url == "*":
            continue
        invalid = f"Invalid value: {quoted(url)}: non-resource URL"
        if not url.startswith("/"):
            yield _at(f"{path}[{index}]", f"{invalid} rules must begin with a '/' character")
        if "*" in url[:-1]:
            yield _at(f"{path}[{index}]", f"{invalid} wildcards '*' must be the final character of the rule")


def _resources(resources: list[dict[str, Any]], path: str) -> Iterator[Finding]:
    for index, item in enumerate(resources):
        group, names = item["group"], item["resourceNames"]
        if group not in {"", "*"} and (wrong := ",".join(_subdomain(group))):
            yield f"{path}.group", f"Invalid value: {quoted(group)}: {wrong}", f"{path}[{index}].group"
        if names and not item["resources"]:
            message = "using resourceNames requires at least one resource"
            exact = f"{path}[{index}].resourceNames"
            yield f"{path}.resourceNames", f"Invalid value: {listed(names)}: {message}", exact


def _subdomain(text: str) -> Iterator[str]:
    if len(text.encode("utf-8", "replace")) > _SUBDOMAIN_BYTES:
        yield f"must be no more than {_SUBDOMAIN_BYTES} bytes"
    if not _SUBDOMAIN.fullmatch(text):
        yield _SUBDOMAIN_MESSAGE


def _stages(stages: list[str], path: str) -> Iterator[Finding]:
    for index, stage in enumerate(stages):
        if stage not in set(Stage):
            yield _at(f"{path}[{index}]", f"Invalid value: {quoted(stage)}: allowed stages are {_STAGES}")


def _at(path: str, message: str) -> Finding:
    return path, message, path
