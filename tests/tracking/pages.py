"""Open MLflow's pages in a real browser. Run as a program, it takes the picture of README.md:

python -m tests.tracking.pages results docs/pictures/mlflow-compare.png demo demo-no-pretrain demo-linear
"""

import shutil
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from playwright.sync_api import Page, sync_playwright

from clef.tracking.store import local_uri
from tests.tracking.conftest import pages

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def browser(width: int = 1300, height: int = 900) -> Iterator[Page]:
    """A page of a headless Chromium with a temporary profile."""
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=OPTIONS, viewport={"width": width, "height": height}
        )
        try:
            yield context.new_page()
        finally:
            context.close()


def compare_address(checkout: Path, base: str, runs: list[str]) -> str:
    """The address that opens when a user selects these runs and presses Compare."""
    client = MlflowClient(local_uri(checkout))
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    by_name = {run.info.run_name: run.info for run in client.search_runs(experiments, "tags.stage = 'run'")}
    infos = [by_name[name] for name in runs]
    listed = ",".join(f'"{info.run_id}"' for info in infos)
    query = urllib.parse.urlencode(
        {"runs": f"[{listed}]", "experiments": f'["{infos[0].experiment_id}"]', "workflowType": "machine_learning"}
    )
    return f"{base}/#/compare-runs?{query}"


def open_comparison(page: Page, checkout: Path, base: str, runs: list[str]) -> None:
    """Open the comparison of runs and wait for its plot."""
    page.goto(compare_address(checkout, base, runs), timeout=60_000)
    page.get_by_text("Parallel Coordinates Plot").wait_for(timeout=60_000)
    page.locator(".js-plotly-plot").first.wait_for(timeout=60_000)
    close = page.get_by_role("button", name="Close")
    if close.count():
        close.first.click()


def selected(page: Page) -> list[str]:
    """The params and metrics selected for the plot."""
    return page.locator("[class$=selection-item-content]").all_text_contents()


def axes(page: Page) -> tuple[list[str], list[str]]:
    """Titles of the axes from left to right, and the texts along them."""
    plot = page.locator(".js-plotly-plot").first
    plot.locator(".axis-title").first.wait_for(timeout=60_000)
    return plot.locator(".axis-title").all_text_contents(), plot.locator(".axis .tick text").all_text_contents()


if __name__ == "__main__":
    results, picture, *names = sys.argv[1:]
    folder = Path(results).absolute().parent
    with pages(folder, 5_917) as address, browser() as shown:
        open_comparison(shown, folder, address, names)
        shown.wait_for_timeout(3_000)
        shown.screenshot(path=picture)
