"""Redaction: secrets become `[redacted]`, what is not secret stays readable.

Every function here may be called on its own result and changes nothing then; none raises, whatever it gets.
Redaction is for reports: the events themselves are never changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus

from kubewitness.alert.patterns import (
    MARK,
    is_password_name,
    is_reference,
    is_secret_name,
    redact_assignments,
    redact_known,
    redact_random,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MARK", "Redactor", "redact_body", "redact_command", "redact_text", "redact_uri"]

_MOST_PASSES = 6
_DEEPEST = 100  # levels of JSON; kube-apiserver's own objects have under 30


def redact_text(text: str) -> str:
    """Replace tokens, keys, passwords and long random strings in running text.

    Passes are repeated until nothing changes, so the result is stable; text that does not settle (made to
    confuse) is redacted as a whole.
    """
    return _settle(text, lambda each: redact_random(redact_assignments(redact_known(each))))


def _settle(text: str, step: Callable[[str], str]) -> str:
    for _ in range(_MOST_PASSES):
        changed = step(text)
        if changed == text:
            return text
        text = changed
    return MARK


_FLAG = re.compile(r"--?(?!(?:no|with|without|show|use|enable|disable|skip)-)[A-Za-z][\w-]{2,}")
_NEXT_IS_SECRET = {
    "sshpass": ("-p",),
    "redis-cli": ("-a",),
    "sqlcmd": ("-P",),
    "ldapsearch": ("-w",),
    "login": ("-p",),  # docker login, az login, helm registry login ...
    "configure": ("aws_secret_access_key", "aws_session_token"),  # aws configure set
}
_REST_IS_SECRET = {"mysql": "-p", "mysqldump": "-p", "mysqladmin": "-p", "mariadb": "-p", "sshpass": "-p"}
_FROM_LITERAL = re.compile(r"--from-literal=[^=]*=(?P<value>.+)", re.DOTALL)
_USER_AND_PASSWORD = re.compile(r"(?P<keep>[^\s:]+:)(?!\[redacted\])\S+")


def _redact_words(words: Sequence[str]) -> list[str]:
    """Replace the words of one command line that are secret by what stands before them."""
    programs = {word.strip("\"'").rsplit("/", 1)[-1] for word in words}
    redacted: list[str] = []
    previous = ""
    for word in words:
        redacted.append(_redact_word(word, previous, programs))
        previous = word.strip("\"'")
    return redacted


def _redact_word(word: str, previous: str, programs: set[str]) -> str:
    bare = word.strip("\"'")
    if not bare or bare == MARK:
        return word
    follows_flag = _FLAG.fullmatch(previous) is not None and is_secret_name(previous)
    follows_option = any(name in programs and previous in options for name, options in _NEXT_IS_SECRET.items())
    if (follows_flag or follows_option) and not bare.startswith("-") and not is_reference(bare):
        return MARK
    for name, option in _REST_IS_SECRET.items():
        if name in programs and bare.startswith(option) and bare not in {option, option + MARK}:
            return option + MARK
    literal = _FROM_LITERAL.fullmatch(bare if previous != "--from-literal" else f"--from-literal={bare}")
    if literal is not None:
        return bare.removesuffix(literal["value"]) + MARK
    is_login = previous in {"-u", "--user"} and programs & {"curl", "wget", "http"}
    if is_login or "chpasswd" in programs:
        return _USER_AND_PASSWORD.sub(lambda match: match["keep"] + MARK, word)
    return word


def redact_command(command: str) -> str:
    """Replace what looks secret in a command whose words are joined by spaces.

    Beyond `redact_text`: the word after `--password`, `--token` and the like, and the short options that
    common programs take a password with (`mysql -pX`, `curl -u user:X`, `sshpass -p X`).
    """

    def step(text: str) -> str:
        pieces = re.split(r"(\s+)", text)
        pieces[::2] = _redact_words(pieces[::2])
        return redact_random(redact_assignments(redact_known("".join(pieces))))

    return _settle(command, step)


_COMMAND_PARAMETERS = frozenset({"command", "cmd"})
_OPAQUE_PARAMETERS = frozenset({"continue", "resourceVersion"})  # long, random, and no secret
_READABLE = "/:[]@,=+$(){}~!*'-._"


def redact_uri(uri: str) -> str:
    """Replace secrets in a request URI: in its path, its parameters, and its `command` words.

    A URI without secrets comes back as it was, byte for byte. Where a command holds one, its words are
    written anew, one `command` parameter for each.
    """
    return _settle(uri, _redact_uri_once)


def _redact_uri_once(uri: str) -> str:
    path, mark, query = uri.partition("?")
    path = _recoded(path, redact_text, safe=_READABLE)
    if not mark:
        return path
    pairs = [tuple(part.partition("=")) for part in query.split("&")]
    words = [unquote_plus(value) for name, _, value in pairs if name in _COMMAND_PARAMETERS]
    command = " ".join(words)
    redacted = redact_command(command)
    parts: list[str] = []
    for name, sign, value in pairs:
        if name in _COMMAND_PARAMETERS and redacted != command:
            parts += (f"{name}={quote(word, safe=_READABLE)}" for word in redacted.split())
            redacted = ""
        elif name in _COMMAND_PARAMETERS or name in _OPAQUE_PARAMETERS or value == MARK:
            parts.append(name + sign + value)
        elif is_secret_name(unquote_plus(name)) and value:
            parts.append(name + sign + MARK)
        else:
            parts.append(name + sign + _recoded(value, redact_text, safe=_READABLE))
    return f"{path}?{'&'.join(parts)}"


def _recoded(text: str, change: Callable[[str], str], *, safe: str) -> str:
    """Change the decoded text; where that changes nothing, keep the coded text as it is."""
    plain = unquote_plus(text)
    changed = change(plain)
    return text if changed == plain else quote(changed, safe=safe)


_SECRET_PARTS = frozenset({"data", "stringData"})
# Where a list, a table, a patch or the annotations of a secret hold one more.
_CARRIERS = frozenset({"items", "rows", "object", "value", "metadata", "annotations"})
_ARGUMENTS = frozenset({"command", "args"})


def redact_body(value: Any, *, is_secret: bool = False) -> Any:
    """Replace secrets in a JSON value: a request or response body, annotations, extra fields of a user.

    Args:
        value: what `json.loads` gives. Not changed; a redacted copy comes back.
        is_secret: whether it is the body of a request on secrets: a patch of one does not say its kind.

    Returns:
        The value with `[redacted]` for: `data` and `stringData` of Secrets (their keys stay), values of
        environment variables and keys that name a secret, tokens of token requests and reviews, secret words
        of `command` and `args`, JSON documents inside strings treated the same, what is over 100 levels deep.
    """
    return _redact_value(value, "", is_secret=is_secret, depth=0)


def _redact_value(value: Any, key: str, *, is_secret: bool, depth: int) -> Any:
    if depth > _DEEPEST:
        return MARK
    if isinstance(value, Mapping):
        return dict(_redact_members(value, is_secret=is_secret, depth=depth))
    if isinstance(value, list | tuple):
        if key in _ARGUMENTS and all(isinstance(each, str) for each in value):
            return [redact_command(word) for word in _redact_words(value)]
        return [_redact_value(each, key, is_secret=is_secret, depth=depth + 1) for each in value]
    if isinstance(value, str):
        is_named = is_secret_name(key) and value and not is_reference(value)
        return MARK if is_named else _redact_string(value, is_secret=is_secret, depth=depth)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return MARK if is_number and is_password_name(key) else value


def _redact_members(value: Mapping[Any, Any], *, is_secret: bool, depth: int) -> Iterator[tuple[str, Any]]:
    is_secret = is_secret or value.get("kind") in ("Secret", "SecretList")
    name = value.get("name")
    is_secret_pair = isinstance(name, str) and is_secret_name(name)
    path = value.get("path") if "op" in value else None  # one operation of a JSON patch
    if isinstance(path, str):
        is_secret_pair = is_secret_name(path.rsplit("/", 1)[-1]) or (is_secret and _is_in_data(path))
    for member, each in value.items():
        key = str(member)
        is_value = is_secret_pair and key == "value" and not (isinstance(each, str) and is_reference(each))
        if is_value or (is_secret and key in _SECRET_PARTS):
            yield key, _blank(each)
        else:
            inherits = is_secret and key in _CARRIERS
            yield key, _redact_value(each, key, is_secret=inherits, depth=depth + 1)


def _is_in_data(path: str) -> bool:
    return path.strip("/").split("/", 1)[0] in _SECRET_PARTS


def _blank(value: Any) -> Any:
    """Replace every value, keeping the keys of a mapping; null (a deletion) and empty values stay."""
    if isinstance(value, Mapping):
        return {str(key): MARK if each not in (None, "") else each for key, each in value.items()}
    return MARK if value not in (None, "", []) else value


def _redact_string(text: str, *, is_secret: bool, depth: int) -> str:
    """Replace secrets in a string, which may be a JSON document itself (last-applied-configuration).

    A document with a key twice is written anew, so that the value that no reader sees does not slip through.
    """
    has_duplicates = False

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_duplicates
        kept = dict(reversed(pairs))  # the first of several wins, as in the engine
        has_duplicates |= len(kept) < len(pairs)
        return {key: kept[key] for key, _ in pairs}

    if text[:1] not in {"{", "["} or text.startswith(MARK):
        return redact_text(text)
    try:
        document = json.loads(text, object_pairs_hook=members)
    except (ValueError, RecursionError):
        return MARK if is_secret or '"Secret"' in text else redact_text(text)
    redacted = _redact_value(document, "", is_secret=is_secret, depth=depth + 1)
    return text if redacted == document and not has_duplicates else json.dumps(redacted, ensure_ascii=False)


def _redact_pair(text: str) -> str:
    """Redact the value of `key=value`, which may be a JSON document."""
    key, sign, value = text.partition("=")
    is_named = is_secret_name(key) and value and not is_reference(value)
    return key + sign + (MARK if is_named else _redact_string(value, is_secret=False, depth=0))


def _redact_label(text: str) -> str:
    """Redact the value of `key=value` where the key, without its domain, names a secret."""
    key, sign, value = text.partition("=")
    is_named = is_secret_name(key.rsplit("/", 1)[-1]) and value not in _NO_SECRETS
    return key + sign + (MARK if is_named else _redact_identifier(value))


_NO_SECRETS = frozenset({"", "true", "false", MARK})
_CHANGES: Mapping[str, Callable[[str], str]] = {
    "exec_command": redact_command,
    "pod_commands": redact_command,
    "request_uri": redact_uri,
    "request_path": redact_uri,
    "status_message": redact_text,
    "user_agent": redact_text,
    "object_annotations": _redact_pair,
    "object_labels": _redact_label,
    "webhook_urls": redact_uri,
    "config_data": lambda text: _redact_string(text, is_secret=False, depth=0),
}
_BODIES = frozenset({"request_object", "response_object"})
_JSON = _BODIES | {"annotations", "user_extra", "impersonated_extra", "authentication_metadata"}
_REMEMBERED = 50_000


class Redactor:
    """Redacts the details of events: the one place that decides what a report may show.

    Args:
        reveal: show everything (`--reveal`); details then come back unchanged.
    """

    def __init__(self, *, reveal: bool = False) -> None:
        self.reveal = reveal
        # The same names, addresses and clients stand in very many events.
        self._changed = lru_cache(_REMEMBERED)(_redact_text_of)

    def details(self, details: Mapping[str, Any]) -> dict[str, Any]:
        """Redact columns of the events table.

        Args:
            details: values by column name; JSON columns as text or as parsed values.

        Returns:
            The same columns with values of the same kind. Identifiers (names, users, groups, addresses) lose
            only what is a credential by its shape.
        """
        if self.reveal:
            return dict(details)
        is_secret = details.get("resource") == "secrets"
        return {column: self._redacted(column, value, is_secret=is_secret) for column, value in details.items()}

    def text(self, text: str) -> str:
        """Redact a text that may stand anywhere."""
        return text if self.reveal else redact_text(text)

    def anything(self, value: Any) -> Any:
        """Redact a value of which nobody knows what it was: all that could be secret in it.

        Args:
            value: what JSON can say; text may be a URI, a command or a JSON document.
        """
        if self.reveal:
            return value
        if isinstance(value, str):
            column = {"/": "request_uri", "{": "annotations", "[": "annotations"}.get(value[:1], "exec_command")
            return self._redacted(column, value, is_secret=False)
        if isinstance(value, list):
            return [self.anything(each) for each in value]
        if isinstance(value, dict):
            return redact_body(value)
        return value

    def _redacted(self, column: str, value: Any, *, is_secret: bool) -> Any:
        if column in _JSON:
            return _redact_json(column, value, is_secret=is_secret)
        if isinstance(value, str):
            return self._changed(column, value)
        if isinstance(value, list | tuple):
            return [self._changed(column, each) if isinstance(each, str) else each for each in value]
        return value


def _redact_text_of(column: str, text: str) -> str:
    return _CHANGES.get(column, _redact_identifier)(text)


def _redact_identifier(text: str) -> str:
    return _settle(text, redact_known)


def _redact_json(column: str, value: Any, *, is_secret: bool) -> Any:
    is_secret = is_secret and column in _BODIES
    if isinstance(value, str):
        return _redact_string(value, is_secret=is_secret, depth=0)
    return redact_body(value, is_secret=is_secret)
