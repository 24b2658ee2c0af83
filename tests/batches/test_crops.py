import threading

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from clef.batches.crops import AHEAD, Crops, load_steps
from clef.errors import ClefError
from clef.faces.shard import SCHEMA, write_shard

BLUE = [60, 100, 140, 20]
BATCHES = [np.array([step % 4, (step + 1) % 4]) for step in range(6)]


@pytest.fixture
def crops(tmp_path) -> Crops:
    """Frames of two shards of plain colours; their blue is `BLUE`."""
    shards = {}
    for shard, name in enumerate("ab"):
        batches = []
        for row in range(4):
            image = np.full((32, 32, 3), (100 * shard + 20 * row, 0, 250), np.uint8)  # blue, green, red
            encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
            rows = [{"sequence": name, "frame": row, "status": "detected", "crop": encoded}]
            batches.append(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
        shards[name] = tmp_path / f"{name}.arrow"
        write_shard(shards[name], batches, {})
    frames = {"shard": list("abba"), "sequence": list("abba"), "row": [3, 0, 2, 1], "frame": [3, 0, 2, 1]}
    return Crops(shards, pd.DataFrame(frames), {})


def test_crops_are_decoded_to_rgb_in_the_order_of_the_indices(crops):
    images = crops.decode(np.array([2, 0, 2]))
    assert images.shape == (3, 3, 32, 32)
    colours = images[:, [0, 2]].float().mean(dim=(2, 3))
    np.testing.assert_allclose(colours, [[250, BLUE[index]] for index in (2, 0, 2)], atol=2)


def test_a_damaged_crop_is_an_error(crops, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    with pytest.raises(ClefError, match=r"b\.arrow: row 2 is not a JPEG"):
        crops.decode(np.array([2]))


def view(images, indices, step):
    """A view that depends on all that it is given."""
    return images.float() + 1000 * step + torch.from_numpy(indices)[:, None, None, None]


def load(crops, steps, workers, batch=BATCHES.__getitem__):
    return load_steps(crops, batch, steps, view, torch.device("cpu"), workers)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_threads_load_the_same_steps_in_order(crops, workers):
    found = list(load(crops, range(2, 6), workers))
    assert [indices.tolist() for indices, _ in found] == [[2, 3], [3, 0], [0, 1], [1, 2]]
    for step, (indices, seen) in zip(range(2, 6), found, strict=True):
        assert torch.equal(seen, view(crops.decode(indices), indices, step))


def test_threads_of_the_loader_use_no_further_threads(crops):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        steps = load_steps(
            crops, BATCHES.__getitem__, range(4), lambda *_: torch.get_num_threads(), torch.device("cpu"), 2
        )
        assert [number for _, number in steps] == [1] * 4
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_threads_load_few_batches_ahead_and_end_with_their_reader(crops):
    asked = []

    def batch(step: int) -> np.ndarray:
        asked.append(step)
        return BATCHES[step % 6]

    steps = load(crops, range(1000), 2, batch)
    next(steps)
    assert len(asked) == AHEAD * 2
    steps.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("load")]


def test_a_damaged_crop_in_a_thread_is_an_error_of_its_step(crops, monkeypatch):
    decode_one = Crops._decode_one
    monkeypatch.setattr(Crops, "_decode_one", lambda self, index: decode_one(self, 99 if index == 3 else index))
    steps = load(crops, range(1, 4), 2)
    next(steps)
    with pytest.raises(IndexError):
        next(steps)


def test_shards_that_do_not_match_the_manifest_are_refused(crops, tmp_path):
    shards, frames = crops._paths, pd.DataFrame({"shard": ["a"], "sequence": ["a"], "row": [1], "frame": [1]})
    Crops(shards, frames, {})
    with pytest.raises(ClefError, match="no shard b"):
        Crops({"a": tmp_path / "a.arrow"}, pd.DataFrame({"shard": ["a", "b"], "row": [0, 0]}), {})
    with pytest.raises(ClefError, match=r"crop settings are {}, but the manifest has {'size': 3}"):
        Crops(shards, frames, {"size": 3})
    for wrong in ({"frame": [2]}, {"sequence": ["b"]}, {"row": [9]}):
        with pytest.raises(ClefError, match="its frames differ from those of the manifest"):
            Crops(shards, frames.assign(**wrong), {})
