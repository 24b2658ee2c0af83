"""Reading a rendered video back."""

from pathlib import Path

import av
import numpy as np


def decode(path: Path) -> list[np.ndarray]:
    """Frames up to the end, or up to where a file that is cut off breaks off, each (size, size, 3) RGB."""
    frames = []
    with av.open(str(path)) as container:
        try:
            frames.extend(frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        except av.error.FFmpegError:
            return frames
    return frames
