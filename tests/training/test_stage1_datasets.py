"""Stage 1 on several data sets whose subjects, clips and shards have the same names."""

from dataclasses import replace

import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.manifest.folds import Fold, fold_training_all
from clef.runtime.files import file_hash
from clef.training.finetune import finetune
from clef.training.metrics_file import MetricsFile
from clef.training.pretrain import pretrain
from clef.training.stage1_datasets import Source, pool
from tests.toy import make_toy, toy_fold, toy_params
from tests.training.stages import sidecar_of, stage2_files


def other_source(folder, **changes) -> Source:
    """All subjects of another data set."""
    params = toy_params(dataset={"name": "other"}, **changes)
    dataset = open_dataset(params)
    return Source("other", make_toy(folder, params, light=90), fold_training_all(dataset), dataset.activities)


@pytest.fixture(scope="module")
def own(toy):
    """Fold 0 of the toy set."""
    return Source("toy", toy, toy_fold(toy_params()), open_dataset(toy_params()).activities)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return other_source(tmp_path_factory.mktemp("other"))


def test_equal_names_are_kept_apart_and_activities_with_the_same_description_are_one(own, other):
    pooled = pool([own, other], stride=1)
    frames = pooled.frames
    assert set(frames["person"]) == {f"{s.dataset}/{name}" for s in (own, other) for name in s.fold.train_subjects}
    assert frames.groupby("clip")["person"].nunique().max() == 1
    assert frames.groupby("clip").size().nunique() == 1
    assert set(pooled.shards) == {f"{s.dataset}/{name}" for s in (own, other) for name in s.inputs.shards}
    assert pooled.shards["toy/F001"] != pooled.shards["other/F001"]
    described = pool([own], 1).described
    assert pooled.described == described
    pooled = pool([own, replace(other, activities=other.activities | {"T1": "startle"})], 1)
    assert set(pooled.described) == {*described, "startle"}
    rows = pooled.frames[pooled.frames["activity"] == "T1"]
    found = rows.groupby("dataset")["described"].unique().map(list).to_dict()
    assert found == {"toy": [own.activities["T1"]], "other": ["startle"]}


def test_unknown_activities_and_different_crop_settings_are_refused(own, tmp_path):
    with pytest.raises(ClefError, match="unknown activity T1 of toy; expected one of T2"):
        pool([replace(own, activities={"T2": "joke"})], 1)
    different = other_source(tmp_path, crop={"size": 48})
    with pytest.raises(ClefError, match="trained with different crop settings"):
        pretrain(toy_params(), 0, own.fold, own.inputs, tmp_path / "p.safetensors", also=[different])


def test_stage_1_trains_on_both_and_records_both(own, other, tmp_path):
    params, target = toy_params(pretrain={"subjects": 6}), tmp_path / "pretrain.safetensors"
    pretrain(params, 0, own.fold, own.inputs, target, also=[other])
    sidecar = sidecar_of(target)
    assert sidecar["trained_on"] == sorted([s.dataset, name] for s in (own, other) for name in s.fold.train_subjects)
    assert sidecar["also"] == {"other": file_hash(other.inputs.manifest)}
    records = MetricsFile(tmp_path / "pretrain.metrics.jsonl").read()
    shares = [record["batch/cross_subject_positives"] for record in records]
    assert shares == pytest.approx([10 / 11] * len(shares))  # 6 people with 2 frames: all but one's own other frame
    finetune(params, 0, own.fold, own.inputs, target, *stage2_files(tmp_path))


def test_activities_that_a_fold_leaves_out_are_left_out_of_every_source(own, other, tmp_path):
    params = toy_params(folds={"protocol": "subjects", "number": 3, "activities": "unseen"})
    fold = toy_fold(params, 1)
    assert fold.unseen_descriptions == ("documentary", "insult")
    # Like BP4D and BP4D+, both sets have the activity, under different ids.
    renamed = replace(other, activities={"T1": "documentary", "T2": "joke", "T3": "smell"})
    target = tmp_path / "pretrain.safetensors"
    pretrain(params, 0, fold, own.inputs, target, also=[renamed])
    sidecar = sidecar_of(target)
    assert sorted(sidecar["activity_texts"]) == ["joke", "smell", "startle"]
    assert sidecar["unseen_activities"] == ["documentary", "insult"]
    pooled = pool([replace(own, fold=fold), renamed], 1, fold.unseen_descriptions).frames
    found = pooled.groupby("dataset")["activity"].unique().map(sorted).to_dict()
    assert found == {"toy": ["T1", "T3"], "other": ["T2", "T3"]}
    assert pooled.index.tolist() == list(range(len(pooled)))


def test_test_subjects_among_the_other_sources_are_refused(own, tmp_path):
    leak = replace(own, fold=Fold("all", own.fold.train_subjects + own.fold.test_subjects, ()))
    target = tmp_path / "pretrain.safetensors"
    pretrain(toy_params(), 0, own.fold, own.inputs, target, also=[leak])
    with pytest.raises(ClefError, match="stage 1 was trained on test subjects"):
        finetune(toy_params(), 0, own.fold, own.inputs, target, *stage2_files(tmp_path))
