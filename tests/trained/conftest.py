"""A finished toy run with two folds, whose stage 2 starts from nothing, and its export."""

import json

import numpy as np
import pandas as pd
import pytest
from torch import Tensor

from clef.batches.crops import Crops
from clef.datasets import open_dataset
from clef.evaluation.run.summary import summarize, write_summary
from clef.faces.shard import CROPPED
from clef.manifest.folds import make_folds
from clef.manifest.table import manifest_fingerprint
from clef.trained.export import export_run
from clef.trained.run_members import run_config
from clef.training.finetune import finetune
from tests.toy import make_toy, toy_params
from tests.training.stages import evaluated

LABELS = ["AU01", "AU04", "AU12"]


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory):
    """Folder of the results."""
    params = toy_params(folds={"number": 2}, pretrain=None)
    inputs = make_toy(tmp_path_factory.mktemp("toy"), params)
    run = tmp_path_factory.mktemp("results") / "toy-run"
    for fold in make_folds(open_dataset(params)):
        folder = run / "seed0" / f"fold{fold.number}"
        folder.mkdir(parents=True)
        files = folder / "finetune.safetensors", folder / "finetune.epochs.parquet"
        finetune(params, 0, fold, inputs, None, *files)
        evaluated(folder, params, fold, inputs, files)
    metrics = [json.loads(path.read_text()) for path in sorted(run.glob("seed0/fold*/metrics.json"))]
    write_summary(run, *summarize(metrics, "toy-run", bootstrap=20))
    return run, inputs


@pytest.fixture(scope="session")
def exported(toy_run, tmp_path_factory):
    """Folder of the exported run."""
    folder = tmp_path_factory.mktemp("exported") / "toy-model"
    export_run(toy_run[0], run_config(toy_run[0]), folder)
    return folder


def evaluated_crops(toy_run, fold: int) -> tuple[Tensor, np.ndarray]:
    """The crops of a fold's test frames, and the probabilities that its evaluation wrote."""
    folder, inputs = toy_run
    predictions = pd.read_parquet(folder / f"seed0/fold{fold}/predictions.parquet")
    predictions = predictions[predictions["status"].isin(CROPPED)]
    frames = pd.read_parquet(inputs.manifest)
    test = predictions[["sequence", "frame"]].merge(frames, on=["sequence", "frame"])
    crops = Crops(inputs.shards, test, manifest_fingerprint(inputs.manifest)).decode(np.arange(len(test)))
    return crops, predictions[[f"p_{name}" for name in LABELS]].to_numpy()
