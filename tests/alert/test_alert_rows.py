"""Rows of an answer as a table: what is short stays whole, and what does not fit stands one below the other."""

from __future__ import annotations

import io

import pytest

from kubewitness.alert.render.row_format import RowFormat
from kubewitness.alert.render.rows import render_rows

ACTOR = "system:serviceaccount:shop:ci-deployer"
AT = "2026-11-17T08:53:41.375855Z"
NARROW = ("at", "actor", "verb", "some")
WIDE = ("happened_at", "actor", "verb", "namespace", "name", "role_grants", "authorized_by", "source_ip")


def table(names: tuple[str, ...], *rows: tuple[object, ...], most: int = 100) -> list[str]:
    out = io.StringIO()
    assert render_rows(names, rows, RowFormat.TABLE, out, most=most) == len(rows)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_times_and_verbs_are_not_broken_beside_a_long_column() -> None:
    some = ", ".join(f"shop/pod-{number}" for number in range(20))
    lines = table(NARROW, (AT, ACTOR, "deletecollection", some))
    assert lines[1].startswith("2026-11-17 08:53:41  system:serv")
    assert " deletecollection " in lines[1]
    assert "verb" in lines[0]
    assert max(map(len, lines)) <= 100


def test_more_columns_than_fit_stand_one_below_the_other_without_what_is_empty() -> None:
    row = (AT, ACTOR, "create", "kube-system", "aks-node-metrics", "verbs * " * 20, "ClusterRoleBinding x", None)
    lines = table(WIDE, row, row)
    assert lines[0] == "happened_at    2026-11-17 08:53:41"
    assert lines[1] == f"actor          {ACTOR}"
    assert lines[5].startswith("role_grants    verbs *")
    assert lines[6].startswith("               * verbs")
    assert not any(line.startswith("source_ip") for line in lines)
    assert lines.count(lines[0]) == 2
    assert max(map(len, lines)) <= 100


def test_no_name_of_a_column_is_cut() -> None:
    names = tuple(f"column_{number}_{'x' * number}" for number in range(9))
    lines = table(names, (1,) * 9)
    assert all(any(name in line for line in lines) for name in names)


@pytest.mark.parametrize("names", [NARROW, WIDE])
def test_rows_left_out_are_counted_in_either_form(names: tuple[str, ...]) -> None:
    rows = [tuple(f"{name}-{number}-{'x' * 30}" for name in names) for number in range(5)]
    lines = table(names, *rows, most=2)
    assert lines[-1] == "the first 2 of 5 rows; --most shows more"
    assert not any("-2-x" in line for line in lines)
    assert table(names, *rows, most=0)[-1] == "none shown of 5 rows; --most shows more"
    assert table(names)[-1] == "no rows"
