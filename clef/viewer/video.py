"""Encode a video so that browsers can show any of its frames exactly.

Browsers differ in the codecs that they play, and in many files they jump to another frame than the one that was asked
for. The copy has every frame once, at a constant rate, with frequent key frames and no hidden ones. It is VP9, which
Chromium (also builds without licensed codecs) and Firefox play.
"""

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from clef.errors import ClefError
from clef.recordings.video import frame_times, probe, read_video
from clef.runtime.progress import ReportProgress
from clef.viewer.predictions import Predictions

KEY_FRAME_EVERY = 15  # frames to decode for one that is shown, at most
SLOWEST, FASTEST = 1, 120  # frames per second. WebM stores milliseconds, so faster frames would not differ.
SAME_TIME = 2e-3  # seconds
OPTIONS = {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "40", "b": "0", "lag-in-frames": "0"}


class Copy(NamedTuple):
    """A video for the page."""

    first: int
    """Number of its first frame in the recording."""
    frames: int
    rate: float
    """Frames per second; frame n is shown from `(n - first) / rate` seconds on."""
    width: int
    """Of the recording, in which boxes are given."""
    height: int


def check_same_video(video: Path, predictions: Predictions) -> int:
    """Return the number of frames of a video; raise a ClefError if the predictions are not for it."""
    numbers, times = predictions.frames, predictions.times
    total = probe(video).frames
    advice = "expected the video that was predicted; name it with --video"
    if numbers[-1] >= total:
        raise ClefError(f"{video}: has {total} frames, but there is a prediction for frame {numbers[-1]}; {advice}")
    found = frame_times(video)
    if found is not None and (different := np.abs(found[numbers] - times) > SAME_TIME).any():
        row = int(different.argmax())
        seconds = f"{found[numbers[row]]:.3f} s in the video, {times[row]:.3f} s in the predictions"
        raise ClefError(f"{video}: frame {numbers[row]} is at {seconds}; {advice}")
    return total


def write_copy(video: Path, predictions: Predictions, target: Path, longest_side: int, report: ReportProgress) -> Copy:
    """Write the frames that have predictions as WebM. A frame that cannot be decoded repeats the one before it."""
    facts = probe(video)
    first, last = int(predictions.frames[0]), int(predictions.frames[-1])
    rate = _rate(predictions)
    scale = min(1, longest_side / max(facts.width, facts.height))
    size = [max(2, round(side * scale) // 2 * 2) for side in (facts.width, facts.height)]
    image: np.ndarray = np.full((size[1], size[0], 3), 128, np.uint8)
    with av.open(str(target), "w", format="webm", options={"cues_to_front": "1"}) as container:
        stream = container.add_stream("libvpx-vp9", rate=rate, options=OPTIONS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = KEY_FRAME_EVERY
        for index, frame in enumerate(islice(read_video(video), first, last + 1)):
            if frame.image is not None:
                image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts = index
            container.mux(stream.encode(picture))
            report(index + 1, last + 1 - first)
        container.mux(stream.encode())
    return Copy(first, last + 1 - first, float(rate), facts.width, facts.height)


def _rate(predictions: Predictions) -> Fraction:
    """The mean frame rate, so that playing takes as long as the recording."""
    frames, seconds = np.ptp(predictions.frames), np.ptp(predictions.times)
    rate = frames / seconds if seconds > 0 else SLOWEST
    return Fraction(min(max(rate, SLOWEST), FASTEST)).limit_denominator(1001)
