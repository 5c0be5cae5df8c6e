"""Every relative link in a page leads somewhere, to the heading too."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        *ROOT.glob("benchmarks/*.md"),
    ]
)
LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")


def test_there_are_pages_to_look_at() -> None:
    names = {page.name for page in PAGES}
    assert {"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "tutorial.md", "shapes.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_a_page_resolve(page: Path) -> None:
    broken = [link for link in LINK.findall(_without_code(page.read_text("utf-8"))) if not _resolves(page, link)]
    assert broken == []


@pytest.mark.parametrize("link", ["missing.md", "shapes.md#no-such-heading", "#neither"])
def test_a_broken_link_is_found(link: str) -> None:
    assert not _resolves(ROOT / "docs/reference/shapes.md", link)


def test_a_link_to_a_heading_is_followed() -> None:
    assert _resolves(ROOT / "docs/tutorial.md", "reference/shapes.md#how-the-cluster-is-named")


def _resolves(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    target = page.parent / unquote(path) if path else page
    if not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    """Anchors as GitHub makes them: lower case, spaces to hyphens, other marks gone."""
    headings = re.findall(r"^#+ +(.+?) *$", _without_code(page.read_text("utf-8"), inline=False), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _without_code(text: str, *, inline: bool = True) -> str:
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "``", text) if inline else text
