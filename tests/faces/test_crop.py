import threading

import cv2
import numpy as np
import pytest

from clef.errors import ClefError
from clef.faces import crop
from clef.faces.crop import crop_shard
from clef.faces.detectors import Detector, Face
from clef.faces.shard import STATUSES, open_shard, read_fingerprint
from clef.fixtures.formats import put_zip
from clef.params.schema import CropParams
from clef.recordings.frames import inspect_sequence, read_frames
from clef.runtime.files import guard_writes
from tests.faces.rectangles import RectangleDetector, draw
from tests.recordings.sample_recordings import numbered_image, numbered_images, read_number, recorded, write_video

WHOLE = CropParams(detector="none", align="box", margin=0.0, size=64)
SEQUENCES = [
    recorded("one.mp4", first_frame=1),
    recorded("images", "images", first_frame=1),
    recorded("text.mp4", first_frame=5),
    *(recorded(f"still{n}.png", "image") for n in (21, 22, 23)),
    recorded("two.mp4"),
    recorded("empty.mp4", frames=3, first_frame=1),
]


@pytest.fixture
def root(tmp_path):
    """Two videos, a folder of images, single images, and broken files."""
    root = tmp_path / "raw"
    (root / "images").mkdir(parents=True)
    write_video(root / "one.mp4", numbered_images(300, height=80))
    write_video(root / "two.mp4", numbered_images(20, height=80))
    for number in (0, 3, 4):
        cv2.imwrite(str(root / "images" / f"{number:03}.png"), numbered_image(number, 80, 80))
    for number in (21, 23):
        cv2.imwrite(str(root / f"still{number}.png"), numbered_image(number, 80, 80))
    (root / "still22.png").write_bytes(b"broken")
    (root / "text.mp4").write_text("text", encoding="utf-8")
    (root / "empty.mp4").touch()
    return root


def encoded(image):
    return cv2.imencode(".png", image)[1].tobytes()


def decode(crop):
    return cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_every_input_frame_has_its_row(root, tmp_path):
    report = crop_shard(root, SEQUENCES, WHOLE, tmp_path / "s.arrow", tmp_path / "work")

    table = open_shard(tmp_path / "s.arrow")
    rows = list(zip(table["sequence"].to_pylist(), table["frame"].to_pylist(), strict=True))
    assert rows == [
        *(("one", n) for n in range(1, 301)),
        *(("images", n) for n in (1, 4, 5)),
        ("text", 5),
        *((f"still{n}", 0) for n in (21, 22, 23)),
        *(("two", n) for n in range(20)),
        *(("empty", n) for n in (1, 2, 3)),
    ]
    times = dict(zip(rows, table["time"].to_pylist(), strict=True))
    assert [times["two", n] for n in range(20)] == pytest.approx([n / 25 for n in range(20)])
    assert {times[row] for row in rows if row[0] not in ("one", "two")} == {None}
    undecodable = [("text", 5), ("still22", 0), ("empty", 1), ("empty", 2), ("empty", 3)]
    for row, status, jpeg in zip(rows, table["status"].to_pylist(), table["crop"].to_pylist(), strict=True):
        assert status == ("undecodable" if row in undecodable else "detected")
        assert (jpeg is None) == (row in undecodable)
        if jpeg is not None:
            name, frame = row
            number = int(name[5:]) if name.startswith("still") else frame - (name in ("one", "images"))
            assert read_number(decode(jpeg)) == number
    assert report.frames == len(rows)
    assert report.statuses == dict.fromkeys(STATUSES, 0) | {"detected": len(rows) - 5, "undecodable": 5}
    assert [name for name, _ in report.problems] == ["text", "still22", "empty"]
    assert "3 frames from 1 on" in dict(report.problems)["empty"]
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("detector", ["none", "lbp", "mtcnn"])
def test_a_shard_has_the_same_bytes_with_any_number_of_threads(detector, root, tmp_path):
    images = {f"F/T/{n}.png": encoded(numbered_image(n, 80, 80)) for n in range(12)}
    put_zip(root / "zipped.zip", images | {"F/T/9.png": b""})
    sequences = [*SEQUENCES, recorded("zipped.zip", "zip", inside="F/T")]
    found = set()
    for threads in (1, 2, 5):
        settings = WHOLE.model_copy(update={"detector": detector, "threads": threads, "every": 3})
        target = tmp_path / f"{threads}.arrow"
        assert crop_shard(root, sequences, settings, target, tmp_path / "work").frames == 342
        found.add(target.read_bytes())
    assert len(found) == 1


def test_an_error_while_encoding_in_threads_is_raised(root, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "imencode", lambda *arguments: (False, np.empty(0, np.uint8)))
    settings = WHOLE.model_copy(update={"threads": 3})
    with pytest.raises(ClefError, match=r"crop\.size: OpenCV cannot encode"):
        crop_shard(root, SEQUENCES, settings, tmp_path / "s.arrow", tmp_path / "work")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("crop", "read ahead"))]


