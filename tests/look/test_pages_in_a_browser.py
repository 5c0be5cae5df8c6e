"""The pages as a reader sees them: in a browser, from a file, with the network off.

Needs Chromium and Playwright, which are no dependencies: without them these tests are skipped, and say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]

ROOT = Path(__file__).resolve().parents[2]
ATTACK = str(ROOT / "examples" / "aks-attack")
COMMAND = str(Path(sys.executable).with_name("kubewitness"))
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
FILTERED = ("scan", "case", "timeline", "object", "actor")
DRAWN = ("scan", "case", "timeline", "simulate")
PAGES = ("scan", "case", "timeline", "object", "actor", "simulate")


def make(folder: Path) -> dict[str, Path]:
    """Every kind of page, of the same log."""
    pages = {name: folder / f"{name}.html" for name in PAGES}
    case, report, policy = folder / "case", folder / "report.json", folder / "policy.yaml"
    policy.write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, verbs: [watch]}, {level: Metadata}]"
    )
    for words in (
        ("scan", ATTACK, "--format", "html", "-o", pages["scan"]),
        ("scan", ATTACK, "--format", "json", "-o", report),
        ("timeline", "--source", "203.0.113.77", ATTACK, "--format", "html", "-o", pages["timeline"]),
        ("object", "shop/deployment/catalog", ATTACK, "--format", "html", "-o", pages["object"]),
        ("actor", "shop/ci-deployer", ATTACK, "--format", "html", "-o", pages["actor"]),
        ("policy", "simulate", policy, ATTACK, "--chart", pages["simulate"]),
        ("case", "new", case, "--title", f"A case {HOSTILE}"),
        ("case", "add", case, ATTACK, "--filter", "action:exec", "--note", HOSTILE),
        ("case", "add", case, ATTACK, "--alerts", report),
        ("case", "export", case, "--html", pages["case"]),
    ):
        done = subprocess.run([COMMAND, *map(str, words)], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, (words, done.stderr)
    return pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page, and holds at the end that nothing went wrong in it and that it asked for nothing but itself."""
    contexts, wrong, asked = [], [], []

    def show(path: Path, *, width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert wrong == []
    assert len(asked) == len(contexts)
    assert all(url.startswith("file://") for url in asked)


def contrast(page: Any, selector: str) -> float:
    """The contrast of an element's text with the page, as WCAG reckons it."""
    found: float = page.evaluate(
        """selector => {
          const light = colour => {
            const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map(each => each / 255)
              .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const text = light(getComputedStyle(document.querySelector(selector)).color);
          const behind = light(getComputedStyle(document.body).backgroundColor);
          return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
        }""",
        selector,
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_on_a_telephone_and_on_a_screen_by_day_and_by_night(
    name: str, width: int, scheme: str, pages: dict[str, Path], opened: Callable[..., Any]
) -> None:
    page = opened(pages[name], width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").is_visible()
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("meta[name=viewport]").count() == 1
    for selector in ("h1", ".product", ".span"):
        assert contrast(page, selector) >= 4.5, selector
    is_dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] < 128")
    assert is_dark == (scheme == "dark")


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_drawn_and_none_of_its_words_is_cut(
    name: str, pages: dict[str, Path], opened: Callable[..., Any]
) -> None:
    page = opened(pages[name])
    charts = page.locator("figure.chart > svg")
    assert charts.count() >= 1
    for index in range(charts.count()):
        box = charts.nth(index).bounding_box()
        assert box["width"] > 300
        assert box["height"] > 60
    cut = page.evaluate(
        """[...document.querySelectorAll('figure.chart > svg')].flatMap(svg => {
          const box = svg.getBoundingClientRect();
          return [...svg.querySelectorAll('text')].filter(text => text.getBoundingClientRect().left < box.left - 1)
            .map(text => text.textContent);
        })"""
    )
    assert cut == []


@pytest.mark.parametrize("name", FILTERED)
def test_what_is_looked_for_is_what_is_left(name: str, pages: dict[str, Path], opened: Callable[..., Any]) -> None:
    page = opened(pages[name])
    items = ".alert" if name == "scan" else "[data-item]"
    whole = page.locator(f"{items}:visible").count()
    assert whole > 1
    page.fill("input[type=search]", "nothing that stands anywhere")
    assert page.locator(f"{items}:visible").count() == 0
    word = {"scan": "kubelet", "case": "exec", "timeline": "secret", "object": "patch", "actor": "kubectl"}[name]
    page.fill("input[type=search]", word.upper())
    left = page.locator(f"{items}:visible")
    assert 0 < left.count() <= whole
    assert all(word in text.lower() for text in left.evaluate_all("found => found.map(each => each.textContent)"))
    page.fill("input[type=search]", "")
    assert page.locator(f"{items}:visible").count() == whole


@pytest.mark.parametrize("name", ["case", "timeline", "object"])
def test_a_kind_can_be_left_out(name: str, pages: dict[str, Path], opened: Callable[..., Any]) -> None:
    page = opened(pages[name])
    whole = page.locator("[data-item]:visible").count()
    box = page.locator("input[name=kind]").first
    kind = box.get_attribute("value")
    of_kind = page.locator(f"[data-item={kind}]").count()
    assert of_kind
    box.uncheck()
    assert page.locator("[data-item]:visible").count() == whole - of_kind
    box.check()
    assert page.locator("[data-item]:visible").count() == whole


@pytest.mark.parametrize("name", PAGES)
def test_everything_can_be_reached_with_the_keyboard_and_is_said(
    name: str, pages: dict[str, Path], opened: Callable[..., Any]
) -> None:
    page = opened(pages[name])
    unnamed = page.evaluate(
        """[...document.querySelectorAll('input, button, a[href]')].filter(each =>
          !(each.getAttribute('aria-label') || each.labels?.length || each.textContent.trim())).length"""
    )
    assert unnamed == 0
    details = page.locator("details:visible").first
    if details.count():
        details.locator("summary").first.focus()
        page.keyboard.press("Enter")
        assert details.evaluate("each => each.open")


def test_an_objects_page_leads_from_its_strip_to_its_revisions(
    pages: dict[str, Path], opened: Callable[..., Any]
) -> None:
    page = opened(pages["object"])
    segments = page.locator(".strip a")
    assert segments.count() == 6
    segments.last.click()
    target = page.evaluate("document.querySelector(location.hash)?.className")
    assert target is not None
    assert "entry" in target
