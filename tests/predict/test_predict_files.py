import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import clef
from clef.batches.crops import Crops, in_batches
from clef.demo.clip import plan_clips
from clef.errors import ClefError
from clef.faces.crop import crop_shard
from clef.faces.shard import open_shard
from clef.params.schema import CropParams, RenderParams
from clef.predict.batches import BATCH
from clef.predict.face_cropper import FaceCropper, Job, _Report
from clef.predict.inputs import find_recordings
from clef.predict.predict_files import Options, all_rows, predict_files
from clef.predict.table import Layout
from clef.predict.worker_process import WorkerProcess
from clef.recordings.frames import Frame
from clef.trained.load import load_model
from tests.predict.conftest import picture, write_image
from tests.recordings.sample_recordings import numbered_images, recorded, write_video

ROOT = Path(__file__).parents[2]


def predicted(model, *names, work, cores=1, asked=(), **options):
    """Predict files, and return the first of them, the layout, the rows and what was counted."""
    trained = load_model(model, device="cpu")
    layout = Layout.of(trained.config, str(model), asked)
    recordings, problems = find_recordings([str(name) for name in names])
    assert not problems
    parts, totals = predict_files(trained, layout, recordings, Options(cores, **options), work)
    return recordings[0], layout, all_rows(parts), totals


def table_of(model, *names, work, **options):
    """Predict files, and return the table and what was counted."""
    _, layout, rows, totals = predicted(model, *names, work=work, **options)
    return pa.Table.from_batches(rows, layout.schema).to_pandas(), totals


