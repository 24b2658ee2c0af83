import multiprocessing
import os
import pickle
import signal
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clef.batches.crops import Crops, load_steps
from clef.errors import ClefError
from clef.faces.shard import SCHEMA, write_shard
from tests.mounts import with_shared_memory

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
    assert len(pickle.dumps(crops)) < 3000  # for workers, without the images


def test_a_damaged_crop_is_an_error(crops, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    with pytest.raises(ClefError, match=r"b\.arrow: row 2 is not a JPEG"):
        crops.decode(np.array([2]))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_worker_survives_signals_to_the_process_group_and_loads_the_same_steps(crops, start):
    crops.decode(np.array([0]))
    expected = list(load_steps(crops, BATCHES.__getitem__, range(2, 6), 0))
    assert [indices.tolist() for indices, _ in expected] == [[2, 3], [3, 0], [0, 1], [1, 2]]
    loader = load_steps(crops, BATCHES.__getitem__, range(2, 6), 1)
    loader.multiprocessing_context = start
    loaded = iter(loader)
    found = [next(loaded)]
    (worker,) = multiprocessing.active_children()
    os.kill(worker.pid, signal.SIGINT)
    os.kill(worker.pid, signal.SIGTERM)
    found += loaded
    for (indices, images), (same_indices, same_images) in zip(found, expected, strict=True):
        assert (indices == same_indices).all()
        assert (images == same_images).all()


LOAD = """
import logging, pickle, sys
from clef.batches.crops import load_steps
logging.basicConfig(level="NOTICE")
crops, batch = pickle.load(sys.stdin.buffer)
for indices, images in load_steps(crops, ([batch] * 4).__getitem__, range(4), 2):
    print(len(indices), images.sum().item())
"""


def test_workers_need_no_more_shared_memory_than_docker_gives(crops):
    batch = np.arange(1000) % 4
    command = [*with_shared_memory("4m"), sys.executable, "-c", LOAD]
    ran = subprocess.run(command, input=pickle.dumps((crops, batch)), capture_output=True, timeout=600, check=True)
    assert ran.stdout.decode().splitlines() == [f"1000 {crops.decode(batch).sum()}"] * 4
    assert ran.stderr.count(b"/dev/shm is too small for crops") == 1


def test_the_size_of_crops_is_looked_up_once(crops, monkeypatch):
    decode, decoded = Crops.decode, []

    def counted(self, indices):
        decoded.append(len(indices))
        return decode(self, indices)

    monkeypatch.setattr(Crops, "decode", counted)
    for _ in range(3):
        load_steps(crops, BATCHES.__getitem__, range(2), 1)
    assert decoded == [1]


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
