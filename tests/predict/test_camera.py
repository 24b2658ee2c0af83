"""A video file in place of a webcam: it has the same interface."""

import itertools
import os
import re
import signal
import threading

import cv2
import pandas as pd
import pyarrow as pa
import pytest

from clef.params.schema import CropParams
from clef.predict import camera, kept_rows, output
from clef.predict.camera import newest_frames, predict_camera, stopped_by_interrupt
from clef.predict.table import Layout
from clef.trained.load import load_model
from tests.predict.conftest import picture
from tests.predict.test_predict_command import clef_here
from tests.recordings.sample_recordings import numbered_images, read_number, write_video

__all__ = ["clef_here"]


class SteppedCamera:
    """Gives the frames of a video when a test allows it, whether or not they are used."""

    def __init__(self, path):
        self.capture = cv2.VideoCapture(str(path))
        self.allowed = threading.Semaphore(0)
        self.blocked = threading.Semaphore(0)

    def read(self):
        self.blocked.release()
        self.allowed.acquire()
        return self.capture.read()

    def advance(self, frames):
        """Let the reader have frames, and wait until it asks for the next one."""
        for _ in range(frames):
            self.blocked.acquire()
            self.allowed.release()
        self.blocked.acquire()
        self.blocked.release()


def test_a_slow_reader_gets_the_newest_frame(tmp_path):
    write_video(tmp_path / "clip.mp4", numbered_images(12))
    source = SteppedCamera(tmp_path / "clip.mp4")
    frames = newest_frames(source, threading.Event())
    shown, reader = [], iter(frames)
    threading.Thread(target=source.advance, args=[1], daemon=True).start()
    shown.append(next(reader))
    source.advance(4)
    shown.append(next(reader))
    source.advance(5)
    shown.append(next(reader))
    assert [frame.number for frame in shown] == [0, 4, 9]
    assert [read_number(frame.image) for frame in shown] == [0, 4, 9]
    assert shown[0].time == 0 < shown[1].time < shown[2].time
    for _ in range(9):
        source.allowed.release()
    assert [frame.number for frame in reader][-1] == 11


def test_people_keep_their_numbers_while_they_come_and_go(face_model, tmp_path):
    images = [picture((20, 20)), picture((24, 20), (200, 20)), picture((200, 22)), picture(), picture((28, 20))]
    write_video(tmp_path / "clip.mp4", images)
    model = load_model(face_model, device="cpu")
    layout = Layout.of(model.config, "model", ["a smile"])
    settings = CropParams(detector="mtcnn", detect_size=160, size=40)
    video = cv2.VideoCapture(str(tmp_path / "clip.mp4"))
    frames = (frame for number in range(5) for frame in newest_frames(OneFrame(video), threading.Event()))
    numbered = (frame.__class__(number, frame.image, time=number / 10) for number, frame in enumerate(frames))
    rows = predict_camera(model, layout, model.encode_sentences(["a smile"]), settings, numbered, "0")
    table = pa.Table.from_batches(rows, layout.schema).to_pandas()
    assert table[["frame", "face"]].fillna(-1).to_numpy().tolist() == [[0, 0], [1, 0], [1, 1], [2, 1], [3, -1], [4, 0]]
    assert table["status"].tolist() == ["detected"] * 4 + ["no_face", "detected"]
    assert table["ask: a smile"].isna().tolist() == [False] * 4 + [True, False]


class OneFrame:
    """A camera that is unplugged after one frame."""

    def __init__(self, video):
        self.video, self.left = video, 1

    def read(self):
        self.left -= 1
        return self.video.read() if self.left >= 0 else (False, None)


class EndlessCamera:
    """A camera that always shows the same."""

    def __init__(self, path):
        self.image = cv2.VideoCapture(str(path)).read()[1]

    def read(self):
        return True, self.image


def killed(*arguments):
    raise MemoryError


def test_ctrl_c_ends_with_a_whole_file_and_code_0(clef_here, face_model, tmp_path, monkeypatch):
    write_video(tmp_path / "clip.mp4", [picture((20, 20))])
    monkeypatch.setattr(camera, "open_camera", lambda number: EndlessCamera(tmp_path / "clip.mp4"))
    rows, counted = Layout.rows, itertools.count(1)

    def interrupted(*arguments):
        if next(counted) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return rows(*arguments)

    monkeypatch.setattr(Layout, "rows", interrupted)
    done = clef_here("predict", "0", "--model", str(face_model), "--out", "out.parquet", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert len(table) == 3
    assert table["file"].unique().tolist() == ["0"]
    assert table["frame"].is_monotonic_increasing
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", "out.parquet"}


def test_rows_outlast_a_crash(clef_here, face_model, tmp_path, monkeypatch, caplog):
    write_video(tmp_path / "clip.mp4", [picture((20, 20))])
    monkeypatch.setattr(camera, "open_camera", lambda number: EndlessCamera(tmp_path / "clip.mp4"))
    monkeypatch.setattr(kept_rows, "SECONDS_PER_LINE", 0)
    caplog.set_level("INFO", "clef")
    rows, counted = Layout.rows, itertools.count(1)
    kept, sizes = tmp_path / "out.parquet.work" / "webcam.arrows", []

    def interrupted(*arguments):
        sizes.append(kept.stat().st_size)
        if next(counted) in (3, 6):
            os.kill(os.getpid(), signal.SIGINT)
        return rows(*arguments)

    monkeypatch.setattr(Layout, "rows", interrupted)
    arguments = ["predict", "0", "--model", str(face_model), "--out", "out.parquet"]
    with monkeypatch.context() as patch:
        patch.setattr(output, "write_table", killed)
        assert clef_here(*arguments, folder=tmp_path).returncode == 1
    assert re.search(r"webcam 0: 2 frames, \d+\.\d frames/s", caplog.text)
    assert sizes[0] < sizes[1] < sizes[2], "rows are on disk while the webcam still runs"
    os.truncate(kept, kept.stat().st_size - 100)  # as a kill in the middle of a row leaves it
    assert clef_here(*arguments, folder=tmp_path).returncode == 0
    assert len(pd.read_parquet(tmp_path / "out-interrupted.parquet")) == 2
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 3
    assert not kept.exists()


@pytest.mark.parametrize("size", [0, 100])
def test_a_webcam_that_was_killed_before_its_first_row_starts_again(
    clef_here, face_model, tmp_path, monkeypatch, caplog, size
):
    write_video(tmp_path / "clip.mp4", [picture((20, 20))])
    monkeypatch.setattr(camera, "open_camera", lambda number: OneFrame(cv2.VideoCapture(str(tmp_path / "clip.mp4"))))
    caplog.set_level("INFO", "clef")
    arguments = ["predict", "0", "--model", str(face_model), "--out", "out.parquet"]
    kept = tmp_path / "out.parquet.work" / "webcam.arrows"
    with monkeypatch.context() as patch:
        patch.setattr(output, "write_table", killed)
        assert clef_here(*arguments, folder=tmp_path).returncode == 1
    os.truncate(kept, size)
    assert clef_here(*arguments, folder=tmp_path).returncode == 0
    assert caplog.text.count("nothing was kept before an interruption") == 1
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 1
    assert not (tmp_path / "out-interrupted.parquet").exists()


def test_the_interrupt_is_restored():
    before = signal.getsignal(signal.SIGINT)
    with stopped_by_interrupt() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(60)
    assert signal.getsignal(signal.SIGINT) is before
