"""Event Hubs messages on lines: each record in them gets a line of its own, which the engine can read.

Source: Azure Monitor, stream monitoring data to an event hub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class _Message(msgspec.Struct):
    records: list[msgspec.Raw]


_MESSAGE = msgspec.json.Decoder(_Message)


def split_messages(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Yield the records of messages, each with the number of its message's line; any other line as it is.

    Args:
        lines: number of each line, from 1, and its bytes without the newline.
    """
    for number, line in lines:
        for record in _records(line) if line.startswith(b"{") else (line,):
            yield number, record


def _records(line: bytes) -> list[bytes]:
    if b"\r" in line:  # maybe several lines, joined
        return [line]
    try:
        records = [bytes(record) for record in _MESSAGE.decode(line).records]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [line]
    return records if all(record.startswith(b"{") for record in records) else [line]
