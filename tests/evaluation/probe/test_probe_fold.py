"""The probe of one seed and fold on the toy set, from files to a file."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from clef.batches.augmentation import centre, normalise
from clef.batches.crops import Crops
from clef.batches.randomness import torch_seed
from clef.datasets import open_dataset
from clef.datasets.ferplus import EMOTIONS
from clef.errors import ClefError
from clef.evaluation.probe import probe_fold as module
from clef.evaluation.probe.features import image_features
from clef.evaluation.probe.probe import read_activity
from clef.evaluation.probe.probe_fold import probe_fold
from clef.faces.shard import CROPPED
from clef.fixtures import write_fixture
from clef.fixtures.size import FixtureSize
from clef.manifest import select
from clef.manifest.folds import Fold, fold_testing_all
from clef.manifest.table import manifest_fingerprint
from clef.model.encoders import Encoders
from clef.training.finetune import finetune
from clef.training.inputs import EvaluationData, Inputs
from tests.fixtures.pipeline import CROP, run_pipeline
from tests.toy import FRAMES, LABELLED, make_toy, toy_fold, toy_params
from tests.training.conftest import stage1, stage2, toy
from tests.training.stages import stage2_files

__all__ = ["stage1", "stage2", "toy"]

PARAMS = toy_params(probe={"stride": 1})
FOLD = toy_fold(PARAMS)
CPU = torch.device("cpu")


@pytest.fixture
def probed(toy, stage1, stage2, tmp_path):
    """A function that probes those weights, or others, and returns the JSON."""

    def probe(fold=FOLD, stage1=stage1, stage2=stage2[0], params=PARAMS, **more):
        probe_fold(params, 0, fold, toy, stage1, stage2, tmp_path / "probe.json", **more)
        return json.loads((tmp_path / "probe.json").read_text())

    return probe


def test_a_fold_is_probed_before_training_and_after_each_stage(toy, probed, stage2, tmp_path):
    found = probed()
    assert found["stage2"] == json.loads(stage2[0].with_suffix(".json").read_text())["sha256"]
    rows = {row.pop("weights"): row for row in found["rows"]}
    assert list(rows) == ["before training", "after stage 1", "after stage 2", "chance", "from true labels"]
    cropped, tested = len(LABELLED) - 1, 3 * len(FOLD.test_subjects)
    assert found["frames"] == {
        "training": 3 * len(FOLD.train_subjects) * cropped,
        "test": tested * cropped,
        "clips": tested * (FRAMES - 1),
    }
    assert rows["chance"] == {"identity": 0.5, "activity": pytest.approx(1 / 3, abs=1e-4), "auc": 0.5}
    assert rows["after stage 2"]["auc"] > 0.9  # squares in the picture
    labelled = select.test_labels(toy.manifest, FOLD, PARAMS.labels, 1)
    labelled = labelled[labelled["status"].isin(CROPPED)].dropna(subset=PARAMS.labels.names)
    truth, *names = (labelled[PARAMS.labels.names].to_numpy(float), *labelled[["subject", "activity"]].to_numpy().T)
    assert rows["from true labels"] == {"activity": pytest.approx(read_activity(truth, *names).score, abs=1e-4)}
    first = (tmp_path / "probe.json").read_bytes()
    probed()
    assert (tmp_path / "probe.json").read_bytes() == first
    fewer = probed(stage1=None, params=toy_params(probe={"stride": 4}))
    assert fewer["frames"]["clips"] == tested * 3
    assert "after stage 1" not in [row["weights"] for row in fewer["rows"]]


def test_every_row_has_the_encoders_and_the_normalisation_of_its_weights(probed, stage1, stage2, tmp_path, monkeypatch):
    states, means = [], []

    def features(encoders, *arguments):
        states.append({name: value.clone() for name, value in encoders.state_dict().items()})
        means.append(encoders.mean)
        return image_features(encoders, *arguments)

    monkeypatch.setattr(module, "image_features", features)
    weights = shutil.copy(stage2[0], tmp_path / "finetune.safetensors")
    sidecar = json.loads(stage2[0].with_suffix(".json").read_text())
    sidecar["normalisation"] = {"mean": [0.5] * 3, "std": [0.5] * 3}
    weights.with_suffix(".json").write_text(json.dumps(sidecar))
    probed(stage2=weights)
    assert [mean == (0.5, 0.5, 0.5) for mean in means] == [False] * 6 + [True] * 3
    torch.manual_seed(torch_seed(0))
    expected = [Encoders(PARAMS.model).state_dict(), load_file(stage1)]
    expected.append({name.removeprefix("encoders."): value for name, value in load_file(stage2[0]).items()})
    for state, wanted in zip(states, np.repeat(expected, 3), strict=True):  # training, test and clips
        assert all(torch.equal(value, wanted[name]) for name, value in state.items())


def test_features_are_those_of_single_crops_and_leave_the_encoders_unchanged(toy):
    frames = select.test_clips(toy.manifest, FOLD, 1)
    crops = Crops(toy.shards, frames, manifest_fingerprint(toy.manifest))
    encoders = Encoders(PARAMS.model)
    before = {name: value.clone() for name, value in encoders.state_dict().items()}
    features = image_features(encoders.train(), crops, 20, CPU)
    assert all(torch.equal(value, before[name]) for name, value in encoders.state_dict().items())
    assert all(parameter.grad is None for parameter in encoders.parameters())
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    for index in (0, 33):
        image = normalise(centre(crops.decode(np.array([index])), 32), encoders.mean, encoders.std)
        with torch.no_grad():
            np.testing.assert_allclose(features[index], encoders.images(image)[0], atol=1e-5)


def test_weights_that_saw_a_test_subject_are_refused(toy, probed, stage1, stage2, tmp_path):
    with pytest.raises(ClefError, match="are in training and in test"):
        probed(fold=toy_fold(PARAMS, 1))
    leaked = shutil.copy(stage1, tmp_path / "leaked.safetensors")
    sidecar = json.loads(stage1.with_suffix(".json").read_text())
    sidecar["trained_on"].append(["toy", FOLD.test_subjects[0]])
    leaked.with_suffix(".json").write_text(json.dumps(sidecar))
    with pytest.raises(ClefError, match=f"subjects {FOLD.test_subjects[0]} are in training and in test"):
        probed(stage1=leaked)
    assert not (tmp_path / "probe.json").exists()


def test_stages_that_do_not_belong_together_are_refused(toy, probed, stage1, tmp_path):
    files = stage2_files(tmp_path)
    finetune(toy_params(finetune={"epochs": 1}), 0, FOLD, toy, None, *files)
    with pytest.raises(ClefError, match=r"finetune\.safetensors started from another stage 1"):
        probed(stage2=files[0])
    with pytest.raises(ClefError, match=r"no such file; run `clef finetune` first"):
        probed(stage2=tmp_path / "missing.safetensors")
    with pytest.raises(ClefError, match=r"trained as clef-tiny at 32 pixels"):
        probed(params=toy_params(model={"image_size": 64}))


def test_subjects_of_another_data_set_may_have_the_same_names(probed, tmp_path):
    plus = toy_params(dataset={"name": "plus"})
    inputs = make_toy(tmp_path / "plus", plus)
    data = EvaluationData("plus", inputs, fold_testing_all(open_dataset(plus)), plus.labels)
    found = probed(other_dataset=data)
    assert found["frames"]["test"] == 6 * 3 * (len(LABELLED) - 1)
    assert found["rows"][2]["auc"] > 0.9


def test_expressions_without_subjects_and_activities_have_an_accuracy_only(tmp_path):
    params = toy_params(
        dataset={"adapter": "ferplus", "name": "ferplus", "options": {"blocks": 1}},
        render=None,
        labels={"kind": "expressions", "expressions": list(EMOTIONS), "votes": "probability"},
        folds={"protocol": "official", "number": 1},
        crop=CROP,
        pretrain=None,
        finetune={"batch": 8, "epochs": 1},
    )
    write_fixture("ferplus", "fer2013", tmp_path / "raw", FixtureSize(frames=4))
    inputs = Inputs(tmp_path / "manifest.parquet", run_pipeline(params, tmp_path / "raw", tmp_path).shards)
    files, fold = stage2_files(tmp_path), Fold(0, (), ())
    finetune(params, 0, fold, inputs, None, *files)
    probe_fold(params, 0, fold, inputs, None, files[0], tmp_path / "probe.json")
    tested = select.test_labels(inputs.manifest, fold, params.labels, params.probe.stride)["expression"]
    assert tested.isna().any()
    rows = json.loads((tmp_path / "probe.json").read_text())["rows"]
    assert [row["weights"] for row in rows] == ["before training", "after stage 2", "chance", "from true labels"]
    for row in rows[:3]:
        assert (row["identity"], row["activity"]) == (None, None)
        assert 0 <= row["accuracy"] <= 1
    assert rows[2]["accuracy"] == pytest.approx(tested.value_counts(normalize=True).max(), abs=1e-4)
    assert rows[3]["activity"] is None
