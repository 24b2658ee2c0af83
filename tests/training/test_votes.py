"""Stage 2 on annotators' votes."""

import json

import numpy as np
import pandas as pd
import pytest

from clef.datasets.ferplus import EMOTIONS
from clef.fixtures import write_fixture
from clef.fixtures.size import FixtureSize
from clef.manifest.folds import Fold
from clef.params.schema import Params
from clef.training.finetune import finetune
from clef.training.inputs import Inputs
from tests.fixtures.pipeline import CROP, run_pipeline
from tests.training.planned import planned

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
def inputs(tmp_path_factory) -> Inputs:
    folder = tmp_path_factory.mktemp("ferplus")
    write_fixture("ferplus", "fer2013", folder / "raw", FixtureSize(frames=4))
    result = run_pipeline(settings("majority", "none"), folder / "raw", folder)
    return Inputs(folder / "manifest.parquet", result.shards)


@pytest.mark.parametrize(("votes", "balance"), [("majority", "none"), ("probability", "classes")])
def test_stage_2_learns_from_votes(inputs, tmp_path, votes, balance):
    target, epochs = tmp_path / "finetune.safetensors", tmp_path / "epochs.parquet"
    finetune(settings(votes, balance), 0, OFFICIAL, inputs, None, target, epochs)
    records = [json.loads(line) for line in target.with_suffix(".metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(value) for record in records for value in record.values() if isinstance(value, float))
    assert json.loads(target.with_suffix(".json").read_text())["labels"]["votes"] == votes
    predicted = pd.read_parquet(epochs)
    assert predicted["epoch"].nunique() == 2
    np.testing.assert_allclose(predicted[[f"p_{name}" for name in EMOTIONS]].sum(axis=1), 1, rtol=1e-4)


@pytest.mark.parametrize("votes", ["majority", "probability"])
def test_balanced_classes_are_drawn_equally_often_and_have_no_weights(inputs, tmp_path, votes):
    def draws(balance: str) -> np.ndarray:
        """Count the draws of each class in two epochs."""
        files = [tmp_path / "finetune.safetensors", tmp_path / "epochs.parquet"]
        stage = planned(finetune, settings(votes, balance), 0, OFFICIAL, inputs, None, *files)
        assert stage.task.weight is None
        plan = stage.plan
        targets = plan.targets(np.concatenate([plan.batch(step) for step in range(plan.steps)]))
        return np.unique(targets if targets.ndim == 1 else targets.argmax(dim=1), return_counts=True)[1]

    plain, balanced = draws("none"), draws("classes")
    assert np.ptp(plain) > 2
    assert np.ptp(balanced) <= 1
    assert len(balanced) == len(plain)
