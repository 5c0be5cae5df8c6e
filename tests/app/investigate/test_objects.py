"""Tests of the lives of objects: what is told of them, and how it is written."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.app.investigate.conftest import NOON, at

from kubewitness.app.events import Logs
from kubewitness.app.investigate.objects import ObjectStory, object_story
from kubewitness.investigate.lives import blame, state_at
from kubewitness.investigate.object_names import ObjectName
from kubewitness.investigate.render.object_at import write_state
from kubewitness.investigate.render.object_fields import life_fields
from kubewitness.investigate.render.object_table import write_diffs, write_lives
from kubewitness.look.console import WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Written = Callable[[Sequence[dict[str, Any]]], str]

CASES = yaml.safe_load((Path(__file__).parent / "lives.yaml").read_text("utf-8"))
DEPLOYMENT = "shop/deployments.apps/web"
KINDS = {"deployments": "Deployment", "pods": "Pod", "widgets": "Widget", "secrets": "Secret"}


def _body(row: dict[str, Any] | list[Any] | None, name: ObjectName, *, is_answer: bool) -> Any:
    if not isinstance(row, dict) or "items" in row or "apiVersion" in row or "target" in row:
        return row
    if isinstance(row.get("status"), str):
        return {"kind": "Status", "status": row["status"]}
    if "v" not in row and "uid" not in row and not is_answer:
        return row
    metadata = {"name": name.name, "namespace": name.namespace, "uid": row.get("uid", "one")} | row.get("meta", {})
    if "v" in row:
        metadata["resourceVersion"] = str(row["v"])
    rest = {key: value for key, value in row.items() if key not in {"v", "uid", "meta"}}
    return {"kind": KINDS.get(name.resource), "metadata": metadata, **rest}


def _event(number: int, row: dict[str, Any], on: str) -> dict[str, Any]:
    text = row.get("object", on)
    name = ObjectName.parse(text if not text.endswith("/") else text + "-")
    code = row.get("code", 200)
    body = row.get("body")
    if row["verb"] in {"create", "update"} and isinstance(body, dict) and "target" not in body and "sub" not in row:
        body = _body({"uid": "one"} | body, name, is_answer=True)
    return {
        "auditID": str(number),
        "stage": "ResponseComplete",
        "requestReceivedTimestamp": at(row["at"]),
        "stageTimestamp": at(row["at"]),
        "verb": row["verb"],
        "requestURI": f"/apis/x/{number}?{row.get('query', '')}",
        "user": {"username": row["by"]},
        "objectRef": {
            "resource": name.resource,
            "namespace": name.namespace,
            "name": None if name.name == "-" else name.name,
            "apiGroup": name.group,
            "subresource": row.get("sub"),
        },
        "responseStatus": {"code": code},
        "requestObject": _body(body, name, is_answer=False),
        "responseObject": _body(row.get("answer"), name, is_answer=True),
    }


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return value


def _story(log_of: Written, rows: list[dict[str, Any]], on: str = DEPLOYMENT, **options: Any) -> ObjectStory:
    events = [_event(*each, on) for each in enumerate(rows)]
    for event in events:
        event["objectRef"] = _without_nulls(event["objectRef"])
    return object_story(Logs((log_of(events),)), on, **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_requests_tell_the_lives_of_an_object(case: dict[str, Any], log_of: Written) -> None:
    lives = _story(log_of, case["requests"], case.get("object", DEPLOYMENT)).lives
    assert len(lives) == len(case["lives"])
    for life, wanted in zip(lives, case["lives"], strict=True):
        if isinstance(wanted["revisions"], int):
            assert len(life.revisions) == wanted["revisions"]
        else:
            found = [
                [
                    revision.evidence.value,
                    {change.where: change.after for change in revision.changes if change.path[0] != "metadata"},
                ]
                for revision in life.revisions
            ]
            assert found == wanted["revisions"]
        uncertain = [revision.number for revision in life.revisions if not revision.is_certain]
        if "uncertain" in wanted:
            assert uncertain == wanted["uncertain"]
        assert len(life.touches) >= wanted.get("touches", 0)
        end = life.deletion
        told = (
            [end.kind.value, end.request.details["actor"] if end.request else None, end.gone_at is not None]
            if end
            else None
        )
        assert told == wanted.get("end")
        if "cause" in wanted:
            assert end is not None
            assert end.cause == wanted["cause"]
        assert life.is_born is wanted.get("born", True)


SPEC = {"replicas": 3, "a": 1}
STATUS = {"verb": "update", "sub": "status", "by": "ctl"}
LIFE: list[dict[str, Any]] = [
    {"at": 0, "verb": "create", "by": "alice", "code": 201, "answer": {"v": 1, "spec": {"replicas": 1, "a": 1}}},
    {"at": 60, "verb": "patch", "by": "bob", "answer": {"v": 2, "spec": SPEC}},
    {"at": 61, "answer": {"v": 3, "spec": SPEC, "status": {"n": 1}}, **STATUS},
    {"at": 62, "answer": {"v": 4, "spec": SPEC, "status": {"n": 3}}, **STATUS},
    {"at": 120, "verb": "patch", "by": "carol"},
    {"at": 180, "verb": "delete", "by": "dave", "answer": {"status": "Success"}},
]


def test_the_state_of_a_moment_is_that_of_the_last_revision_before(log_of: Written) -> None:
    lives = _story(log_of, LIFE).lives

    def replicas(second: float) -> Any:
        found = state_at(lives, NOON + timedelta(seconds=second))
        return found and found[1].state and found[1].state["spec"]["replicas"]

    assert [replicas(each) for each in (-1, 0, 59, 60, 119, 120, 181)] == [None, 1, 1, 3, 3, None, None]


def test_a_moment_is_written_with_what_is_uncertain(log_of: Written) -> None:
    story = _story(log_of, LIFE)

    def written(second: float) -> str:
        out = io.StringIO()
        write_state(story.lives, NOON + timedelta(seconds=second), story.show, out, name="web")
        return out.getvalue()

    assert yaml.safe_load(written(60))["spec"] == {"replicas": 3, "a": 1}
    assert "revision 2 of 2026-11-17 12:01:00, as the server answered" in written(60)
    assert "uncertain: 1 later changes are not recorded" in written(130)
    assert yaml.safe_load(written(130))["status"] == {"n": 3}
    assert "it was not there" in written(200)


def test_blame_names_the_revision_that_last_set_a_field(log_of: Written) -> None:
    ((life),) = _story(log_of, LIFE).lives
    by_field = {each.path: each.revision.number for each in blame(life)}
    assert (by_field["spec", "a"], by_field["spec", "replicas"], by_field["status", "n"]) == (1, 2, 4)


def test_the_table_fits_and_folds_changes_of_status(log_of: Written) -> None:
    story = _story(log_of, LIFE)
    out = io.StringIO()
    write_lives(story.lives, story.show, out, with_blame=True)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "11-17 12:01:01 r3-4   2 changes of status by ctl; in all" in text
    assert "what was written is not recorded: anything but its status may have changed" in text
    assert "11-17 12:03:00 end    deleted by dave" in text
    assert "r2 11-17 12:01:00     spec.replicas: 3  bob" in text
    unfolded = io.StringIO()
    write_lives(story.lives, story.show, unfolded, with_status=True)
    assert "ctl: update of status" in unfolded.getvalue()


def test_differences_are_those_of_yaml(log_of: Written) -> None:
    story = _story(log_of, LIFE)
    out = io.StringIO()
    write_diffs(story.lives, story.show, out)
    lines = out.getvalue().splitlines()
    assert "-  replicas: 1" in lines
    assert "+  replicas: 3" in lines
    assert not any("resourceVersion" in line for line in lines)


def test_json_has_revisions_touches_and_blame(log_of: Written) -> None:
    story = _story(log_of, LIFE)
    fields = json.loads(json.dumps(life_fields(story.lives[0], story.show)))
    assert [each["revision"] for each in fields["revisions"]] == [1, 2, 3, 4, 5]
    assert fields["revisions"][1]["changes"] == [
        {"field": "spec.replicas", "part": "spec", "kind": "changed", "before": 1, "after": 3}
    ]
    assert fields["revisions"][1]["records"][0]["line"] == 2
    assert fields["deletion"]["actor"] == "dave"
    assert {"field", "revision", "actor"} <= fields["blame"][0].keys()


SECRET: list[dict[str, Any]] = [
    {"at": 0, "verb": "create", "by": "a", "code": 201, "answer": {"v": 1, "data": {"password": "b25l"}}},
    {"at": 9, "verb": "patch", "by": "b", "answer": {"v": 2, "data": {"password": "dHdv"}}},
]


def test_that_a_secret_changed_is_said_and_what_it_is_is_not(log_of: Written) -> None:
    story = _story(log_of, SECRET, "shop/secrets/web")
    out = io.StringIO()
    write_lives(story.lives, story.show, out)
    text = out.getvalue() + json.dumps(life_fields(story.lives[0], story.show))
    write_diffs(story.lives, story.show, out)
    assert 'data.password: "[redacted]" (another one)' in out.getvalue()
    assert "b25l" not in text + out.getvalue()
    assert "dHdv" not in text + out.getvalue()
    revealed = _story(log_of, SECRET, "shop/secrets/web", reveal=True)
    assert "dHdv" in json.dumps(life_fields(revealed.lives[0], revealed.show))


def test_managed_fields_are_told_when_they_are_asked_for(log_of: Written) -> None:
    ((life),) = _story(log_of, LIFE, with_noise=True).lives
    assert "metadata.resourceVersion" in {change.where for change in life.revisions[1].changes}


def test_objects_of_one_name_in_two_namespaces_are_two(log_of: Written) -> None:
    rows = [LIFE[0], LIFE[0] | {"object": "other/deployments.apps/web", "at": 1}]
    events = [_event(*each, DEPLOYMENT) for each in enumerate(rows)]
    story = object_story(Logs((log_of(events),)), "deploy/web")
    assert len(story.lives) == 2
