import numpy as np
import pandas as pd
import pytest

from clef.datasets.ferplus import VOTES
from clef.errors import ClefError
from clef.manifest import select
from clef.manifest.folds import Fold
from clef.params.schema import LabelParams
from tests.toy import FRAMES, LABELLED, make_toy, toy_fold, toy_params


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    params = toy_params()
    return params, make_toy(tmp_path_factory.mktemp("toy"), params), toy_fold(params)


def test_stage_1_gets_every_cropped_frame_of_training_subjects(toy):
    _, inputs, fold = toy
    frames = select.pretraining_frames(inputs.manifest, fold, stride=1)
    assert set(frames["subject"]) == set(fold.train_subjects)
    assert len(frames) == len(fold.train_subjects) * 3 * (FRAMES - 1)  # the last frame of a clip has no face
    assert not set(frames.columns) & {"AU01", "AU04", "AU12"}


def test_stage_2_gets_labelled_and_cropped_frames(toy):
    params, inputs, fold = toy
    frames = select.training_frames(inputs.manifest, fold, params.labels, stride=1)
    assert set(frames["subject"]) == set(fold.train_subjects)
    assert len(frames) == len(fold.train_subjects) * 3 * (len(LABELLED) - 1)


def test_test_frames_include_those_without_a_crop_and_carry_no_labels(toy):
    params, inputs, fold = toy
    frames = select.test_frames(inputs.manifest, fold, stride=1)
    assert set(frames["subject"]) == set(fold.test_subjects)
    assert len(frames) == len(fold.test_subjects) * 3 * len(LABELLED)
    assert "no_face" in set(frames["status"])
    assert not set(frames.columns) & set(params.labels.names)
    labels = select.test_labels(inputs.manifest, fold, params.labels, stride=1)
    assert labels[["sequence", "frame"]].equals(frames[["sequence", "frame"]])


def test_stride_counts_frames_of_each_sequence():
    frames = pd.DataFrame({"sequence": list("aaaabbb"), "frame": [1, 2, 3, 4, 7, 8, 9]})
    assert select.every_nth(frames, 2)["frame"].tolist() == [1, 3, 7, 9]


@pytest.mark.parametrize(("threshold", "present"), [(1, [0, 1, 1]), (2, [0, 0, 1])])
def test_codes_become_targets_at_the_threshold_and_unknown_stays_unknown(tmp_path, threshold, present):
    manifest = tmp_path / "m.parquet"
    codes = pd.array([0, 1, 2, 9, None], dtype="Int8")
    pd.DataFrame(
        {column: ["x"] * 5 for column in select.KEYS}
        | {"split": "test", "frame": range(5), "labelled": True, "AU01": codes, "AU02": codes}
    ).to_parquet(manifest)
    labels = LabelParams(action_units=[1, 2], threshold=threshold)
    frames = select.test_labels(manifest, Fold(0, (), ()), labels, stride=1)
    targets = select.targets(frames, labels)
    np.testing.assert_array_equal(targets[:, 0], [*present, np.nan, np.nan])


def test_expressions_become_class_indices_and_others_unknown(tmp_path):
    manifest = tmp_path / "m.parquet"
    names = ["fear", "anger", "contempt", None]
    pd.DataFrame(
        {column: ["x"] * 4 for column in select.KEYS}
        | {"split": "test", "frame": range(4), "labelled": True, "expression": names}
    ).to_parquet(manifest)
    labels = LabelParams(kind="expressions", expressions=["anger", "fear"])
    frames = select.test_labels(manifest, Fold(0, (), ()), labels, stride=1)
    assert select.targets(frames, labels).tolist() == [1, 0, -1, -1]


def test_a_subject_that_the_manifest_lacks_is_named(toy):
    params, inputs, fold = toy
    other = Fold(0, (*fold.train_subjects, "F999"), fold.test_subjects)
    with pytest.raises(ClefError, match="no frame of F999"):
        select.training_frames(inputs.manifest, other, params.labels, 1)


def test_a_fold_that_leaks_is_refused(toy):
    params, inputs, fold = toy
    leaky = Fold(0, (*fold.train_subjects, fold.test_subjects[0]), fold.test_subjects)
    for read in (
        lambda: select.pretraining_frames(inputs.manifest, leaky, 1),
        lambda: select.training_frames(inputs.manifest, leaky, params.labels, 1),
    ):
        with pytest.raises(ClefError, match=f"{fold.test_subjects[0]} are in training and in test"):
            read()


def test_an_official_split_with_somebody_on_both_sides_is_refused_before_training(tmp_path):
    manifest = tmp_path / "m.parquet"
    pd.DataFrame(
        {column: ["x"] * 4 for column in select.KEYS}
        | {"subject": ["P01", "P02", "P02", None], "split": ["train", "train", "test", "test"]}
        | {"frame": range(4), "status": "detected", "labelled": True, "expression": ["fear", "anger"] * 2}
    ).to_parquet(manifest)
    labels = LabelParams(kind="expressions", expressions=["anger", "fear"])
    for read in (
        lambda: select.pretraining_frames(manifest, Fold(0, (), ()), 1),
        lambda: select.training_frames(manifest, Fold(0, (), ()), labels, 1),
    ):
        with pytest.raises(ClefError, match="subjects P02 are in training and in test"):
            read()


def test_votes_that_a_manifest_lacks_are_told(toy):
    _, inputs, _ = toy
    labels = LabelParams(kind="expressions", expressions=["anger", "fear"], votes="majority")
    with pytest.raises(ClefError, match="no columns of votes; expected a manifest of this run"):
        select.training_labels(inputs.manifest, Fold(0, (), ()), labels)


def test_the_likeliest_class_of_a_distribution_is_its_largest_share():
    shares = np.array([[0.2, 0.8, 0.0], [0.5, 0.3, 0.2], [0.0, 0.0, 1.0]], dtype=np.float32)
    assert select.most_likely(shares).tolist() == [1, 0, 2]
    assert select.most_likely(np.array([2, 0, 1])).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("rule", "known"), [("majority", ["x", "z"]), ("plurality", ["x", "y", "z"]), ("probability", ["x", "y"])]
)
def test_votes_decide_who_is_trained_on(tmp_path, rule, known):
    manifest = tmp_path / "m.parquet"
    votes = {
        "x": {"fear": 6, "anger": 4},
        "y": {"fear": 4, "anger": 4, "surprise": 2},
        "z": {"contempt": 9},
        "w": {"no_face": 10},
    }
    table = {column: [votes[name].get(column.removeprefix("votes_"), 0) for name in votes] for column in VOTES}
    pd.DataFrame(
        {column: ["x"] * 4 for column in select.KEYS}
        | {"sequence": list(votes), "frame": 0, "split": "train", "status": "detected", "labelled": True}
        | table
    ).to_parquet(manifest)
    expressions = ["anger", "fear", "contempt"] if rule != "probability" else ["anger", "fear"]
    labels = LabelParams(kind="expressions", expressions=expressions, votes=rule)
    frames = select.training_frames(manifest, Fold(0, (), ()), labels, stride=1)
    assert frames["sequence"].tolist() == known
    targets = select.targets(frames, labels)
    if rule == "probability":
        np.testing.assert_allclose(targets, [[0.4, 0.6], [0.5, 0.5]], rtol=1e-6)
    else:
        assert targets.tolist() == {"majority": [1, 2], "plurality": [1, 0, 2]}[rule]
