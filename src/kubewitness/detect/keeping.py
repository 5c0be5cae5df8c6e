"""What the passes keep of a value, so that rules of several events can compare it later without any text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.plan import Form
from kubewitness.detect.rule import NUMERIC, CorrelationKind
from kubewitness.facts import KEYS
from kubewitness.query.lower import field_text, field_texts

if TYPE_CHECKING:
    from kubewitness.detect.rule import Correlation, Key
    from kubewitness.query.fields import Field

_DIALECT = "duckdb"
_IN_TURN = frozenset({CorrelationKind.TEMPORAL, CorrelationKind.ORDERED})


def is_several(field: Field) -> bool:
    """Whether an event may have several values of it."""
    return bool(field.path) or field.column.is_list


def form_of(correlation: Correlation, key: Key, field: Field) -> Form:
    """In which form a correlation needs a value: where rules are joined, each of several values joins."""
    if key in correlation.counted:
        return Form.NUMBER if correlation.kind in NUMERIC else Form.HASH
    return Form.EACH if is_several(field) and (key.is_alias or correlation.kind in _IN_TURN) else Form.HASH


def text_sql(field: Field) -> str:
    """The value as text; several are one text. Null when absent."""
    if not field.path and field.column.name in KEYS:
        return KEYS[field.column.name]
    text = field_text(field).sql(_DIALECT)
    return f"nullif({text}, '')" if is_several(field) else text


def texts_sql(field: Field) -> str:
    """The values of a field that may have several, as a list of texts."""
    return field_texts(field).sql(_DIALECT)


def kept_sql(field: Field, form: Form) -> str:
    """What is kept of a value."""
    match form:
        case Form.HASH:
            return hash_sql(text_sql(field))
        case Form.NUMBER:
            return f"try_cast({text_sql(field)} AS DOUBLE)"
        case Form.EACH:
            return f"list_transform({texts_sql(field)}, lambda text: {hash_sql('text')})"


def hash_sql(text: str) -> str:
    """Hash of a text; null when absent."""
    return f"nullif(hash({text}), hash(NULL))"
