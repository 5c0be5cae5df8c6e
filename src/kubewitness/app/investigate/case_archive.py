"""A case as one file that others can check with the tools they have.

The archive is a ZIP with `case.json`, `entries/`, `records/` (original bytes, not redacted), the page `case.html`, and

    MANIFEST.sha256        SHA-256 of every other file, as `sha256sum -c` reads it
    MANIFEST.sha256.sig    its signature, as `ssh-keygen -Y verify` reads it (namespace kubewitness-case); or
    MANIFEST.sha256.hmac   its HMAC-SHA256 in hexadecimal digits, by a key that both sides know

Files have no time and a fixed order: the same case gives the same bytes, signatures aside.
"""

from __future__ import annotations

import hmac
import re
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from kubewitness.alert.redact import Redactor
from kubewitness.app.events import Logs
from kubewitness.app.investigate.case_folder import (
    ENTRIES,
    HEAD,
    RECORDS,
    CaseError,
    case_of,
    digest,
    entry_of,
    read_case,
    record_name,
)
from kubewitness.app.investigate.records import records_at
from kubewitness.app.keys import read_key
from kubewitness.model.errors import KubewitnessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubewitness.investigate.case import Entry, PinnedEvent

MANIFEST = "MANIFEST.sha256"
SIGNATURE = f"{MANIFEST}.sig"
HMAC = f"{MANIFEST}.hmac"
PAGE = "case.html"
NAMESPACE = "kubewitness-case"
_README = "README.txt"
_LEAST_KEY_BYTES = 32
_KEY_HINT = "ssh-keygen -t ed25519 -f case-key, or 32 random bytes: head -c 32 /dev/urandom > case-key"
_MOST_BYTES = 2 << 30
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_OPENSSH_KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_LINE = re.compile(r"(?P<hash>[0-9a-f]{64})  (?P<name>[^\n]+)")
_ABOUT = f"""\
Evidence of a kubewitness case.

CAREFUL: {RECORDS}/ holds original records of audit logs. They are NOT redacted and may hold secrets and personal data.

Nothing was changed:    sha256sum -c {MANIFEST}
Who signed it:          ssh-keygen -Y verify -f allowed_signers -I SIGNER -n {NAMESPACE} -s {SIGNATURE} < {MANIFEST}
All of it:              kubewitness case verify FILE.zip

Each file of {ENTRIES}/ names the file and line of the log that its records stood in, and the SHA-256 of their bytes.
"""


class Signed(StrEnum):
    """How an archive is signed."""

    NO = "not signed"
    SSH = "signed by ssh-keygen"
    HMAC = "sealed by HMAC-SHA256"


def write_archive(folder: Path, output: Path, page: str, key: Path | None = None) -> Signed:
    """Write the archive of a case.

    Args:
        folder: of the case.
        output: the archive; one that is there is replaced.
        page: the case as HTML.
        key: an OpenSSH private key, to sign with ssh-keygen; any other file of 32 bytes or more is a key for HMAC.

    Raises:
        CaseError: the case is broken.
        UsageError: the key is none, or a file cannot be written.
    """
    case = read_case(folder)
    members = {_README: _ABOUT.encode(), PAGE: page.encode()}
    try:
        members[HEAD] = (folder / HEAD).read_bytes()
        for path in sorted((folder / ENTRIES).glob("*.json")):
            members[f"{ENTRIES}/{path.name}"] = path.read_bytes()
        for sha256 in sorted(case.records):
            name = f"{RECORDS}/{record_name(sha256)}"
            members[name] = (folder / name).read_bytes()
    except OSError as error:
        raise CaseError(
            f"lacks a file: {error.filename}", where=str(folder), hint="kubewitness case verify says what is wrong"
        ) from error
    manifest = "".join(f"{digest(members[name])}  {name}\n" for name in sorted(members)).encode()
    members[MANIFEST] = manifest
    signed, signature = _sign(manifest, key)
    members |= signature
    try:
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(members):
                archive.writestr(zipfile.ZipInfo(name, _NO_TIME), members[name], zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(output)) from error
    return signed


