r"""CloudWatch Logs of EKS: subscription payloads, and the answers of filter-log-events and get-log-events.

    {"messageType":"DATA_MESSAGE","logGroup":"/aws/eks/NAME/cluster","logStream":"kube-apiserver-audit-0f3a..",
     "logEvents":[{"id":"..","timestamp":1741069338822,"message":"{\\"kind\\":\\"Event\\",..}"}]}
    {"events":[{"logStreamName":"kube-apiserver-audit-0f3a..","timestamp":1741069338822,"message":".."}]}

Source: AWS, CloudWatch Logs subscription filters and API reference; EKS control plane logging (stream names).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.clusters import cluster_of_log_group
from kubewitness.decode.json_text import object_fields, string_of, value_of
from kubewitness.decode.outcome import Other, Rejected
from kubewitness.decode.record import Inner, Record, items_of
from kubewitness.decode.times import rfc3339_of_milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import msgspec

    from kubewitness.decode.outcome import Outcome

CUT_TEXTS = frozenset({("logEvents", "message"), ("events", "message")})
_AUDIT_STREAM = "kube-apiserver-audit"
_KEYS = ("searchedLogStreams", "nextToken", "nextForwardToken", "nextBackwardToken")


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim subscription payloads and answers that list log events."""
    fields = record.fields
    if "messageType" in fields and ("logEvents" in fields or "logGroup" in fields):
        if record.string("messageType") == "CONTROL_MESSAGE":
            return (Other(record.line, "CloudWatch control message"),)
        if "logEvents" not in fields:
            return (Rejected(record.line, f"a CloudWatch payload {record.problem or 'without events'}"),)
        return _messages(record, fields["logEvents"], record.string("logStream"))
    if "events" in fields and "kind" not in fields:
        first = next(iter(items_of(record, fields["events"], depth=2)), None)
        if any(key in fields for key in _KEYS) or (first is not None and "message" in object_fields(first.text)):
            return _messages(record, fields["events"], None)
    return None


def _messages(record: Record, events: msgspec.Raw | None, stream: str | None) -> Iterator[Outcome | Inner]:
    cluster = cluster_of_log_group(record.string("logGroup"))
    for item in items_of(record, events, depth=2):
        members = object_fields(item.text)
        name = string_of(members["logStreamName"]) if "logStreamName" in members else stream
        if name is not None and not name.startswith(_AUDIT_STREAM):
            yield Other(item.line, name.rpartition("-")[0] or name)
            continue
        message = string_of(members["message"]) if "message" in members else None
        if message is None:
            yield Rejected(item.line, "a CloudWatch log event without a message" + (", cut" if item.open else ""))
            continue
        at = rfc3339_of_milliseconds(value_of(members.get("timestamp")))
        yield Inner(
            message.encode(),
            record.envelope.inside(line=item.line, cluster=cluster, logged_at=at, cut=item.open > 0),
        )
