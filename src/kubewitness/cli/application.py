"""The commands and their help."""

from __future__ import annotations

from cyclopts import App

from kubewitness import __version__
from kubewitness.cli import ABOUT, COMMANDS, EPILOGUE

_SCAN_EXAMPLES = (
    "kubewitness scan audit.log",
    "kubewitness scan insights-logs-kube-audit/ --format html -o report.html",
    "zcat audit-*.log.gz | kubewitness scan - --format json --fail-on high",
)
_INGEST_EXAMPLES = (
    "kubewitness ingest audit.log --store lake",
    "kubewitness ingest insights-logs-kube-audit/ --store lake",
    "kubewitness ingest audit-*.log.gz --store lake --cluster prod",
)


def _examples(*lines: str) -> str:
    return "\n\n".join(("Examples:", *(f"    {line}" for line in lines)))


app = App(
    name="kubewitness",
    help=ABOUT,
    version=__version__,
    help_format="plaintext",  # markdown takes as long to import as all the rest
    help_epilogue=EPILOGUE,
)
app.command(
    COMMANDS["scan"][0],
    name="scan",
    help=COMMANDS["scan"][1],
    help_epilogue=_examples(*_SCAN_EXAMPLES),
)
app.command(COMMANDS["exceptions"][0], name="exceptions", help=COMMANDS["exceptions"][1])
app.command(COMMANDS["baseline"][0], name="baseline", help=COMMANDS["baseline"][1])
app.command(
    COMMANDS["ingest"][0],
    name="ingest",
    help=COMMANDS["ingest"][1],
    help_epilogue="\n\n".join(("Examples:", *(f"    {line}" for line in _INGEST_EXAMPLES))),
)
app.command(COMMANDS["store"][0], name="store", help=COMMANDS["store"][1])
app.command(COMMANDS["rules"][0], name="rules", help=COMMANDS["rules"][1])
app.command(COMMANDS["hunt"][0], name="hunt", help=COMMANDS["hunt"][1])
app.command(COMMANDS["sql"][0], name="sql", help=COMMANDS["sql"][1])
app.command(
    COMMANDS["actor"][0],
    name="actor",
    help=COMMANDS["actor"][1],
    help_epilogue=_examples(
        "kubewitness actor shop/web audit.log",
        "kubewitness actor '*@example.com' logs/ --since 2026-11-17 --baseline known.jsonl",
        "kubewitness actor shop/web logs/ --format html -o web.html",
    ),
)
app.command(
    COMMANDS["compare"][0],
    name="compare",
    help=COMMANDS["compare"][1],
    help_epilogue=_examples(
        "kubewitness compare last-week/ this-week/",
        "kubewitness compare audit.log --split 2026-11-17T08:00:00Z",
        "kubewitness compare logs/ --period 2026-11-10..2026-11-11 --period 2026-11-17..2026-11-18",
        "kubewitness compare logs/ --clusters aks-test aks-prod",
    ),
)
app.command(
    COMMANDS["rbac"][0],
    name="rbac",
    help=COMMANDS["rbac"][1],
    help_epilogue=_examples(
        "kubewitness rbac shop/web audit.log > web-role.yaml",
        "kubewitness rbac alice@example.com logs/ --exact",
        "kubewitness rbac shop/web logs/ --replay web-role.yaml",
        "kubewitness rbac system:serviceaccount:shop:web logs/ --unused current-role.yaml",
    ),
)
app.command(
    COMMANDS["timeline"][0],
    name="timeline",
    help=COMMANDS["timeline"][1],
    help_epilogue=_examples(
        "kubewitness timeline --source 203.0.113.77 logs/",
        "kubewitness timeline --actor alice@example.com --since 2026-11-17 logs/ -f html -o alice.html",
        "kubewitness timeline --object shop/deployment/web --events logs/",
        "kubewitness timeline 'verb:delete AND namespace:shop' logs/ --no-alerts",
    ),
)
app.command(COMMANDS["case"][0], name="case", help=COMMANDS["case"][1])
app.command(
    COMMANDS["object"][0],
    name="object",
    help=COMMANDS["object"][1],
    help_epilogue=_examples(
        "kubewitness object shop/deployment/web audit.log",
        "kubewitness object clusterrole/admin logs/ --diff",
        "kubewitness object shop/pod/web-0 logs/ --at 2026-11-17T09:00:00Z",
    ),
)
app.command(COMMANDS["facets"][0], name="facets", help=COMMANDS["facets"][1])
app.command(COMMANDS["coverage"][0], name="coverage", help=COMMANDS["coverage"][1])
app.command(COMMANDS["policy"][0], name="policy", help=COMMANDS["policy"][1])
