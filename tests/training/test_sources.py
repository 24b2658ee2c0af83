"""Stage 1 over several data sets whose subjects, clips and shards have the same names."""

import json

import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.manifest.folds import Fold
from clef.training.finetune import finetune
from clef.training.metrics_file import MetricsFile
from clef.training.pretrain import pretrain
from clef.training.sources import Source, pool
from tests.toy import make_toy, toy_fold, toy_params


def source(folder, params, fold=None, **made) -> Source:
    dataset = open_dataset(params)
    everybody = Fold("all", tuple(dataset.subjects()), ())
    return Source(dataset.name, make_toy(folder, params, **made), fold or everybody, dataset.activities)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A data set with its fold 0, and another of other people by the same names."""
    folder = tmp_path_factory.mktemp("two")
    params, others = toy_params(), toy_params(dataset={"name": "other"})
    return source(folder / "toy", params, toy_fold(params)), source(folder / "other", others, light=90)


def test_people_clips_and_shards_of_one_name_stay_apart(two):
    own, other = two
    pooled = pool(two, stride=1)
    frames = pooled.frames
    assert set(frames["person"]) == {f"toy/{name}" for name in own.fold.train_subjects} | {
        f"other/{name}" for name in other.fold.train_subjects
    }
    assert frames.groupby("clip")["person"].nunique().max() == 1
    assert frames.groupby("clip").size().nunique() == 1
    assert set(pooled.shards) == {f"{s.dataset}/{name}" for s in two for name in s.inputs.shards}
    assert pooled.shards["toy/F001"] != pooled.shards["other/F001"]
    assert not {f"toy/{name}" for name in own.fold.test_subjects} & set(frames["person"])


def test_what_is_described_alike_is_one_activity(two):
    own, other = two
    assert pool(two, 1).described == pool([own], 1).described
    renamed = Source(other.dataset, other.inputs, other.fold, other.activities | {"T1": "startle"})
    pooled = pool([own, renamed], 1)
    assert set(pooled.described) == set(pool([own], 1).described) | {"startle"}
    rows = pooled.frames[pooled.frames["activity"] == "T1"]
    assert rows.groupby("dataset")["described"].unique().map(list).to_dict() == {
        "toy": [own.activities["T1"]],
        "other": ["startle"],
    }


def test_an_activity_that_the_data_set_does_not_know_is_refused(two):
    own, _ = two
    with pytest.raises(ClefError, match="activity T1 is none of toy; expected some of T2"):
        pool([Source(own.dataset, own.inputs, own.fold, {"T2": "joke"})], 1)


def test_stage_1_trains_on_both_and_says_so(two, tmp_path):
    own, other = two
    params = toy_params(pretrain={"subjects": 6})
    target = tmp_path / "pretrain.safetensors"
    pretrain(params, 0, own.fold, own.inputs, target, also=[other])
    sidecar = json.loads(target.with_suffix(".json").read_text())
    assert sidecar["trained_on"] == sorted(
        [["toy", name] for name in own.fold.train_subjects] + [["other", name] for name in other.fold.train_subjects]
    )
    assert list(sidecar["also"]) == ["other"]
    shares = [
        record["batch/cross_subject_positives"] for record in MetricsFile(tmp_path / "pretrain.metrics.jsonl").read()
    ]
    assert shares == pytest.approx([10 / 11] * len(shares))  # of 6 people x 2 frames, all but one's own other frame
    finetune(params, 0, own.fold, own.inputs, target, tmp_path / "finetune.safetensors", tmp_path / "epochs.parquet")


def test_somebody_who_is_tested_may_come_in_by_no_door(two, tmp_path):
    own, _ = two
    leak = Source(
        own.dataset, own.inputs, Fold("all", own.fold.train_subjects + own.fold.test_subjects, ()), own.activities
    )
    target = tmp_path / "pretrain.safetensors"
    pretrain(toy_params(), 0, own.fold, own.inputs, target, also=[leak])
    with pytest.raises(ClefError, match="stage 1 was trained on test subjects"):
        finetune(toy_params(), 0, own.fold, own.inputs, target, tmp_path / "f.safetensors", tmp_path / "e.parquet")


def test_crops_of_other_settings_are_refused(two, tmp_path):
    own, _ = two
    others = toy_params(dataset={"name": "other"}, crop={"size": 48})
    with pytest.raises(ClefError, match="crop"):
        pretrain(toy_params(), 0, own.fold, own.inputs, tmp_path / "p.safetensors", also=[source(tmp_path, others)])


def test_another_manifest_of_the_other_data_set_is_another_training(two, tmp_path):
    own, other = two
    keys = []
    for number, also in enumerate(
        [other, source(tmp_path / "third", toy_params(dataset={"name": "other"}), light=120)]
    ):
        target = tmp_path / f"{number}.safetensors"
        pretrain(toy_params(pretrain={"subjects": 6}), 0, own.fold, own.inputs, target, also=[also])
        keys.append(json.loads(target.with_suffix(".json").read_text())["also"])
    assert keys[0] != keys[1]
