"""Stage 1 from another data set, and tests on one: the sets `plus` and `toy` have subjects with the same names."""

import json
import shutil

import pandas as pd
import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.manifest.folds import fold_testing_all, fold_training_all
from clef.training.finetune import finetune
from clef.training.inputs import EvaluationData
from clef.training.pretrain import pretrain
from tests.toy import LABELLED, make_toy, toy_fold, toy_params
from tests.training.stages import evaluated, planned, sidecar_of, stage2_files

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
    files = stage2_files(tmp_path_factory.mktemp("stage2"))
    finetune(PLUS, 0, ALL_OF_PLUS, plus, stage1_of_plus, *files, other_dataset=data_of(TOY, toy))
    return files


@pytest.fixture
def tested(plus, stage2_of_plus, tmp_path):
    """Evaluate that stage 2 on some data."""
    return lambda data: evaluated(tmp_path, PLUS, ALL_OF_PLUS, plus, stage2_of_plus, other_dataset=data)


@pytest.mark.parametrize("detector", ["none", "retinaface"])  # the toy set has "none"
def test_stage_1_of_another_data_set_may_have_subjects_of_the_same_names_and_crops_of_another_kind(
    toy, stage1_of_plus, tmp_path, detector
):
    sidecar = sidecar_of(stage1_of_plus)
    assert (sidecar["fold"], sidecar["test_subjects"]) == ("all", [])
    assert sidecar["trained_on"] == [["plus", subject] for subject in SUBJECTS]
    encoders = shutil.copy(stage1_of_plus, tmp_path / "p.safetensors")
    sidecar["fingerprint"] |= {"margin": 0.7, "detector": {"name": detector}}
    encoders.with_suffix(".json").write_text(json.dumps(sidecar))
    files = stage2_files(tmp_path)
    if detector == "none":
        with pytest.raises(ClefError, match=r"margin 0\.7 against 0\.2"):
            finetune(TOY, 0, toy_fold(TOY), toy, encoders, *files)
    else:
        finetune(TOY, 0, toy_fold(TOY), toy, encoders, *files)
        assert {dataset for dataset, _ in sidecar_of(files[0])["trained_on"]} == {"toy"}


def test_stage_1_of_another_data_set_must_not_have_seen_the_activities_of_the_test(toy, stage1_of_plus, tmp_path):
    params = toy_params(folds={"protocol": "subjects", "number": 3, "activities": "unseen"})
    fold, files = toy_fold(params, 1), stage2_files(tmp_path)
    assert fold.unseen_descriptions == ("documentary", "insult")
    with pytest.raises(ClefError, match="was trained on the activity documentary, which fold 1 leaves out to test on"):
        planned(finetune, params, 0, fold, toy, stage1_of_plus, *files)
    encoders = shutil.copy(stage1_of_plus, tmp_path / "p.safetensors")
    other = sidecar_of(stage1_of_plus) | {"activity_texts": {"smell": "The person sniffs."}}
    encoders.with_suffix(".json").write_text(json.dumps(other))
    sidecar = planned(finetune, params, 0, fold, toy, encoders, *files).sidecar
    assert sidecar["unseen_activities"] == ["documentary", "insult"]


def test_all_subjects_of_another_data_set_are_tested(toy, stage2_of_plus, tested):
    predictions, metrics = tested(data_of(TOY, toy))
    assert set(predictions["dataset"]) == {"toy"}
    assert metrics["subjects"] == SUBJECTS
    assert (metrics["dataset"], metrics["trained_on"], metrics["fold"]) == ("toy", "plus", "all")
    assert metrics["frames"] == len(SUBJECTS) * 3 * len(LABELLED)
    assert metrics["rows"]["mean"]["f1_faces"] > metrics["rows"]["mean"]["floor"] + 0.1
    assert metrics["rows"]["mean"]["activity_only"] is None  # the sets have different activities
    assert set(pd.read_parquet(stage2_of_plus[1])["dataset"]) == {"toy"}
    assert sidecar_of(stage2_of_plus[0])["tested"]["dataset"] == "toy"
    assert metrics["rows"]["AU01"]["positives"] > 0
    assert tested(data_of(TOY, toy, threshold=2))[1]["rows"]["AU01"]["positives"] == 0


def test_labels_of_the_tested_data_set_change_no_weight(plus, stage1_of_plus, stage2_of_plus, tmp_path):
    noisy = data_of(TOY, make_toy(tmp_path / "noisy", TOY, flip_labels_of=tuple(SUBJECTS)))
    files = stage2_files(tmp_path)
    finetune(PLUS, 0, ALL_OF_PLUS, plus, stage1_of_plus, *files, other_dataset=noisy)
    assert files[0].read_bytes() == stage2_of_plus[0].read_bytes()


def test_crops_with_different_settings_and_training_subjects_are_not_tested(plus, tested, tmp_path):
    other = toy_params(crop={"margin": 0.5})
    with pytest.raises(ClefError, match=r"margin 0\.2 against 0\.5"):
        tested(data_of(other, make_toy(tmp_path / "other", other)))
    with pytest.raises(ClefError, match="are in training and in test"):
        tested(data_of(PLUS, plus))
