"""Sniffing: the layout out of the head of a source."""

from __future__ import annotations

import json

import pytest

from kubewitness.decode import Layout, sniff

PLAIN = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","verb":"get"}'
AZURE = b'{"category":"kube-audit","properties":{"log":"{}"},"resourceId":"/x"}'
ROW = b'{"TenantId":"t","AuditId":"a","RequestUri":"/x","Verb":"get"}'
EVENT = json.loads(PLAIN)


@pytest.mark.parametrize(
    ("head", "layout"),
    [
        (PLAIN, Layout.PLAIN_LINES),
        (b"\xef\xbb\xbf" + PLAIN + b"\r\n" + PLAIN, Layout.PLAIN_LINES),
        (b"broken {\n" + PLAIN + b"\n" + PLAIN, Layout.PLAIN_LINES),
        (b"\n\n" + PLAIN + b"\n" + PLAIN[:20], Layout.PLAIN_LINES),
        (PLAIN[:-1] + b',"requestObject":"' + b"x" * 70_000, Layout.PLAIN_LINES),
        (AZURE + b"\n" + AZURE, Layout.AZURE_LINES),
        (AZURE[:30] + b"\n" + AZURE, Layout.AZURE_LINES),
        (b'{"category":"kube-audit","properties":{"pod":"p","log":"{' + b"x" * 70_000, Layout.AZURE_LINES),
        (ROW + b"\n" + ROW, Layout.TABLE_LINES),
        (b'{"records":[' + AZURE + b"]}", Layout.MESSAGE_LINES),
        (b'{"records":[' + AZURE * 2000, Layout.MESSAGE_LINES),
        (b'{"records":[' + PLAIN + b"]}", Layout.LINES),
        (b'{"records":[]}', Layout.LINES),
        (b"[" + PLAIN + b"]\n[" + PLAIN + b"]", Layout.LINES),
        (b"I0624 20:14:59.855669 1 wrap.go:47] PUT\n", Layout.LINES),
        (b'2026-11-23T03:13:00Z AUDIT: id="x"\n', Layout.LINES),
        (b"node-1 " + PLAIN + b"\n", Layout.LINES),
        (b"", Layout.LINES),
        (b"\0\xff\xfe\0", Layout.LINES),
        (b"[" + PLAIN + b"]", Layout.DOCUMENT),
        (b"[\n" + PLAIN + b",\n" + PLAIN + b"\n]", Layout.DOCUMENT),
        (b"[" + (PLAIN + b",") * 2000, Layout.DOCUMENT),
        (json.dumps(EVENT, indent=2).encode(), Layout.DOCUMENT),
        (json.dumps({"records": [EVENT]}, indent=2).encode(), Layout.DOCUMENT),
        (b'{"kind":"EventList","items":[\n' + PLAIN + b",\n" + PLAIN + b",\n", Layout.DOCUMENT),
        (f"[{PLAIN.decode()}]".encode("utf-16"), Layout.DOCUMENT),
        (b'TenantId,"TimeGenerated [UTC]",AuditId\nx,y,z\n', Layout.CSV),
        (b"\xef\xbb\xbfTimeGenerated;Category;log_s\n", Layout.CSV),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_the_layout_is_told_from_the_head(head: bytes, layout: Layout) -> None:
    assert sniff(head[: 64 * 1024]) is layout
