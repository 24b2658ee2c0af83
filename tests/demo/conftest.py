from pathlib import Path

import pytest

from clef.demo.clip import Clip
from clef.demo.render import render_demo
from clef.params.schema import RenderParams

SMALL = RenderParams(subjects=4, seconds=(1.6, 2.0), labelled_share=0.5)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set of videos: 4 people in 6 activities."""
    root = tmp_path_factory.mktemp("rendered")
    render_demo(SMALL, root, workers=2)
    return root


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    return [Clip(SMALL, subject, activity) for subject in range(4) for activity in range(6)]
