"""Kinds: records of one kind are the same in every column that a kind is said to see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubewitness.decode.engine_shapes import KIND_COLUMNS, Depth, EngineShape
from kubewitness.facts import macros
from kubewitness.query.engine import Engine
from kubewitness.query.reading import reading_query

if TYPE_CHECKING:
    from pathlib import Path

odd = st.sampled_from([None, "", "x", 5, [], ["a"], ["b", "a"], {}, {"username": "x"}, {"dryRun": ["All"]}])
texts = st.sampled_from(["", "a", "b"])


def parts(**named: Any) -> st.SearchStrategy[Any]:
    return odd | st.fixed_dictionaries({}, optional=dict.fromkeys(named, odd | texts) | named)


events = st.fixed_dictionaries(
    {"auditID": texts, "verb": st.sampled_from(["get", "delete"])},
    optional={
        "level": odd | texts,
        "stage": texts,
        "user": parts(username=texts, uid=texts, groups=odd, extra=odd),
        "impersonatedUser": parts(username=texts, groups=odd),
        "sourceIPs": odd,
        "userAgent": odd | texts,
        "objectRef": parts(apiGroup=texts, resource=texts, subresource=texts, namespace=texts, name=texts),
        "responseStatus": parts(
            code=st.sampled_from([200, "200", 403, "x"]), status=texts, reason=texts, message=texts
        ),
        "requestObject": odd,
        "responseObject": odd,
    },
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=st.lists(events, min_size=2, max_size=20))
def test_records_of_one_kind_have_the_same_values_of_what_a_kind_sees(
    tmp_path: Path, log: list[dict[str, Any]]
) -> None:
    file = tmp_path / "audit.log"
    file.write_text("".join(json.dumps(event) + "\n" for event in log), encoding="utf-8")
    listed = ", ".join(f"{name}::VARCHAR" for name in sorted(KIND_COLUMNS))
    # What a blank stands for in place of bodies, and what a rule may ask of a dry run.
    bodiless = "request_object IS NULL AND response_object IS NULL AND NOT truncated"
    whole = reading_query(
        f"SELECT {listed}, {bodiless}, coalesce(dry_run, FALSE), impersonated FROM events",  # noqa: S608
        shape=EngineShape.PLAIN,
        paths=[str(file)],
    )
    sketch = reading_query("SELECT kind FROM sketched", shape=EngineShape.PLAIN, paths=[str(file)], depth=Depth.SKETCH)
    engine = Engine(tmp_path, threads=1)
    try:
        engine.run(macros())
        kinds = [kind for (kind,) in engine.run(sketch.sql, sketch.parameters)]
        values = engine.run(whole.sql, whole.parameters)
    finally:
        engine.close()
    assert len(kinds) == len(values) == len(log)
    seen: dict[int, Any] = {}
    for kind, value in zip(kinds, values, strict=True):
        assert seen.setdefault(kind, value) == value
