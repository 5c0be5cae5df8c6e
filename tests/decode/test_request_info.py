from __future__ import annotations

import json
from pathlib import Path

import zstandard

from kubewitness.decode.request_info import RequestInfo, info_of_event, request_info

DATA = Path(__file__).parent / "data"


def test_requests_are_about_what_a_real_server_says_they_are() -> None:
    lines = zstandard.decompress((DATA / "requestinfo.jsonl.zst").read_bytes()).splitlines()
    for line in lines:
        request = json.loads(line)
        found = request["info"]
        expected = RequestInfo(
            found["verb"],
            found["path"],
            found["isResourceRequest"],
            found["apiGroup"],
            found["apiVersion"],
            found["namespace"],
            found["resource"],
            found["subresource"],
            found["name"],
        )
        assert request_info(request["method"], request["uri"]) == expected, line
        if "error" not in request:  # what the server refuses at once has no event
            assert info_of_event(expected.verb, request["uri"]) == expected, line
    assert len(lines) > 2600
