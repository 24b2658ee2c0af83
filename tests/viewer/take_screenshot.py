"""Take the picture of docs/viewing.md again.

From the root of the checkout, with predictions of a rendered person, so that it shows nobody:

    clef predict data/raw/demo/videos/F001/T1.mp4 --run demo --out predictions.parquet
    python -m tests.viewer.take_screenshot predictions.parquet docs/pictures/viewer.png
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.chromium import launch

FRAME, SEGMENT = 60, (100, 160)


def take_screenshot(predictions: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "page.html"
        subprocess.run([sys.executable, "-m", "clef", "view", predictions, "--out", page_file], check=True)
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(page_file.as_uri())
        for name, value in zip(("#segment-first", "#segment-last"), SEGMENT, strict=True):
            page.fill(name, str(value))
            page.press(name, "Enter")
        for _ in range(12):
            page.get_by_role("slider", name="Threshold of AU14").press("ArrowDown")
        page.locator("#scrubber").fill(str(FRAME))
        expect(page.locator("#frame")).to_have_value(str(FRAME))
        page.evaluate("document.activeElement.blur()")
        page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    take_screenshot(Path(sys.argv[1]), Path(sys.argv[2]))
