"""What every format says of exceptions and platforms."""

from __future__ import annotations

import dataclasses
import io
import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from kubewitness.alert.render import FORMATS
from kubewitness.model.exception import ClusterPlatform, ExceptionInfo, ExceptionState, ExceptionUse

if TYPE_CHECKING:
    from kubewitness.model.alert import Report

CLUSTER = "/subscriptions/s/resourcegroups/rg/providers/microsoft.containerservice/managedclusters/aks-shop"


def use(name: str, state: ExceptionState, requests: int, *, platform: str | None = None) -> ExceptionUse:
    owner, expires = (None, None) if platform else ("team-shop", date(2027, 3, 31))
    info = ExceptionInfo(name, ("exec-*",), "it is known", owner, expires, "e.yml:3", platform)
    return ExceptionUse(info, state, requests, {"exec-into-pod": requests} if requests else {})


@pytest.fixture
def exempted(report: Report) -> Report:
    return dataclasses.replace(
        report,
        platforms=(ClusterPlatform(CLUSTER, "aks", is_given=False), ClusterPlatform(None, None, is_given=False)),
        exceptions=(
            use("reconciliation", ExceptionState.USED, 1_200),
            use("canary", ExceptionState.UNUSED, 0),
            use("migration", ExceptionState.EXPIRED, 0),
            use("aks-applies-add-ons", ExceptionState.USED, 7, platform="aks"),
            use("gitops-applies", ExceptionState.USED, 1, platform="any"),
        ),
    )


def rendered(report: Report, name: str) -> str:
    out = io.StringIO()
    FORMATS[name](report, out)
    return out.getvalue()


def test_the_table_has_a_sentence_for_each(exempted: Report) -> None:
    text = " ".join(rendered(exempted, "table").split())
    for sentence in (
        "platform: aks-shop looks like aks: 7 requests taken out as the platform's own work",
        "platform: 1 request taken out as the work of controllers that any cluster may have",
        "exception: reconciliation (team-shop, until 2027-03-31) took out 1,200 requests: 1,200 of exec-into-pod",
        "exception: canary (team-shop, until 2027-03-31) took nothing out",
        "exception: migration (team-shop) expired on 2027-03-31 and takes nothing out any more",
    ):
        assert sentence in text


def test_a_given_platform_is_said_to_be_given(exempted: Report) -> None:
    given = dataclasses.replace(exempted, platforms=(ClusterPlatform("shop", "k3s", is_given=True),))
    assert "shop is taken for k3s: 0 requests" in " ".join(rendered(given, "table").split())


def test_json_has_all_there_is_to_know(exempted: Report) -> None:
    summary = json.loads(rendered(exempted, "json"))["summary"]
    assert summary["platforms"][0] == {"cluster": CLUSTER, "platform": "aks", "given": False}
    assert summary["exceptions"][0] == {
        "id": "reconciliation",
        "rules": ["exec-*"],
        "reason": "it is known",
        "owner": "team-shop",
        "expires": "2027-03-31",
        "platform": None,
        "origin": "e.yml:3",
        "state": "used",
        "requests": 1_200,
        "by_rule": {"exec-into-pod": 1_200},
    }
    assert [each["state"] for each in summary["exceptions"]] == ["used", "unused", "expired", "used", "used"]


def test_the_page_lists_every_exception(exempted: Report) -> None:
    page = rendered(exempted, "html")
    assert all(name in page for name in ("reconciliation", "canary", "migration", "aks-applies-add-ons", "1,200"))


def test_a_report_without_exceptions_does_not_speak_of_them(report: Report) -> None:
    assert "exception:" not in rendered(report, "table")
    assert '<details class="exceptions">' not in rendered(report, "html")
