"""Where bytes come from: files, directories, globs, standard input; plain, gzip or Zstandard."""

from kubewitness.sources.lines import MAX_LINE_BYTES, LineMap, Spool, index_lines, read_lines, select_lines, spool_lines
from kubewitness.sources.paths import STDIN, Source, SourceListing, find_sources
from kubewitness.sources.streams import SourceStream, keep_stdin, open_source

__all__ = [
    "MAX_LINE_BYTES",
    "STDIN",
    "LineMap",
    "Source",
    "SourceListing",
    "SourceStream",
    "Spool",
    "find_sources",
    "index_lines",
    "keep_stdin",
    "open_source",
    "read_lines",
    "select_lines",
    "spool_lines",
]