class FixedDetector(Detector):
    """Finds the same three faces in every image."""

    finds_landmarks = False
    fingerprint = {"name": "fixed", "library": None, "weights": None}  # noqa: RUF012

    def detect(self, images):
        boxes = [(0.0, 0.0, 60.0, 60.0), (70.0, 50.0, 20.0, 20.0), (70.0, 10.0, 20.0, 20.0)]
        return [[Face(box, 0.9) for box in boxes] for _ in images]


@pytest.mark.parametrize(
    ("annotated", "left_top"),
    [
        ((68, 48, 24, 24), (70, 50)),  # not the largest face, but the annotated one
        ((55, 45, 30, 30), (70, 50)),  # overlaps two faces
        ((71, 51, 5, 15), (70, 50)),  # annotated too small
        ((0, 0, 0, 0), (0, 0)),  # no face is annotated: as without annotation
        (None, (0, 0)),
    ],
)
def test_a_detector_crops_the_annotated_face_among_several(annotated, left_top, tmp_path, monkeypatch):
    monkeypatch.setattr(crop, "build_detector", lambda settings: FixedDetector())
    cv2.imwrite(str(tmp_path / "a.png"), np.full((100, 100, 3), (0, 0, 240), np.uint8))
    sequences = [recorded("a.png", "image", box=annotated)]
    crop_shard(tmp_path, sequences, CropParams(size=32), tmp_path / "s.arrow", tmp_path / "work")
    (row,) = open_shard(tmp_path / "s.arrow").to_pylist()
    assert (row["x"], row["y"], row["faces"], row["status"]) == (*left_top, 3, "detected")
    assert decode(row["crop"]).mean(axis=(0, 1)) == pytest.approx([240, 0, 0], abs=15)  # red stays red


@pytest.mark.parametrize("annotated", [(90, 80, 5, 5), (91, 50, 20, 20), (84, 48, 24, 24)])
def test_another_face_does_not_step_in_for_an_annotated_one(annotated, tmp_path, monkeypatch):
    monkeypatch.setattr(crop, "build_detector", lambda settings: FixedDetector())
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((100, 100, 3), np.uint8))
    sequences = [recorded("a.png", "image", box=annotated)]
    crop_shard(tmp_path, sequences, CropParams(size=32), tmp_path / "s.arrow", tmp_path / "work")
    (row,) = open_shard(tmp_path / "s.arrow").to_pylist()
    assert (row["status"], row["faces"], row["crop"]) == ("no_face", 3, None)


def test_the_neighbour_of_a_hidden_annotated_face_is_not_cropped(testdata, tmp_path):
    image, box = cv2.imread(str(testdata / "multi_face.jpg")), (682, 289, 112, 136)
    cv2.imwrite(str(tmp_path / "whole.png"), image)
    cv2.rectangle(image, (672, 279), (804, 435), (127, 127, 127), cv2.FILLED)
    cv2.imwrite(str(tmp_path / "hidden.png"), image)
    sequences = [recorded(name, "image", box=box) for name in ("whole.png", "hidden.png")]
    crop_shard(tmp_path, sequences, CropParams(), tmp_path / "s.arrow", tmp_path / "work")
    shown, hidden = open_shard(tmp_path / "s.arrow").to_pylist()
    assert (shown["status"], shown["faces"], hidden["status"], hidden["faces"]) == ("detected", 5, "no_face", 4)
    assert shown["x"] == pytest.approx(682, abs=10)


