import av
import numpy as np

from clef.datasets.readers.occurrence_csv import read_occurrence_csv
from clef.demo.acting import FPS
from clef.demo.behaviour import ACTION_UNITS
from clef.demo.clip import draw_frames
from tests.demo.conftest import decode


def test_videos_have_the_declared_format_with_the_index_first_and_one_is_truncated(rendered, clips):
    for clip in clips:
        path = rendered / clip.files[0]
        frames = len(clip.perform().poses)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert (stream.width, stream.height) == (320, 320)
            assert (stream.average_rate, stream.frames) == (FPS, frames)
        content, shown = path.read_bytes(), decode(path)
        assert content.index(b"moov") < content.index(b"mdat")
        assert 0.3 * frames < len(shown) < frames if clip.truncated else len(shown) == frames
    assert sum(clip.truncated for clip in clips) == 1


def test_the_nth_decoded_frame_is_the_nth_drawn_frame(rendered, clips):
    for clip in (clips[0], clips[20]):
        shown, performance = decode(rendered / clip.files[0]), clip.perform()
        for frame in (3, len(shown) - 4):
            near = range(frame - 3, frame + 4)
            drawn = draw_frames(clip, performance, near)
            differences = [np.abs(shown[frame] - image.astype(float)).mean() for image in drawn]
            assert near[int(np.argmin(differences))] == frame
            assert min(differences) < 6


def test_labels_are_those_of_the_performance_in_the_layout_of_bp4d(rendered, clips):
    performances = [clip.perform() for clip in clips]
    for clip, performance in zip(clips, performances, strict=True):
        start, stop = performance.window
        table = read_occurrence_csv(rendered / clip.files[1], ACTION_UNITS)
        assert list(table["frame"]) == list(range(start + 1, stop + 1))
        assert stop - start == round(0.5 * len(performance.poses))
        assert np.array_equal(table.drop(columns="frame").to_numpy(), performance.codes[start:stop])
        header, *rows = (rendered / clip.files[1]).read_text().splitlines()
        assert header == ",".join(map(str, range(100)))
        for row in rows:
            cells = list(map(int, row.split(",")))
            assert len(cells) == 100
            assert {cells[number] for number in range(1, 99) if number not in ACTION_UNITS} == {9}
            assert cells[99] == int(all(cells[number] == 9 for number in ACTION_UNITS))
    uncodable = np.concatenate([performance.uncodable for performance in performances])
    partly = (np.vstack([performance.codes for performance in performances]) == 9).any(axis=1) & ~uncodable
    assert 0.02 < uncodable.mean() < 0.3
    assert 0.005 < partly.mean() < 0.3
