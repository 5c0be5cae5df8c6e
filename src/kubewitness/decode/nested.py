r"""Audit events anywhere inside of an object that no format knows.

    {"hits":{"hits":[{"_source":{"message":"{\"kind\":\"Event\",..}"}}]}}    an index answers a search
    {"data":{"result":[{"values":[["1763364000000000000","{..}"]]}]}}         Loki answers a query
    {"Records":[{"kinesis":{"data":"H4sI.."}}]}                               what calls a function of a cloud

Of the members on the way only what names a cluster is noted. Texts in base 64 are looked into where they begin as
packed data or as JSON does.
"""

from __future__ import annotations

import binascii
import re
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from kubewitness.decode.clusters import cluster_of_log_group, cluster_of_resource_id
from kubewitness.decode.json_text import array_items, parse_object, string_of
from kubewitness.decode.outcome import Rejected
from kubewitness.decode.record import Inner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import msgspec

    from kubewitness.decode.record import Envelope, Record

_TELLING = re.compile(rb'audit(?:I[Dd]|\.k8s\.io/)|AuditId|log_s|"(?:H4sI|eyJ|ew0K|ewog)')
_ENCODED = ("H4sI", "eyJ", "ew0K", "ewog")  # base 64 of gzip's first bytes, and of a brace with what follows one
_GZIP = b"\x1f\x8b"
_DEEPEST = 16
_MAX_PLAIN_BYTES = 128 * 1024 * 1024
_MAX_NAME_BYTES = 1024


def find_nested(record: Record, is_known: Callable[[bytes], bool]) -> list[Inner | Rejected]:
    """Find what is a record of a known format inside of one that is not.

    Args:
        record: the object that no format claims.
        is_known: whether a text is an object of a known format.

    Returns:
        Each, outermost first, and a rejection for each neighbour in a list that holds none; empty where nothing is
        found.
    """
    if _TELLING.search(record.text) is None:
        return []
    return _Search(is_known).in_object(record.fields, record.envelope, record.open, 1)


class _Search:
    """One way to know records, and how deep to look for them."""

    def __init__(self, is_known: Callable[[bytes], bool]) -> None:
        self._is_known = is_known

    def in_object(
        self, fields: Mapping[str, msgspec.Raw], envelope: Envelope, open_: int, depth: int
    ) -> list[Inner | Rejected]:
        """What the members of an object hold; where it was cut, the cut runs through the last one."""
        around = replace(envelope, cluster=_cluster(fields.values()) or envelope.cluster)
        last = len(fields) - 1
        found: list[Inner | Rejected] = []
        for index, value in enumerate(fields.values()):
            found += self._in_value(bytes(value), around, max(0, open_ - 1) if index == last else 0, depth)
        return found

    def _in_value(self, text: bytes, envelope: Envelope, open_: int, depth: int) -> list[Inner | Rejected]:
        if depth > _DEEPEST or _TELLING.search(text) is None:
            return []
        if text.startswith(b'"'):
            inner = _json_inside(string_of(text) or "")
            return [] if inner is None else [Inner(inner, envelope.inside(cut=envelope.cut))]
        if text.startswith(b"["):
            return self._in_array(array_items(text) or [], envelope, open_, depth)
        fields = parse_object(text)
        if fields is None:
            return []
        if self._is_known(text):
            return [Inner(text, envelope.inside(cluster=_cluster(fields.values()), cut=envelope.cut), open_)]
        return self.in_object(fields, envelope, open_, depth + 1)

    def _in_array(self, items: list[msgspec.Raw], envelope: Envelope, open_: int, depth: int) -> list[Inner | Rejected]:
        last = len(items) - 1
        each = [
            self._in_value(bytes(item), envelope, max(0, open_ - 1) if index == last else 0, depth + 1)
            for index, item in enumerate(items)
        ]
        if not any(each):
            return []
        found: list[Inner | Rejected] = []
        for item, held in zip(items, each, strict=True):
            if not held and bytes(memoryview(item)[:1]) in (b"{", b"["):
                held.append(Rejected(envelope.line, "a neighbour of audit events in a list, without one"))
            found += held
        return found


def _json_inside(text: str) -> bytes | None:
    """The JSON that a text is, or that it is in base 64, perhaps packed; None where it is none."""
    text = text.strip()
    if text.startswith("{"):
        return text.encode() if _TELLING.search(text.encode()) else None
    if not text.startswith(_ENCODED):
        return None
    try:
        plain = binascii.a2b_base64(text, strict_mode=True)
        if plain.startswith(_GZIP):
            plain = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(plain, _MAX_PLAIN_BYTES)
    except (ValueError, zlib.error):
        return None
    return plain if plain.lstrip().startswith(b"{") and _TELLING.search(plain) else None


def _cluster(values: Iterable[msgspec.Raw]) -> str | None:
    """The cluster that one of an object's own texts names."""
    for value in values:
        if len(memoryview(value)) < _MAX_NAME_BYTES and (text := string_of(value)) is not None:
            cluster = cluster_of_resource_id(text) or cluster_of_log_group(text)
            if cluster is not None:
                return cluster
    return None
