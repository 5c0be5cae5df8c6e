"""Tests of cases: what is pinned, what is shown of it, and what a check finds."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shutil
import subprocess
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.app.investigate.sent import resource

from kubewitness.alert.redact import Redactor
from kubewitness.app.events import Logs
from kubewitness.app.investigate import cases
from kubewitness.app.investigate.case_archive import MANIFEST, Signed, verify_case, write_archive
from kubewitness.app.investigate.case_folder import CaseError, digest, new_case, originals, read_case
from kubewitness.app.investigate.records import find_records, records_at
from kubewitness.cli.application import app
from kubewitness.investigate.case import Kind, Tactic, by_tactic
from kubewitness.investigate.render.case_page import to_page, to_text
from kubewitness.model.errors import KubewitnessError, UsageError
from kubewitness.query.filters import parse_filter
from kubewitness.query.predicate import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    AuditLog = Callable[..., str]

SHAPES = Path(__file__).resolve().parents[2] / "fixtures" / "shapes"
SECRET = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"  # noqa: S105 - the shape of one
HOSTILE = "<script>alert(1)</script>\x1b[31m"
WEB = {"username": "system:serviceaccount:shop:web"}
DUMP = resource("/api/v1/secrets", "list", user=WEB, userAgent=f"curl/8 {SECRET}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A new case."""
    path = tmp_path / "case"
    new_case(path, f"What {HOSTILE} did", "ann")
    return path


def _pin(folder: Path, log: str, text: str = "", note: str = "") -> cases.Added:
    return cases.pin_events(folder, Logs((log,)), parse_filter(text), "ann", note)


