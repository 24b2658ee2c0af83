"""Label files with the sizes of BP4D and invented contents have the published counts and class weights."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from clef.datasets import open_dataset
from clef.datasets.base import Dataset
from clef.faces.fingerprint import crop_fingerprint
from clef.faces.shard import SCHEMA, recordings_digest, write_shard
from clef.manifest import select
from clef.manifest.folds import make_folds
from clef.manifest.table import build_manifest
from clef.model.losses import inverse_rate_weight
from clef.params.schema import Params
from tests.datasets import full_size

WEIGHTS = {
    "P1": "1.132895 1.519623 1.308560 .552098 .507140 .443118 .474432 .535111 1.496040 .749851 1.582501 1.698632",
    "P2": "1.191051 1.337315 1.246995 .558933 .468168 .418041 .440099 .581900 1.670360 .774237 1.586367 1.726535",
    "P3": "1.342985 1.689665 1.248091 .561356 .433044 .435894 .457287 .541004 1.408054 .722762 1.493145 1.666711",
}
"""Class weights of ME-GraphAU by tested part; it calls P3 fold 1 and P1 fold 3."""


def write_crops(dataset: Dataset, root: Path, windows: dict[str, range], folder: Path) -> dict[str, Path]:
    """Write shards of recordings that have exactly the labelled frames, all with a face."""
    shards = {}
    sequences = dataset.sequences(root)
    for shard in dataset.shards():
        own = [sequence for sequence in sequences if sequence.shard == shard]
        keys = [(sequence.sequence, frame) for sequence in own for frame in windows[sequence.sequence]]
        columns = {field.name: pa.nulls(len(keys), field.type) for field in SCHEMA}
        columns["sequence"] = pa.array([name for name, _ in keys])
        columns["frame"] = pa.array([frame for _, frame in keys], pa.int32())
        columns["status"] = pa.array(["detected"] * len(keys))
        rows = pa.RecordBatch.from_arrays(list(columns.values()), schema=SCHEMA)
        shards[shard] = folder / f"{shard}.arrow"
        fingerprint = crop_fingerprint(dataset.params.crop, {"name": "none"})
        write_shard(shards[shard], [rows], fingerprint, recordings_digest(own))
    return shards


def test_bp4d(tmp_path):
    values = {"dataset": {"adapter": "bp4d"}, "folds": {"protocol": "standard"}, "crop": {"detector": "none"}}
    params = Params.model_validate(values)
    dataset = open_dataset(params)
    counts = dataset.published_counts
    shards = write_crops(dataset, tmp_path, full_size.write_bp4d(tmp_path), tmp_path)
    sequences, path = dataset.sequences(tmp_path), tmp_path / "manifest.parquet"
    manifest = build_manifest(dataset, sequences, dataset.labels(tmp_path, sequences), shards, path)
    assert manifest["labelled"].sum() == counts.labelled_frames == 146_847
    assert set(manifest["sequence"]) == set(dataset.expected_sequences())
    for name, rate in counts.rates.items():
        assert float((manifest[name] == 1).mean()) == pytest.approx(rate, abs=0.0005), name
    for part, fold in zip(WEIGHTS, make_folds(dataset), strict=True):
        tested = manifest["subject"].isin(fold.test_subjects)
        assert tested.sum() == counts.frames_by["fold"][part]
        frames = select.training_frames(path, fold, params.labels, stride=1)
        rates = np.nanmean(select.targets(frames, params.labels), axis=0, dtype=np.float64)
        expected = [float(weight) for weight in WEIGHTS[part].split()]
        assert inverse_rate_weight(rates.tolist()).tolist() == pytest.approx(expected, abs=0.7e-6)