def test_a_recording_of_several_people_is_read_twice_and_shows_one_of_them(tmp_path, monkeypatch):
    read, counts = [], {"alone": 0, "two": 0}

    def count_reads(root, sequence, **more):
        read.append(sequence.sequence)
        return read_frames(root, sequence, **more)

    def progress(name, frames):
        counts[name] += frames

    monkeypatch.setattr(crop, "read_frames", count_reads)
    monkeypatch.setattr(crop, "build_detector", lambda settings: RectangleDetector())
    write_video(tmp_path / "alone.mp4", [draw((20, 30)) for _ in range(30)])
    others = [(), ((120, 20),), ((120, 40),)]  # nobody, then somebody smaller, then somebody larger
    write_video(tmp_path / "two.mp4", [draw((20, 30), *others[n // 100]) for n in range(300)])
    sequences = [recorded("alone.mp4"), recorded("two.mp4")]
    settings = CropParams(size=32, align="box", every=5)
    report = crop_shard(tmp_path, sequences, settings, tmp_path / "s.arrow", tmp_path / "work", progress)
    table = open_shard(tmp_path / "s.arrow").to_pandas()
    assert table["frame"].tolist() == [*range(30), *range(300)]
    assert table["x"].tolist() == pytest.approx([20] * 330, abs=1)
    assert set(table["faces"].dropna()) == {1, 2}
    assert report.frames == 330
    assert read == ["alone", "two", "two"]
    assert counts == {"alone": 30, "two": 300}


def test_a_crop_that_cannot_be_encoded_is_one_line(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "a.png"), numbered_image(1))
    monkeypatch.setattr(cv2, "imencode", lambda *arguments: (False, np.empty(0, np.uint8)))
    message = r"^crop\.size: OpenCV cannot encode a crop of 64 pixels as JPEG; use a smaller size$"
    with pytest.raises(ClefError, match=message):
        crop_shard(tmp_path, [recorded("a.png", "image")], WHOLE, tmp_path / "s.arrow", tmp_path / "work")


class StoppedError(Exception):
    pass


def stop_after(frames):
    counts = []

    def progress(_, count):
        counts.append(count)
        if sum(counts) >= frames:
            raise StoppedError

    return progress


@pytest.mark.parametrize("stop", [1, 301, 306])
def test_a_resumed_job_gives_the_same_bytes_and_repeats_no_finished_part(stop, root, tmp_path):
    whole, target, work = tmp_path / "whole.arrow", tmp_path / "s.arrow", tmp_path / "work"
    expected = crop_shard(root, SEQUENCES, WHOLE, whole, tmp_path / "other")

    with pytest.raises(StoppedError):
        crop_shard(root, SEQUENCES, WHOLE, target, work, stop_after(stop))
    assert not target.exists()
    finished = {file.name: file.stat().st_mtime_ns for file in work.glob("*.json")}
    kept = {}

    def record(*_):
        kept.update({f.name: f.stat().st_mtime_ns for f in work.glob("*.json") if f.name in finished})

    assert crop_shard(root, SEQUENCES, WHOLE, target, work, record) == expected
    assert kept == finished
    assert target.read_bytes() == whole.read_bytes()


def test_changed_settings_or_a_changed_source_invalidate_a_finished_part(root, tmp_path):
    target, work = tmp_path / "s.arrow", tmp_path / "work"
    with pytest.raises(StoppedError):
        crop_shard(root, SEQUENCES, WHOLE, target, work, stop_after(303))
    write_video(root / "one.mp4", [numbered_image(n + 5, 80, 80) for n in range(10)])
    crop_shard(root, SEQUENCES[:1], WHOLE, target, work)
    table = open_shard(target)
    assert table.num_rows == 10
    assert read_number(decode(table["crop"][0].as_py())) == 5

    with pytest.raises(StoppedError):
        crop_shard(root, SEQUENCES, WHOLE, target, work, stop_after(11))
    crop_shard(root, SEQUENCES[:1], WHOLE.model_copy(update={"size": 96}), target, work)
    assert decode(open_shard(target)["crop"][0].as_py()).shape == (96, 96, 3)
    assert read_fingerprint(target)["size"] == 96


@pytest.mark.parametrize("lost_at", ["one", "three"])
def test_a_job_that_loses_its_lease_leaves_the_work_folder_to_the_new_holder(lost_at, tmp_path):
    root, target, work = tmp_path / "raw", tmp_path / "s.arrow", tmp_path / "s.work"
    for number, name in enumerate(("one", "two", "three")):
        (root / name).mkdir(parents=True)
        cv2.imwrite(str(root / name / "0.png"), numbered_image(number, 80, 80))
    sequences = [recorded(name, "images") for name in ("one", "two", "three")]
    times: dict[str, int] = {}

    def lose(name: str, _: int) -> None:
        if name == lost_at:
            (work / "three.json").write_text("{}")  # by the new holder
            times.update({path.name: path.stat().st_mtime_ns for path in work.glob("[a-z]*")})

    def guard() -> None:
        if times:
            raise ClefError("lease lost")

    with guard_writes(guard), pytest.raises(ClefError, match="lease lost"):
        crop_shard(root, sequences, WHOLE, target, work, lose)
    assert {path.name: path.stat().st_mtime_ns for path in work.iterdir()} == times
    assert not target.exists()


QUICK = {"every": 6, "detect_size": 320, "align": "box", "size": 64}


@pytest.mark.parametrize(
    ("detector", "options"),
    [
        ("mtcnn", QUICK),
        ("yunet", QUICK),
        ("lbp", QUICK),
        pytest.param("mtcnn", {}, marks=pytest.mark.slow, id="mtcnn-defaults"),
    ],
)
def test_real_recordings_keep_every_row_and_lose_the_face_when_it_leaves(detector, options, testdata, tmp_path):
    weights = str(testdata / "yunet_n_640_640.onnx") if detector == "yunet" else None
    settings = CropParams(detector=detector, weights=weights, **options)
    sources = ["WolfgangLanger_Pexels.mp4", "face_noface.mov", "multi_face.jpg", "no_face.jpg"]
    kinds = {".mp4": "video", ".mov": "video", ".jpg": "image"}
    sequences = [inspect_sequence(testdata, recorded(source, kinds[source[-4:]])) for source in sources]
    report = crop_shard(testdata, sequences, settings, tmp_path / "s.arrow", tmp_path / "work")
    assert report.problems == []
    table = open_shard(tmp_path / "s.arrow").to_pandas()
    assert table["frame"].tolist() == [*range(472), *range(169), 0, 0]
    moving = table[table["sequence"] == "face_noface"]
    assert moving.loc[moving["crop"].notna(), "frame"].tolist() == list(range(72))
    if detector != "lbp":
        assert table.loc[table["sequence"] == "WolfgangLanger_Pexels", "crop"].notna().all()
        assert table[["status", "faces"]].tail(2).to_numpy().tolist() == [["detected", 5], ["no_face", 0]]
