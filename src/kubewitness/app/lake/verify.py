"""Use cases: whether a store still holds what it took, and which bytes an event is from."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.app.lake.lowering import is_lowered_copy
from kubewitness.app.lake.opening import Snapshot
from kubewitness.app.reading import decoder
from kubewitness.decode import Event, cluster_from_path, decode_lines, sniff
from kubewitness.facts import macros
from kubewitness.model.errors import UnreadableError, UsageError
from kubewitness.query.engine import Engine, EngineError
from kubewitness.sources import find_sources, open_source
from kubewitness.store.lake import Lake
from kubewitness.store.original import WRITTEN, parse_record, written_back
from kubewitness.store.places import place_of
from kubewitness.store.positions import key_of
from kubewitness.store.relation import stored_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kubewitness.sources import Source
    from kubewitness.store.files import DataFile
    from kubewitness.store.places import Place
    from kubewitness.store.positions import Position

_CHUNK_BYTES = 1 << 20
_MOST_EVENTS = 100
_COLUMNS = (
    "source",
    "line",
    "source_key",
    "cluster",
    "happened_at",
    "partial",
    "remainder",
    "raw",
    "lowered_by",
    *WRITTEN,
)


class SourceState(StrEnum):
    """What has become of a source."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class CheckedSource:
    """A source that was taken, looked at again.

    Attributes:
        name: what it was called when it was taken.
        path: where it was found now; None when it was not.
        state: whether the bytes that were taken are still the same.
        bytes: how many were taken, unpacked.
        sha256: of these bytes, when they were taken.
    """

    name: str
    path: str | None
    state: SourceState
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a store is what its log says.

    Attributes:
        events: how many it should hold.
        files: data files looked at.
        broken: data files that are missing or not what they were, with the reason.
        sources: what was taken, looked at again.
        lowered: events in whole files that are not as they were taken, by the SHA-256 of the policy that lowered them.
    """

    events: int
    files: int
    broken: tuple[tuple[str, str], ...]
    sources: tuple[CheckedSource, ...]
    lowered: dict[str, int]

    @property
    def is_sound(self) -> bool:
        """Whether nothing of the store itself is broken."""
        return not self.broken


@dataclass(frozen=True, slots=True)
class Evidence:
    """The way from a stored event to the bytes that it was read from.

    Attributes:
        audit_id: of the event.
        happened_at: when it happened (UTC, naive).
        source: what its source was called.
        line: line of it.
        record_sha256: of the record as the store writes it back.
        lowered_by: SHA-256 of the policy by which the record was lowered since it was taken; None when it is as it was.
        taken_at: when it was taken (UTC, naive).
        commit: version of the store that took it.
        source_sha256: of the source up to the byte where that commit ended.
        source_bytes: how many bytes that is.
        path: where the source was found now; None when it was not.
        source_state: whether these bytes of it are still the same.
        byte_offset: where the line begins in it, unpacked; None when the source was not found.
        byte_length: how long the line is.
        line_sha256: of the line, without its newline.
        is_same_record: whether the line still says what the store says, or more where the record was lowered; None when
            it could not be compared.
        record: what the store says the record was.
    """

    audit_id: str | None
    happened_at: datetime | None
    source: str
    line: int
    record_sha256: str
    lowered_by: str | None
    taken_at: datetime | None
    commit: int | None
    source_sha256: str | None
    source_bytes: int | None
    path: str | None
    source_state: SourceState
    byte_offset: int | None
    byte_length: int | None
    line_sha256: str | None
    is_same_record: bool | None
    record: str


def verify_store(store: str, paths: Sequence[str] = ()) -> Checked:
    """Check that the data files are there and whole, and whether the sources still say what was taken from them.

    Args:
        store: folder of the store.
        paths: where sources may be that are no longer where they were.

    Raises:
        StoreError: the store cannot be read.
    """
    lake, place = Lake.open(store), place_of(store)
    files = lake.files()
    broken: list[tuple[str, str]] = []
    lowered: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as name:
        engine = Engine(Path(name))
        try:
            engine.run(macros())
            for each in files:
                size = place.size(each.path)
                if size is None:
                    broken.append((each.path, "is missing"))
                elif size != each.size:
                    broken.append((each.path, f"has {size:,} bytes instead of {each.size:,}"))
                elif reason := _damage(engine, place.paths([each.path])[each.path], each.events):
                    broken.append((each.path, reason))
                else:
                    lowered.update(_lowered(engine, each, place))
        finally:
            engine.close()
    places = _Sources(lake.positions().values(), paths)
    return Checked(
        events=sum(each.events for each in files),
        files=len(files),
        broken=tuple(broken),
        sources=tuple(places.checked()),
        lowered=dict(sorted(lowered.items())),
    )


def trace_events(store: str, *, audit_id: str | None, origin: str | None, paths: Sequence[str] = ()) -> list[Evidence]:
    """Follow stored events back to the bytes that they were read from.

    Args:
        store: folder of the store.
        audit_id: events of this request.
        origin: or the events of this line, as reports write it: `audit.log:17`.
        paths: where sources may be that are no longer where they were.

    Raises:
        StoreError: the store cannot be read.
        UsageError: there is no such event.
    """
    lake = Lake.open(store)
    snapshot = Snapshot(store, lake.version, tuple(lake.files()), place_of(store))
    condition = "audit_id = $audit_id"
    values: dict[str, Any] = {"audit_id": audit_id}
    if origin is not None:
        source, _, line = origin.rpartition(":")
        if not source or not line.isdecimal():
            raise UsageError(f"`{origin}` is no origin", hint="write source:line, as reports do: audit.log:17")
        condition, values = "source = $source AND line = $line", {"source": source, "line": int(line)}
    listed = ", ".join(_COLUMNS)
    query = snapshot.query(
        f"SELECT {listed} FROM events WHERE {condition} ORDER BY happened_at, line LIMIT {_MOST_EVENTS}"  # noqa: S608 - parameters
    )
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as name:
        engine = Engine(Path(name))
        try:
            engine.run(macros())
            rows = engine.rows(query.sql, {**query.parameters, **values})
        finally:
            engine.close()
    if not rows:
        raise UsageError("the store has no such event", hint=_absent(lake))
    places = _Sources(lake.positions().values(), paths)
    history = lake.history()
    return [_trace(row, places, history) for row in rows]


def _absent(lake: Lake) -> str:
    gone = sum(entry.get("gone", 0) for entry in lake.history())
    because = f"; {gone:,} events were let go since they were taken" if gone else ""
    return f"kubewitness store info lists its sources{because}"


class _Sources:
    """Sources that were taken, and where they are now."""

    def __init__(self, positions: Iterable[Position], paths: Sequence[str]) -> None:
        self._positions = {each.key: each for each in positions}
        self._more = [source for source in find_sources(list(paths)).sources if not source.is_stream] if paths else []
        self._found: dict[str, Source | None] = {}

    def checked(self) -> Iterator[CheckedSource]:
        for each in sorted(self._positions.values(), key=lambda position: (position.name, position.key)):
            source, state = self.state(each.key, each.end, each.sha256)
            yield CheckedSource(each.name, source.name if source else None, state, each.end, each.sha256)

    def state(self, key: str, end: int, sha256: str) -> tuple[Source | None, SourceState]:
        """Where a source is, and whether its first bytes are the same."""
        source = self._find(key)
        if source is None:
            return None, SourceState.MISSING
        digest = hashlib.sha256()
        left = end
        try:
            with open_source(source) as (_, reader):
                while left and (chunk := reader.read(min(left, _CHUNK_BYTES))):
                    digest.update(chunk)
                    left -= len(chunk)
        except (OSError, UnreadableError):
            return None, SourceState.MISSING
        is_same = not left and digest.hexdigest() == sha256
        return source, SourceState.SAME if is_same else SourceState.CHANGED

    def _find(self, key: str) -> Source | None:
        if key not in self._found:
            position = self._positions[key]
            named = find_sources([position.name]).sources if position.name != "-" else []
            candidates = [*named, *self._more]
            self._found[key] = next(
                (each for each in candidates if self._is(each, position)), named[0] if named else None
            )
        return self._found[key]

    @staticmethod
    def _is(source: Source, position: Position) -> bool:
        """Whether a file is the source, by its key."""
        try:
            with open_source(source) as (_, reader):
                if position.is_whole:
                    digest = hashlib.sha256()
                    while chunk := reader.read(_CHUNK_BYTES):
                        digest.update(chunk)
                    text = digest.digest()
                else:
                    text = reader.peek(_CHUNK_BYTES).lstrip().partition(b"\n")[0][:_CHUNK_BYTES]
        except (OSError, UnreadableError):
            return False
        clusters = {position.cluster, cluster_from_path(source.name)}
        return any(key_of(text, cluster) == position.key for cluster in clusters)


def _trace(row: Mapping[str, Any], sources: _Sources, history: Sequence[Mapping[str, Any]]) -> Evidence:
    taken = _taken(row, history)
    source, state = None, SourceState.MISSING
    if taken is not None:
        source, state = sources.state(row["source_key"], taken["end"], taken["sha256"])
    text = written_back(row)
    offset = line = None
    if source is not None:
        offset, line = _line_of(source, row["line"])
    return Evidence(
        audit_id=row["audit_id"],
        happened_at=row["happened_at"],
        source=row["source"],
        line=row["line"],
        record_sha256=hashlib.sha256(text).hexdigest(),
        lowered_by=row["lowered_by"],
        taken_at=datetime.fromtimestamp(taken["at_ms"] / 1000, UTC).replace(tzinfo=None) if taken else None,
        commit=taken["version"] if taken else None,
        source_sha256=taken["sha256"] if taken else None,
        source_bytes=taken["end"] if taken else None,
        path=source.name if source else None,
        source_state=state,
        byte_offset=offset,
        byte_length=len(line) if line is not None else None,
        line_sha256=hashlib.sha256(line).hexdigest() if line is not None else None,
        is_same_record=(
            _is_in(text, source, line, row["line"], is_lowered=row["lowered_by"] is not None)
            if source is not None and line is not None
            else None
        ),
        record=text.decode("utf-8", "replace"),
    )


def _taken(row: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What the commit remembers that took an event: the first one that went as far as its line."""
    taken = [
        {**source, "version": entry["version"], "at_ms": entry["at_ms"]}
        for entry in history
        for source in entry.get("sources", ())
        if source["key"] == row["source_key"]
    ]
    # The last line may have no newline, so that it is not counted.
    return next((each for each in taken if each["lines"] >= row["line"]), taken[-1] if taken else None)


