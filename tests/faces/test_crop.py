import json
import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from clef.faces.crop import crop_shard
from clef.faces.shard import STATUSES, open_shard, read_fingerprint
from clef.params.schema import CropParams
from clef.recordings.frames import inspect_sequence

WHOLE = CropParams(detector="none", align="box", margin=0.0, size=64)


@pytest.fixture
def raw(tmp_path, write_video, coded, sequence):
    """Two videos, a folder of images, single images, a broken video and a text named as one."""
    root = tmp_path / "raw"
    (root / "images").mkdir(parents=True)
    write_video(root / "one.mp4", [coded[0](n, 80, 80) for n in range(300)])
    write_video(root / "two.mp4", [coded[0](n, 80, 80) for n in range(40)])
    for number in (0, 3, 4):
        cv2.imwrite(str(root / "images" / f"{number:03}.png"), coded[0](number, 80, 80))
    for number in (21, 22, 23):
        cv2.imwrite(str(root / f"still{number}.png"), coded[0](number, 80, 80))
    (root / "still22.png").write_bytes(b"broken")
    (root / "text.mp4").write_text("text", encoding="utf-8")
    (root / "empty.mp4").touch()
    return root, [
        sequence("one.mp4", first_frame=1),
        sequence("images", "images", first_frame=1),
        sequence("text.mp4", first_frame=5),
        sequence("still21.png", "image"),
        sequence("still22.png", "image"),
        sequence("still23.png", "image"),
        sequence("two.mp4"),
        sequence("empty.mp4", frames=3, first_frame=1),
    ]


def decoded(crop):
    return cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_every_input_frame_has_its_row(raw, tmp_path, coded):
    root, sequences = raw
    report = crop_shard(root, sequences, WHOLE, tmp_path / "s.arrow", tmp_path / "work")

    table = open_shard(tmp_path / "s.arrow")
    rows = list(zip(table["sequence"].to_pylist(), table["frame"].to_pylist(), strict=True))
    assert rows == [
        *(("one", n) for n in range(1, 301)),
        *(("images", n) for n in (1, 4, 5)),
        ("text", 5),
        *((f"still{n}", 0) for n in (21, 22, 23)),
        *(("two", n) for n in range(40)),
        *(("empty", n) for n in (1, 2, 3)),
    ]
    undecodable = [("text", 5), ("still22", 0), ("empty", 1), ("empty", 2), ("empty", 3)]
    for row, status, crop in zip(rows, table["status"].to_pylist(), table["crop"].to_pylist(), strict=True):
        assert status == ("undecodable" if row in undecodable else "detected")
        assert (crop is None) == (row in undecodable)
        if crop is not None:
            name, frame = row
            number = int(name[5:]) if name.startswith("still") else frame - (name in ("one", "images"))
            assert coded[1](decoded(crop)) == number
    assert report.frames == len(rows)
    assert report.statuses == dict.fromkeys(STATUSES, 0) | {"detected": len(rows) - 5, "undecodable": 5}
    assert [name for name, _ in report.problems] == ["text", "still22", "empty"]
    assert "3 frames from 1 on" in dict(report.problems)["empty"]
    assert not (tmp_path / "work").exists()


def test_colours_of_a_crop_are_right(tmp_path, sequence):
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 2] = 240  # red, as OpenCV writes
    cv2.imwrite(str(tmp_path / "red.png"), image)
    crop_shard(tmp_path, [sequence("red.png", "image")], WHOLE, tmp_path / "s.arrow", tmp_path / "work")
    crop = decoded(open_shard(tmp_path / "s.arrow")["crop"][0].as_py())
    assert crop.shape == (64, 64, 3)
    assert crop[..., 0].min() > 225
    assert crop[..., 1:].max() < 15


class StoppedError(Exception):
    pass


def stop_after(frames):
    done = 0

    def progress(_, more):
        nonlocal done
        done += more
        if done >= frames:
            raise StoppedError

    return progress


@pytest.mark.parametrize("after", [1, 290, 301, 306, 320])
def test_going_on_gives_the_same_bytes_and_repeats_nothing_finished(after, raw, tmp_path):
    root, sequences = raw
    whole, target, work = tmp_path / "whole.arrow", tmp_path / "s.arrow", tmp_path / "work"
    expected = crop_shard(root, sequences, WHOLE, whole, tmp_path / "other")

    with pytest.raises(StoppedError):
        crop_shard(root, sequences, WHOLE, target, work, stop_after(after))
    assert not target.exists()
    finished = {file.name: file.stat().st_mtime_ns for file in work.glob("*.json")}
    kept = {}

    def look(*_):
        kept.update({f.name: f.stat().st_mtime_ns for f in work.glob("*.json") if f.name in finished})

    assert crop_shard(root, sequences, WHOLE, target, work, look) == expected
    assert kept == finished
    assert target.read_bytes() == whole.read_bytes()
    assert [file.name for file in tmp_path.iterdir() if "work" in file.name] == []