@pytest.mark.parametrize("people", [1, 2])
def test_the_main_person_is_predicted_as_the_workflow_predicts_them(make_model, tmp_path, people, monkeypatch):
    # The last bit depends on a crop's place in a batch, which other people change unless each crop is a batch.
    size = 16 if people == 1 else 1
    monkeypatch.setitem(BATCH, "cpu", size)
    clip = plan_clips(RenderParams(subjects=2, seconds=(1.2, 1.6), size=160))[3]
    clip.render(tmp_path)
    source = clip.files[0]
    if people == 2:
        write_video(tmp_path / source, [picture((20 + n, 20), (200 - n, 20)) for n in range(25)])
    settings = {"detector": "mtcnn", "detect_size": 160, "every": 4, "smooth": 2.0, "size": 48}
    model = make_model(**settings)
    table, _ = table_of(model, tmp_path / source, work=tmp_path / "work")

    shard = tmp_path / "shard.arrow"
    crop_shard(tmp_path, [recorded(source)], CropParams(**settings), shard, tmp_path / "crop")
    frames = open_shard(shard).drop(["crop", "landmarks"]).to_pandas().assign(shard="s")
    frames["row"] = np.arange(len(frames))
    main = table[table["face"].fillna(0) == 0].reset_index(drop=True)
    columns = ["frame", "time", "status", "faces", "score", "x", "y", "width", "height"]
    pd.testing.assert_frame_equal(main[columns], frames[columns], check_dtype=False)
    shown = frames[frames["x"].notna()]
    assert len(shown) > 20
    trained = load_model(model, device="cpu")
    crops = Crops({"s": shard}, shown, trained.config.crop)
    expected, _ = trained.predict(crops.decode(np.arange(len(shown))))
    found = main.loc[shown.index, ["p_AU01", "p_AU04", "p_AU12"]].to_numpy(np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)
    for indices in in_batches(len(shown) // size * size, size):
        same, _ = trained.predict(crops.decode(indices))
        assert (found[indices] == same).all()


def test_people_who_cross_keep_their_numbers(face_model, tmp_path):
    def at(step):
        return picture((10 + 20 * step, 5), (210 - 20 * step, 135), height=220)

    write_video(tmp_path / "cross.mp4", [at(step) for step in range(11)])
    table, totals = table_of(face_model, tmp_path / "cross.mp4", work=tmp_path / "work")
    assert (totals.frames, totals.frames_with_face) == (11, 11)
    assert table["face"].tolist() == [0, 1] * 11
    centres = (table["x"] + table["width"] / 2).to_numpy().reshape(11, 2)
    assert (np.abs(np.diff(centres, axis=0)) < 30).all()
    assert set(np.sign(centres[-1] - centres[0])) == {-1, 1}
    heights = table["y"].to_numpy().reshape(11, 2)
    assert (np.ptp(heights, axis=0) < 15).all()


def test_rows_are_the_same_with_every_number_of_processes_and_in_any_company(face_model, tmp_path):
    sources = [tmp_path / name for name in ("a.mp4", "b.mp4", "still1.png", "still2.png")]
    write_video(sources[0], [picture((20 + n, 20)) if n != 4 else picture() for n in range(9)])
    write_video(sources[1], [picture((20, 20), (200, 20 + n)) for n in range(7)])
    write_image(sources[2], picture((100, 10), (210, 30)))
    write_image(sources[3], picture((150, 15)))
    together, _ = table_of(face_model, *sources, work=tmp_path / "w1", cores=1)
    in_processes, totals = table_of(face_model, *sources, work=tmp_path / "w2", cores=3)
    pd.testing.assert_frame_equal(together, in_processes)
    assert (totals.frames, totals.frames_with_face, len(together)) == (18, 18, 9 + 14 + 3)
    for number, source in enumerate(sources):
        alone, _ = table_of(face_model, source, work=tmp_path / f"alone{number}", cores=3)
        pd.testing.assert_frame_equal(alone, together[together["file"] == str(source)].reset_index(drop=True))


def test_all_kinds_of_videos_and_images_become_upright_rgb(whole_image_model, tmp_path):
    images = numbered_images(6, height=48, width=64)
    write_video(tmp_path / "turned.mp4", images, rotation=90)
    write_video(tmp_path / "mirrored.mp4", images, matrix=[-65536, 0, 0, 0, 65536, 0, 64 << 16, 0, 1 << 30])
    write_video(tmp_path / "wide.mp4", images, aspect=Fraction(2))
    write_video(tmp_path / "variable.mp4", images, times=[0, 1, 5, 6, 20, 21], rate=25)
    odd = {"pixel_format": "yuv444p"}  # has no pairs of columns and rows
    write_video(tmp_path / "odd.mp4", numbered_images(6, height=51, width=63), **odd)
    write_image(tmp_path / "alpha.png", np.full((30, 20, 4), 128, np.uint8))
    write_image(tmp_path / "grey.png", np.full((31, 21), 128, np.uint8))
    table, totals = table_of(whole_image_model, tmp_path, work=tmp_path / "work", cores=2)
    assert not totals.problems
    table["file"] = table["file"].map(lambda name: Path(name).name)
    sizes = table.groupby("file")[["width", "height"]].first().apply(tuple, axis=1).to_dict()
    assert sizes == {
        "turned.mp4": (48, 64),
        "mirrored.mp4": (64, 48),
        "wide.mp4": (128, 48),
        "variable.mp4": (64, 48),
        "odd.mp4": (63, 51),
        "alpha.png": (20, 30),
        "grey.png": (21, 31),
    }
    times = table.loc[table["file"] == "variable.mp4", "time"]
    assert times.tolist() == pytest.approx(np.array([0, 1, 5, 6, 20, 21]) / 25)


def test_sound_alone_is_a_problem(whole_image_model, tmp_path):
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        for number in range(4):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, 1024 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    table, totals = table_of(whole_image_model, tmp_path / "sound.mp4", work=tmp_path / "work")
    ((name, problem),) = totals.problems
    assert name == str(tmp_path / "sound.mp4")
    assert problem.startswith("holds no video stream")
    assert table["status"].tolist() == ["undecodable"]


def test_a_process_that_dies_costs_only_its_file(whole_image_model, tmp_path, monkeypatch):
    """Its start is told to die at that file; a fault of a decoder ends a process in the same way."""
    for name in ("a", "deadly", "z"):
        write_video(tmp_path / f"{name}.mp4", numbered_images(3))
    (tmp_path / "sitecustomize.py").write_text(
        "import json, os, signal, sys\n"
        "class Input:\n"
        "    def __init__(self, input): self.input = input\n"
        "    def readline(self): return self.input.readline()\n"
        "    def __iter__(self):\n"
        "        for line in self.input:\n"
        "            if 'deadly' in line: os.kill(os.getpid(), signal.SIGKILL)\n"
        "            yield line\n"
        "sys.stdin = Input(sys.stdin)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    table, totals = table_of(whole_image_model, tmp_path, work=tmp_path / "work", cores=2)
    assert table["file"].map(lambda name: Path(name).name).tolist() == ["a.mp4"] * 3 + ["z.mp4"] * 3
    problem = "the process that read it ended with code -9; is it damaged, or memory short?"
    assert totals.problems == [(str(tmp_path / "deadly.mp4"), problem)]


class DiesAtOnce(WorkerProcess):
    """Its process fails before the first message, as when memory is short; the stream is closed on the way out."""

    def _start(self):
        close = "pa.ipc.new_stream(sys.stdout.buffer, pa.schema([])).close()"
        code = f"import pyarrow as pa, sys; sys.stdin.readline(); {close}"
        return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_process_that_dies_before_its_first_message_costs_only_its_file(tmp_path):
    ((recording,), _) = find_recordings([str(write_video(tmp_path / "a.mp4", numbered_images(3)))])
    messages = []
    DiesAtOnce(CropParams(), 0.0, None, 1).crop(Job([recording]), messages.append)
    assert [message.event for message in messages] == ["restart", "end"]
    assert [name for name, _ in messages[-1].problems] == [str(tmp_path / "a.mp4")]


SCRIPT = """
import os, signal, sys
from pathlib import Path
from clef.predict.parts import Part
finish, count = Part.finish, 0
def killed(self, end):
    global count
    finish(self, end)
    count += 1
    if count == 2:
        os.kill(os.getpid(), signal.SIGKILL)
Part.finish = killed
from clef.cli import main
main()
"""


def test_a_killed_command_resumes_with_the_same_rows(face_model, tmp_path):
    for name, left in (("a", 20), ("b", 60), ("c", 100), ("d", 140)):
        write_video(tmp_path / f"{name}.mp4", [picture((left + n, 20)) for n in range(9)])
    arguments = ["predict", "a.mp4", "b.mp4", "c.mp4", "d.mp4", "--model", str(face_model), "--workers", "1"]

    def run(*code, out):
        return subprocess.run(
            [sys.executable, *code, *arguments, "--out", out],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("-c", SCRIPT, out="out.parquet").returncode == -signal.SIGKILL
    assert not (tmp_path / "out.parquet").exists()
    assert len(list((tmp_path / "out.parquet.work").glob("*.json"))) == 2
    resumed = run("-m", "clef", out="out.parquet")
    assert resumed.returncode == 0, resumed.stderr
    assert run("-m", "clef", out="whole.parquet").returncode == 0
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.glob("*.work")) == []


def test_parts_count_only_for_the_same_files_and_options(whole_image_model, tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", numbered_images(5))
    first, _ = table_of(whole_image_model, tmp_path / "a.mp4", work=tmp_path / "work")
    with monkeypatch.context() as patch:
        patch.setattr("clef.predict.predict_files.declared_length", None)  # a finished file is not opened
        _, again = table_of(whole_image_model, tmp_path / "a.mp4", work=tmp_path / "work")
    assert (again.new_frames, again.frames) == (0, 5)
    _, shorter = table_of(whole_image_model, tmp_path / "a.mp4", work=tmp_path / "work", end=0.1)
    assert (shorter.new_frames, shorter.frames) == (3, 3)
    write_video(tmp_path / "a.mp4", numbered_images(7))
    _, changed = table_of(whole_image_model, tmp_path / "a.mp4", work=tmp_path / "work")
    assert changed.new_frames == 7
    assert len(first) == 5


@pytest.mark.parametrize("cores", [1, 2])
def test_the_python_call_returns_a_frame(whole_image_model, tmp_path, cores):
    write_video(tmp_path / "a.mp4", numbered_images(3))
    write_image(tmp_path / "b.png", picture((20, 20)))
    model = clef.load(whole_image_model, device="cpu")
    assert model.labels == ["AU01", "AU04", "AU12"]
    table = model.predict([tmp_path / "a.mp4", str(tmp_path / "b.png")], ask="a smile", workers=cores)
    assert table["file"].tolist() == [str(tmp_path / "a.mp4")] * 3 + [str(tmp_path / "b.png")]
    assert table["ask: a smile"].notna().all()
    assert str(table["AU01"].dtype) == "Int8"
    with pytest.warns(UserWarning, match=r"gone\.mp4: no such file"):
        assert len(model.predict([tmp_path / "gone.mp4", tmp_path / "b.png"])) == 1
    with pytest.raises(clef.errors.ClefError, match=r"gone\.mp4: no such file"):
        model.predict(tmp_path / "gone.mp4")


@pytest.mark.parametrize(
    ("paths", "options", "message"),
    [
        (5, {}, "predict: 5 is int; expected a string, or a list of them"),
        (["a.png", None], {}, "predict: None is NoneType; expected"),
        ("a.png", {"ask": 3}, "ask: 3 is int; expected"),
        ("a.png", {"workers": 0}, "workers: 0; expected 1 or more"),
        ("a.png", {"start": -1}, "start: -1 s; expected 0 or more"),
        ("a.png", {"start": 2, "end": 2}, "end: 2 s is not after the start, 2 s"),
    ],
)
def test_the_python_call_refuses_nonsense(whole_image_model, tmp_path, monkeypatch, paths, options, message):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "a.png", picture((20, 20)))
    with pytest.raises(ClefError, match=f"^{message}"):
        clef.load(whole_image_model, device="cpu").predict(paths, **options)


def test_opencv_gets_its_threads_back():
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    FaceCropper(CropParams(detector="none"), 0.0, None, 1).close()
    after = cv2.getNumThreads()
    cv2.setNumThreads(before)
    assert after == 3


def test_lost_frames_are_counted_with_their_reason():
    report = _Report()
    report.add("a.mp4", Frame(0, None, "one"), False)
    assert report.summary() == [("a.mp4", "one")]
    for number, problem in enumerate(["two", "one", None], start=1):
        report.add("a.mp4", Frame(number, None, problem), False)
    assert report.summary() == [("a.mp4", "3 frames cannot be decoded (one, two)")]


def test_importing_clef_is_light():
    code = "import clef, sys; print([name for name in ('torch', 'pandas', 'cv2', 'numpy') if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "frames", "shown"),
    [("WolfgangLanger_Pexels.mp4", 472, range(472)), ("face_noface.mov", 169, range(72))],
)
def test_the_real_recordings(testdata, make_model, tmp_path, name, frames, shown):
    model = make_model(detector="mtcnn", detect_size=320, every=4)
    table, totals = table_of(model, testdata / name, work=tmp_path / "work", cores=2)
    assert (totals.frames, totals.frames_with_face) == (frames, len(shown))
    assert sorted(set(table["frame"])) == list(range(frames))
    assert table.loc[table["face"].notna(), "frame"].tolist() == list(shown)
    assert len(table) == frames