def _sign(manifest: bytes, key: Path | None) -> tuple[Signed, dict[str, bytes]]:
    if key is None:
        return Signed.NO, {}
    text = read_key(key, least=_LEAST_KEY_BYTES, hint=_KEY_HINT)
    if not text.startswith(_OPENSSH_KEY):
        return Signed.HMAC, {HMAC: hmac.digest(text, manifest, "sha256").hex().encode() + b"\n"}
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as place:
        path = Path(place) / MANIFEST
        path.write_bytes(manifest)
        _ssh_keygen("-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(path))
        return Signed.SSH, {SIGNATURE: path.with_name(SIGNATURE).read_bytes()}


def _ssh_keygen(*arguments: str, text: bytes | None = None) -> str:
    """Run ssh-keygen.

    Raises:
        UsageError: it is not there, or it refuses; says what it said.
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        raise UsageError("ssh-keygen is not there", hint="install OpenSSH 8.2 or newer, or use a key for HMAC")
    done = subprocess.run([program, *arguments], input=text, capture_output=True, check=False)  # noqa: S603 - no shell
    said = (done.stdout + done.stderr).decode(errors="replace").strip()
    if done.returncode:
        raise UsageError(f"ssh-keygen refuses: {said}", hint="a key with a passphrase must be in ssh-agent")
    return said


@dataclass(slots=True)
class Verified:
    """What a check of a case found.

    Attributes:
        files: number of files that were looked at.
        records: number of original records.
        problems: what is wrong, in sentences; none when all is well.
        signed: how the archive is signed.
        signer: what is known of who signed: the key's fingerprint, and the name where signers are given.
        sources: records that still stand in their logs; None when that was not asked.
        moved: records that do not.
    """

    files: int = 0
    records: int = 0
    problems: list[str] = field(default_factory=list)
    signed: Signed = Signed.NO
    signer: str = ""
    sources: int | None = None
    moved: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not self.moved


def verify_case(path: Path, *, key: Path | None = None, signers: Path | None = None, sources: bool = False) -> Verified:
    """Check a folder or an archive: every hash, every record, the signature.

    Args:
        path: of the folder or the archive.
        key: key for HMAC.
        signers: file of allowed signers, as ssh-keygen reads it; without it, the signature proves that nothing was
            changed since somebody with that key signed, and the answer names the key.
        sources: whether to look at the logs again, whether the records still stand where they were pinned.

    Raises:
        CaseError: it is no case.
        UsageError: the key cannot be read, or it takes ssh-keygen and that is not there.
    """
    found = Verified()
    members = dict(_members(path))
    if HEAD not in members:
        raise CaseError("is no case", where=str(path), hint="name the folder of a case, or a ZIP of case export")
    entries = list(_check_entries(members, found))
    if path.is_file():
        _check_manifest(members, found)
        _check_signature(members, found, key, signers)
    if sources:
        _check_sources(entries, found)
    return found


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            for pattern in (HEAD, f"{ENTRIES}/*.json", f"{RECORDS}/*.txt"):
                for each in sorted(path.glob(pattern)):
                    yield each.relative_to(path).as_posix(), each.read_bytes()
            return
        with zipfile.ZipFile(path) as archive:
            if sum(each.file_size for each in archive.infolist()) > _MOST_BYTES:
                raise CaseError("is larger than any case", where=str(path), hint="unpack it and check the folder")
            names = archive.namelist()
            if len(set(names)) < len(names):
                raise CaseError("has a file twice", where=str(path), hint="take it from who made it")
            for name in names:
                yield name, archive.read(name)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CaseError(f"cannot be read: {reason}", where=str(path), hint="name a folder or ZIP of a case") from error


def _check_entries(members: Mapping[str, bytes], found: Verified) -> Iterator[Entry]:
    """Entries read, and every record that they pin there and with its hash."""
    found.files = len(members)
    try:
        case_of(members[HEAD], HEAD)
    except CaseError as error:
        found.problems.append(str(error))
    pinned: dict[str, PinnedEvent] = {}
    for name in sorted(members):
        if not name.startswith(f"{ENTRIES}/"):
            continue
        try:
            entry = entry_of(members[name], name)
        except CaseError as error:
            found.problems.append(f"{name}: {error.message}")
            continue
        pinned |= {event.sha256: event for event in entry.events}
        yield entry
    for sha256, event in sorted(pinned.items()):
        name = f"{RECORDS}/{record_name(sha256)}"
        text = members.get(name)
        where = f"{event.source}:{event.line}"
        if text is None:
            found.problems.append(f"the record of {where} is missing: {name}")
        elif digest(text) != sha256 or len(text) != event.bytes:
            found.problems.append(f"the record of {where} was changed: {name}")
        else:
            found.records += 1


def _check_manifest(members: Mapping[str, bytes], found: Verified) -> None:
    manifest = members.get(MANIFEST)
    if manifest is None:
        found.problems.append(f"{MANIFEST} is missing")
        return
    listed: dict[str, str] = {}
    for line in manifest.decode(errors="replace").splitlines():
        if matched := _LINE.fullmatch(line):
            listed[matched["name"]] = matched["hash"]
        else:
            found.problems.append(f"{MANIFEST}: no line of a manifest: {line[:80]}")
    for name, sha256 in listed.items():
        if name not in members:
            found.problems.append(f"{name} is in the manifest and missing")
        elif digest(members[name]) != sha256:
            found.problems.append(f"{name} was changed: its hash is not that of the manifest")
    found.problems += [
        f"{name} is not in the manifest" for name in members if name not in {*listed, MANIFEST, SIGNATURE, HMAC}
    ]


def _check_signature(members: Mapping[str, bytes], found: Verified, key: Path | None, signers: Path | None) -> None:
    manifest = members.get(MANIFEST, b"")
    if HMAC in members:
        found.signed = Signed.HMAC
        if key is None:
            found.problems.append("it is sealed by HMAC: give the key to check it (--key FILE)")
        elif not hmac.compare_digest(
            hmac.digest(read_key(key, least=_LEAST_KEY_BYTES, hint=_KEY_HINT), manifest, "sha256").hex().encode(),
            members[HMAC].strip(),
        ):
            found.problems.append("the seal is not of this manifest and key")
    elif SIGNATURE in members:
        found.signed = Signed.SSH
        _check_ssh(manifest, members[SIGNATURE], found, signers)
    elif key is not None or signers is not None:
        found.problems.append("it is not signed")


def _check_ssh(manifest: bytes, signature: bytes, found: Verified, signers: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as place:
        path = Path(place) / SIGNATURE
        path.write_bytes(signature)
        try:
            if signers is None:
                said = _ssh_keygen("-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(path), text=manifest)
            else:
                name = _ssh_keygen("-Y", "find-principals", "-s", str(path), "-f", str(signers)).splitlines()[0]
                options = ("-n", NAMESPACE, "-s", str(path), "-f", str(signers), "-I", name)
                said = _ssh_keygen("-Y", "verify", *options, text=manifest)
        except UsageError as error:
            if shutil.which("ssh-keygen") is None:
                raise
            found.problems.append(f"the signature does not hold: {error.message}")
            return
    found.signer = said.splitlines()[0] if said else ""


def _check_sources(entries: list[Entry], found: Verified) -> None:
    """Records that were pinned against what stands at their places now."""
    pinned = {(event.source, event.line or 0): event for entry in entries for event in entry.events}
    found.sources = 0
    now: dict[tuple[str, int], str] = {}
    for source in sorted({source for source, _ in pinned}):
        wanted = [place for place in pinned if place[0] == source]
        try:
            again = records_at(Logs((source,)), wanted, redactor=Redactor(reveal=True))
        except KubewitnessError:
            continue
        now |= {(each.origin.source, each.origin.line or 0): digest(each.text) for each in again.records}
    for place, event in sorted(pinned.items()):
        if now.get(place) == event.sha256:
            found.sources += 1
        else:
            what = "is not there any more" if place not in now else "is another record now"
            found.moved.append(f"{place[0]}:{place[1]} {what}")
