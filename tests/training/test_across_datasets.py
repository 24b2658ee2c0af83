"""Stage 1 from another data set, and tests on one: two toy sets whose subjects have the same names."""

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


@pytest.fixture(scope="module")
def plus(tmp_path_factory):
    """Another toy set, and the stage 1 of everybody there."""
    params = toy_params(dataset={"name": "plus"})
    folder = tmp_path_factory.mktemp("plus")
    inputs = make_toy(folder, params)
    target = folder / "pretrain.safetensors"
    pretrain(params, 0, fold_training_all(open_dataset(params)), inputs, target)
    return params, inputs, target


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    params = toy_params()
    return params, make_toy(tmp_path_factory.mktemp("toy"), params)


def as_tested(params, inputs, **labels) -> EvaluationData:
    read = params.labels.model_copy(update=labels)
    return EvaluationData(params.dataset.name, inputs, fold_testing_all(open_dataset(params)), read)


def test_stage_1_of_everybody_trains_on_everybody(plus):
    params, _, target = plus
    sidecar = json.loads(target.with_suffix(".json").read_text())
    assert sidecar["fold"] == "all"
    assert sidecar["trained_on"] == [["plus", subject] for subject in open_dataset(params).subjects()]
    assert sidecar["test_subjects"] == []


def test_stage_1_of_another_data_set_may_have_seen_people_of_the_same_names(plus, toy, tmp_path):
    _, _, encoders = plus
    params, inputs = toy
    target = tmp_path / "f.safetensors"
    finetune(params, 0, toy_fold(params), inputs, encoders, target, tmp_path / "e.parquet")
    sidecar = json.loads(target.with_suffix(".json").read_text())
    assert {dataset for dataset, _ in sidecar["trained_on"]} == {"toy"}


def test_stage_1_of_everybody_of_the_same_data_set_is_refused(toy, tmp_path):
    params, inputs = toy
    encoders = tmp_path / "pretrain.safetensors"
    pretrain(params, 0, fold_training_all(open_dataset(params)), inputs, encoders)
    with pytest.raises(ClefError, match="stage 1 was trained on test subjects"):
        finetune(params, 0, toy_fold(params), inputs, encoders, tmp_path / "f.safetensors", tmp_path / "e.parquet")


def test_stage_1_of_pictures_that_come_cropped_is_taken_and_of_other_crops_is_not(plus, toy, tmp_path):
    _, _, encoders = plus
    params, inputs = toy
    for suffix in (".safetensors", ".json"):
        shutil.copy(encoders.with_suffix(suffix), tmp_path / f"p{suffix}")
    sidecar = json.loads((tmp_path / "p.json").read_text())
    files = [tmp_path / "p.safetensors", tmp_path / "f.safetensors", tmp_path / "e.parquet"]
    sidecar["fingerprint"] |= {"margin": 0.7, "detector": {"name": "retinaface"}}
    (tmp_path / "p.json").write_text(json.dumps(sidecar))
    finetune(params, 0, toy_fold(params), inputs, *files)
    sidecar["fingerprint"] |= {"margin": 0.7, "detector": {"name": "none"}}
    (tmp_path / "p.json").write_text(json.dumps(sidecar))
    with pytest.raises(ClefError, match=r"margin 0\.7 against 0\.2"):
        finetune(params, 0, toy_fold(params), inputs, *files)


@pytest.fixture(scope="module")
def trained_elsewhere(plus, toy, tmp_path_factory):
    """Stage 2 of everybody in `plus`, which predicts everybody in `toy`."""
    params, inputs, encoders = plus
    folder = tmp_path_factory.mktemp("elsewhere")
    files = [folder / "finetune.safetensors", folder / "epochs.parquet"]
    finetune(params, 0, fold_training_all(open_dataset(params)), inputs, encoders, *files, elsewhere=as_tested(*toy))
    return folder


def scored(plus, trained_elsewhere, folder, tested):
    params, inputs, _ = plus
    files = [trained_elsewhere / "finetune.safetensors", trained_elsewhere / "epochs.parquet"]
    made = [folder / "p.parquet", folder / "m.json"]
    evaluate_fold(params, 0, fold_training_all(open_dataset(params)), inputs, *files, *made, other_dataset=tested)
    return pd.read_parquet(made[0]), json.loads(made[1].read_text())


def test_another_data_set_is_tested_whole(plus, toy, trained_elsewhere, tmp_path):
    predictions, metrics = scored(plus, trained_elsewhere, tmp_path, as_tested(*toy))
    people = open_dataset(toy[0]).subjects()
    assert set(predictions["dataset"]) == {"toy"}
    assert metrics["subjects"] == people
    assert (metrics["dataset"], metrics["trained_on"], metrics["fold"]) == ("toy", "plus", "all")
    assert metrics["frames"] == len(people) * 3 * len(LABELLED)
    assert metrics["rows"]["mean"]["f1_faces"] > metrics["rows"]["mean"]["floor"] + 0.1
    # The other set's T1 is another activity than this one's: nothing follows from knowing it.
    assert metrics["rows"]["mean"]["activity_only"] is None
    epochs = pd.read_parquet(trained_elsewhere / "epochs.parquet")
    assert set(epochs["dataset"]) == {"toy"}
    sidecar = json.loads((trained_elsewhere / "finetune.json").read_text())
    assert sidecar["tested"]["dataset"] == "toy"


def test_its_labels_count_by_its_own_threshold(plus, toy, trained_elsewhere, tmp_path):
    _, as_occurrence = scored(plus, trained_elsewhere, tmp_path, as_tested(*toy))
    _, as_intensity = scored(plus, trained_elsewhere, tmp_path, as_tested(*toy, threshold=2))
    assert as_occurrence["rows"]["AU01"]["positives"] > 0
    assert as_intensity["rows"]["AU01"]["positives"] == 0


def test_labels_of_the_other_data_set_change_no_weight(plus, toy, trained_elsewhere, tmp_path):
    params, inputs, encoders = plus
    other, _ = toy
    noisy = make_toy(tmp_path / "noisy", other, flip_labels_of=tuple(open_dataset(other).subjects()))
    target = tmp_path / "f.safetensors"
    fold = fold_training_all(open_dataset(params))
    finetune(params, 0, fold, inputs, encoders, target, tmp_path / "e.parquet", elsewhere=as_tested(other, noisy))
    assert target.read_bytes() == (trained_elsewhere / "finetune.safetensors").read_bytes()


def test_crops_of_other_settings_are_not_tested(plus, trained_elsewhere, tmp_path):
    other = toy_params(crop={"margin": 0.5})
    tested = as_tested(other, make_toy(tmp_path / "other", other))
    with pytest.raises(ClefError, match=r"margin 0\.2 against 0\.5"):
        scored(plus, trained_elsewhere, tmp_path, tested)


def test_people_who_were_trained_on_are_not_tested_as_another_data_set(plus, trained_elsewhere, tmp_path):
    params, inputs, _ = plus
    with pytest.raises(ClefError, match="are in training and in test"):
        scored(plus, trained_elsewhere, tmp_path, as_tested(params, inputs))
