r"""CloudWatch Logs of EKS: subscription payloads, and answers that list events or the rows of a query.

    {"messageType":"DATA_MESSAGE","logGroup":"/aws/eks/NAME/cluster","logStream":"kube-apiserver-audit-0f3a..",
     "logEvents":[{"id":"..","timestamp":1741069338822,"message":"{\"kind\":\"Event\",..}"}]}
    {"events":[{"logStreamName":"kube-apiserver-audit-0f3a..","timestamp":1741069338822,"message":".."}]}
    {"results":[[{"field":"@timestamp","value":".."},{"field":"@message","value":".."},..]],"status":"Complete"}

Source: AWS, CloudWatch Logs subscription filters and API reference; EKS control plane logging (stream names).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.clusters import cluster_of_log_group
from kubewitness.decode.json_text import array_items, object_fields, string_of, value_of
from kubewitness.decode.outcome import Other, Rejected
from kubewitness.decode.record import Inner, Record, items_of
from kubewitness.decode.times import rfc3339, rfc3339_of_milliseconds

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
    if "results" in fields and "statistics" in fields:
        return _results(record, fields["results"])
    return None


def _results(record: Record, results: msgspec.Raw) -> Iterator[Outcome | Inner]:
    """The rows that a query of Logs Insights answers: each a list of fields with their values."""
    for item in items_of(record, results, depth=2):
        pairs = [object_fields(pair) for pair in array_items(item.text) or ()]
        row = {value_of(pair.get("field")): string_of(pair["value"]) for pair in pairs if "value" in pair}
        message, stream = row.get("@message"), row.get("@logStream")
        if stream is not None and not stream.startswith(_AUDIT_STREAM):
            yield Other(item.line, stream.rpartition("-")[0] or stream)
        elif message is None:
            yield Rejected(item.line, "a row of a query's answer without @message")
        else:
            cluster, at = cluster_of_log_group(row.get("@log")), rfc3339(row.get("@timestamp"))
            envelope = record.envelope.inside(line=item.line, cluster=cluster, logged_at=at, cut=item.open > 0)
            yield Inner(message.encode(), envelope)


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
