"""Make the example: two hours of an AKS cluster's audit log in storage-export shape, with an attack.

    python examples/make_aks_attack.py [FOLDER]

The same bytes come out every time, apart from how the gzip library at hand compresses them.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import yaml
from aks_maker.attack import Attack, Step
from aks_maker.morning import record_morning
from aks_maker.recorder import RESOURCE_ID, Line, Recorder, clock

SEED = 20_261_117
HOURS = (8, 9)
REDELIVERED = (311, 1207)  # positions of records that the export delivers twice


def make(folder: Path) -> None:
    """Write the blobs and `story.yaml` into a folder."""
    recorder = Recorder(SEED)
    record_morning(recorder)
    steps = Attack(recorder).record()
    for hour in HOURS:
        begin, end = clock(hour, 0), clock(hour + 1, 0)
        lines = sorted(line for line in recorder.lines if begin <= line.received < end)
        _write_blob(folder, hour, lines)
    _write_story(folder, steps)


def _write_blob(folder: Path, hour: int, lines: list[Line]) -> None:
    texts = [line.text for line in lines]
    if hour == HOURS[0]:
        for position in REDELIVERED:
            texts.insert(position + 40, texts[position])
    blob = folder / "insights-logs-kube-audit" / f"resourceId={RESOURCE_ID}" / f"y=2026/m=11/d=17/h={hour:02d}/m=00"
    blob.mkdir(parents=True, exist_ok=True)
    content = "".join(text + "\n" for text in texts).encode()
    (blob / "PT1H.json.gz").write_bytes(gzip.compress(content, compresslevel=9, mtime=0))


def _write_story(folder: Path, steps: list[Step]) -> None:
    told = [
        {
            "at": step.at,
            "actor": step.actor,
            "what": step.what,
            "audit_ids": step.audit_ids,
            "catalogue": step.catalogue,
        }
        for step in steps
    ]
    text = yaml.safe_dump(told, sort_keys=False, width=110, allow_unicode=True)
    (folder / "story.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "aks-attack")
