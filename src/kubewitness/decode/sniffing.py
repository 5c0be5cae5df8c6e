"""Say from the head of a source how it is laid out."""

from __future__ import annotations

import codecs
from collections import Counter
from enum import StrEnum

from kubewitness.decode.audit import MARKS, is_audit_event
from kubewitness.decode.csv_table import is_csv
from kubewitness.decode.json_text import Scanner, Status, array_items, object_fields, parse_object, tidy
from kubewitness.decode.salvage import repair

HEAD_BYTES = 64 * 1024
_LINES_TO_LOOK_AT = 50
_LOG = frozenset({("properties", "log"), ("records", "properties", "log")})


class Layout(StrEnum):
    """How a source is laid out. The engine reads the first three itself, the fourth when its messages are split."""

    PLAIN_LINES = "plain_lines"  # audit events, one a line
    AZURE_LINES = "azure_lines"  # records of Azure resource logs with `properties.log`, one a line
    TABLE_LINES = "table_lines"  # rows of the audit tables of Log Analytics, one a line
    MESSAGE_LINES = "message_lines"  # Event Hubs messages with such records of Azure, one message a line
    LINES = "lines"  # anything else that is one record a line, or mixed
    DOCUMENT = "document"  # arrays, pretty-printed or concatenated JSON
    CSV = "csv"


def sniff(head: bytes) -> Layout:
    """Say how a source is laid out.

    Args:
        head: its first 64 KiB, decompressed, maybe cut within a line; all of it when it is smaller.

    Returns:
        The layout that fits most of the lines; a bad line among good ones does not matter.
    """
    if _is_utf16(head):
        text = head.decode("utf-16", errors="replace").lstrip("\ufeff\r\n\t ")
        return Layout.CSV if _is_csv(text.splitlines()) else Layout.DOCUMENT
    lines = head.split(b"\n")
    unfinished = lines.pop() if len(head) >= HEAD_BYTES else b""
    texts = [text for text in map(tidy, lines) if text][:_LINES_TO_LOOK_AT]
    if not texts:
        return _sniff_giant(tidy(unfinished))
    if _is_csv([text.decode(errors="replace") for text in texts[:2]]):
        return Layout.CSV
    first = texts[0]
    starts = Scanner().feed(first)[0] if first[0] in b"{[" else Status.BROKEN
    is_list = first.startswith(b"[") and (starts is Status.OPEN or len(texts) == 1)
    if is_list or (b"\r" in first and len(texts) == 1 and unfinished):
        return Layout.DOCUMENT
    votes = Counter(layout for layout in map(_layout_of, texts) if layout is not None)
    if votes:
        (layout, count), *_ = votes.most_common()
        return layout if count * 2 >= votes.total() else Layout.LINES
    return Layout.DOCUMENT if starts is Status.OPEN and len(texts) > 1 else Layout.LINES


def _layout_of(text: bytes) -> Layout | None:
    """Say of which layout a line that is one whole object is; None for any other line."""
    fields = parse_object(text)
    if fields is None:
        return None
    if is_audit_event(fields) and any(mark in fields for mark in MARKS):
        return Layout.PLAIN_LINES
    if "properties" in fields and ("category" in fields or "resourceId" in fields):
        return Layout.AZURE_LINES if "log" in object_fields(fields["properties"]) else Layout.LINES
    if "AuditId" in fields or ("Verb" in fields and "RequestUri" in fields):
        return Layout.TABLE_LINES
    first = next(iter(array_items(fields["records"]) or ()), None) if "records" in fields else None
    if first is not None and _layout_of(bytes(first)) is Layout.AZURE_LINES:
        return Layout.MESSAGE_LINES
    return Layout.LINES


def _is_utf16(head: bytes) -> bool:
    """Whether text of two bytes a character follows its mark, and not a line that happens to begin with those bytes."""
    start = head[2:66]
    return head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and start.count(0) * 3 >= len(start)


def _sniff_giant(text: bytes) -> Layout:
    """Say it of a first line that is longer than the head."""
    if text.startswith(b"[") or (b"\r" in text and not text.isspace()):
        return Layout.DOCUMENT
    layout = _layout_of(repair(text, _LOG).text) if text.startswith(b"{") else None
    return layout or Layout.LINES


def _is_csv(lines: list[str]) -> bool:
    first, following = [*lines, "", ""][:2]
    return not first.startswith(("{", "[")) and is_csv(first, following)
