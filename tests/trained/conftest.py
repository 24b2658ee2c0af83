"""A finished toy run with two folds, whose stage 2 starts from nothing."""

import json

import pytest

from clef.datasets import open_dataset
from clef.evaluation.run.summary import summarize, write_summary
from clef.manifest.folds import make_folds
from clef.training.finetune import finetune
from tests.toy import make_toy, toy_params
from tests.training.stages import evaluated


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
