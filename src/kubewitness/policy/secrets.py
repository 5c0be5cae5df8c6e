"""Secret values in bodies, replaced by a keyed hash: equal values stay comparable, and cannot be guessed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.policy.edit import Subject

LEAST_KEY_BYTES = 16
"""A shorter key could be found by trying."""

_MARKS = (b'"Secret', b'"token"', b'"env"')
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_KINDS = {
    "secret_data": "values of secrets",
    "last_applied": "last applied configurations of secrets",
    "token": "tokens",
    "env_value": "environment values",
}
_DATA = ("data", "stringData")
_PATCH_PATH = re.compile(r"/(data|stringData)(/.*)?\Z")
_SECRET_NAME = re.compile(
    r"(?i)pass(word|wd|phrase)?\b|passw|secret|token|credential|api_?key|private_?key|access_?key"
)
_UNNAMED = frozenset({None, "List", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"})
_DIGITS = 32


class SecretHasher:
    """Takes secrets out of bodies.

    Args:
        key: at least `LEAST_KEY_BYTES` bytes.

    Attributes:
        found: number of values replaced, by kind: `secret_data`, `last_applied`, `token`, `env_value`.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.found: Counter[str] = Counter()

    def __call__(self, body: bytes, subject: Subject) -> bytes:
        """A body without its secrets; the same bytes when there are none, or when it is no JSON."""
        is_secret = subject.resource == "secrets"
        if not is_secret and not any(mark in body for mark in _MARKS):
            return body
        try:
            value = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return body
        before = self.found.total()
        if isinstance(value, list) and is_secret:
            self._in_operations(value)
        self._visit(value, is_secret=is_secret)
        return body if self.found.total() == before else msgspec.json.encode(value)

    def remarks(self, cut: int) -> Iterator[str]:
        """What was found, for people; `cut` records could not be searched."""
        kinds = ", ".join(f"{count:,} {_KINDS[kind]}" for kind, count in sorted(self.found.items()))
        yield f"secrets: {kinds or 'none found'}"
        if cut:
            yield f"secrets: {cut:,} cut records were not searched"

    def _visit(self, value: Any, *, is_secret: bool) -> None:
        """Replace what is secret in a value, where it stands."""
        if isinstance(value, list):
            for item in value:
                self._visit(item, is_secret=is_secret)
            return
        if not isinstance(value, dict):
            return
        kind = value.get("kind")
        is_secret = kind in {"Secret", "SecretList"} or (is_secret and kind in _UNNAMED)
        if is_secret:
            self._in_secret(value)
        if kind in {"TokenRequest", "TokenReview"}:
            for part in ("spec", "status"):
                inner = value.get(part)
                if isinstance(inner, dict) and isinstance(inner.get("token"), str) and inner["token"]:
                    inner["token"] = self._hash("token", inner["token"].encode())
        if isinstance(environment := value.get("env"), list):
            self._in_environment(environment)
        for name, inner in value.items():
            if isinstance(inner, (dict, list)) and not (is_secret and name in _DATA):
                self._visit(inner, is_secret=is_secret and name in {"items", "rows", "object"})

    def _in_secret(self, secret: dict[str, Any]) -> None:
        for name in _DATA:
            values = secret.get(name)
            if isinstance(values, dict):
                for key, value in values.items():
                    if isinstance(value, str):
                        values[key] = self._hash("secret_data", _plain(value, is_encoded=name == "data"))
        metadata = secret.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        if isinstance(annotations, dict) and isinstance(applied := annotations.get(_LAST_APPLIED), str):
            annotations[_LAST_APPLIED] = self._hash("last_applied", applied.encode())

    def _in_operations(self, operations: list[Any]) -> None:
        """Operations of a JSON patch of a secret."""
        for operation in operations:
            path = operation.get("path") if isinstance(operation, dict) else None
            found = _PATCH_PATH.match(path) if isinstance(path, str) else None
            if found is None:
                continue
            value, is_encoded = operation.get("value"), found[1] == "data"
            if isinstance(value, str):
                operation["value"] = self._hash("secret_data", _plain(value, is_encoded=is_encoded))
            elif isinstance(value, dict):
                for key, inner in value.items():
                    if isinstance(inner, str):
                        value[key] = self._hash("secret_data", _plain(inner, is_encoded=is_encoded))

    def _in_environment(self, variables: list[Any]) -> None:
        for variable in variables:
            if not isinstance(variable, dict):
                continue
            name, value = variable.get("name"), variable.get("value")
            if isinstance(name, str) and isinstance(value, str) and value and _SECRET_NAME.search(name):
                variable["value"] = self._hash("env_value", value.encode())

    def _hash(self, kind: str, value: bytes) -> str:
        self.found[kind] += 1
        return "hmac-sha256:" + hmac.new(self._key, value, hashlib.sha256).hexdigest()[:_DIGITS]


def _plain(value: str, *, is_encoded: bool) -> bytes:
    """The value itself: the same whether it stands in `data`, in base64, or in `stringData`."""
    if is_encoded:
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    return value.encode("utf-8", "surrogatepass")
