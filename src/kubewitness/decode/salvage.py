r"""Salvage: make the well-formed part of a cut or damaged JSON text well-formed.

Everything complete before the cut is kept, the incomplete token is dropped, open containers are closed:

    {"auditID":"a","requestObject":{"kind":"Pod","spec":{"nodeName":"n1","hostPID":tr
    {"auditID":"a","requestObject":{"kind":"Pod","spec":{"nodeName":"n1"}}}

Small offences against the grammar that lose nothing (NaN, control characters, `\x`) are mended on the way.
One pass, linear time, no recursion.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from kubewitness.decode.json_text import MAX_DEPTH, clean_escapes

_TOKEN = re.compile(
    rb"""[ \t\r\n]*+(?:
        (?P<string>"(?:[^"\\\n]++|\\[^\n])*+")
      | (?P<mark>[{}\[\],:])
      | (?P<literal>(?:-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?|true|false|null)(?=[\s,:\[\]{}"]|\Z))
      | (?P<odd>(?:NaN|-?Infinity)(?=[\s,\]}]|\Z))
    )""",
    re.VERBOSE,
)
_STRICT_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_OPEN_STRING = re.compile(rb'"(?:[^"\\\n]++|\\[^u\n]|\\u[0-9a-fA-F]{4})*+')
_RUNNING_STRING = re.compile(rb'"(?:[^"\\\n]++|\\[^\n])*+\\?\Z')
_CUT_LITERAL = re.compile(
    rb"[ \t\r\n]*(?:-?[\d.]*(?:[eE][+-]?\d*)?|tr?u?|fa?l?s?|nu?l?|NaN?|-?Infinity|-?I[nfity]*)\Z"
)
_OFFENCE = re.compile(rb'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])|(\\)|([\x00-\x1f])')
_BRACKET_RUN = re.compile(rb'[^"{}\[\]]*+(?:"(?:[^"\\\n]++|\\[^\n])*+"[^"{}\[\]]*+)*+([{}\[\]])')
_BLANKS = re.compile(rb"[ \t\r\n]*+")


class _Expect(Enum):
    """What the grammar wants next; the value says it to people."""

    VALUE = "a value"
    VALUE_OR_END = "a value or ']'"
    KEY = "a key in quotes"
    KEY_OR_END = "a key in quotes or '}'"
    COLON = "':'"
    COMMA_OR_END = auto()


_VALUES = (_Expect.VALUE, _Expect.VALUE_OR_END)
_KEYS = (_Expect.KEY, _Expect.KEY_OR_END)
_CLOSERS = {b"{": b"}", b"[": b"]"}


@dataclass(frozen=True, slots=True)
class Repaired:
    """What could be saved of a JSON text.

    Attributes:
        text: well-formed JSON text; empty when there was no container to begin with.
        end: offset in the original just after the value, or of the first byte that was not understood.
        safe: offset in the original up to which everything was kept.
        open: number of containers that had to be closed; 0 when the value was complete.
        problem: what was wrong, for people; None when the value was complete.
        cut: whether the text just ended too early, as opposed to being wrong in the middle.
        pruned: whether values nested more than 100 levels deep became null.
    """

    text: bytes
    end: int
    safe: int
    open: int
    problem: str | None
    cut: bool
    pruned: bool


def repair(text: bytes, keep: frozenset[tuple[str, ...]] = frozenset()) -> Repaired:
    """Save what is complete of the JSON object or array that a text begins with.

    Args:
        text: JSON text, whole, cut or damaged; valid UTF-8.
        keep: paths (keys, without indices) of strings that hold a record as text: one that begins with a
            bracket is kept up to the cut instead of being dropped.

    Returns:
        What was saved, and what was wrong.
    """
    return _Repair(text, keep).run()


class _Repair:
    """One run of `repair`: where it is, what is open, and what is written so far."""

    def __init__(self, text: bytes, keep: frozenset[tuple[str, ...]]) -> None:
        self._text = text
        self._keep = keep
        self._at = 0
        self._out: list[bytes] = []
        self._stack: list[bytes] = []  # b"{" or b"[" for each open container
        self._keys: list[bytes] = []  # the key that is being filled, for each open container; b"" in an array
        self._saved = 0  # pieces of `_out` that are complete
        self._safe = 0
        self._pruned = False
        self._expect = _Expect.VALUE

    def run(self) -> Repaired:
        while True:
            token = _TOKEN.match(self._text, self._at)
            if token is None:
                return self._stop()
            start = self._at
            self._at = token.end()
            if not self._take(token.lastgroup or "", token[token.lastgroup or 0]):
                self._at = start
                return self._stop()
            if not self._stack:
                return self._result(problem=None, cut=False)

    def _take(self, kind: str, piece: bytes) -> bool:
        """Take a token; False when the grammar does not want it here."""
        if kind == "mark":
            return self._take_mark(piece)
        if self._expect in _KEYS:
            if kind != "string":
                return False
            self._keys[-1] = piece
            self._out.append(_mend(piece))
            self._expect = _Expect.COLON
            return True
        # A number at the very end of the text may go on beyond the cut.
        may_go_on = kind == "literal" and self._at == len(self._text) and piece[-1:].isdigit()
        if self._expect not in _VALUES or not self._stack or may_go_on:
            return False
        self._out.append(_mend(piece) if kind == "string" else b"null" if kind == "odd" else piece)
        self._complete()
        return True

    def _take_mark(self, mark: bytes) -> bool:  # noqa: PLR0911 - one for each mark
        if mark in _CLOSERS:
            return self._expect in _VALUES and self._open(mark)
        if mark == b":":
            if self._expect is not _Expect.COLON:
                return False
            self._out.append(mark)
            self._expect = _Expect.VALUE
            return True
        if mark == b",":
            if self._expect is not _Expect.COMMA_OR_END:
                return False
            self._out.append(mark)
            self._expect = _Expect.KEY if self._stack[-1] == b"{" else _Expect.VALUE
            return True
        can_end = (_Expect.COMMA_OR_END, _Expect.KEY_OR_END if mark == b"}" else _Expect.VALUE_OR_END)
        if self._expect not in can_end or _CLOSERS[self._stack[-1]] != mark:
            return False
        self._stack.pop()
        self._keys.pop()
        self._out.append(mark)
        self._complete()
        return True

    def _open(self, mark: bytes) -> bool:
        if len(self._stack) >= MAX_DEPTH:
            self._pruned = True
            self._at = _skip_container(self._text, self._at - 1)
            self._out.append(b"null")
            self._complete()
            return True
        self._stack.append(mark)
        self._keys.append(b"")
        self._out.append(mark)
        self._save()
        self._expect = _Expect.KEY_OR_END if mark == b"{" else _Expect.VALUE_OR_END
        return True

    def _complete(self) -> None:
        """Note that a value is complete."""
        self._save()
        self._expect = _Expect.COMMA_OR_END

    def _save(self) -> None:
        self._saved = len(self._out)
        self._safe = self._at

    def _stop(self) -> Repaired:
        """Close what is open where the text cannot be understood any further."""
        text, blanks = self._text, _BLANKS.match(self._text, self._at)
        self._at = blanks.end() if blanks else self._at
        rest_is_string = _RUNNING_STRING.match(text, self._at) is not None
        cut = self._at == len(text) or rest_is_string or _CUT_LITERAL.match(text, self._at) is not None
        if not self._stack:
            return self._result(f"expected '{{' at character {self._at + 1}", cut=cut)
        if cut and rest_is_string and self._expect in _VALUES and self._path() in self._keep:
            piece = _OPEN_STRING.match(text, self._at)
            if piece is not None and piece[0][1:2] in (b"{", b"["):
                self._out.append(_mend(piece[0] + b'"'))
                self._complete()
        if cut:
            return self._result(f"cut after {len(text)} characters", cut=True)
        wanted = self._expect
        words = (
            f"',' or '{_CLOSERS[self._stack[-1]].decode()}'"
            if wanted is _Expect.COMMA_OR_END
            else wanted.value
        )
        return self._result(f"expected {words} at character {self._at + 1}", cut=False)

    def _path(self) -> tuple[str, ...]:
        return tuple(key[1:-1].decode(errors="replace") for key in self._keys if key)

    def _result(self, problem: str | None, *, cut: bool) -> Repaired:
        closers = b"".join(_CLOSERS[mark] for mark in reversed(self._stack))
        return Repaired(
            text=b"".join(self._out[: self._saved]) + closers,
            end=self._at,
            safe=self._safe,
            open=len(self._stack),
            problem=problem,
            cut=cut,
            pruned=self._pruned,
        )


def _mend(string: bytes) -> bytes:
    """Make a string in quotes well-formed: control characters and unknown escapes stand for themselves."""
    if _STRICT_STRING.fullmatch(string) is None:
        string = _OFFENCE.sub(
            lambda match: b"\\\\" if match[1] else b"\\u%04x" % match[2][0] if match[2] else match[0], string
        )
    return clean_escapes(string)


def _skip_container(text: bytes, start: int) -> int:
    """Find the end of the container that opens at an offset; the end of the text when it is cut."""
    depth, at = 0, start
    while run := _BRACKET_RUN.match(text, at):
        at = run.end()
        depth += 1 if text[at - 1] in b"{[" else -1
        if depth == 0:
            return at
    return len(text)
