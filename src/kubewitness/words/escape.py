"""Text from the log, made safe to show: whoever writes an audit event chooses much of its text."""

from __future__ import annotations

import re

# Controls (C0, DEL, C1: escape sequences begin with them), marks that hide text or turn its direction, and
# lone surrogates, which no encoding can write.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Replace characters that a reader cannot see by their code (`\x1b`, `\u202e`); gives one line."""
    return _UNSAFE.sub(_code, text)


def _code(match: re.Match[str]) -> str:
    number = ord(match.group())
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"  # noqa: PLR2004 - two hexadecimal digits
