"""Paths: what the user names becomes the files that are read, each once, and nothing hangs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from kubewitness.sources import Compression, SourceListing, find_sources


def names(listing: SourceListing, folder: Path) -> list[str]:
    return [source.name.replace(f"{folder}/", "") for source in listing.sources]


def reasons(listing: SourceListing, folder: Path) -> dict[str, str]:
    return {str(item.origin).replace(f"{folder}/", ""): item.reason for item in listing.unreadable}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for name in ("b/2.log", "b/1.log", "a.log", "c.json", ".hidden", ".git/x", "notes.md", "b/pack.tar"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}\n")
    return tmp_path


def test_a_directory_is_read_in_order_without_what_is_no_log(logs: Path) -> None:
    listing = find_sources([str(logs)])
    assert names(listing, logs) == ["a.log", "c.json", "b/1.log", "b/2.log"]
    assert [name.replace(f"{logs}/", "") for name in listing.left_out] == [".hidden", "notes.md", "b/pack.tar"]
    assert listing.unreadable == []


def test_a_file_that_is_named_is_read_whatever_its_name(logs: Path) -> None:
    assert names(find_sources([str(logs / "notes.md")]), logs) == ["notes.md"]


def test_each_file_is_read_once(logs: Path) -> None:
    (logs / "link.log").symlink_to(logs / "a.log")
    listing = find_sources([str(logs / "a.log"), str(logs), str(logs / "*.log"), "-", "-"])
    assert names(listing, logs) == ["a.log", "c.json", "b/1.log", "b/2.log", "-"]


def test_globs_are_expanded_and_an_empty_one_is_reported(logs: Path) -> None:
    listing = find_sources([str(logs / "**/*.log"), str(logs / "*.nothing")])
    assert names(listing, logs) == ["a.log", "b/1.log", "b/2.log"]
    assert reasons(listing, logs) == {"*.nothing": "No such file or directory"}


@pytest.mark.parametrize("name", ["audit[1].log", "what?.log", "st*r.log", "~home.log", "new\nline.log"])
def test_a_name_with_signs_of_a_glob_is_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}\n")
    (tmp_path / "audit1.log").write_text("{}\n")
    (source,) = find_sources([str(tmp_path / name)]).sources
    assert source.path == str(tmp_path / name)
    assert source.name.isprintable()
    assert source.name.startswith(str(tmp_path))


def test_a_name_that_is_not_utf_8_can_be_shown(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.log")).write_text("{}\n")
    (source,) = find_sources([str(tmp_path)]).sources
    assert source.name == f"{tmp_path}/caf\\xe9.log"
    source.name.encode()


def test_only_regular_files_of_a_directory_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # the path of a socket must be short
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    (tmp_path / "audit.log").write_text("{}\n")
    listing = find_sources([str(tmp_path)])
    assert names(listing, tmp_path) == ["audit.log"]
    assert reasons(listing, tmp_path) == {
        "pipe": "not a regular file",
        "gone": "No such file or directory",
        "device": "not a regular file",
        "socket": "not a regular file",
    }


def test_a_pipe_that_is_named_is_a_stream(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (source,) = find_sources([str(tmp_path / "pipe")]).sources
    assert source.is_stream
    assert not source.is_plain_file


def test_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/audit.log").write_text("{}\n")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/other").symlink_to(tmp_path / "elsewhere")
    assert names(find_sources([str(tmp_path / "a")]), tmp_path) == ["a/other/audit.log"]


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"PK\x03\x04rest", "a zip archive"),
        (b"PAR1", "a Parquet file"),
    ],
)
def test_what_cannot_be_unpacked_is_told(tmp_path: Path, head: bytes, told: str) -> None:
    (tmp_path / "audit.log").write_bytes(head)
    listing = find_sources([str(tmp_path)])
    assert listing.sources == []
    assert reasons(listing, tmp_path) == {"audit.log": f"{told}: unpack or convert it first"}


def test_compression_is_told_by_the_bytes_not_by_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_text("{}\n")
    (tmp_path / "b.log").write_bytes(b"\x1f\x8b\x08")
    (tmp_path / "c.json").write_bytes(b"\x28\xb5\x2f\xfd")
    (tmp_path / "d").write_bytes(b"BZh91AY")
    (tmp_path / "e").write_bytes(b"\xfd7zXZ\x00")
    kinds = [source.compression for source in find_sources([str(tmp_path)]).sources]
    assert kinds == [Compression.NONE, Compression.GZIP, Compression.ZSTD, Compression.BZIP2, Compression.XZ]
