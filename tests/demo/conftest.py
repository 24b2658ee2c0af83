from pathlib import Path

import av
import numpy as np
import pytest

from clef.demo.clip import Clip, plan_clips
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
    return plan_clips(SETTINGS)


def decode(path: Path) -> list[np.ndarray]:
    """Frames of a video, each (size, size, 3) RGB, up to the end or to where the file is truncated."""
    frames = []
    with av.open(str(path)) as container:
        try:
            frames.extend(frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        except av.error.FFmpegError:
            return frames
    return frames
