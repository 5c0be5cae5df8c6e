"""What a secret looks like in running text: names of secret values, known token shapes, random strings.

The names and shapes are those that vendors document for their credentials; the test for random strings is our
own. What must stay readable is as much part of this module as what must not: names that Kubernetes generates
(lower case with a hash), uuids, digests and other pure hexadecimal strings, paths and image names.
"""

from __future__ import annotations

import itertools
import re

MARK = "[redacted]"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_WORDS = frozenset(
    {
        *(
            "password",
            "passwords",
            "passwd",
            "passphrase",
            "pwd",
            "pass",
            "secret",
            "secrets",
            "token",
            "tokens",
        ),
        *("jwt", "credential", "credentials", "apikey", "accesskey", "secretkey", "privatekey", "authkey"),
        *("accountkey", "connectionstring", "sharedaccesskey", "pgpassword", "cookie"),
    }
)
_SECRET_PAIRS = frozenset(
    {
        *(("api", "key"), ("access", "key"), ("private", "key"), ("account", "key"), ("auth", "key")),
        *(("encryption", "key"), ("signing", "key"), ("master", "key"), ("shared", "key"), ("client", "key")),
        *(("connection", "string"), ("storage", "key"), ("license", "key"), ("redis", "auth")),
    }
)
_PASSWORD_WORDS = frozenset({"password", "passwd", "passphrase", "pwd", "pass", "pgpassword"})
# A name that ends in one of these speaks about a secret but does not hold it: secretName, TOKEN_URL.
_HARMLESS_ENDINGS = frozenset(
    {
        *(
            "name",
            "names",
            "namespace",
            "file",
            "files",
            "path",
            "paths",
            "dir",
            "directory",
            "url",
            "uri",
            "id",
        ),
        *(
            "ids",
            "uid",
            "ref",
            "refs",
            "type",
            "types",
            "ttl",
            "expiration",
            "seconds",
            "duration",
            "timeout",
        ),
        *(
            "audience",
            "audiences",
            "issuer",
            "policy",
            "mode",
            "enabled",
            "disabled",
            "version",
            "count",
            "size",
        ),
        *(
            "length",
            "provider",
            "reviewer",
            "reviews",
            "review",
            "requests",
            "format",
            "store",
            "class",
            "kind",
        ),
        *(
            "limit",
            "reason",
            "message",
            "endpoint",
            "host",
            "port",
            "stdin",
            "user",
            "username",
            "time",
            "at",
            "method",
        ),
    }
)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name[-200:])]


def is_secret_name(name: str) -> bool:
    """Whether a value of this name (JSON key, environment variable, flag, parameter) is likely a secret."""
    words = _words(name)
    if not words or words[-1] in _HARMLESS_ENDINGS:
        return False
    return any(word in _SECRET_WORDS for word in words) or any(
        pair in _SECRET_PAIRS for pair in itertools.pairwise(words)
    )


def is_password_name(name: str) -> bool:
    """Whether a value of this name is a password, so that even a number is one."""
    return is_secret_name(name) and any(word in _PASSWORD_WORDS for word in _words(name))


# Shapes that are credentials whatever stands around them. Group `keep`, where there is one, stays readable.
KNOWN = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN [A-Z0-9 ]{1,60}-----(?s:.*?)(?:-----END [A-Z0-9 ]{1,60}-----|\Z)",
        r"LS0tLS1CRUdJTi[A-Za-z0-9+/=_-]*",  # the same, base64 encoded
        r"eyJ[A-Za-z0-9_+/-]{10,}={0,2}(?:\.[A-Za-z0-9_-]+){0,4}",  # JWT, and any base64 encoded JSON object
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_-]{30,}",
        r"\bya29\.[A-Za-z0-9_-]{20,}",
        r"\bgh[pousr]_[A-Za-z0-9]{20,}",
        r"\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bgl(?:pat|dt|rt|cbt|agent)-[A-Za-z0-9_-]{16,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}",
        r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}",
        r"\bnpm_[A-Za-z0-9]{30,}",
        r"\bdckr_pat_[A-Za-z0-9_-]{20,}",
        r"\b[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{30,40}",  # Entra client secret
        r"\b[a-z0-9]{6}\.(?=[a-z]*\d[a-z]*\d)(?=[0-9a-f]*[g-z])[a-z0-9]{16}\b",  # bootstrap token
        (
            r"(?i)(?P<keep>\b(?:authorization|proxy-authorization|cookie|set-cookie)[\"']?\s{0,4}[:=]\s{0,4}"
            r"[\"']?(?:(?:bearer|basic|token|digest|negotiate)\s{1,4})?)[^\s\"']+"
        ),
        r"(?i)(?P<keep>\bbearer\s{1,4})(?=[A-Za-z._~+/=-]{0,200}\d|[A-Za-z0-9._~+/=-]{24})[A-Za-z0-9._~+/=-]{8,}",
        r"(?i)(?P<keep>(?:[?&;]|%3F|%26|\b)(?:sig|signature)(?:=|%3D))[^\s&;\"'\[]{8,}",
        r"(?P<keep>\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s/:@\"'\[]{0,128}:)[^\s/@\"'\[][^\s/@\"']{0,256}(?=@)",
        r"(?P<keep>\bpass(?:in|out)?[ =]pass:)[^\s\[]\S*",
    )
)

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_CANDIDATE = re.compile(r"[A-Za-z0-9+/_~-]{20,}={0,2}")
_SEGMENT = re.compile(r"[A-Za-z0-9]+")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_RUNS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")

