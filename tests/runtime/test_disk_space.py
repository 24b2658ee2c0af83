from collections import namedtuple
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clef.cli.data import ingest
from clef.cli.find_run import settings
from clef.errors import ClefError
from clef.params.schema import CropParams, ModelParams, RenderParams
from clef.recordings.sequence import RecordedSequence
from clef.runs.load import load_params
from clef.runtime import disk_space
from clef.runtime.disk_space import (
    crop_bytes,
    crops_to_make,
    demo_bytes,
    model_bytes,
    readable,
    require_space,
    require_writable,
)
from tests.mounts import unwritable

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("name", ["clef-tiny", "ViT-B-32"])
def test_weights_are_estimated_without_building_them(name):
    import open_clip

    import clef.model.tasks  # noqa: F401  # makes the project's own configurations known

    size = open_clip.get_model_config(name)["vision_cfg"]["image_size"]
    model = open_clip.create_model(name)
    really = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    assert 0.95 < model_bytes(ModelParams(name=name, image_size=size)) / really < 1.05


def test_an_unknown_model_is_taken_for_a_large_one():
    assert model_bytes(ModelParams(name="no-such-model")) > 5e8


@pytest.mark.parametrize(("size", "quality"), [(72, 95), (160, 75), (256, 95), (256, 50)])
def test_crops_of_a_real_face_are_as_large_as_estimated(testdata, size, quality):
    faces = cv2.imread(str(testdata / "multi_face.jpg"))
    detector = cv2.FaceDetectorYN.create(str(testdata / "yunet_n_640_640.onnx"), "", faces.shape[1::-1], 0.7)
    _, found = detector.detect(faces)
    sizes = []
    for x, y, width, height in found[:, :4].astype(int):
        crop = cv2.resize(
            faces[max(y, 0) : y + height, max(x, 0) : x + width], (size, size), interpolation=cv2.INTER_AREA
        )
        sizes.append(len(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]))
    assert 0.6 < crop_bytes(CropParams(size=size, quality=quality)) / np.mean(sizes) < 1.6


@pytest.mark.parametrize("kind", ["videos", "stills"])
def test_a_demo_set_is_as_large_as_estimated(kind, tmp_path):
    from clef.demo.render import render_demo

    settings = RenderParams(
        kind=kind, size=320, subjects=2, activities=2, seconds=(1.0, 1.0), train_images=20, test_images=5
    )
    render_demo(settings, tmp_path, 1)
    written = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.suffix in (".mp4", ".jpg"))
    assert 0.4 < demo_bytes(settings) / written < 2.5


@pytest.mark.parametrize(("free", "tight"), [(1e12, False), (1.1e9, True), (0.6e9, True)])
def test_what_may_fit_is_told_with_a_warning_where_it_is_tight(free, tight, tmp_path, monkeypatch):
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda folder: Usage(2e12, 2e12 - free, free))
    (line,) = require_space({tmp_path / "not yet there": 6e8, tmp_path / "b": 4e8})
    assert "about 1.0 GB needed in" in line
    assert ("TIGHT" in line) == tight


def test_what_cannot_fit_is_an_error_of_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda folder: Usage(1e9, 6e8, 4e8))
    with pytest.raises(ClefError, match=r"needs about 1.0 GB, the disk has 400 MB free; free some space") as raised:
        require_space({tmp_path / "data": 1e9})
    assert "\n" not in str(raised.value)


def test_what_is_only_known_in_part_is_told_as_the_least(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda folder: Usage(1e9, 6e8, 4e8))
    (line,) = require_space({tmp_path: 1e8}, at_least=True)
    assert line.startswith("at least 100 MB needed in")
    with pytest.raises(ClefError, match=r"the crops need at least 1\.0 GB, the disk has"):
        require_space({tmp_path: 1e9}, at_least=True, purpose="the crops need")


def test_crops_that_are_there_need_no_more_space(tmp_path):
    settings, frames = CropParams(), [("a", 10), ("a", 20), ("b", 5)]
    assert crops_to_make(settings, frames, tmp_path / "none") == 35 * crop_bytes(settings)
    (tmp_path / "a.arrow").touch()
    assert crops_to_make(settings, frames, tmp_path) == 5 * crop_bytes(settings)


def test_crops_that_cannot_fit_are_told_once_their_frames_are_counted(tmp_path, monkeypatch):
    def listed(*arguments: object) -> list[RecordedSequence]:
        return [
            RecordedSequence("demo", name, name, None, None, name, "video", name, 1, frames=1000) for name in ("a", "b")
        ]

    monkeypatch.setattr("clef.ingest.sequences.ingest", listed)
    monkeypatch.setattr(settings, "params_folder", Path(__file__).parents[2] / "params")
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda folder: Usage(9, 9, 5))
    with pytest.raises(
        ClefError, match=r"the crops of what was listed need about [\d.]+ MB, the disk has 5 bytes free"
    ):
        ingest("demo", tmp_path, tmp_path / "sequences.parquet")
    crops = tmp_path / load_params(settings.params_folder / "demo.yaml").crop_digest
    crops.mkdir()
    for name in ("a", "b"):
        (crops / f"{name}.arrow").touch()
    ingest("demo", tmp_path, tmp_path / "sequences.parquet")


def test_folders_that_can_be_made_and_written_leave_no_trace(tmp_path):
    require_writable([tmp_path / "results" / "demo", tmp_path])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["file", "dangling link", "read-only"])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, what):
    place = tmp_path / "results"
    if what == "file":
        place.touch()
    elif what == "dangling link":
        place.symlink_to(tmp_path / "unmounted" / "disk")
    told = pytest.raises(ClefError, match=rf"^{place}: cannot be written \(.+\); give this user the right")
    with unwritable(place) if what == "read-only" else nullcontext(), told as raised:
        require_writable([place / "demo" / "seed0"])
    assert "\n" not in str(raised.value)


def test_folders_on_different_disks_are_counted_apart(tmp_path):
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    assert len(require_space({tmp_path: 1.0, other: 1.0})) == 2


@given(st.floats(0, 9e14))
def test_sizes_are_read_at_a_glance(size):
    number, unit = readable(size).split()
    told = float(number) * {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert told == pytest.approx(size, rel=0.06, abs=0.5)
    assert len(number) <= 5
