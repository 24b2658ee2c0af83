"""Take the picture of MLflow in README.md again.

From the root of the checkout, after the runs `demo`, `demo-no-pretrain` and `demo-linear`:

    python -m tests.tracking.take_screenshot docs/pictures/mlflow-compare.png
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.chromium import launch
from tests.tracking.conftest import free_port, pages
from tests.tracking.test_pages import compare_page

WIDTH, HEIGHT = 1220, 900
PANEL = 422  # pixels of MLflow's assistant at the right, which the picture leaves out


def take_screenshot(checkout: Path, target: Path) -> None:
    with pages(checkout, free_port()) as address, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": WIDTH + PANEL, "height": HEIGHT})
        page.goto(f"{address}/{compare_page(checkout)}", timeout=600_000)
        page.locator(".js-plotly-plot .axis-title").first.wait_for(timeout=600_000)
        page.screenshot(path=target, clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})
        browser.close()


if __name__ == "__main__":
    take_screenshot(Path.cwd(), Path(sys.argv[1]))
