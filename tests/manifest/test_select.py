import numpy as np
import pandas as pd
import pytest

from clef.datasets.ferplus import VOTES
from clef.errors import ClefError
from clef.manifest import select
from clef.manifest.folds import Fold
from clef.params.schema import LabelParams
from tests.toy import FRAMES, LABELLED, make_toy, toy_fold, toy_params

BY_SPLIT = Fold(0, (), ())


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    params = toy_params()
    return params, make_toy(tmp_path_factory.mktemp("toy"), params), toy_fold(params)


@pytest.fixture
def write(tmp_path):
    """A function that writes a manifest with the given columns."""

    def write_manifest(rows: int, **columns):
        common = {column: ["x"] * rows for column in select.KEYS}
        common |= {"frame": range(rows), "split": "test", "status": "detected", "labelled": True}
        pd.DataFrame(common | columns).to_parquet(tmp_path / "m.parquet")
        return tmp_path / "m.parquet"

    return write_manifest


def test_stage_1_uses_every_cropped_frame_of_the_training_subjects(toy):
    _, inputs, fold = toy
    frames = select.pretraining_frames(inputs.manifest, fold, stride=1)
    assert set(frames["subject"]) == set(fold.train_subjects)
    assert len(frames) == len(fold.train_subjects) * 3 * (FRAMES - 1)  # the last frame of a clip has no face
    assert not set(frames.columns) & {"AU01", "AU04", "AU12"}


def test_stage_2_uses_labelled_and_cropped_frames(toy):
    params, inputs, fold = toy
    frames = select.training_frames(inputs.manifest, fold, params.labels, stride=1)
    assert set(frames["subject"]) == set(fold.train_subjects)
    assert len(frames) == len(fold.train_subjects) * 3 * (len(LABELLED) - 1)
    every_other = select.training_frames(inputs.manifest, fold, params.labels, stride=2)
    assert set(every_other["frame"]) == {frame + 1 for frame in LABELLED[:-1:2]}
    other = Fold(0, (*fold.train_subjects, "F999"), fold.test_subjects)
    with pytest.raises(ClefError, match="no frame of F999"):
        select.training_frames(inputs.manifest, other, params.labels, 1)


def test_the_clips_of_test_subjects_have_their_cropped_frames_with_an_activity_and_no_labels(toy, write):
    params, inputs, fold = toy
    frames = select.test_clips(inputs.manifest, fold, stride=1)
    assert set(frames["subject"]) == set(fold.test_subjects)
    assert len(frames) == len(fold.test_subjects) * 3 * (FRAMES - 1)
    assert not set(frames.columns) & set(params.labels.names)
    assert set(select.test_clips(inputs.manifest, fold, stride=4)["frame"]) == {1, 5, 9}
    manifest = write(3, subject=["F001", "F001", None], activity=["T1", None, "T1"])
    assert len(select.test_clips(manifest, BY_SPLIT, stride=1)) == 1


def test_test_frames_include_those_without_a_crop_and_have_no_labels(toy):
    params, inputs, fold = toy
    frames = select.test_frames(inputs.manifest, fold, stride=1)
    assert set(frames["subject"]) == set(fold.test_subjects)
    assert len(frames) == len(fold.test_subjects) * 3 * len(LABELLED)
    assert "no_face" in set(frames["status"])
    assert not set(frames.columns) & set(params.labels.names)
    labels = select.test_labels(inputs.manifest, fold, params.labels, stride=1)
    assert labels[["sequence", "frame"]].equals(frames[["sequence", "frame"]])


@pytest.mark.parametrize(("threshold", "present"), [(1, [0, 1, 1]), (2, [0, 0, 1])])
def test_codes_from_the_threshold_are_present_and_unknown_ones_stay_unknown(write, threshold, present):
    codes = pd.array([0, 1, 2, 9, None], dtype="Int8")
    labels = LabelParams(action_units=[1, 2], threshold=threshold)
    frames = select.test_labels(write(5, AU01=codes, AU02=codes), BY_SPLIT, labels, stride=1)
    np.testing.assert_array_equal(select.targets(frames, labels)[:, 0], [*present, np.nan, np.nan])


@pytest.mark.parametrize("official", [False, True])
def test_a_subject_on_both_sides_is_refused(toy, write, official):
    params, inputs, fold = toy
    manifest, labels = inputs.manifest, params.labels
    leaking, shared = Fold(0, (*fold.train_subjects, fold.test_subjects[0]), fold.test_subjects), fold.test_subjects[0]
    if official:
        subjects, splits = ["P01", "P02", "P02", None], ["train", "train", "test", "test"]
        manifest = write(4, subject=subjects, split=splits, expression=["fear", "anger"] * 2)
        labels = LabelParams(kind="expressions", expressions=["anger", "fear"])
        leaking, shared = BY_SPLIT, "P02"
    for read in (
        lambda: select.pretraining_frames(manifest, leaking, 1),
        lambda: select.training_frames(manifest, leaking, labels, 1),
    ):
        with pytest.raises(ClefError, match=f"subjects {shared} are in training and in test"):
            read()


def test_expressions_become_class_indices_and_others_unknown(write):
    labels = LabelParams(kind="expressions", expressions=["anger", "fear"])
    manifest = write(4, expression=["fear", "anger", "contempt", None])
    frames = select.test_labels(manifest, BY_SPLIT, labels, stride=1)
    assert select.targets(frames, labels).tolist() == [1, 0, -1, -1]
    with pytest.raises(ClefError, match="no columns of votes; expected a manifest of this run"):
        select.training_labels(manifest, BY_SPLIT, labels.model_copy(update={"votes": "majority"}))


@pytest.mark.parametrize(
    ("rule", "known", "expected"),
    [
        ("majority", ["x"], [1]),
        ("plurality", ["x", "y"], [1, 0]),
        ("probability", ["x", "y"], [[0.4, 0.6], [0.5, 0.5]]),
    ],
)
def test_rule_for_votes_decides_which_frames_have_targets(write, rule, known, expected):
    votes = {"x": {"fear": 6, "anger": 4}, "y": {"fear": 4, "anger": 4, "surprise": 2}, "z": {"no_face": 10}}
    table = {column: [votes[name].get(column.removeprefix("votes_"), 0) for name in votes] for column in VOTES}
    manifest = write(3, sequence=list(votes), split="train", **table)
    labels = LabelParams(kind="expressions", expressions=["anger", "fear"], votes=rule)
    frames = select.training_frames(manifest, BY_SPLIT, labels, stride=1)
    assert frames["sequence"].tolist() == known
    np.testing.assert_allclose(select.targets(frames, labels), expected, rtol=1e-6)
    assert select.most_likely(select.targets(frames, labels))[0] == 1