def _bytes(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    return path.read_bytes()


@pytest.mark.parametrize("name", [path.name for path in sorted(SHAPES.iterdir()) if path.suffix in {".ndjson", ".gz"}])
def test_a_record_of_a_log_of_lines_is_the_bytes_of_its_line(name: str) -> None:
    path = SHAPES / name
    found = find_records(Logs((str(path),)), ALWAYS, most=50, redactor=Redactor())
    assert found.records
    lines = _bytes(path).splitlines()
    for record in found.records:
        assert record.origin.line is not None
        line = lines[record.origin.line - 1].removeprefix(b"\xef\xbb\xbf")
        assert record.text == line or (b'"records"' in line and record.text in line)


@pytest.mark.parametrize("name", ["array.json", "azure_diagnostics.csv", "eks_filter_log_events.json", "legacy.log"])
def test_a_record_of_a_larger_document_is_found_again_at_its_place(name: str) -> None:
    logs = Logs((str(SHAPES / name),))
    found = find_records(logs, ALWAYS, most=50, redactor=Redactor())
    places = [(record.origin.source, record.origin.line or 0) for record in found.records]
    again = records_at(logs, places, redactor=Redactor())
    assert {record.text for record in found.records} == {record.text for record in again.records} != set()


def test_a_pinned_event_has_origin_hash_and_original_bytes(folder: Path, audit_log: AuditLog) -> None:
    log = audit_log(resource("/api/v1/nodes"), DUMP)
    added = _pin(folder, log, "resource:secrets", "it begins")
    case = read_case(folder)
    ((entry),) = case.entries
    assert added.entries == (entry,)
    (event,) = entry.events
    line = Path(log).read_bytes().splitlines()[1]
    assert (event.source, event.line, event.sha256, event.bytes) == (log, 2, digest(line), len(line))
    assert originals(folder, case)[event.sha256].encode() == line
    assert entry.ledger is not None
    assert entry.ledger["read"] == 2
    assert SECRET not in (folder / "entries").joinpath(next((folder / "entries").iterdir())).read_text("utf-8")


def test_the_same_event_is_pinned_once_and_what_is_said_of_it_is_kept(folder: Path, audit_log: AuditLog) -> None:
    log = audit_log(DUMP)
    first = _pin(folder, log)
    again = _pin(folder, log, note="seen again")
    assert again.known == 1
    assert [(entry.kind, entry.on, entry.note) for entry in again.entries] == [
        (Kind.NOTE, first.entries[0].id, "seen again")
    ]


def test_events_are_pinned_by_place(folder: Path, audit_log: AuditLog) -> None:
    log = audit_log(resource("/api/v1/nodes"), DUMP)
    (entry,) = cases.pin_places(folder, [f"{log}:2"], "ann").entries
    assert entry.event is not None
    assert entry.event.details["resource"] == "secrets"
    for wrong, message in ((f"{log}:9", "no event stands there"), ("audit.log", "is no place")):
        with pytest.raises(UsageError, match=message):
            cases.pin_places(folder, [wrong], "ann")


def _report(log: str, capsys: pytest.CaptureFixture[str]) -> str:
    app(["scan", log, "--format", "json"], exit_on_error=False, print_error=False, result_action="return_value")
    return capsys.readouterr().out


def test_alerts_are_pinned_from_a_report_with_their_records_and_tactics(
    folder: Path, audit_log: AuditLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    log = audit_log(DUMP)
    report.write_text(_report(log, capsys))
    added = cases.pin_alerts_of_report(folder, report, "ann", "oh", rules=["all-secrets-listed"])
    (entry,) = added.entries
    assert entry.alert is not None
    assert [event.source for event in entry.events] == [log]
    assert entry.tactic is Tactic.CREDENTIAL_ACCESS
    assert cases.pin_alerts_of_report(folder, report, "ann", rules=["all-secrets-listed"]).known == 1
    assert cases.pin_alerts(folder, Logs((log,)), ["all-secrets-listed"], "ann").known == 1
    with pytest.raises(UsageError, match="all-secrets-listed"):
        cases.pin_alerts_of_report(folder, report, "ann", rules=["all-secret-listed"])


def test_an_alert_whose_log_is_gone_is_pinned_without_records_and_that_is_counted(
    folder: Path, audit_log: AuditLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    log = audit_log(DUMP)
    report.write_text(_report(log, capsys))
    Path(log).unlink()
    added = cases.pin_alerts_of_report(folder, report, "ann", rules=["all-secrets-listed"])
    assert (len(added.entries), added.bare) == (1, 1)
    assert verify_case(folder).is_sound


def test_a_very_long_body_is_kept_in_the_record_alone(folder: Path, audit_log: AuditLog) -> None:
    body = {"metadata": {"name": "x"}, "data": {"key": "word " * 10_000}}
    create = resource("/api/v1/namespaces/shop/configmaps", "create", requestObject=body)
    (entry,) = _pin(folder, audit_log(create)).entries
    assert entry.event is not None
    assert len(entry.event.details["request_object"]) < 21_000
    assert entry.event.bytes > 50_000


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"alerts": 1}', '{"alerts": [1]}', '{"alerts": [{"title": "x"}]}'])
def test_what_is_no_report_is_refused(text: str, folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(text)
    with pytest.raises(UsageError, match=r"is no report|without a rule"):
        cases.pin_alerts_of_report(folder, report, "ann")


def test_a_query_keeps_its_answer_also_an_empty_one_and_is_asked_again(folder: Path, audit_log: AuditLog) -> None:
    log = audit_log(resource("/api/v1/nodes"))
    (empty,) = cases.pin_query(folder, Logs((log,)), "verb:delete", "ann", "nothing deleted").entries
    assert empty.query is not None
    assert empty.query.could
    assert empty.query.could[0] in " ".join(to_text(read_case(folder)).split())
    then, now = cases.ask_again(folder, empty.id[:4])
    assert (then.count, then.looked_at, now.count) == (0, 1, 0)
    audit_log(resource("/api/v1/nodes"), resource("/api/v1/nodes/n1", "delete"))
    assert cases.ask_again(folder, empty.id)[1].count == 1
    note = cases.add_note(folder, "x", "ann")
    with pytest.raises(UsageError, match="is no query"):
        cases.ask_again(folder, note.id)


def test_coverage_says_what_the_log_could_not_have_shown(folder: Path, audit_log: AuditLog) -> None:
    cases.pin_coverage(folder, Logs((audit_log(*[resource("/api/v1/nodes", level="Metadata")] * 3),)), "ann")
    (entry,) = read_case(folder).coverage
    assert entry.coverage is not None
    assert [*entry.coverage.levels] == ["Metadata"]
    assert entry.coverage.blind
    assert "rules blind" in to_text(read_case(folder))


def test_the_story_is_told_by_time_and_by_tactic(folder: Path, tmp_path: Path) -> None:
    def alert(rule: str, at: str) -> dict[str, Any]:
        return {
            "rule_id": rule,
            "title": rule,
            "severity": "high",
            "first_at": at,
            "last_at": at,
            "count": 1,
            "events": [],
        }

    report = tmp_path / "r.json"
    alerts = [alert("namespace-deleted", "2026-11-17T08:00:00Z"), alert("all-secrets-listed", "2026-11-17T09:00:00Z")]
    report.write_text(json.dumps({"alerts": [*alerts, alert("no-such-rule", "2026-11-17T07:00:00Z")]}))
    cases.pin_alerts_of_report(folder, report, "ann")
    case = read_case(folder)
    assert [entry.alert.fields["rule_id"] for entry in case.story if entry.alert] == [
        "no-such-rule", "namespace-deleted", "all-secrets-listed",
    ]  # fmt: skip
    assert [title for title, _ in by_tactic(case.story)] == ["Credential access", "Impact", "Without a tactic"]


def test_notes_stand_with_what_they_are_about(folder: Path, audit_log: AuditLog) -> None:
    (entry,) = _pin(folder, audit_log(DUMP)).entries
    cases.add_note(folder, "by the owner", "bob", entry.id[:5])
    cases.add_note(folder, "in general", "bob")
    case = read_case(folder)
    assert [note.note for note in case.notes_on(entry)] == ["by the owner"]
    assert [note.note for note in case.loose_notes] == ["in general"]
    assert case.authors == ("ann", "bob")
    for wrong in ("zzzz", ""):
        with pytest.raises(UsageError):
            cases.add_note(folder, "x" if wrong else " ", "bob", wrong or None)


def test_a_page_is_whole_escaped_and_redacted(folder: Path, audit_log: AuditLog) -> None:
    hostile = resource(f"/api/v1/namespaces/shop/secrets/{HOSTILE}", user={"username": HOSTILE}, userAgent=SECRET)
    _pin(folder, audit_log(hostile, DUMP), note=HOSTILE)
    cases.add_note(folder, HOSTILE, HOSTILE)
    case = read_case(folder)
    page = to_page(case)
    script = page.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.replace("&#39;", "'")
    assert page.count("<script>") == 1
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page
    assert SECRET not in page
    assert f"{next(iter(case.records))}" in page
    assert SECRET in to_page(case, originals(folder, case))
    assert "\x1b" not in to_text(case)


def test_cases_of_two_people_are_merged_by_copying_their_files(
    folder: Path, audit_log: AuditLog, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    _pin(folder, audit_log(DUMP))
    _pin(other, audit_log(resource("/api/v1/nodes"), name="b.log"))
    shutil.copytree(other, folder, dirs_exist_ok=True)
    assert len(read_case(folder).entries) == 2
    assert verify_case(folder).is_sound


def test_an_archive_is_the_same_bytes_for_the_same_case_and_sound(
    folder: Path, audit_log: AuditLog, tmp_path: Path
) -> None:
    _pin(folder, audit_log(DUMP))
    page = to_page(read_case(folder))
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    assert write_archive(folder, first, page) is write_archive(folder, second, page) is Signed.NO
    assert first.read_bytes() == second.read_bytes()
    found = verify_case(first)
    assert (found.is_sound, found.records, found.signed) == (True, 1, Signed.NO)


def _rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of an archive in which members are changed, or left out."""
    output = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(output, "w") as new:
        for name in old.namelist():
            if (text := change(name, old.read(name))) is not None:
                new.writestr(name, text)
    return output


def _flipped(which: str, name: str, text: bytes) -> bytes:
    return bytes([text[0] ^ 1]) + text[1:] if name == which else text


def _left_out(which: str, name: str, text: bytes) -> bytes | None:
    return None if name == which else text


def test_whatever_is_changed_in_an_archive_is_found(folder: Path, audit_log: AuditLog, tmp_path: Path) -> None:
    _pin(folder, audit_log(DUMP))
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    archive = tmp_path / "case.zip"
    assert write_archive(folder, archive, "page", key) is Signed.HMAC
    assert verify_case(archive, key=key).is_sound
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
    for changed in names:
        flipped = _rewritten(archive, partial(_flipped, changed))
        assert not verify_case(flipped, key=key).is_sound, changed
        if changed != "case.json":
            gone = _rewritten(archive, partial(_left_out, changed))
            assert not verify_case(gone, key=key).is_sound, changed
    more = _rewritten(archive, lambda _, text: text)
    with zipfile.ZipFile(more, "a") as opened:
        opened.writestr("entries/more.json", "{}")
    assert not verify_case(more, key=key).is_sound
    other = tmp_path / "other-key"
    other.write_bytes(b"o" * 32)
    assert not verify_case(archive, key=other).is_sound
    assert not verify_case(archive).is_sound


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
def test_a_signature_is_checked_by_ssh_keygen_itself(folder: Path, audit_log: AuditLog, tmp_path: Path) -> None:
    _pin(folder, audit_log(DUMP))
    key, archive, signers = tmp_path / "key", tmp_path / "case.zip", tmp_path / "signers"
    program = str(shutil.which("ssh-keygen"))
    subprocess.run([program, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_name("key.pub").read_text()
    signers.write_text(f'ann@example.com namespaces="kubewitness-case" {public}')
    assert write_archive(folder, archive, "page", key) is Signed.SSH
    assert "ED25519" in verify_case(archive).signer
    assert "ann@example.com" in verify_case(archive, signers=signers).signer
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "out")
    assert subprocess.run(
        [program, "-Y", "verify", "-f", str(signers), "-I", "ann@example.com", "-n", "kubewitness-case", "-s",
         str(tmp_path / "out" / f"{MANIFEST}.sig")],
        input=(tmp_path / "out" / MANIFEST).read_bytes(), capture_output=True, check=False,
    ).returncode == 0  # fmt: skip
    changed = _rewritten(archive, lambda name, text: text.replace(b"0", b"1") if name == MANIFEST else text)
    assert any("signature does not hold" in problem for problem in verify_case(changed).problems)
    signers.write_text(f"eve@example.com {public[:-20]}\n")
    assert not verify_case(archive, signers=signers).is_sound


def test_a_log_that_was_changed_after_pinning_is_found(folder: Path, audit_log: AuditLog) -> None:
    log = audit_log(DUMP, resource("/api/v1/nodes"))
    _pin(folder, log)
    assert verify_case(folder, sources=True).sources == 2
    Path(log).write_bytes(Path(log).read_bytes().replace(b"secrets", b"secretz"))
    found = verify_case(folder, sources=True)
    assert (found.sources, found.moved) == (1, [f"{log}:1 is another record now"])
    Path(log).unlink()
    assert len(verify_case(folder, sources=True).moved) == 2


def test_a_broken_case_is_said(folder: Path, audit_log: AuditLog, tmp_path: Path) -> None:
    _pin(folder, audit_log(DUMP))
    (record,) = (folder / "records").iterdir()
    record.write_bytes(b"{}")
    assert "was changed" in verify_case(folder).problems[0]
    record.unlink()
    assert "is missing" in verify_case(folder).problems[0]
    with pytest.raises(CaseError, match="lacks a file"):
        write_archive(folder, tmp_path / "case.zip", "page")
    (entry,) = (folder / "entries").iterdir()
    entry.write_text('{"id": 1}')
    with pytest.raises(CaseError, match="is broken"):
        read_case(folder)
    for wrong in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(CaseError, match=r"is no case|cannot be read"):
            verify_case(wrong)


def _run(*words: str) -> int | None:
    result = app(["case", *words], exit_on_error=False, print_error=False, result_action="return_value")
    return result if isinstance(result, int) else None


def test_the_command_line_tells_a_case_from_beginning_to_end(
    tmp_path: Path, audit_log: AuditLog, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, log = str(tmp_path / "mine"), audit_log(DUMP)
    _run("new", folder, "--title", "Dump", "--author", "ann")
    assert "NOT redacted" in capsys.readouterr().err
    _run("add", folder, log, "--rule", "all-secrets-listed", "--note", "here")
    assert capsys.readouterr().err.splitlines()[0].endswith(", 1 record")
    _run("add", folder, log, "--audit-id", "id-0")
    assert capsys.readouterr().err == "1 was in the case already\n"
    _run("add", folder, log, "--query", "verb:delete")
    _run("add", folder, log, "--query", "verb:patch")
    _run("note", folder, "found by the pager")
    _run("show", folder)
    shown = capsys.readouterr().out
    assert "All" in shown or "all secrets" in shown
    assert "found by the pager" in shown
    assert "2 queries, 1 note; 1 original record\n" in shown
    _run("show", folder, "--format", "json")
    entries = json.loads(capsys.readouterr().out)["entries"]
    query = next(entry["id"] for entry in entries if entry["kind"] == "query")
    assert _run("rerun", folder, query) == 0
    page, archive = tmp_path / "case.html", tmp_path / "case.zip"
    _run("export", folder, "--html", str(page), "--zip", str(archive))
    assert "CAREFUL" in capsys.readouterr().err
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert _run("verify", str(archive)) == 0
    assert _run("verify", folder, "--sources") == 0
    (record,) = (tmp_path / "mine" / "records").iterdir()
    record.write_bytes(b"x")
    assert _run("verify", folder) == 1
    assert "WRONG" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "nowhere", "x.log"), "say one thing to pin"),
        (("add", "nowhere", "x.log", "--filter", "a", "--query", "b"), "say one thing to pin"),
        (("add", "nowhere", "--filter", "verb:get"), "no logs named"),
        (("add", "nowhere", "x.log", "--filter", "verb:get"), "is no case"),
        (("show", "nowhere"), "is no case"),
        (("export", "nowhere"), "say what to write"),
        (("export", "nowhere", "--html", "x", "--key", "y"), "only an archive is signed"),
    ],
)
def test_wrong_use_is_said_with_a_hint(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(KubewitnessError) as caught:
        _run(*words)
    assert message in str(caught.value)
    assert "hint:" in str(caught.value)


def test_a_key_that_is_too_short_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(UsageError, match="too short"):
        write_archive(folder, tmp_path / "case.zip", "page", tmp_path / "key")
