from collections import namedtuple
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from clef.cli.data import ingest
from clef.cli.find_run import settings
from clef.errors import ClefError
from clef.params.schema import CropParams, ModelParams, RenderParams
from clef.runs.load import load_params
from clef.runtime import disk_space
from clef.runtime.disk_space import (
    crop_bytes,
    demo_bytes,
    require_space,
    require_writable,
    training_bytes,
)
from tests.mounts import unwritable

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    """Set the free space of all disks."""
    return lambda size: monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda folder: Usage(2e12, 2e12, size))


@pytest.mark.parametrize(("size", "quality"), [(72, 95), (160, 75), (256, 50)])
def test_estimate_of_crops_fits_real_faces(testdata, size, quality):
    faces = cv2.imread(str(testdata / "multi_face.jpg"))
    detector = cv2.FaceDetectorYN.create(str(testdata / "yunet_n_640_640.onnx"), "", faces.shape[1::-1], 0.7)
    _, found = detector.detect(faces)
    sizes = []
    for x, y, width, height in found[:, :4].astype(int):
        face = faces[max(y, 0) : y + height, max(x, 0) : x + width]
        crop = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
        sizes.append(len(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]))
    assert 0.6 < crop_bytes(CropParams(size=size, quality=quality)) / np.mean(sizes) < 1.6


@pytest.mark.parametrize("kind", ["videos", "stills"])
def test_estimate_of_a_demo_set_fits(kind, tmp_path):
    from clef.demo.render import render_demo

    params = {"subjects": 2, "activities": 2, "seconds": (1.0, 1.0), "train_images": 9, "test_images": 1}
    render = RenderParams(kind=kind, size=320, **params)
    render_demo(render, tmp_path, 1)
    written = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.suffix in (".mp4", ".jpg"))
    assert 0.4 < demo_bytes(render) / written < 2.5


def test_estimate_of_a_training_is_small_for_the_demo_only():
    assert training_bytes(ModelParams(name="clef-tiny")) < 5e7 < training_bytes(ModelParams())


@pytest.mark.parametrize(("size", "tight"), [(1e12, False), (1.1e9, True), (0.6e9, True)])
def test_needed_space_is_reported_with_a_warning(size, tight, tmp_path, free):
    free(size)
    (line,) = require_space({tmp_path / "missing": 6e8, tmp_path / "b": 4e8})
    assert "about 1.0 GB needed in" in line
    assert ("TIGHT" in line) == tight


def test_too_little_space_is_an_error(tmp_path, free):
    free(4e8)
    with pytest.raises(ClefError, match=r"needs about 1\.0 GB, the disk has 400\.0 MB free; free some space") as raised:
        require_space({tmp_path / "data": 1e9})
    assert "\n" not in str(raised.value)
    (line,) = require_space({tmp_path: 1e8}, at_least=True)
    assert line.startswith("at least 100.0 MB needed in")


def test_ingest_refuses_crops_that_do_not_fit(tmp_path, free, monkeypatch):
    sequences = [SimpleNamespace(shard=shard, frames=1000) for shard in ("a", "b")]
    inventory = SimpleNamespace(sequences=sequences, report=SimpleNamespace(verdict="usable"))
    monkeypatch.setattr("clef.ingest.inventory.ingest", lambda *_: inventory)
    monkeypatch.setattr(settings, "params_folder", Path(__file__).parents[2] / "params")
    free(5)
    with pytest.raises(ClefError, match=r"the crops of these recordings need about [\d.]+ MB, the disk has 5 bytes"):
        ingest("demo", tmp_path, tmp_path / "sequences.parquet")
    crops = tmp_path / load_params(settings.params_folder / "demo.yaml").crop_digest
    crops.mkdir()
    for shard in ("a", "b"):
        (crops / f"{shard}.arrow").touch()
    ingest("demo", tmp_path, tmp_path / "sequences.parquet")


def test_writable_folders_are_left_as_they_are(tmp_path):
    require_writable([tmp_path / "results" / "demo", tmp_path])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["file", "dangling link", "read-only"])
def test_folder_that_is_not_writable_is_an_error(tmp_path, kind):
    place = tmp_path / "results"
    if kind == "file":
        place.touch()
    elif kind == "dangling link":
        place.symlink_to(tmp_path / "unmounted" / "disk")
    expected = pytest.raises(ClefError, match=rf"^{place}: not writable \(.+\); change its permissions")
    with unwritable(place) if kind == "read-only" else nullcontext(), expected as raised:
        require_writable([place / "demo" / "seed0"])
    assert "\n" not in str(raised.value)


def test_disks_are_counted_separately(tmp_path):
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    assert len(require_space({tmp_path: 1.0, other: 1.0})) == 2
