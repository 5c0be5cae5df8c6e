"""`kubewitness rules`."""

from __future__ import annotations

from cyclopts import App

app = App(help="List, show and test rules.")
