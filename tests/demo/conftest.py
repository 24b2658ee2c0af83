from pathlib import Path

import av
import numpy as np
import pytest

from clef.demo.clip import Clip
from clef.demo.render import render_demo
from clef.params.schema import RenderParams

SETTINGS = RenderParams(subjects=4, seconds=(1.2, 1.6), labelled_share=0.5)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set of videos: 4 people in 6 activities."""
    root = tmp_path_factory.mktemp("rendered")
    render_demo(SETTINGS, root, workers=2)
    return root


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    return [Clip(SETTINGS, subject, activity) for subject in range(4) for activity in range(6)]


@pytest.fixture(scope="session")
def decoded(rendered, clips) -> list[list[np.ndarray]]:
    """Frames of each clip, each (size, size, 3) RGB, up to the end or to where the file is truncated."""
    return [decode(rendered / clip.video) for clip in clips]


def decode(path: Path) -> list[np.ndarray]:
    frames = []
    with av.open(str(path)) as container:
        try:
            frames.extend(frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        except av.error.FFmpegError:
            return frames
    return frames