def _line_of(source: Source, number: int) -> tuple[int | None, bytes | None]:
    """Where a line begins, and its text."""
    offset = 0
    with open_source(source) as (_, reader):
        for current, line in enumerate(reader, start=1):
            if current == number:
                return offset, line.rstrip(b"\r\n")
            offset += len(line)
    return None, None


def _is_in(text: bytes, source: Source, line: bytes, number: int, *, is_lowered: bool) -> bool | None:
    """Whether a line, or the record that begins there, says what a text says; or said it before it was lowered."""
    record = parse_record(text)
    if record is None:
        return text in line
    outcomes = [*decode_lines([(number, line)])]
    if not any(isinstance(outcome, Event) for outcome in outcomes):
        with open_source(source) as (_, reader):
            layout = sniff(reader.peek(_CHUNK_BYTES)[: 64 << 10])
            outcomes = [outcome for outcome in decoder(layout, reader) if outcome.line == number]
    texts = [outcome.text for outcome in outcomes if isinstance(outcome, Event)]
    return any(parse_record(each) == record or (is_lowered and is_lowered_copy(each, record)) for each in texts)


def _lowered(engine: Engine, file: DataFile, place: Place) -> dict[str, int]:
    """How many events of a data file a policy has lowered, by its SHA-256."""
    select = "SELECT lowered_by, count(*) FROM events WHERE lowered_by IS NOT NULL GROUP BY lowered_by"
    query = stored_query(select, [file], place.paths([file.path]))
    return dict(engine.run(query.sql, query.parameters))


def _damage(engine: Engine, path: str, events: int) -> str | None:
    """What is wrong with a data file, all of whose columns are read; None when nothing is."""
    try:
        ((count, *_),) = engine.run(
            "SELECT count(*), count(COLUMNS(*)) FROM read_parquet($path, hive_partitioning = false)", {"path": path}
        )
    except EngineError as error:
        return f"cannot be read: {error}"
    return None if count == events else f"has {count:,} events instead of {events:,}"
