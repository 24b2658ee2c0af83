"""Stage 2 on annotators' votes."""

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
from clef.training.metrics_file import MetricsFile
from tests.fixtures.pipeline import CROP, run_pipeline
from tests.toy import toy_params
from tests.training.stages import planned, sidecar_of, stage2_files

OFFICIAL = Fold(0, (), ())


def settings(votes: str, balance: str) -> Params:
    return toy_params(
        dataset={"adapter": "ferplus", "name": "ferplus", "options": {"blocks": 1}},
        render=None,
        labels={"kind": "expressions", "expressions": list(EMOTIONS), "votes": votes},
        folds={"protocol": "official", "number": 1},
        crop=CROP,
        pretrain=None,
        finetune={"batch": 8, "epochs": 2, "balance": balance},
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Inputs:
    folder = tmp_path_factory.mktemp("ferplus")
    write_fixture("ferplus", "fer2013", folder / "raw", FixtureSize(frames=4))
    result = run_pipeline(settings("majority", "none"), folder / "raw", folder)
    return Inputs(folder / "manifest.parquet", result.shards)


@pytest.mark.parametrize(("votes", "balance"), [("majority", "none"), ("probability", "classes")])
def test_stage_2_learns_from_votes(inputs, tmp_path, votes, balance):
    target, epochs = stage2_files(tmp_path)
    finetune(settings(votes, balance), 0, OFFICIAL, inputs, None, target, epochs)
    records = MetricsFile(target.with_suffix(".metrics.jsonl")).read()
    assert all(np.isfinite(value) for record in records for value in record.values())
    assert sidecar_of(target)["labels"]["votes"] == votes
    predicted = pd.read_parquet(epochs)
    assert predicted["epoch"].nunique() == 2
    np.testing.assert_allclose(predicted[[f"p_{name}" for name in EMOTIONS]].sum(axis=1), 1, rtol=1e-4)


@pytest.mark.parametrize("votes", ["majority", "probability"])
def test_balanced_classes_are_drawn_equally_often_and_have_no_weights(inputs, tmp_path, votes):
    def draws(balance: str) -> np.ndarray:
        """Count the draws of each class in two epochs."""
        stage = planned(finetune, settings(votes, balance), 0, OFFICIAL, inputs, None, *stage2_files(tmp_path))
        assert stage.task.weight is None
        plan = stage.plan
        targets = plan.targets(np.concatenate([plan.batch(step) for step in range(plan.steps)]))
        return np.unique(targets if targets.ndim == 1 else targets.argmax(dim=1), return_counts=True)[1]

    plain, balanced = draws("none"), draws("classes")
    assert np.ptp(plain) > 2
    assert np.ptp(balanced) <= 1
    assert len(balanced) == len(plain)
