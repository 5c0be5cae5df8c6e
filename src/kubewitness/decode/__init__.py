"""What bytes mean: from any shape of log to audit events, and to what could not be read.

`sniff` says how a source is laid out; `decode_lines`, `decode_document` and `decode_csv` turn it into
outcomes: each record becomes one `Event`, `Other` or `Rejected`. Shapes live in `formats`, one module each.
"""

from kubewitness.decode.clusters import cluster_from_path
from kubewitness.decode.csv_table import decode_csv
from kubewitness.decode.document import decode_document
from kubewitness.decode.lines import decode_lines
from kubewitness.decode.messages import split_messages
from kubewitness.decode.outcome import (
    Canonical,
    Event,
    Other,
    Outcome,
    Rejected,
    canonical_line,
    origin_of_line,
    read_canonical,
    without_bodies,
)
from kubewitness.decode.sniffing import Layout, sniff

__all__ = [
    "Canonical",
    "Event",
    "Layout",
    "Other",
    "Outcome",
    "Rejected",
    "canonical_line",
    "cluster_from_path",
    "decode_csv",
    "decode_document",
    "decode_lines",
    "origin_of_line",
    "read_canonical",
    "sniff",
    "split_messages",
    "without_bodies",
]
