"""Messages of Event Hubs: a record a line, and what is no such message as it is."""

from __future__ import annotations

import pytest

from kubewitness.decode import split_messages

RECORD = b'{"category":"kube-audit"}'


@pytest.mark.parametrize(
    ("line", "records"),
    [
        (b'{"records":[%b, %b],"PartitionId":3}' % (RECORD, RECORD), [RECORD, RECORD]),
        (b'{"records": []}', []),
        *((line, [line]) for line in (
            RECORD,
            b'{"records":[%b' % RECORD,
            b'{"records":[%b,"x"]}' % RECORD,
            b'{"records":{"a":1}}',
            b'{"records":[%b,\r%b]}' % (RECORD, RECORD),
            b'[{"records":[%b]}]' % RECORD,
            b"\xff{",
            b"",
        )),
    ],
)  # fmt: skip
def test_a_message_is_split_and_any_other_line_stays(line: bytes, records: list[bytes]) -> None:
    assert list(split_messages([(7, line)])) == [(7, record) for record in records]