def test_a_killed_process_is_carried_on(raw, tmp_path):
    root, sequences = raw
    program = """
import os, signal, sys, json
from pathlib import Path
from clef.recordings.sequence import RecordedSequence
from clef.faces.crop import crop_shard
from clef.params.schema import CropParams
root, target, work, sequences, settings = sys.argv[1:]
def die(name, more):
    if name == "still23":
        os.kill(os.getpid(), signal.SIGKILL)
crop_shard(Path(root), [RecordedSequence(**s) for s in json.loads(sequences)], CropParams(**json.loads(settings)),
    Path(target), Path(work), die)
"""
    from dataclasses import asdict

    target, work = tmp_path / "s.arrow", tmp_path / "work"
    listing = json.dumps([asdict(sequence) for sequence in sequences])
    command = [
        sys.executable,
        "-c",
        program,
        str(root),
        str(target),
        str(work),
        listing,
        WHOLE.model_dump_json(),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert not target.exists()
    assert (work / "one.json").exists()
    crop_shard(root, sequences, WHOLE, target, work)
    crop_shard(root, sequences, WHOLE, tmp_path / "whole.arrow", tmp_path / "other")
    assert target.read_bytes() == (tmp_path / "whole.arrow").read_bytes()


def test_other_settings_or_a_changed_source_redo_a_part(raw, tmp_path, coded, write_video):
    root, sequences = raw
    target, work = tmp_path / "s.arrow", tmp_path / "work"
    with pytest.raises(StoppedError):
        crop_shard(root, sequences, WHOLE, target, work, stop_after(300))
    with pytest.raises(StoppedError):
        crop_shard(root, sequences, WHOLE, target, work, stop_after(303))
    write_video(root / "one.mp4", [coded[0](n + 5, 80, 80) for n in range(10)])
    crop_shard(root, sequences[:1], WHOLE, target, work)
    table = open_shard(target)
    assert table.num_rows == 10
    assert coded[1](decoded(table["crop"][0].as_py())) == 5

    with pytest.raises(StoppedError):
        crop_shard(root, sequences, WHOLE, target, work, stop_after(11))
    crop_shard(root, sequences[:1], WHOLE.model_copy(update={"size": 96}), target, work)
    assert decoded(open_shard(target)["crop"][0].as_py()).shape == (96, 96, 3)
    assert read_fingerprint(target)["size"] == 96


def test_an_empty_shard_is_a_file_without_rows(tmp_path):
    report = crop_shard(tmp_path, [], WHOLE, tmp_path / "s.arrow", tmp_path / "work")
    assert report.frames == 0
    assert open_shard(tmp_path / "s.arrow").num_rows == 0


def real(testdata, sequence, source, kind="video"):
    return inspect_sequence(testdata, sequence(source, kind))


def test_the_real_recordings_with_yunet(testdata, tmp_path, sequence):
    sequences = [
        real(testdata, sequence, "WolfgangLanger_Pexels.mp4"),
        real(testdata, sequence, "face_noface.mov"),
        real(testdata, sequence, "multi_face.jpg", "image"),
        real(testdata, sequence, "no_face.jpg", "image"),
    ]
    settings = CropParams(detector="yunet", weights=str(testdata / "yunet_n_640_640.onnx"), size=64)
    report = crop_shard(testdata, sequences, settings, tmp_path / "s.arrow", tmp_path / "work")
    assert report.frames == 472 + 169 + 2
    assert report.problems == []
    table = open_shard(tmp_path / "s.arrow").to_pandas()
    pexels = table[table["sequence"] == "WolfgangLanger_Pexels"]
    assert pexels["frame"].tolist() == list(range(472))
    assert pexels["crop"].notna().sum() == 472
    moving = table[table["sequence"] == "face_noface"]
    assert moving["frame"].tolist() == list(range(169))
    assert moving.loc[moving["crop"].notna(), "frame"].tolist() == list(range(72))
    assert set(moving.loc[moving["crop"].isna(), "status"]) == {"no_face"}
    several, none = table.iloc[-2], table.iloc[-1]
    assert (several["status"], several["faces"]) == ("detected", 5)
    assert (none["status"], none["faces"]) == ("no_face", 0)


def test_the_real_recordings_with_lbp_lose_no_row(testdata, tmp_path, sequence):
    sequences = [
        real(testdata, sequence, "WolfgangLanger_Pexels.mp4"),
        real(testdata, sequence, "face_noface.mov"),
    ]
    settings = CropParams(detector="lbp", every=5, align="box", size=64)
    crop_shard(testdata, sequences, settings, tmp_path / "s.arrow", tmp_path / "work")
    table = open_shard(tmp_path / "s.arrow").to_pandas()
    assert table.groupby("sequence")["frame"].apply(list).to_dict() == {
        "WolfgangLanger_Pexels": list(range(472)),
        "face_noface": list(range(169)),
    }
    moving = table[table["sequence"] == "face_noface"]
    assert moving.loc[moving["crop"].notna(), "frame"].tolist() == list(range(72))
