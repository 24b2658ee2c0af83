import dataclasses

import av
import cv2
import numpy as np
import pytest

from clef.datasets.readers.occurrence_csv import read_occurrence_csv
from clef.demo.behaviour import ACTION_UNITS
from clef.demo.clip import draw_frames
from clef.demo.performance import FPS
from tests.demo.decoding import decode


def boxes(path) -> list[bytes]:
    """Names of an mp4's top-level boxes."""
    data, at, names = path.read_bytes(), 0, []
    while at + 8 <= len(data):
        names.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big")
    return names


def test_videos_are_as_declared(rendered, clips):
    for clip in clips:
        path = rendered / clip.video
        frames = len(clip.perform().poses)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert (stream.width, stream.height) == (320, 320)
            assert stream.average_rate == FPS
            assert stream.frames == frames
        if not clip.truncated:
            assert len(decode(path)) == frames


def test_the_index_comes_first(rendered, clips):
    for clip in clips:
        names = boxes(rendered / clip.video)
        assert names.index(b"moov") < names.index(b"mdat")


def test_one_video_has_lost_its_end_and_nothing_else(rendered, clips):
    (broken,) = [clip for clip in clips if clip.truncated]
    frames = decode(rendered / broken.video)
    performance = broken.perform()
    assert 0.3 * len(performance.poses) < len(frames) < len(performance.poses)
    drawn = next(draw_frames(broken, performance, [0])).astype(float)
    assert np.abs(frames[0] - drawn).mean() < 6


@pytest.mark.parametrize("place", [0, 7, 20])
def test_nth_decoded_frame_is_nth_label_frame(rendered, clips, place):
    clip = clips[place]
    performance = clip.perform()
    decoded = decode(rendered / clip.video)
    for frame in (3, 20, len(decoded) - 4):
        near = range(frame - 3, frame + 4)
        off = [np.abs(decoded[frame] - drawn.astype(float)).mean() for drawn in draw_frames(clip, performance, near)]
        assert near[int(np.argmin(off))] == frame


def test_labels_are_read_back_as_performed(rendered, clips):
    for clip in clips:
        performance = clip.perform()
        start, stop = performance.window
        table = read_occurrence_csv(rendered / clip.labels, ACTION_UNITS)
        assert list(table["frame"]) == list(range(start + 1, stop + 1))
        assert stop - start == round(0.5 * len(performance.poses))
        codes = table.drop(columns="frame").to_numpy()
        assert np.array_equal(codes, performance.codes[start:stop])


def test_labels_have_the_layout_of_bp4d(rendered, clips):
    header, *rows = (rendered / clips[0].labels).read_text().splitlines()
    assert header == ",".join(map(str, range(100)))
    for row in rows:
        cells = list(map(int, row.split(",")))
        assert len(cells) == 100
        assert cells[99] in (0, 1)
        assert {cells[number] for number in range(1, 99) if number not in ACTION_UNITS} == {9}
        assert cells[99] == int(all(cells[number] == 9 for number in ACTION_UNITS))


def test_some_frames_are_not_coded_and_some_have_no_face(clips):
    performances = [clip.perform() for clip in clips]
    codes = np.vstack([performance.codes for performance in performances])
    uncodable = np.concatenate([performance.uncodable for performance in performances])
    assert 0.02 < uncodable.mean() < 0.3
    partly = (codes == 9).any(axis=1) & ~uncodable
    assert 0.005 < partly.mean() < 0.3


def test_another_seed_gives_another_course(clips):
    for clip in clips[:3]:
        settings = clip.settings.model_copy(update={"seed": clip.settings.seed + 1})
        one, other = clip.perform(), dataclasses.replace(clip, settings=settings).perform()
        assert one.poses[0].yaw != other.poses[0].yaw
        assert one.window != other.window or not np.array_equal(one.intensity[:20], other.intensity[:20])


def test_clips_differ_in_length_and_in_course(clips):
    performances = [clip.perform() for clip in clips]
    assert len({len(performance.poses) for performance in performances}) > 3
    assert len({tuple(pose.yaw for pose in performance.poses[:10]) for performance in performances}) == len(clips)


def test_the_head_wanders_in_the_decoded_video(rendered, clips):
    """By the place of least difference from the first frame, a few pixels at least in every clip."""
    for clip in clips[::5]:
        frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in decode(rendered / clip.video)]
        inner = frames[0][110:210, 110:210]
        places = [cv2.minMaxLoc(cv2.matchTemplate(frame, inner, cv2.TM_SQDIFF))[2] for frame in frames[::3]]
        assert np.ptp(places, axis=0).max() >= 3
