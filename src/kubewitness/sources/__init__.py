"""Where bytes come from: files, directories, globs, standard input; plain, gzip or Zstandard."""

from kubewitness.sources.lines import (
    MARK_BYTES,
    MAX_LINE_BYTES,
    LineMap,
    Spool,
    index_lines,
    read_lines,
    select_lines,
    spool_lines,
)
from kubewitness.sources.paths import STDIN, Compression, Source, SourceListing, find_sources
from kubewitness.sources.streams import SourceStream, open_source, pack

__all__ = [
    "MARK_BYTES",
    "MAX_LINE_BYTES",
    "STDIN",
    "Compression",
    "LineMap",
    "Source",
    "SourceListing",
    "SourceStream",
    "Spool",
    "find_sources",
    "index_lines",
    "open_source",
    "pack",
    "read_lines",
    "select_lines",
    "spool_lines",
]
