r"""Events as JSON strings: what `jq .properties.log` and `aws logs ... --query 'events[].message'` print.

"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",...}\n"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.json_text import string_of
from kubewitness.decode.record import Inner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome
    from kubewitness.decode.record import Envelope


def unwrap_text(text: bytes, envelope: Envelope) -> Iterable[Outcome | Inner] | None:
    """Claim lines that are one string, in which an object begins."""
    inner = string_of(text.rstrip(b", \t"))
    if inner is None or not inner.lstrip().startswith("{"):
        return None
    return (Inner(inner.encode(), envelope.inside(cut=envelope.cut)),)
