"""The pages in a real browser: nothing is fetched, nothing is cut off, and dark pages and prints are readable."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from clef.comparison.differences import compare
from clef.comparison.setting_differences import SettingDifferences
from clef.reports.comparison_report import write_comparison
from tests.chromium import launch, needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]

PAGES = ["action_units", "expressions", "leave_one_out", "comparison"]
LONG = "a-run-with-a-rather-long-name-for-a-telephone"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
TEXT = "getComputedStyle(document.querySelector('svg text')).fill"
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"

CUT_OFF = "[...document.querySelectorAll('th, td')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)"
"""Cells of tables whose text lies on other cells."""


@pytest.fixture(params=PAGES)
def report(request, make_run, runs, tmp_path) -> Path:
    """The path of a page."""
    if request.param == "comparison":
        settings = SettingDifferences({"a.very.long.key.of.a.setting": ["one " * 40, "other " * 40]}, [])
        runs = [replace(run, name=f"/somewhere/else/results/{LONG}-{run.name}") for run in runs]
        write_comparison(tmp_path / "page.html", runs, compare(runs, resamples=50), settings)
        return tmp_path / "page.html"
    run = make_run(request.param, seeds=2, published="bp4d", name=LONG)
    run.summary["published"] = [
        {"method": "Method", "year": 2021, "protocol": "as printed", "source": "s" * 90, "values": {"mean": 0.5}}
    ]
    run.write()
    return run.folder / "report.html"


@pytest.fixture
def show(report) -> Iterator[Callable[..., Page]]:
    """Open the page; any request, message or error of the page fails the test."""
    seen = []
    with sync_playwright() as playwright:
        browser = launch(playwright)

        def opened(width: int, scheme: str) -> Page:
            context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page = context.new_page()
            page.on("request", lambda request: seen.append(request.url))
            page.on("console", lambda message: seen.append(message.text))
            page.on("pageerror", lambda error: seen.append(str(error)))
            page.goto(report.as_uri())
            return page

        yield opened
        browser.close()
    assert set(seen) == {report.as_uri()}


def test_pages_open_without_a_network_on_screens_phones_and_paper(show, tmp_path):
    light, dark, phone = show(1280, "light"), show(1280, "dark"), show(375, "light")
    assert [light.evaluate(BACKGROUND), dark.evaluate(BACKGROUND)] == ["rgb(255, 255, 255)", "rgb(21, 23, 26)"]
    assert light.evaluate(TEXT) != dark.evaluate(TEXT)
    assert light.screenshot() != dark.screenshot()
    assert [page.evaluate(OVERFLOW) for page in (light, phone)] == [0, 0]
    for page in (light, phone):
        assert page.evaluate(CUT_OFF) == []
        for details in page.locator("details").all():
            details.evaluate("element => element.open = true")
        assert page.evaluate(OVERFLOW) == 0
    dark.emulate_media(media="print")
    assert dark.evaluate(BACKGROUND) == "rgb(255, 255, 255)", "paper is white"
    assert all(text.is_visible() for text in dark.locator("details > *").all()), "paper shows what is folded"
    assert dark.pdf(format="A4").startswith(b"%PDF")
