"""How Go writes values in messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}
_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def quoted(text: str) -> str:
    """As the verb %q writes a text."""
    return '"' + "".join(map(_quoted_char, text)) + '"'


def listed(texts: Sequence[str]) -> str:
    """As encoding/json writes a list of texts."""
    return json.dumps(list(texts), ensure_ascii=False, separators=(",", ":")).translate(_HTML)


def _quoted_char(char: str) -> str:
    if escaped := _ESCAPES.get(char):
        return escaped
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:  # noqa: PLR2004 - ASCII
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - the basic plane
