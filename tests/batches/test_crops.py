import multiprocessing
import os
import pickle
import signal

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clef.batches.crops import Crops, in_batches, load_steps
from clef.errors import ClefError
from clef.faces.shard import SCHEMA, write_shard


@pytest.fixture
def crops(tmp_path) -> Crops:
    """Two shards of four plain colours each; the blue channel tells which."""
    shards = {}
    for shard, name in enumerate("ab"):
        batches = []
        for row in range(4):
            image = np.zeros((32, 32, 3), np.uint8)
            image[..., 0] = 100 * shard + 20 * row  # blue, in OpenCV's order
            image[..., 2] = 250
            encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
            rows = [{"sequence": name, "frame": row, "status": "detected", "crop": encoded}]
            batches.append(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
        shards[name] = tmp_path / f"{name}.arrow"
        write_shard(shards[name], batches, {})
    return Crops(
        shards,
        pd.DataFrame({"shard": list("abba"), "sequence": list("abba"), "row": [3, 0, 2, 1], "frame": [3, 0, 2, 1]}),
        {},
    )


BLUE = [60, 100, 140, 20]


def test_positions_give_their_own_crops_in_rgb(crops):
    images = crops.decode(np.array([2, 0, 2]))
    assert images.shape == (3, 3, 32, 32)
    assert images[:, 0].float().mean(dim=(1, 2)).tolist() == pytest.approx([250] * 3, abs=2)
    assert images[:, 2].float().mean(dim=(1, 2)).tolist() == pytest.approx([BLUE[2], BLUE[0], BLUE[2]], abs=2)


@pytest.mark.parametrize("workers", [0, 2])
def test_steps_come_in_order_whoever_decodes(crops, workers):
    def batch(step: int) -> np.ndarray:
        return np.array([step % 4, (step + 1) % 4])

    loaded = list(load_steps(crops, batch, range(3, 7), workers))
    assert [positions.tolist() for positions, _ in loaded] == [[3, 0], [0, 1], [1, 2], [2, 3]]
    for positions, images in loaded:
        assert images[:, 2].float().mean(dim=(1, 2)).tolist() == pytest.approx([BLUE[p] for p in positions], abs=2)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_steps_are_the_same_from_another_process_that_outlives_signals_to_all(crops, start):
    batch = [np.array([step % 4, (step + 1) % 4]) for step in range(6)].__getitem__
    crops.decode(np.array([0]))
    expected = list(load_steps(crops, batch, range(6), 0))
    loader = load_steps(crops, batch, range(6), 1)
    loader.multiprocessing_context = start
    loaded = iter(loader)
    found = [next(loaded)]
    (worker,) = multiprocessing.active_children()
    os.kill(worker.pid, signal.SIGINT)
    os.kill(worker.pid, signal.SIGTERM)
    found += loaded
    for (positions, images), (same_positions, same_images) in zip(found, expected, strict=True):
        assert (positions == same_positions).all()
        assert (images == same_images).all()


def test_a_mapped_reader_can_be_sent_to_another_process(crops):
    crops.decode(np.array([0]))
    assert len(pickle.dumps(crops)) < 3000
    assert len(pickle.loads(pickle.dumps(crops)).decode(np.array([0]))) == 1


def test_a_shard_that_is_not_given_is_named(crops, tmp_path):
    with pytest.raises(ClefError, match="no shard b"):
        Crops({"a": tmp_path / "a.arrow"}, pd.DataFrame({"shard": ["a", "b"], "row": [0, 0]}), {})


def test_shards_that_are_not_those_of_the_manifest_are_refused(crops):
    shards, frames = crops._paths, pd.DataFrame({"shard": ["a"], "sequence": ["a"], "row": [1], "frame": [1]})
    Crops(shards, frames, {})
    with pytest.raises(ClefError, match=r"cropped as {}, the manifest says {'size': 3}"):
        Crops(shards, frames, {"size": 3})
    for wrong in ({"frame": [2]}, {"sequence": ["b"]}, {"row": [9]}):
        with pytest.raises(ClefError, match="its frames are not those of the manifest"):
            Crops(shards, frames.assign(**wrong), {})


def test_batches_cover_everything_once():
    assert [batch.tolist() for batch in in_batches(5, 2)] == [[0, 1], [2, 3], [4]]
