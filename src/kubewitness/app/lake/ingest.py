"""Use case: keep the events of logs in a store, each exactly once."""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from kubewitness.app.lake.known import mark_known
from kubewitness.app.lake.landing import Landing, land, landed_query
from kubewitness.app.lake.notes import note_remainders
from kubewitness.app.lake.pieces import PIECE_BYTES, Cutter, Piece
from kubewitness.app.lake.writing import ORDER, drop_files, write_files
from kubewitness.app.readings import Reading
from kubewitness.facts import macros
from kubewitness.model.errors import StoreError, UnreadableError
from kubewitness.model.ledger import Ledger, Origin, Rejection
from kubewitness.query.engine import Engine, MemoryShortError
from kubewitness.sources import find_sources
from kubewitness.store.lake import Change, ConflictError, Lake
from kubewitness.store.places import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from kubewitness.sources import Source
    from kubewitness.store.files import DataFile
    from kubewitness.store.places import Place
    from kubewitness.store.positions import Position

_BATCH_BYTES = 128 << 20
_MEMORY_LIMIT = "1500MB"
"""For one batch, which only bodies of very many megabytes come near to; a batch takes about 500 MB."""
_STEPS = min(2, os.cpu_count() or 1)
"""So many batches are worked on at a time."""
_THREADS = max(1, (os.cpu_count() or 1) // _STEPS)
"""For one batch: to divide a statement costs more than to have another batch beside it."""
_BATCH_PIECES = 500
_TRIES = 50
_KEPT_REJECTIONS = 1000
_COUNTED = ("read", "events", "partial", "duplicates", "other", "rejected")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingest did.

    Attributes:
        ledger: what became of every record that was new.
        sources: how many sources had something new.
        known: names of sources in which nothing was new.
        waiting: bytes at the end of sources that wait for the end of their record, by name.
        files: how many data files were written.
        bytes: their size.
        commits: how many commits it took.
        version: of the store afterwards.
        duration_s: how long it took.
        left_out: files that were not read because their names say they are no logs.
    """

    ledger: Ledger
    sources: int
    known: tuple[str, ...]
    waiting: dict[str, int]
    files: int
    bytes: int
    commits: int
    version: int
    duration_s: float
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class _Sum:
    """What was done so far."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))
    rejections: list[Rejection] = field(default_factory=list)
    unreadable: list[Rejection] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    files: int = 0
    bytes: int = 0
    commits: int = 0

    def add(self, ledger: Ledger, written: Sequence[DataFile], pieces: Sequence[Piece]) -> None:
        for name in _COUNTED:
            self.counts[name] += getattr(ledger, name)
        self.rejections += ledger.rejections[: _KEPT_REJECTIONS - len(self.rejections)]
        self.unreadable += ledger.unreadable
        self.keys |= {piece.position.key for piece in pieces}
        self.files += len(written)
        self.bytes += sum(each.size for each in written)
        self.commits += 1


class _MovedError(Exception):
    """Somebody else has taken the same sources meanwhile."""


def ingest(
    paths: Sequence[str],
    store: str,
    *,
    cluster: str | None = None,
    is_finished: bool = False,
    piece_bytes: int = PIECE_BYTES,
) -> Ingested:
    """Write the events of logs into a store.

    It may be stopped at any moment and run again, run twice over the same files, and run several times at once: every
    event is in the store once.

    Args:
        paths: files, directories, globs, `-` for standard input.
        store: folder of the store; it is made when it is not there.
        cluster: name for events whose log does not say.
        is_finished: whether a last line without newline counts although more could follow.
        piece_bytes: about how much of a file is read at a time.

    Raises:
        StoreError: the store cannot be read or written.
        UnreadableError: nothing of the paths could be read.
    """
    began = time.perf_counter()
    listing = find_sources(list(paths))
    Reading(sources=listing.sources, unreadable=listing.unreadable).demand_sources()
    lake = Lake.open_or_create(store)
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as name:
        folder = Path(name)
        cutter = Cutter(folder, cluster=cluster, is_finished=is_finished, piece_bytes=piece_bytes)
        run = _Ingest(lake, place_of(store), cutter, folder)
        run.sum.unreadable += listing.unreadable
        run.take(listing.sources)
    total = run.sum
    ledger = Ledger(
        **total.counts,
        rejections=tuple(total.rejections),
        unreadable=tuple(dict.fromkeys([*total.unreadable, *cutter.remarks.unreadable])),
    )
    return Ingested(
        ledger=ledger,
        sources=len(total.keys),
        known=tuple(dict.fromkeys(cutter.remarks.known)),
        waiting=dict(cutter.remarks.waiting),
        files=total.files,
        bytes=total.bytes,
        commits=total.commits,
        version=lake.version,
        duration_s=time.perf_counter() - began,
        left_out=tuple(listing.left_out),
    )


class _Ingest:
    """One run over sources."""

    def __init__(self, lake: Lake, place: Place, cutter: Cutter, folder: Path) -> None:
        self._lake = lake
        self._place = place
        self._cutter = cutter
        self._folder = folder
        self._positions: dict[str, Position] = {}
        self._engines: list[Engine] = []
        self._numbers = count()
        self._lock = Lock()
        self.sum = _Sum()

    def take(self, sources: Sequence[Source]) -> None:
        """Take what is new in sources."""
        held = self._hold(sources)
        for _ in range(_TRIES):
            self._positions = self._lake.positions()
            try:
                self._pass(held)
            except _MovedError:
                continue
            return
        raise StoreError("others keep taking the same sources", where=self._lake.location, hint="try again later")

    def _hold(self, sources: Sequence[Source]) -> list[Source]:
        found = []
        for source in sources:
            try:
                found.append(self._cutter.hold(source))
            except (OSError, UnreadableError) as error:
                self._note(source, error)
        return found

    def _pass(self, sources: Sequence[Source]) -> None:
        # What comes next is copied while engines work on what came before.
        try:
            with ThreadPoolExecutor(_STEPS) as pool:
                steps: deque[Future[None]] = deque()
                earlier: Future[None] | None = None
                for batch in self._batches(sources):
                    if len(steps) == _STEPS:
                        steps.popleft().result()
                    earlier = pool.submit(self._keep, batch, earlier)
                    steps.append(earlier)
                for step in steps:
                    step.result()
        finally:
            while self._engines:
                self._engines.pop().close()

    def _batches(self, sources: Sequence[Source]) -> Iterator[list[Piece]]:
        """Pieces of one cluster, as many as are read at a time."""
        batch: list[Piece] = []
        for piece in self._pieces(sources):
            if batch and batch[0].position.cluster != piece.position.cluster:
                yield batch
                batch = []
            batch.append(piece)
            self._positions[piece.position.key] = piece.position
            if sum(each.size for each in batch) >= _BATCH_BYTES or len(batch) >= _BATCH_PIECES:
                yield batch
                batch = []
        if batch:
            yield batch

    def _pieces(self, sources: Sequence[Source]) -> Iterator[Piece]:
        for source in sources:
            try:
                yield from self._cutter.cut(source, self._positions.get)
            except (OSError, UnreadableError) as error:
                self._note(source, error)

    def _note(self, source: Source, error: OSError | UnreadableError) -> None:
        reason = error.message if isinstance(error, UnreadableError) else error.strerror or str(error)
        self.sum.unreadable.append(Rejection(reason, Origin(source.name)))

    def _keep(self, pieces: Sequence[Piece], earlier: Future[None] | None) -> None:
        """Read pieces, write what is new, commit it with the positions after them, when an earlier batch has been."""
        engine = self._engines.pop() if self._engines else self._new_engine()
        try:
            with tempfile.TemporaryDirectory(prefix="batch-", dir=self._folder) as name:
                landing = land(engine, pieces, Path(name))
                note_remainders(landing)
                batch = _Batch(landing, self._lake, self._place, Path(name), self._lock)
                written, ledger = batch.commit(earlier)
        except BaseException:
            engine.close()
            raise
        self._engines.append(engine)
        for piece in pieces:
            piece.path.unlink()
        self.sum.add(ledger, written, pieces)

    def _new_engine(self) -> Engine:
        folder = self._folder / f"engine-{next(self._numbers)}"
        folder.mkdir()
        engine = Engine(folder, threads=_THREADS, memory_limit=_MEMORY_LIMIT)
        engine.run(macros())
        return engine


class _Batch:
    """Pieces that have landed, on their way into the store."""

    def __init__(self, landing: Landing, lake: Lake, place: Place, folder: Path, lock: Lock) -> None:
        self._landing = landing
        self._lake = lake
        self._place = place
        self._folder = folder
        self._lock = lock
        self._seen: set[str] = set()
        self._written: list[DataFile] | None = None

    def commit(self, earlier: Future[None] | None) -> tuple[list[DataFile], Ledger]:
        """Write and commit what is new, after an earlier batch; give the files and what became of each record."""
        try:
            self._write_new()
            if earlier:
                earlier.result()
            return self._commit()
        except BaseException:
            drop_files(self._written or [], self._place)
            raise

    def _commit(self) -> tuple[list[DataFile], Ledger]:
        for _ in range(_TRIES):
            if done := self._try():
                return done
        raise StoreError("others keep writing to the store", where=self._lake.location, hint="try again later")

    def _try(self) -> tuple[list[DataFile], Ledger] | None:
        landing, lake = self._landing, self._lake
        with self._lock:
            before = lake.positions()
        if any(self._has_moved(piece, before.get(piece.position.key)) for piece in self._first_pieces()):
            raise _MovedError
        written = self._write_new()
        ledger = landing.ledger()
        details = {"operation": "ingest", "ledger": {name: getattr(ledger, name) for name in _COUNTED}}
        positions = {piece.position.key: piece.position for piece in landing.pieces}
        further = [each for key, each in positions.items() if key not in before or each.end >= before[key].end]
        with self._lock:
            try:
                lake.commit(Change(written, positions=further, details=details))
            except ConflictError:
                lake.refresh()
                return None
        return written, ledger

    def _write_new(self) -> list[DataFile]:
        """Files of what is not in the store by now; written again where more of it is there than when they were."""
        with self._lock:
            files = [each for each in self._lake.files() if each.path not in self._seen]
        self._seen |= {each.path for each in files}
        if mark_known(self._landing, files, self._place) and self._written is not None:
            drop_files(self._written, self._place)
            self._written = None
        if self._written is None:
            self._written = self._write()
        return self._written

    def _first_pieces(self) -> Iterator[Piece]:
        """The first piece of each source."""
        seen: set[str] = set()
        for piece in self._landing.pieces:
            if piece.position.key not in seen:
                seen.add(piece.position.key)
                yield piece

    @staticmethod
    def _has_moved(piece: Piece, now: Position | None) -> bool:
        """Whether somebody else has taken a source since it was looked up."""
        known = piece.before
        return (now and (now.end, now.sha256)) != (known and (known.end, known.sha256))

    def _write(self, some: range | None = None) -> list[DataFile]:
        """Write all rows, or some; where they are too large for the engine, half of them at a time."""
        landing = self._landing
        query = landed_query(landing, ORDER, some)
        try:
            return write_files(landing.engine, query, landing.partitions(), place=self._place, folder=self._folder)
        except StoreError as error:
            rows = some or landing.rows()
            if not isinstance(error.__cause__, MemoryShortError) or len(rows) < 2:  # noqa: PLR2004 - no halves
                raise
        middle = len(rows) // 2
        written = self._write(rows[:middle])
        try:
            return written + self._write(rows[middle:])
        except BaseException:
            drop_files(written, self._place)
            raise
