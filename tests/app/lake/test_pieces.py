"""Pieces say what their bytes are: where they end, how many lines, and which."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from kubewitness.app.lake import pieces as cutting
from kubewitness.app.lake.pieces import Cutter
from kubewitness.sources import find_sources

if TYPE_CHECKING:
    from pathlib import Path

    from tests.app.lake.conftest import Line

ENDINGS = {
    "ends with a newline": b"",
    "ends without one": b'{"auditID": "the last", "verb": "get", "requestURI": "/"}',
    "waits for its end": b'{"auditID": "the la',
    "has blank lines": b"\n\n   \n{}\n\n",
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("chunk_bytes", [100, 1 << 20])
def test_pieces_are_the_source_and_positions_say_what_was_taken(
    ending: str, chunk_bytes: int, tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "_CHUNK_BYTES", chunk_bytes)
    text = b"".join(map(line, range(40))) + ENDINGS[ending]
    log = tmp_path / "audit.log"
    log.write_bytes(text)
    taken = text[: text.rindex(b"\n") + 1] if ending == "waits for its end" else text
    folder = tmp_path / "pieces"
    folder.mkdir()
    (source,) = find_sources([str(log)]).sources
    found = list(Cutter(folder, piece_bytes=5000).cut(source, lambda _: None))
    assert len(found) > 2
    assert b"".join(piece.path.read_bytes() for piece in found) == taken
    for piece in found:
        before = taken[: piece.position.end - piece.size]
        until = taken[: piece.position.end]
        assert piece.path.read_bytes() == until[len(before) :]
        assert piece.position.sha256 == hashlib.sha256(until).hexdigest()
        assert piece.position.lines == until.count(b"\n")
        assert piece.first_line == before.count(b"\n") + 1
        assert piece.index is not None
        assert piece.index.records == sum(bool(each.strip()) for each in piece.path.read_bytes().split(b"\n"))
