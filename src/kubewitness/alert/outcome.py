"""How the requests of an alert ended: carried out, refused, failed, or the log does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.model.alert import AlertEvent

UNAUTHENTICATED = 401
_FORBIDDEN = 403
_FIRST_FAILURE = 400


@dataclass(frozen=True, slots=True)
class Result:
    """How one request ended.

    Attributes:
        code: HTTP status code, or None where no event of the request has one.
        reason: machine-readable reason of a failure, or None.
        allowed: whether it was authorised, or None where the log does not say.
    """

    code: int | None
    reason: str | None
    allowed: bool | None

    @property
    def is_failure(self) -> bool:
        """Whether it is known not to have been carried out."""
        return self.code >= _FIRST_FAILURE if self.code is not None else self.allowed is False

    @property
    def is_refusal(self) -> bool:
        """Whether the server refused it, rather than failed to carry it out."""
        return self.is_failure and self.code in {None, UNAUTHENTICATED, _FORBIDDEN}

    @property
    def is_admission(self) -> bool:
        """Whether authorization let it pass and admission control stopped it."""
        return self.code == _FORBIDDEN and self.allowed is True


def results_of(events: Sequence[AlertEvent]) -> list[Result]:
    """How each request ended: its events (stages) taken together. Events without an id stand alone."""
    requests: dict[object, Result] = {}
    for index, event in enumerate(events):
        key: object = event.audit_id if event.audit_id is not None else index
        last = requests.get(key, Result(None, None, None))
        code, allowed = _as_code(event.details.get("code")), event.details.get("allowed")
        requests[key] = Result(
            code=last.code if code is None else code,
            reason=last.reason if code is None else event.details.get("status_reason"),
            allowed=last.allowed if allowed is None else bool(allowed),
        )
    return list(requests.values())


def _as_code(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def describe_failures(results: Sequence[Result]) -> str | None:
    """Say how it ended, "and was refused (403)"; None when anything was or may have been carried out."""
    if not results or not all(result.is_failure for result in results):
        return None
    codes = list(dict.fromkeys(result.code for result in results if result.code is not None))
    numbers = f" ({', '.join(map(str, codes))})" if codes else ""
    if all(result.is_admission for result in results):
        return f"and was stopped by admission control{numbers}"
    if all(result.is_refusal for result in results):
        return f"and was refused{numbers}"
    if len(codes) == 1:
        reason = next((f" {result.reason}" for result in results if result.reason), "")
        return f"which failed ({codes[0]}{reason})"
    return f"and did not succeed{numbers}"
