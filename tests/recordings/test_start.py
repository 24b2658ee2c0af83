"""Frames after a seek are those of decoding from the beginning: number, time, problem and every pixel."""

import hashlib
import shutil

import pytest

from clef.recordings.video import read_video
from tests.recordings.sample_recordings import damage, numbered_images, packets, write_video
from tests.recordings.test_against_ffmpeg import ffmpeg

FRAMES = 60
KEY = {"g": "12", "sc_threshold": "0"}
X265 = "keyint=12:min-keyint=12:scenecut=0:log-level=none:open-gop="


def frames_from(path, start):
    found = {}
    for number, image, problem, time in read_video(path, start=start):
        found[number] = time, problem, None if image is None else hashlib.sha256(image).digest()
    return found


def starts(path, step=7, unsteady=()):
    """First number after a seek to every seventh frame, which gives the same frames as decoding all of them.

    `unsteady` frames are not compared: their picture differs between two calls without a seek, too.
    """
    whole, first = frames_from(path, 0.0), []
    for number in range(0, len(whole), step):
        found = frames_from(path, whole[number][0])
        first.append(min(found))
        assert first[-1] <= number
        assert list(found) == list(range(first[-1], len(whole)))
        assert [n for n in found if n not in unsteady and found[n] != whole[n]] == []
    return first


@pytest.mark.parametrize(
    ("name", "codec", "options", "seeks"),
    [
        ("a.mp4", "libx264", KEY | {"bf": "2"}, True),
        ("a.mov", "libx264", KEY | {"bf": "0"}, True),
        ("pyramid.mkv", "libx264", KEY | {"bf": "3"}, True),
        ("a.mp4", "libx265", {"x265-params": X265 + "0"}, True),
        ("open.mkv", "libx265", {"x265-params": X265 + "1"}, True),
        ("a.webm", "libvpx-vp9", KEY | {"lag-in-frames": "10", "auto-alt-ref": "1"}, True),
        ("a.mov", "mjpeg", {}, True),
        # Key frames of these are not enough to decode what follows them, or times after a seek are uncertain.
        ("open.mp4", "libx264", KEY | {"bf": "2", "x264-params": "open-gop=1:log-level=0"}, False),
        ("refresh.mp4", "libx264", KEY | {"x264-params": "intra-refresh=1:log-level=0"}, False),
        ("a.ts", "libx264", KEY | {"bf": "2"}, False),
        ("a.avi", "mpeg4", KEY | {"bf": "2"}, False),
        ("a.avi", "mjpeg", {}, False),
    ],
)
def test_frames_after_a_seek_are_the_same(name, codec, options, seeks, tmp_path):
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    images = numbered_images(FRAMES)
    path = write_video(tmp_path / name, images, codec=codec, options=options, pixel_format=pixel_format)
    every = 1 if codec == "mjpeg" else 12
    assert starts(path) == [n // every * every if seeks else 0 for n in range(0, FRAMES, 7)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frames_after_a_seek_are_the_same_at_a_variable_rate(suffix, tmp_path):
    times = [n + n // 5 * 3 for n in range(FRAMES)]
    path = write_video(tmp_path / f"a.{suffix}", numbered_images(FRAMES), times=times, options=KEY | {"bf": "2"})
    assert starts(path) == [n // 12 * 12 for n in range(0, FRAMES, 7)]


@pytest.mark.parametrize("broken", [[3], [12], [23], [25, 26, 30], [47]])
def test_damage_of_some_groups_changes_no_frame_of_others(broken, tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered_images(FRAMES), options=KEY | {"bf": "2"})
    damage(path, broken)
    groups = {number // 12 for number in broken}
    assert starts(path, unsteady=[n for n in range(FRAMES) if n // 12 in groups])[-1] == 48


def test_a_truncated_file_is_decoded_from_the_beginning(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered_images(FRAMES), options=KEY | {"bf": "2"})
    path.write_bytes(path.read_bytes()[: packets(path)[40].pos])
    assert set(starts(path)) == {0}


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_frames_after_a_seek_are_the_same_if_the_first_ones_are_hidden(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered_images(FRAMES), options=KEY | {"bf": "2"})
    ffmpeg("-ss", 0.72, "-i", path, "-c", "copy", tmp_path / "cut.mp4")
    assert starts(tmp_path / "cut.mp4") == [0, 6, 6, 18, 18, 30]


def test_decoders_that_find_out_late_how_far_frames_are_reordered_start_at_the_beginning(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", numbered_images(FRAMES), options=KEY | {"bf": "3"})
    monkeypatch.setattr("clef.recordings.timeline._delay", lambda path: 1)
    assert set(starts(path)) == {0}


@pytest.mark.parametrize(("name", "step"), [("WolfgangLanger_Pexels.mp4", 150), ("face_noface.mov", 60)])
def test_frames_after_a_seek_are_the_same_in_real_recordings(name, step, testdata):
    assert starts(testdata / name, step)[-1] > 0
