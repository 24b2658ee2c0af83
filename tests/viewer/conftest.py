import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from clef.fixtures import barcode
from clef.recordings.video import frame_times
from tests.chromium import CHROMIUM, launch
from tests.cli.conftest import clef_here
from tests.viewer.example import numbered_video, table, write

__all__ = ["clef_here"]

expect.set_options(timeout=600_000)


class Viewer:
    """A page in Chromium."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def shows(self, frame: int) -> None:
        """Wait until the page says that it shows this frame, and compare it with the barcode in the picture."""
        expect(self.page.locator("#frame")).to_have_value(str(frame))
        assert self.picture() == frame

    def picture(self) -> int | None:
        """The number in the picture that the browser draws."""
        url = self.page.evaluate(
            """() => {
              const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 256 });
              canvas.getContext("2d").drawImage(video, 0, 0, 320, 256);
              return canvas.toDataURL("image/png");
            }"""
        )
        content = np.frombuffer(base64.b64decode(url.split(",")[1]), np.uint8)
        return barcode.read(cv2.imdecode(content, cv2.IMREAD_COLOR))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move(*end, steps=5)
        mouse.up()

    def counts(self) -> list[str]:
        return self.page.locator(".label:not(.status) small").all_text_contents()


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser) -> Iterator[Callable[..., Viewer]]:
    """Open a page; afterwards, it must have made no request and logged nothing."""
    problems: list[str] = []
    contexts = []

    def open_page(path: Path, **options: object) -> Viewer:
        contexts.append(browser.new_context(**({"viewport": {"width": 1300, "height": 900}} | options)))
        page = contexts[-1].new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        allowed = (path.as_uri(), path.with_name("page-view.webm").as_uri(), "blob:", "data:")
        page.on("request", lambda request: request.url.startswith(allowed) or problems.append(request.url))
        page.goto(path.as_uri())
        expect(page.locator("#frame")).not_to_have_value("")
        return Viewer(page)

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A numbered video with predictions beside it, `clip.parquet`."""
    video = numbered_video(tmp_path_factory.mktemp("clip") / "clip.mp4")
    write(video.with_suffix(".parquet"), table(frame_times(video)))
    return video
