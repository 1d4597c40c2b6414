"""The page in a real browser: every panel is clicked through, wide and narrow, light and dark.

Needs playwright and a Chromium (Debian: ``apt-get install chromium``); ``XPOT_SCREENSHOTS=DIR`` keeps pictures.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_cases import Served
from made_up_studies import StudyMaker

from xpot_core.live.app import PANELS

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
SIZES = {"wide": 1280, "narrow": 400}
# Styles of maps, which the library for plots brings along and the policy keeps out: there are no maps here.
EXPECTED = ("Applying inline style violates", "GPU stall", "MathJax is not loaded", "Canvas2D")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        # WebGL without a graphics card, for structures in three dimensions.
        flags = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


class Page:
    """A page of the browser that notes what must not happen."""

    def __init__(self, browser: Any, served: Served, width: int, scheme: str) -> None:
        self.address, self.faults = served.address, []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.set_default_timeout(60_000)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("request", self._asked)

    def _said(self, message: Any) -> None:
        if message.type != "log" and not any(text in message.text for text in EXPECTED):
            self.faults.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"asked {request.url}")

    def shown(self, *words: str) -> None:
        """Wait until the panel whose address holds the words is drawn."""
        self.page.wait_for_function(
            "words => words.every(word => (document.body.dataset.shown ?? '').includes(word))",
            arg=list(words),
        )

    def picture(self, name: str) -> None:
        folder = os.environ.get("XPOT_SCREENSHOTS")
        if folder:
            self.page.wait_for_timeout(500)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_panel_is_clicked_through(chromium: Any, served: Served, size: str, scheme: str) -> None:
    seen = Page(chromium, served, SIZES[size], scheme)
    page = seen.page
    page.goto(seen.address)
    page.click("#studies a:text-is('made-up')")
    seen.shown("study=made-up")
    for name, (title, _) in PANELS.items():
        page.click(f"#panels a:text-is('{title}')")
        seen.shown(f"panel={name}")
        assert page.locator("#parts > *").count() > 0, name
        assert page.locator("#state").text_content() == ""
        # Only what stands in a frame of its own is wider than the window.
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        # A column of long texts is not squeezed to a word a line.
        heights = page.eval_on_selector_all("#parts tr", "rows => rows.map(row => row.offsetHeight)")
        assert max(heights, default=0) < 250, name
        assert page.locator("#parts script, #parts bold").count() == 0
        seen.picture(f"{size}-{scheme}-{name}")
    page.check("#studies li:has-text('made-up') input")
    page.check("#studies li:has-text('other') input")
    page.click("#compare")
    seen.shown("panel=compare", "study=other")
    assert page.locator("#parts table").count() >= 2
    seen.picture(f"{size}-{scheme}-compare")
    assert not seen.faults
    page.close()


def test_points_and_rows_open_their_structure(chromium: Any, served: Served) -> None:
    seen = Page(chromium, served, 1280, "light")
    page = seen.page
    page.goto(f"{seen.address}#study=made-up&panel=parity&set=test")
    seen.shown("panel=parity")
    page.locator(".plot .scatterlayer .trace:last-child path.point").first.hover(force=True)
    page.wait_for_selector(".hoverlayer text")
    named = page.locator(".hoverlayer text tspan").first.text_content()
    page.locator(".plot .scatterlayer .trace:last-child path.point").first.click(force=True)
    page.wait_for_selector("#structure[open] canvas")
    assert page.locator("#atoms h3").text_content() == named
    seen.picture("structure")
    page.click("#structure button")
    page.goto(f"{seen.address}#study=made-up&panel=structures")
    seen.shown("panel=structures")
    page.click("tr.open >> nth=0")
    page.wait_for_selector("#structure[open] canvas")
    assert not seen.faults
    page.close()


def test_the_choice_of_axes_is_kept_in_the_address(chromium: Any, served: Served) -> None:
    seen = Page(chromium, served, 1280, "light")
    page = seen.page
    page.goto(f"{seen.address}#study=made-up&panel=slices")
    seen.shown("panel=slices")
    page.select_option("select[name=x]", "ridge")
    seen.shown("x=ridge")
    page.wait_for_selector("h3:text-matches('and ridge$')")
    page.wait_for_selector("#notes p:has-text('Gaussian process')")
    page.go_back()
    page.wait_for_selector("h3:text-matches('and ridge$')", state="detached")
    assert not seen.faults
    page.close()


def test_a_study_is_followed(chromium: Any, served: Served) -> None:
    seen = Page(chromium, served, 1280, "light")
    page = seen.page
    make = StudyMaker(served.runs)
    page.goto(f"{seen.address}#study=open&panel=failures")
    seen.shown("study=open")
    make("later", trials=3)
    page.click("#studies a:text-is('later')")
    seen.shown("study=later")
    shutil.rmtree(served.runs / "later")
    page.wait_for_selector("#state:has-text('there is no such study')")
    assert page.locator("#parts > *").count() > 0
    page.close()


def test_nothing_of_another_study_is_left_under_the_name_of_a_damaged_one(
    chromium: Any, served: Served
) -> None:
    seen = Page(chromium, served, 1280, "light")
    page = seen.page
    page.goto(f"{seen.address}#study=made-up")
    seen.shown("study=made-up")
    page.click("#studies a:text-is('broken')")
    page.wait_for_selector("#state:has-text('study.sqlite')")
    assert page.locator("#name").text_content() == "broken"
    assert page.locator("#parts > *, #notes > *").count() == 0
    page.click("#studies a:text-is('made-up')")
    seen.shown("study=made-up")
    page.wait_for_selector("#parts figure")
    assert page.locator("#state").text_content() == ""
    page.close()


def test_a_drawing_is_there_before_the_library_for_plots(chromium: Any, served: Served) -> None:
    """Points in their colours, which the library's own figure then replaces."""
    seen = Page(chromium, served, 1280, "dark")
    page, held = seen.page, []
    page.route("**/plotly.js", lambda route: held.append(route))
    page.goto(f"{seen.address}#study=made-up&panel=convergence")
    page.wait_for_selector(".plot > canvas")
    colours = """() => {
        const canvas = document.querySelector(".plot > canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const pixels = new Uint32Array(data.buffer);
        return [...new Set(pixels)].length > 3 && pixels.filter(Boolean).length;
    }"""
    assert page.evaluate(colours) > 500
    seen.picture("sketched")
    while held:
        held.pop().continue_()
    seen.shown("panel=convergence")
    assert page.locator(".plot > canvas").count() == 0
    assert page.locator(".plot path.point").count() > 30
    assert not seen.faults
    page.close()


def test_ten_thousand_trials_are_usable(chromium: Any, served: Served) -> None:
    """What is drawn of them is said, and the first drawing takes no longer than that of a small study may."""
    StudyMaker(served.runs)("large", trials=10_000, fail_every=29)
    seen = Page(chromium, served, 1280, "light")
    page = seen.page
    page.goto(f"{seen.address}#study=large")
    seen.shown("study=large")
    spent = {}
    for name, (title, _) in PANELS.items():
        page.click(f"#panels a:text-is('{title}')")
        seen.shown("study=large", f"panel={name}")
        spent[name] = int(page.evaluate("document.body.dataset.milliseconds"))
        seen.picture(f"large-{name}")
    page.click("#panels a:text-is('Convergence')")
    page.wait_for_selector("#notes p:has-text('1,000 of 9,656 trials are drawn')")
    page.reload()
    seen.shown("study=large", "panel=convergence")
    spent["first drawing"] = int(page.evaluate("performance.getEntriesByName('sketched')[0].startTime"))
    print(spent)
    # A second on two free cores; those of a test are not free.
    assert spent["first drawing"] < 3000, spent
    assert sorted(spent.values())[len(spent) // 2] < 5000, spent
    assert not seen.faults
    page.close()
