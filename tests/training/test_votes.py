"""Stage 2 on annotators' votes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.training.beginning import beginning

from clef.datasets.ferplus import EMOTIONS
from clef.fixtures import write_fixture
from clef.fixtures.size import FixtureSize
from clef.manifest.folds import Fold
from clef.params.schema import Params
from clef.training.finetune import finetune
from clef.training.inputs import Inputs
from tests.fixtures.pipeline import CROP, Result, run_pipeline

OFFICIAL = Fold(0, (), ())


def settings(votes: str, balance: str) -> Params:
    return Params.model_validate(
        {
            "dataset": {"adapter": "ferplus", "options": {"blocks": 1}},
            "labels": {"kind": "expressions", "expressions": list(EMOTIONS), "votes": votes},
            "folds": {"protocol": "official", "number": 1},
            "crop": CROP | {"size": 40},
            "device": "cpu",
            "threads": 1,
            "model": {"name": "clef-tiny", "image_size": 32},
            "pretrain": None,
            "finetune": {"batch": 8, "epochs": 2, "balance": balance},
            "tracking": {"mlflow": False},
        }
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("ferplus")
    write_fixture("ferplus", "fer2013", folder / "raw", FixtureSize(frames=4))
    return folder, run_pipeline(settings("majority", "none"), folder / "raw", folder)


@pytest.mark.parametrize("balance", ["none", "classes"])
@pytest.mark.parametrize("votes", ["majority", "probability"])
def test_stage_2_learns_from_votes(copy, tmp_path, votes, balance):
    folder, result = copy
    target, epochs = tmp_path / "finetune.safetensors", tmp_path / "epochs.parquet"
    inputs = Inputs(folder / "manifest.parquet", result.shards)
    finetune(settings(votes, balance), 0, OFFICIAL, inputs, None, target, epochs)
    losses = [json.loads(line) for line in target.with_suffix(".metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(value) for step in losses for value in step.values() if isinstance(value, float))
    assert json.loads(target.with_suffix(".json").read_text())["labels"]["votes"] == votes
    predicted = pd.read_parquet(epochs)
    assert predicted["epoch"].nunique() == 2
    np.testing.assert_allclose(predicted[[f"p_{name}" for name in EMOTIONS]].sum(axis=1), 1, rtol=1e-4)


@pytest.mark.parametrize("votes", ["majority", "probability"])
def test_balanced_classes_are_drawn_equally_often(copy, tmp_path, votes):
    folder, result = copy
    inputs = Inputs(folder / "manifest.parquet", result.shards)

    def drawn(balance: str) -> np.ndarray:
        """How often each class is drawn in two epochs."""
        made = [tmp_path / "finetune.safetensors", tmp_path / "epochs.parquet"]
        plan = beginning(finetune, settings(votes, balance), 0, OFFICIAL, inputs, None, *made).plan
        targets = plan.targets(np.concatenate([plan.batch(step) for step in range(plan.steps)]))
        return np.unique(targets if targets.ndim == 1 else targets.argmax(dim=1), return_counts=True)[1]

    plain, balanced = drawn("none"), drawn("classes")
    assert np.ptp(plain) > 2
    assert np.ptp(balanced) <= 1
    assert len(balanced) == len(plain)


def test_expressions_have_no_weights(copy, tmp_path):
    folder, result = copy
    made = [tmp_path / "finetune.safetensors", tmp_path / "epochs.parquet"]
    params = settings("majority", "none")
    assert params.finetune.label_weight == "inverse"
    inputs = Inputs(folder / "manifest.parquet", result.shards)
    assert beginning(finetune, params, 0, OFFICIAL, inputs, None, *made).task.weight is None