_SHORTEST_SEGMENT = 8  # shorter pieces say too little
_SHORTEST_RANDOM = 20  # characters of random pieces that make a secret
_SHORTEST_ONE_CASE = 32  # the same without a change of case
_LONGEST_MIXED_RUN = 2.6  # mean length of a word or number in it; CamelCase names have 3 and more
_LONGEST_ONE_CASE_RUN = 3.2


def _is_random(segment: str) -> bool:
    """Whether a piece of letters and digits looks drawn by lot rather than written."""
    if len(segment) < _SHORTEST_SEGMENT or _HEX.fullmatch(segment):
        return False
    mean_run = len(segment) / len(_RUNS.findall(segment))
    has_digit = any("0" <= char <= "9" for char in segment)
    has_upper, has_lower = segment != segment.lower(), segment != segment.upper()
    if has_upper and has_lower:
        return mean_run < _LONGEST_MIXED_RUN and (has_digit or len(segment) >= _SHORTEST_ONE_CASE)
    return has_digit and len(segment) >= _SHORTEST_ONE_CASE and mean_run < _LONGEST_ONE_CASE_RUN


def _redact_candidate(match: re.Match[str]) -> str:
    text = match.group()
    pieces = [piece for piece in _SEGMENT.finditer(text) if _is_random(piece.group())]
    if sum(len(piece.group()) for piece in pieces) < _SHORTEST_RANDOM:
        return text
    if "+" in text or text.endswith("="):  # base64: its other pieces belong to the secret too
        return MARK
    return text[: pieces[0].start()] + MARK + text[pieces[-1].end() :]


def redact_random(text: str) -> str:
    """Replace long strings that look drawn by lot; uuids, digests and generated names stay."""
    parts: list[str] = []
    position = 0
    for uuid in _UUID.finditer(text):
        parts += (_CANDIDATE.sub(_redact_candidate, text[position : uuid.start()]), uuid.group())
        position = uuid.end()
    parts.append(_CANDIDATE.sub(_redact_candidate, text[position:]))
    return "".join(parts)


def redact_known(text: str) -> str:
    """Replace what is a credential by its shape alone."""
    for pattern in KNOWN:
        text = pattern.sub(_keep_lead, text)
    return text


def _keep_lead(match: re.Match[str]) -> str:
    return (match.groupdict().get("keep") or "") + MARK


_NAME_AND_SIGN = re.compile(r"(?<![\w.-])(?P<name>[\w.-]{1,200})(?P<quote>[\"']?)(?P<sign>\s{0,4}(?:=|:)\s{0,4})")
_VALUE = re.compile(r"\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|\[redacted\]|[^\s\"'&,;|)}\]]+")
_REFERENCE = re.compile(
    r"\$\(.*|\$\{\w+\}?|\$[A-Z_][A-Z0-9_]*|\$\(\w+\)|[@<]?(?:~|\.{0,2})/[A-Za-z][\w./-]*|file:.*"
    r"|true|false|null|none|nil|<[a-z]+>|\*+|/+",
    re.DOTALL,
)


def is_reference(value: str) -> bool:
    """Whether a value only says where the secret is ($TOKEN, $(cat file), /path), or is none (true, null)."""
    return _REFERENCE.fullmatch(value) is not None


def redact_assignments(text: str) -> str:
    """Replace the values in `password=x`, `"token": "x"`, `--client-secret=x`.

    After a bare colon only passwords and values that are not plain words are taken, so that messages such as
    `secret: not found` stay readable.
    """
    parts: list[str] = []
    position = 0
    for found in _NAME_AND_SIGN.finditer(text):
        if found.start() < position or not is_secret_name(found["name"]):
            continue
        value = _VALUE.match(text, found.end())
        if value is None:
            continue
        bare = value.group().strip("\"'")
        is_prose = ":" in found["sign"] and value.group() == bare and bare.isalpha()
        is_sure = not is_prose or (is_password_name(found["name"]) and not found["quote"])
        if not bare or bare == MARK or is_reference(bare) or not is_sure:
            continue
        quote = value.group()[0] if value.group()[0] in "\"'" else ""
        closing = quote if quote and len(value.group()) > 1 and value.group().endswith(quote) else ""
        parts += (text[position : value.start()], quote, MARK, closing)
        position = value.end()
    parts.append(text[position:])
    return "".join(parts)
