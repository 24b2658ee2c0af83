import dataclasses

import av
import cv2
import numpy as np
import pytest

from clef.datasets.readers.occurrence_csv import read_occurrence_csv
from clef.demo.behaviour import ACTION_UNITS
from clef.demo.clip import draw_frames
from clef.demo.performance import FPS


def mp4_boxes(path) -> list[bytes]:
    """Names of an mp4's top-level boxes."""
    data, position, names = path.read_bytes(), 0, []
    while position + 8 <= len(data):
        names.append(data[position + 4 : position + 8])
        position += int.from_bytes(data[position : position + 4], "big")
    return names


def test_videos_have_the_declared_format_with_the_index_first(rendered, clips, decoded):
    for clip, shown in zip(clips, decoded, strict=True):
        path = rendered / clip.video
        frames = len(clip.perform().poses)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert (stream.width, stream.height) == (320, 320)
            assert (stream.average_rate, stream.frames) == (FPS, frames)
        names = mp4_boxes(path)
        assert names.index(b"moov") < names.index(b"mdat")
        assert 0.3 * frames < len(shown) < frames if clip.truncated else len(shown) == frames
    assert sum(clip.truncated for clip in clips) == 1


@pytest.mark.parametrize("index", [0, 7, 20])
def test_the_nth_decoded_frame_is_the_nth_drawn_frame(clips, decoded, index):
    clip, shown = clips[index], decoded[index]
    performance = clip.perform()
    for frame in (3, 20, len(shown) - 4):
        near = range(frame - 3, frame + 4)
        differences = [
            np.abs(shown[frame] - drawn.astype(float)).mean() for drawn in draw_frames(clip, performance, near)
        ]
        assert near[int(np.argmin(differences))] == frame
        assert min(differences) < 6


def test_labels_are_those_of_the_performance_in_the_layout_of_bp4d(rendered, clips):
    for clip in clips:
        performance = clip.perform()
        start, stop = performance.window
        table = read_occurrence_csv(rendered / clip.labels, ACTION_UNITS)
        assert list(table["frame"]) == list(range(start + 1, stop + 1))
        assert stop - start == round(0.5 * len(performance.poses))
        assert np.array_equal(table.drop(columns="frame").to_numpy(), performance.codes[start:stop])
        header, *rows = (rendered / clip.labels).read_text().splitlines()
        assert header == ",".join(map(str, range(100)))
        for row in rows:
            cells = list(map(int, row.split(",")))
            assert len(cells) == 100
            assert {cells[number] for number in range(1, 99) if number not in ACTION_UNITS} == {9}
            assert cells[99] == int(all(cells[number] == 9 for number in ACTION_UNITS))


def test_some_frames_cannot_be_coded_in_part_or_at_all(clips):
    performances = [clip.perform() for clip in clips]
    codes = np.vstack([performance.codes for performance in performances])
    uncodable = np.concatenate([performance.uncodable for performance in performances])
    assert 0.02 < uncodable.mean() < 0.3
    assert 0.005 < ((codes == 9).any(axis=1) & ~uncodable).mean() < 0.3


def test_clips_and_seeds_differ_in_length_and_movement(clips):
    performances = [clip.perform() for clip in clips]
    other = clips[0].settings.model_copy(update={"seed": clips[0].settings.seed + 1})
    performances += [dataclasses.replace(clip, settings=other).perform() for clip in clips]
    assert len({len(performance.poses) for performance in performances}) > 3
    assert len({performance.poses[0].yaw for performance in performances}) == 2 * len(clips)


def test_the_head_moves_by_some_pixels_in_every_video(decoded):
    for shown in decoded[::5]:
        frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in shown]
        face = frames[0][110:210, 110:210]
        found = [cv2.minMaxLoc(cv2.matchTemplate(frame, face, cv2.TM_SQDIFF))[2] for frame in frames[::3]]
        assert np.ptp(found, axis=0).max() >= 3
