"""The commands and their help."""

from __future__ import annotations

from cyclopts import App

from kubewitness import __version__
from kubewitness.cli import ABOUT, COMMANDS, EPILOGUE, examples

_EXAMPLES = {
    "scan": (
        "kubewitness scan audit.log",
        "kubewitness scan insights-logs-kube-audit/ --format html -o report.html",
        "zcat audit-*.log.gz | kubewitness scan - --format json --fail-on high",
    ),
    "ingest": (
        "kubewitness ingest audit.log --store lake",
        "kubewitness ingest insights-logs-kube-audit/ --store lake",
        "kubewitness ingest audit-*.log.gz --store lake --cluster prod",
    ),
    "actor": (
        "kubewitness actor shop/web audit.log",
        "kubewitness actor '*@example.com' logs/ --since 2026-11-17 --baseline known.jsonl",
        "kubewitness actor shop/web logs/ --format html -o web.html",
    ),
    "compare": (
        "kubewitness compare last-week/ this-week/",
        "kubewitness compare audit.log --split 2026-11-17T08:00:00Z",
        "kubewitness compare logs/ --period 2026-11-10..2026-11-11 --period 2026-11-17..2026-11-18",
        "kubewitness compare logs/ --clusters aks-test aks-prod",
    ),
    "rbac": (
        "kubewitness rbac shop/web audit.log > web-role.yaml",
        "kubewitness rbac alice@example.com logs/ --exact",
        "kubewitness rbac shop/web logs/ --replay web-role.yaml",
        "kubewitness rbac system:serviceaccount:shop:web logs/ --unused current-role.yaml",
    ),
    "timeline": (
        "kubewitness timeline --source 203.0.113.77 logs/",
        "kubewitness timeline --actor alice@example.com --since 2026-11-17 logs/ -f html -o alice.html",
        "kubewitness timeline --object shop/deployment/web --events logs/",
        "kubewitness timeline 'verb:delete AND namespace:shop' logs/ --no-alerts",
    ),
    "object": (
        "kubewitness object shop/deployment/web audit.log",
        "kubewitness object clusterrole/admin logs/ --diff",
        "kubewitness object shop/pod/web-0 logs/ --at 2026-11-17T09:00:00Z",
    ),
}

app = App(
    name="kubewitness",
    help=ABOUT,
    version=__version__,
    help_format="plaintext",  # markdown takes as long to import as all the rest
    help_epilogue=EPILOGUE,
)
for _name, (_place, _about) in COMMANDS.items():
    if _name in _EXAMPLES:
        app.command(_place, name=_name, help=_about, help_epilogue=examples(*_EXAMPLES[_name]))
    else:
        app.command(_place, name=_name, help=_about)
