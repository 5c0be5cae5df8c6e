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
from enum import Enum

from kubewitness.decode.json_text import MAX_DEPTH, clean_escapes

MAX_REPAIRED_DEPTH = 2 * MAX_DEPTH  # leaves room for wrappings: how deep an event is is judged later
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
_SCALAR = (
    rb'(?:"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
    rb"|-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?|true|false|null)"
)
_MEMBER = rb'[ \t\r\n]*+"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"[ \t\r\n]*+:[ \t\r\n]*+' + _SCALAR
_PLAIN_MEMBERS = re.compile(rb"(?>%b(?=[ \t\r\n]*+[,}]))(?>[ \t\r\n]*+,%b(?=[ \t\r\n]*+[,}]))*+" % (_MEMBER, _MEMBER))
_ITEM = rb"[ \t\r\n]*+" + _SCALAR
_PLAIN_ITEMS = re.compile(rb"(?>%b(?=[ \t\r\n]*+[,\]]))(?>[ \t\r\n]*+,%b(?=[ \t\r\n]*+[,\]]))*+" % (_ITEM, _ITEM))
_OPEN_STRING = re.compile(rb'"(?:[^"\\\n]++|\\[^u\n]|\\u[0-9a-fA-F]{4})*+')
_RUNNING_STRING = re.compile(rb'"(?:[^"\\\n]++|\\[^\n])*+\\?\Z')
_CUT_LITERAL = re.compile(rb"[ \t\r\n]*(?:-?[\d.]*(?:[eE][+-]?\d*)?|tr?u?|fa?l?s?|nu?l?|NaN?|-?Infinity|-?I[nfity]*)\Z")
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
    COMMA_OR_END = "what comes after a value"


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
    """

    text: bytes
    end: int
    safe: int
    open: int
    problem: str | None
    cut: bool


def repair(
    text: bytes, keep: frozenset[tuple[str, ...]] = frozenset(), max_depth: int = MAX_REPAIRED_DEPTH
) -> Repaired:
    """Save what is complete of the JSON object or array that a text begins with.

    Args:
        text: JSON text, whole, cut or damaged; valid UTF-8, escapes cleaned.
        keep: paths (keys, without indices) of strings that hold a record as text: one that begins with a
            bracket is kept up to the cut instead of being dropped.
        max_depth: containers nested deeper than this become null.

    Returns:
        What was saved, and what was wrong.
    """
    return _Repair(text, keep, max_depth).run()


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """A place up to which everything is complete: pieces written, where copying goes on, and the place."""

    pieces: int
    copied: int
    at: int


class _Repair:
    """One run of `repair`: where it is, what is open, and what is written so far.

    The text is copied in large pieces; only what had to be mended is written by itself.
    """

    def __init__(self, text: bytes, keep: frozenset[tuple[str, ...]], max_depth: int) -> None:
        self._text = text
        self._keep = keep
        self._max_depth = max_depth
        self._at = 0
        self._pieces: list[bytes] = []
        self._copied = 0  # the text up to here is in `_pieces`
        self._stack: list[bytes] = []  # b"{" or b"[" for each open container
        self._keys: list[bytes] = []  # the key that is being filled, for each open container; b"" in an array
        self._safe = self._before_string = _Checkpoint(0, 0, 0)
        self._expect = _Expect.VALUE

    def run(self) -> Repaired:
        while True:
            self._skip_plain_members()
            token = _TOKEN.match(self._text, self._at)
            if token is None or not self._take(token, token.lastgroup or ""):
                return self._stop()
            if not self._stack:
                return self._result(problem=None, cut=False)

    def _skip_plain_members(self) -> None:
        """Take at once what needs no mending: complete scalars with what follows them."""
        if self._expect in _KEYS:
            run = _PLAIN_MEMBERS.match(self._text, self._at)
        elif self._expect in _VALUES and self._stack and self._stack[-1] == b"[":
            run = _PLAIN_ITEMS.match(self._text, self._at)
        else:
            return
        if run is not None:
            self._at = run.end()
            self._complete()

    def _take(self, token: re.Match[bytes], kind: str) -> bool:
        """Take a token; False when the grammar does not want it here."""
        piece = token[kind]
        if kind == "mark":
            return self._take_mark(piece, token.end())
        if self._expect in _KEYS:
            if kind != "string":
                return False
            self._keys[-1] = piece
            self._write(token.end(), piece, _mend(piece))
            self._expect = _Expect.COLON
            return True
        # A number at the very end of the text may go on beyond the cut.
        may_go_on = kind == "literal" and token.end() == len(self._text) and piece[-1:].isdigit()
        if self._expect not in _VALUES or not self._stack or may_go_on:
            return False
        before = self._safe
        self._write(token.end(), piece, _mend(piece) if kind == "string" else b"null" if kind == "odd" else piece)
        self._complete()
        if kind == "string":
            self._before_string = before
        return True

    def _take_mark(self, mark: bytes, end: int) -> bool:
        if mark in _CLOSERS:
            return self._expect in _VALUES and self._open(mark, end)
        if mark == b":":
            wanted, self._expect = self._expect, _Expect.VALUE
            found = wanted is _Expect.COLON
        elif mark == b",":
            wanted = self._expect
            self._expect = _Expect.KEY if self._stack and self._stack[-1] == b"{" else _Expect.VALUE
            found = wanted is _Expect.COMMA_OR_END
        else:
            wanted = self._expect
            can_end = (_Expect.COMMA_OR_END, _Expect.KEY_OR_END if mark == b"}" else _Expect.VALUE_OR_END)
            found = wanted in can_end and _CLOSERS[self._stack[-1]] == mark
        if not found:
            self._expect = wanted
            return False
        self._at = end
        if mark in b"}]":
            self._stack.pop()
            self._keys.pop()
            self._complete()
        return True

    def _open(self, mark: bytes, end: int) -> bool:
        if len(self._stack) >= self._max_depth:
            closed = _skip_container(self._text, end - 1)
            self._write(closed, self._text[end - 1 : closed], b"null")
            self._complete()
            return True
        self._at = end
        self._stack.append(mark)
        self._keys.append(b"")
        self._complete()
        self._expect = _Expect.KEY_OR_END if mark == b"{" else _Expect.VALUE_OR_END
        return True

    def _write(self, end: int, piece: bytes, mended: bytes) -> None:
        """Go on to an offset that a piece ends at; write what it became, if that is something else."""
        if mended != piece:
            self._pieces += (self._text[self._copied : end - len(piece)], mended)
            self._copied = end
        self._at = end

    def _complete(self) -> None:
        """Note that everything up to here is complete."""
        self._safe = self._before_string = _Checkpoint(len(self._pieces), self._copied, self._at)
        self._expect = _Expect.COMMA_OR_END

    def _stop(self) -> Repaired:
        """Close what is open where the text cannot be understood any further."""
        text, blanks = self._text, _BLANKS.match(self._text, self._at)
        self._at = blanks.end() if blanks else self._at
        in_string = _RUNNING_STRING.match(text, self._at) is not None
        cut = self._at == len(text) or in_string or _CUT_LITERAL.match(text, self._at) is not None
        if not self._stack:
            return self._result(f"expected '{{' at character {self._at + 1}", cut=cut)
        if cut:
            if in_string and self._expect in _VALUES and self._path() in self._keep:
                self._keep_string()
            return self._result(f"cut after {len(text)} characters", cut=True)
        wanted = self._expect.value
        if self._expect is _Expect.COMMA_OR_END:
            # A string that nothing follows as it should may have ended at a quote of something else.
            self._safe = self._before_string
            wanted = f"',' or '{_CLOSERS[self._stack[-1]].decode()}'"
        return self._result(f"expected {wanted} at character {self._at + 1}", cut=False)

    def _keep_string(self) -> None:
        """Keep the string that the text was cut in."""
        piece = _OPEN_STRING.match(self._text, self._at)
        if piece is not None and piece[0][1:2] in (b"{", b"["):
            self._write(piece.end(), piece[0], clean_escapes(_mend(piece[0] + b'"')))
            self._complete()

    def _path(self) -> tuple[str, ...]:
        return tuple(key[1:-1].decode(errors="replace") for key in self._keys if key)

    def _result(self, problem: str | None, *, cut: bool) -> Repaired:
        closers = b"".join(_CLOSERS[mark] for mark in reversed(self._stack))
        safe = self._safe
        return Repaired(
            text=b"".join((*self._pieces[: safe.pieces], self._text[safe.copied : safe.at], closers)),
            end=self._at,
            safe=safe.at,
            open=len(self._stack),
            problem=problem,
            cut=cut,
        )


def _mend(string: bytes) -> bytes:
    """Make a string in quotes well-formed: control characters and unknown escapes stand for themselves."""
    if _STRICT_STRING.fullmatch(string) is None:
        string = _OFFENCE.sub(
            lambda match: b"\\\\" if match[1] else b"\\u%04x" % match[2][0] if match[2] else match[0], string
        )
    return string


def _skip_container(text: bytes, start: int) -> int:
    """Find the end of the container that opens at an offset; the end of the text when it is cut."""
    depth, at = 0, start
    while run := _BRACKET_RUN.match(text, at):
        at = run.end()
        depth += 1 if text[at - 1] in b"{[" else -1
        if depth == 0:
            return at
    return len(text)
