"""Stage 1 from another data set, and tests on one: the sets `plus` and `toy` have subjects with the same names."""

import json
import shutil

import pandas as pd
import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.evaluation.fold.evaluate_fold import evaluate_fold
from clef.manifest.folds import fold_testing_all, fold_training_all
from clef.training.finetune import finetune
from clef.training.inputs import EvaluationData
from clef.training.pretrain import pretrain
from tests.toy import LABELLED, make_toy, toy_fold, toy_params

TOY, PLUS = toy_params(), toy_params(dataset={"name": "plus"})
SUBJECTS = open_dataset(TOY).subjects()
ALL_OF_PLUS = fold_training_all(open_dataset(PLUS))


@pytest.fixture(scope="module")
def plus(tmp_path_factory):
    return make_toy(tmp_path_factory.mktemp("plus"), PLUS)


@pytest.fixture(scope="module")
def stage1_of_plus(plus, tmp_path_factory):
    """Trained on all subjects of `plus`."""
    target = tmp_path_factory.mktemp("stage1") / "pretrain.safetensors"
    pretrain(PLUS, 0, ALL_OF_PLUS, plus, target)
    return target


def data_of(params, inputs, **labels) -> EvaluationData:
    """All subjects of a data set."""
    own_labels = params.labels.model_copy(update=labels)
    return EvaluationData(params.dataset.name, inputs, fold_testing_all(open_dataset(params)), own_labels)


@pytest.fixture(scope="module")
def stage2_of_plus(plus, toy, stage1_of_plus, tmp_path_factory):
    """Trained on `plus`, and tested on `toy`."""
    folder = tmp_path_factory.mktemp("stage2")
    files = (folder / "finetune.safetensors", folder / "epochs.parquet")
    finetune(PLUS, 0, ALL_OF_PLUS, plus, stage1_of_plus, *files, other_dataset=data_of(TOY, toy))
    return files


def evaluated(folder, plus, stage2, data) -> tuple[pd.DataFrame, dict]:
    predictions, metrics = folder / "p.parquet", folder / "m.json"
    evaluate_fold(PLUS, 0, ALL_OF_PLUS, plus, *stage2, predictions, metrics, other_dataset=data)
    return pd.read_parquet(predictions), json.loads(metrics.read_text())


def test_stage_1_of_another_data_set_may_have_seen_subjects_with_the_same_names(toy, stage1_of_plus, tmp_path):
    sidecar = json.loads(stage1_of_plus.with_suffix(".json").read_text())
    assert (sidecar["fold"], sidecar["test_subjects"]) == ("all", [])
    assert sidecar["trained_on"] == [["plus", subject] for subject in SUBJECTS]
    target = tmp_path / "f.safetensors"
    finetune(TOY, 0, toy_fold(TOY), toy, stage1_of_plus, target, tmp_path / "e.parquet")
    sidecar = json.loads(target.with_suffix(".json").read_text())
    assert {dataset for dataset, _ in sidecar["trained_on"]} == {"toy"}


@pytest.mark.parametrize("detector", ["none", "retinaface"])
def test_crop_settings_may_differ_only_from_data_sets_that_are_distributed_as_crops(
    toy, stage1_of_plus, tmp_path, detector
):
    encoders = shutil.copy(stage1_of_plus, tmp_path / "p.safetensors")
    sidecar = json.loads(stage1_of_plus.with_suffix(".json").read_text())
    sidecar["fingerprint"] |= {"margin": 0.7, "detector": {"name": detector}}
    encoders.with_suffix(".json").write_text(json.dumps(sidecar))
    arguments = (TOY, 0, toy_fold(TOY), toy, encoders, tmp_path / "f.safetensors", tmp_path / "e.parquet")
    if detector == "retinaface":  # the toy set has the detector "none"
        finetune(*arguments)
        return
    with pytest.raises(ClefError, match=r"margin 0\.7 against 0\.2"):
        finetune(*arguments)


def test_all_subjects_of_another_data_set_are_tested(plus, toy, stage2_of_plus, tmp_path):
    predictions, metrics = evaluated(tmp_path, plus, stage2_of_plus, data_of(TOY, toy))
    assert set(predictions["dataset"]) == {"toy"}
    assert metrics["subjects"] == SUBJECTS
    assert (metrics["dataset"], metrics["trained_on"], metrics["fold"]) == ("toy", "plus", "all")
    assert metrics["frames"] == len(SUBJECTS) * 3 * len(LABELLED)
    assert metrics["rows"]["mean"]["f1_faces"] > metrics["rows"]["mean"]["floor"] + 0.1
    assert metrics["rows"]["mean"]["activity_only"] is None  # the sets have different activities
    assert set(pd.read_parquet(stage2_of_plus[1])["dataset"]) == {"toy"}
    sidecar = json.loads(stage2_of_plus[0].with_suffix(".json").read_text())
    assert sidecar["tested"]["dataset"] == "toy"
    assert metrics["rows"]["AU01"]["positives"] > 0
    _, by_intensity = evaluated(tmp_path, plus, stage2_of_plus, data_of(TOY, toy, threshold=2))
    assert by_intensity["rows"]["AU01"]["positives"] == 0


def test_labels_of_the_tested_data_set_change_no_weight(plus, stage1_of_plus, stage2_of_plus, tmp_path):
    noisy = data_of(TOY, make_toy(tmp_path / "noisy", TOY, flip_labels_of=tuple(SUBJECTS)))
    target = tmp_path / "f.safetensors"
    finetune(PLUS, 0, ALL_OF_PLUS, plus, stage1_of_plus, target, tmp_path / "e.parquet", other_dataset=noisy)
    assert target.read_bytes() == stage2_of_plus[0].read_bytes()


def test_crops_with_different_settings_are_not_tested(plus, stage2_of_plus, tmp_path):
    other = toy_params(crop={"margin": 0.5})
    with pytest.raises(ClefError, match=r"margin 0\.2 against 0\.5"):
        evaluated(tmp_path, plus, stage2_of_plus, data_of(other, make_toy(tmp_path / "other", other)))


def test_training_subjects_are_not_tested_as_another_data_set(plus, stage2_of_plus, tmp_path):
    with pytest.raises(ClefError, match="are in training and in test"):
        evaluated(tmp_path, plus, stage2_of_plus, data_of(PLUS, plus))
