"""Label files of full size have the published counts, rates and class weights in the manifest."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clef.datasets import open_dataset
from clef.datasets.disfa import LEFT_OUT_BY_JAA
from clef.faces.fingerprint import crop_fingerprint
from clef.faces.shard import SCHEMA, recordings_digest, write_shard
from clef.manifest import select
from clef.manifest.folds import make_folds
from clef.manifest.table import build_manifest
from clef.model.losses import inverse_rate_weight
from clef.params.schema import Params
from tests.datasets import full_size

BP4D_WEIGHTS = {
    "P3": "1.342985 1.689665 1.248091 .561356 .433044 .435894 .457287 .541004 1.408054 .722762 1.493145 1.666711",
    "P2": "1.191051 1.337315 1.246995 .558933 .468168 .418041 .440099 .581900 1.670360 .774237 1.586367 1.726535",
    "P1": "1.132895 1.519623 1.308560 .552098 .507140 .443118 .474432 .535111 1.496040 .749851 1.582501 1.698632",
}
DISFA_WEIGHTS = {
    "P3": "1.422290 2.347771 .399672 .795021 1.878217 .440125 .195583 .521322",
    "P2": "1.390215 1.469573 .527298 1.034498 1.672842 .656650 .303915 .945009",
    "P1": "1.510590 1.560063 .475896 .884891 1.656857 .570937 .277589 1.063177",
}
"""Class weights of ME-GraphAU by tested part; it calls P3 fold 1 and P1 fold 3."""
PARTS = ("P1", "P2", "P3")


def settings(adapter: str, **changes) -> Params:
    values = {"dataset": {"adapter": adapter}, "folds": {"protocol": "standard"}, "crop": {"detector": "none"}}
    return Params.model_validate(values | changes)


def manifest_of(params: Params, root: Path, windows: dict[str, range], folder: Path) -> tuple[Path, pd.DataFrame]:
    """Build the manifest of recordings that have exactly the labelled frames, all with a face."""
    dataset = open_dataset(params)
    sequences = dataset.sequences(root)
    shards = {}
    for shard in dataset.shards():
        own = [sequence for sequence in sequences if sequence.shard == shard and sequence.sequence in windows]
        frames = [frame for sequence in own for frame in windows[sequence.sequence]]
        names = [sequence.sequence for sequence in own for _ in windows[sequence.sequence]]
        nothing = [pa.nulls(len(frames), field.type) for field in SCHEMA]
        columns = dict(zip(SCHEMA.names, nothing, strict=True))
        columns |= {"sequence": pa.array(names), "frame": pa.array(frames, pa.int32())}
        columns |= {"status": pa.array(["detected"] * len(frames))}
        shards[shard] = folder / f"{shard}.arrow"
        rows = pa.RecordBatch.from_arrays(list(columns.values()), schema=SCHEMA)
        write_shard(shards[shard], [rows], crop_fingerprint(params.crop, {"name": "none"}), recordings_digest(own))
    present = [sequence for sequence in sequences if sequence.sequence in windows]
    path = folder / "manifest.parquet"
    return path, build_manifest(dataset, present, dataset.labels(root, present), shards, path)


def labelled_by(manifest: pd.DataFrame, column: str) -> dict[str, int]:
    return manifest[manifest["labelled"]].groupby(column).size().to_dict()


def by_part(manifest: pd.DataFrame, params: Params) -> dict[str, int]:
    by_subject = labelled_by(manifest, "subject")
    folds = zip(PARTS, make_folds(open_dataset(params)), strict=True)
    return {name: sum(by_subject[subject] for subject in fold.test_subjects) for name, fold in folds}


def check_weights(params: Params, manifest: Path, expected: dict[str, str]) -> None:
    for part, fold in zip(PARTS, make_folds(open_dataset(params)), strict=True):
        frames = select.training_frames(manifest, fold, params.labels, stride=1)
        rates = np.nanmean(select.targets(frames, params.labels), axis=0, dtype=np.float64)
        weights = inverse_rate_weight(rates.tolist()).tolist()
        assert weights == pytest.approx([float(weight) for weight in expected[part].split()], abs=0.7e-6)


def check_rates(params: Params, manifest: pd.DataFrame, tolerance: float) -> None:
    counts = open_dataset(params).published_counts
    labelled = manifest[manifest["labelled"]]
    for name, rate in counts.rates.items():
        codes = labelled[name][labelled[name] != 9]
        assert float((codes >= counts.threshold).mean()) == pytest.approx(rate, abs=tolerance), name


def test_bp4d(tmp_path):
    params = settings("bp4d")
    counts = open_dataset(params).published_counts
    path, manifest = manifest_of(params, tmp_path, full_size.write_bp4d(tmp_path), tmp_path)
    assert manifest["labelled"].sum() == counts.labelled_frames == 146_847
    assert labelled_by(manifest, "activity") == counts.frames_by["activity"]
    assert by_part(manifest, params) == counts.frames_by["fold"]
    assert (labelled_by(manifest, "sequence").keys()) == set(open_dataset(params).expected_sequences())
    check_rates(params, manifest, 0.0005)
    check_weights(params, path, BP4D_WEIGHTS)


def test_disfa(tmp_path):
    labels = {"action_units": list(full_size.DISFA_BENCHMARK), "threshold": 2}
    params = settings("disfa", labels=labels)
    counts = open_dataset(params).published_counts
    windows = full_size.write_disfa(tmp_path)
    path, manifest = manifest_of(params, tmp_path, windows, tmp_path)
    assert manifest["labelled"].sum() == counts.labelled_frames == 130_814
    assert by_part(manifest, params) == counts.frames_by["fold"]
    check_rates(params, manifest, 0.00051)
    check_weights(params, path, DISFA_WEIGHTS)
    params = settings("disfa", labels=labels, dataset={"adapter": "disfa", "options": {"leave_out": "jaa"}})
    _, manifest = manifest_of(params, tmp_path, windows, tmp_path)
    assert len(manifest) == 130_814
    assert by_part(manifest, params) == {"P1": 43_173, "P2": 40_344, "P3": 42_627}
    left_out = manifest[~manifest["labelled"]]
    assert set(left_out["subject"]) == set(LEFT_OUT_BY_JAA)
