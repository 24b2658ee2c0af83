from fractions import Fraction

import numpy as np
import pytest

from clef.errors import ClefError
from clef.fixtures import barcode
from clef.recordings.video import frame_times, read_video
from clef.viewer.predictions import read_predictions
from clef.viewer.video import check_same_video, write_copy
from tests.recordings.sample_recordings import damage, packets, write_video
from tests.viewer.example import numbered_video, table, write

COUNT = 60
VARIABLE = [2 * n + 3 * (n // 7) + n % 2 for n in range(COUNT)]


def copy(video, rows, tmp_path, longest_side=640):
    predictions = read_predictions(write(tmp_path / "p.parquet", rows))
    check_same_video(video, predictions)
    made = write_copy(video, predictions, tmp_path / "copy", longest_side, lambda done, total: None)
    return made, list(read_video(tmp_path / "copy"))


@pytest.mark.parametrize("times", [None, VARIABLE, [40 * n for n in VARIABLE]], ids=["constant", "variable", "slow"])
@pytest.mark.parametrize(("first", "end"), [(0, COUNT), (17, 43), (59, 60)])
def test_every_frame_once_at_a_constant_rate(tmp_path, times, first, end):
    video = numbered_video(tmp_path / "clip.mp4", COUNT, times)
    made, frames = copy(video, table(frame_times(video)[first:end], first=first), tmp_path)
    assert (made.first, made.frames) == (first, end - first)
    assert [barcode.read(frame.image) for frame in frames] == list(range(first, end))
    assert [round(frame.time * made.rate, 1) for frame in frames] == pytest.approx(range(end - first), abs=0.1)
    found = packets(tmp_path / "copy")
    assert len(found) == end - first
    assert all(packet.is_keyframe for packet in found[::15])


def test_it_plays_as_long_as_the_recording(tmp_path):
    video = numbered_video(tmp_path / "clip.mp4", COUNT, VARIABLE)
    times = frame_times(video)
    made, frames = copy(video, table(times), tmp_path)
    assert frames[-1].time == pytest.approx(times[-1], abs=2e-3)
    assert made.rate == pytest.approx((COUNT - 1) / times[-1], rel=1e-3)


@pytest.mark.parametrize(("rate", "expected"), [(30000, 120), (Fraction(1, 60), 1)])
def test_very_fast_and_slow_recordings_are_slowed_down_and_sped_up(tmp_path, rate, expected):
    video = numbered_video(tmp_path / "clip.mkv", 12, rate=rate)
    made, frames = copy(video, table(np.arange(12) / float(rate)), tmp_path)
    assert made.rate == expected
    assert [barcode.read(frame.image) for frame in frames] == list(range(12))


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        ((256, 322), 640, (256, 322)),
        ((512, 1280), 640, (256, 640)),
        ((1000, 2), 100, (100, 2)),
        ((90, 126), 99, (70, 98)),
    ],
)
def test_the_longest_side_is_limited_and_sides_are_even(tmp_path, size, longest, expected):
    grey = np.full((*size, 3), 90, np.uint8)
    video = write_video(tmp_path / "clip.mp4", [grey] * 3)
    made, frames = copy(video, table(frame_times(video)), tmp_path, longest)
    assert frames[0].image.shape[:2] == expected
    assert (made.height, made.width) == size


@pytest.mark.parametrize("broken", [[0, 1], [20, 21, 22], [59]])
def test_a_frame_that_cannot_be_decoded_repeats_the_one_before(tmp_path, broken):
    video = numbered_video(tmp_path / "clip.mp4", COUNT, options={"g": "1"})
    damage(video, broken)
    _, frames = copy(video, table(frame_times(video), undecodable=broken), tmp_path)
    shown = [barcode.read(frame.image) for frame in frames]
    kept = broken[0] - 1 if broken[0] else None
    assert shown == [kept if n in broken else n for n in range(COUNT)]
    assert kept is not None or frames[0].image.std() < 2


def test_another_video_is_one_error_line(tmp_path):
    def check(video, times):
        check_same_video(video, read_predictions(write(tmp_path / "p.parquet", table(times))))

    video = numbered_video(tmp_path / "clip.mp4", COUNT)
    times = frame_times(video)
    check(video, times)
    check(video, times[:40])
    with pytest.raises(ClefError, match=r"clip\.mp4: has 60 frames, but there is a prediction for frame 60; expected"):
        check(video, np.arange(61) / 25)
    with pytest.raises(ClefError, match=r"clip\.mp4: frame 2 is at 0\.080 s in the video, 0\.067 s in the predictions"):
        check(video, [0, 0.04, 2 / 30, 0.12])
    (tmp_path / "text.mp4").write_text("nonsense")
    with pytest.raises(ClefError, match=r"text\.mp4: cannot be opened"):
        check(tmp_path / "text.mp4", times)
