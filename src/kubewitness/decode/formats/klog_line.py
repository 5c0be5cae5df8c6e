"""Lines of klog, the text log of the control plane: `I0624 20:14:59.855669       1 wrap.go:47] PUT ...`.

They are another category of log, never audit events. Source: kubernetes/klog, header format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubewitness.decode.outcome import Other

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome
    from kubewitness.decode.record import Envelope, Inner

_HEADER = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [^ \]]+:\d+\]")


def unwrap_text(text: bytes, envelope: Envelope) -> Iterable[Outcome | Inner] | None:
    """Claim lines with klog's header."""
    return (Other(envelope.line, "klog text"),) if _HEADER.match(text) else None
