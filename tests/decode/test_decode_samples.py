"""Samples of other people, where they are at hand: every file decodes, with sensible outcomes."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest

from kubewitness.decode import Event, Layout, decode_csv, decode_document, decode_lines, sniff

SAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "third_party"

# file: layout, events, partial, other
EXPECTED = {
    "aks/CONSTRUCTED_AKSAudit_row_dynamic_objects.json": (Layout.DOCUMENT, 1, 0, 0),
    "aks/CONSTRUCTED_AzureDiagnostics_row.json": (Layout.DOCUMENT, 1, 0, 0),
    "aks/CONSTRUCTED_az_monitor_log-analytics_query.json": (Layout.DOCUMENT, 1, 0, 0),
    "aks/CONSTRUCTED_loganalytics_query_api.json": (Layout.DOCUMENT, 1, 0, 0),
    "aks/CONSTRUCTED_truncated_16KiB.ndjson": (Layout.AZURE_LINES, 0, 1, 0),
    "aks/azuremonitor_schema_readme_skipped-too-big.ndjson": (Layout.LINES, 2, 0, 0),
    "aks/dd_storage_PT1H_kube-audit.json": (Layout.AZURE_LINES, 21, 0, 0),
    "aks/elastic_2020_minimal.ndjson": (Layout.AZURE_LINES, 1, 0, 0),
    "aks/elastic_kube-audit-admin_object_log.ndjson": (Layout.AZURE_LINES, 1, 0, 0),
    "aks/elastic_kube-audit_string_log.ndjson": (Layout.AZURE_LINES, 1, 0, 0),
    "aks/sumo_kube-audit_and_admin.ndjson": (Layout.AZURE_LINES, 2, 0, 0),
    "aks/sumo_non_audit_categories.ndjson": (Layout.AZURE_LINES, 0, 0, 3),
    "aks/sysdig_event.json": (Layout.MESSAGE_LINES, 22, 0, 0),
    "aks/sysdig_sample_EventHubs_event.json": (Layout.DOCUMENT, 1, 0, 0),
    "aks/sysdig_sample_KubeAuditLog_event.json": (Layout.DOCUMENT, 1, 0, 0),
    "other/CONSTRUCTED_eks_aws_logs_filter-log-events.json": (Layout.DOCUMENT, 1, 0, 0),
    "other/CONSTRUCTED_eks_cloudwatch_subscription.json": (Layout.DOCUMENT, 1, 0, 0),
    "other/gke_elastic_data_access.ndjson": (Layout.LINES, 1, 0, 0),
    "other/gke_khi_cloud_logging_auditlog.ndjson": (Layout.LINES, 3, 0, 0),
    "other/openshift_redhat_docs_TRUNCATED.txt": (Layout.LINES, 0, 1, 0),
    "other/plain_audit_elastic_anonymised.ndjson": (Layout.PLAIN_LINES, 1, 0, 0),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_decodes(name: str) -> None:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("the samples are not here")
    text = path.read_bytes()
    layout = sniff(text[: 64 * 1024])
    ways = [decode_document(io.BytesIO(text)), decode_lines(enumerate(text.split(b"\n"), 1))]
    for way in ways:
        counts = Counter(
            ("partial" if outcome.partial else "event") if isinstance(outcome, Event) else type(outcome).__name__
            for outcome in way
        )
        found = (layout, counts["event"], counts["partial"], counts["Other"])
        assert (found, counts["Rejected"]) == (EXPECTED[name], 0)


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not here")
def test_every_file_decodes_whatever_it_is() -> None:
    for path in sorted(SAMPLES.rglob("*.*")):
        text = path.read_bytes()
        assert list(decode_lines(enumerate(text.split(b"\n"), 1)))
        assert list(decode_document(io.BytesIO(text)))
        list(decode_csv(io.BytesIO(text)))
