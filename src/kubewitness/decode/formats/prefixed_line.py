"""Lines that a tool put a name or a time before: `oc adm node-logs`, and container logs of the node (CRI).

    master-0.example.internal {"kind":"Event","apiVersion":"audit.k8s.io/v1",...}
    2024-11-15T21:00:02.091Z stdout F {"kind":"Event","apiVersion":"audit.k8s.io/v1",...}

Source: OpenShift documentation, viewing audit logs; the CRI logging format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubewitness.decode.record import Inner
from kubewitness.decode.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome
    from kubewitness.decode.record import Envelope

_NODE = re.compile(rb"[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?[ \t]+(?=\{)")
_CONTAINER = re.compile(rb"(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) std(?:out|err) [FP] ")


def unwrap_text(text: bytes, envelope: Envelope) -> Iterable[Outcome | Inner] | None:
    """Claim lines with a known prefix; what follows is decoded in its turn."""
    if prefix := _NODE.match(text):
        return (Inner(text[prefix.end() :], envelope.inside(cut=envelope.cut)),)
    if prefix := _CONTAINER.match(text):
        at = rfc3339(prefix[1].decode())
        return (Inner(text[prefix.end() :], envelope.inside(logged_at=at, cut=envelope.cut)),)
    return None
