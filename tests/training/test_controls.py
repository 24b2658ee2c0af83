"""Controls of both stages: what they change in a training, and nothing else."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from clef.batches.sampling import CrossedBatches, EpochBatches
from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.manifest import select
from clef.manifest.folds import fold_testing_all, fold_training_all, inner_split
from clef.model.losses import inverse_rate_weight
from clef.params.schema import LabelParams
from clef.training.finetune import finetune
from clef.training.inputs import EvaluationData
from clef.training.pretrain import pretrain
from tests.toy import SUBJECTS, make_toy, toy_fold, toy_params
from tests.training.stages import Planned, evaluated, planned, sidecar_of, stage2_files

CLASSES = {"kind": "expressions", "expressions": ["happiness", "anger"]}


def stage1_plan(toy, tmp_path, **settings) -> Planned:
    params = toy_params(pretrain=settings)
    return planned(pretrain, params, 0, toy_fold(params), toy, tmp_path / "p.safetensors")


def stage2_plan(toy, tmp_path, replaced=None, **settings) -> Planned:
    params = toy_params(pretrain=None, finetune=settings)
    return planned(finetune, params, 0, toy_fold(params), toy, None, *stage2_files(tmp_path), None, replaced)


@pytest.fixture(scope="module")
def frames(toy) -> pd.DataFrame:
    """The frames of stage 1 in fold 0, in the order of its indices."""
    return select.pretraining_frames(toy.manifest, toy_fold(toy_params()), 1)


def test_positives_are_of_one_activity_subject_or_image(toy, tmp_path, frames):
    every = np.arange(len(frames))
    expected = {"activity": frames["activity"], "subject": frames["subject"], "instance": pd.Series(every)}
    for positives, column in expected.items():
        activities, groups = stage1_plan(toy, tmp_path, positives=positives).plan.targets(every).T
        described = frames["activity"].map(open_dataset(toy_params()).activities)
        assert (activities.numpy() == pd.Categorical(described).codes).all()
        same = column.to_numpy()[:, None] == column.to_numpy()
        assert ((groups[:, None] == groups) == torch.from_numpy(same)).all()


@pytest.mark.parametrize(("positives", "share"), [("activity", 4 / 5), ("subject", 0), ("instance", np.nan)])
def test_the_share_of_cross_subject_positives_is_that_of_the_positives_in_use(toy, tmp_path, positives, share):
    plan = stage1_plan(toy, tmp_path, positives=positives).plan
    assert plan.report(plan.batch(0)) == {"batch/cross_subject_positives": pytest.approx(share, nan_ok=True)}


def test_permuted_activities_keep_clips_whole_and_differ_between_subjects(toy, tmp_path, frames):
    plan = stage1_plan(toy, tmp_path, permute_activities=True).plan
    activities, positives = plan.targets(np.arange(len(frames))).numpy().T
    assert (positives == activities).all()
    crossed = activities[plan.batch(0)].reshape(3, 3, 2)  # (subject, activity, frame)
    assert (crossed == crossed[:1, :, :1]).all()
    table = frames.assign(permuted=activities).groupby(["subject", "activity"])["permuted"].agg(["nunique", "first"])
    assert (table["nunique"] == 1).all()
    by_subject = table["first"].unstack()
    assert all(sorted(row) == [0, 1, 2] for row in by_subject.to_numpy().tolist())
    assert len(by_subject.drop_duplicates()) > 1


def test_random_batches_have_the_size_of_crossed_ones(toy, tmp_path):
    crossed, drawn = (stage1_plan(toy, tmp_path, batches=kind).plan for kind in ("crossed", "random"))
    assert isinstance(crossed.batch.__self__, CrossedBatches)
    assert isinstance(drawn.batch.__self__, EpochBatches)
    assert len(crossed.batch(0)) == len(drawn.batch(0)) == 18
    assert crossed.steps - drawn.steps in (0, 1)  # random ones leave out a remainder


def test_a_share_of_the_labels_is_trained_on_for_as_many_steps(toy, tmp_path):
    every, few = stage2_plan(toy, tmp_path), stage2_plan(toy, tmp_path, label_share=0.25)
    subject = stage2_plan(toy, tmp_path, label_share=0.25, label_share_of="subjects")
    assert every.plan.steps == few.plan.steps == subject.plan.steps
    assert every.plan.epoch_steps == few.plan.epoch_steps
    drawn = {len(set(np.concatenate([p.plan.batch(step) for step in range(40)]))) for p in (few, subject)}
    assert drawn == {4 * 3 * 7 // 4}  # a quarter of the frames, or one of four subjects
    assert len(subject.sidecar["trained_on"]) == 1
    assert len({every.key, few.key, subject.key}) == 3
    rates = few.plan.targets(np.arange(21)).mean(dim=0)
    torch.testing.assert_close(few.task.weight, inverse_rate_weight(rates))
    assert not torch.allclose(few.task.weight, every.task.weight, rtol=1e-3)


@pytest.mark.parametrize(("batch", "images"), [(16, 16), (200, 4 * 3 * 7)])
def test_few_labels_fill_batches_of_the_same_size(toy, tmp_path, batch, images):
    every, few = (stage2_plan(toy, tmp_path, batch=batch, label_share=share) for share in (1, 0.1))
    sizes = {len(p.plan.batch(step)) for p in (every, few) for step in range(20)}
    assert sizes == {images}
    assert few.plan.steps == every.plan.steps
    labels = every.plan.targets(np.arange(84)).numpy()
    repeated = few.plan.targets(np.arange(-(-images // 8) * 8)).numpy().reshape(-1, 8, 3)
    assert (repeated == repeated[0]).all()
    assert all(row in labels.tolist() for row in repeated[0].tolist())


@pytest.mark.parametrize("batches", ["crossed", "random"])
@pytest.mark.parametrize("batch", [16, 200])
def test_stage_2_makes_up_for_the_images_of_a_stage_1_that_it_does_without(toy, tmp_path, batches, batch):
    settings = {"epochs": 10, "batches": batches}
    stage1, plain = stage1_plan(toy, tmp_path, **settings).plan, stage2_plan(toy, tmp_path, batch=batch)
    replaced = toy_params(pretrain=settings).pretrain
    control = {"batch": batch, "replaces_stage1_of": "toy"}
    longer = stage2_plan(toy, tmp_path, replaced, **control)
    epoch = plain.plan.epoch_steps * len(plain.plan.batch(0))
    passes = 2 * sum(len(stage1.batch(step)) for step in range(stage1.steps))
    found = (longer.plan.steps - plain.plan.steps) * len(plain.plan.batch(0))
    assert found == round(passes / epoch) * epoch
    assert longer.key != plain.key
    assert stage2_plan(toy, tmp_path, replaced, **control, label_share=0.1).plan.steps == longer.plan.steps


def test_a_run_with_tuned_thresholds_makes_up_for_the_stage_1_of_the_whole_fold(toy, tmp_path):
    params = toy_params(pretrain=None, finetune={"replaces_stage1_of": "toy"})
    fold, stage1 = toy_fold(params), toy_params().pretrain
    inner = inner_split(fold, 0.25, 0)
    assert inner.outer == fold.outer == fold
    plan, of_inner = (
        planned(finetune, params, 0, each, toy, None, *stage2_files(tmp_path), None, stage1).plan
        for each in (fold, inner)
    )
    passes = [(p.steps / p.epoch_steps - 3) * p.epoch_steps * 16 for p in (plan, of_inner)]
    assert passes == pytest.approx([2 * 8 * 18] * 2, abs=80 / 2)


def test_baselines_know_the_labels_of_the_budget_only(toy, stage1, tmp_path):
    params = toy_params(finetune={"epochs": 1, "label_share": 0.25, "label_share_of": "subjects"})
    fold, files = toy_fold(params), stage2_files(tmp_path)
    finetune(params, 0, fold, toy, stage1, *files)
    ((_, drawn),) = sidecar_of(files[0])["trained_on"]
    others = tuple(subject for subject in fold.train_subjects if subject != drawn)

    def activity_only(*flipped: str) -> float:
        inputs = make_toy(tmp_path / "-".join(("labels", *flipped)), params, flip_labels_of=flipped)
        return evaluated(tmp_path, params, fold, inputs, files)[1]["rows"]["mean"]["activity_only_auc"]

    assert activity_only() == activity_only(*others)
    assert activity_only() == pytest.approx(1 - activity_only(drawn))
    assert activity_only() != pytest.approx(0.5)


def test_test_frames_are_predicted_after_the_last_epoch_only_if_asked(toy, stage1, tmp_path):
    params = toy_params(finetune={"epochs": 2, "test_epochs": "last"})
    files = stage2_files(tmp_path)
    finetune(params, 0, toy_fold(params), toy, stage1, *files)
    assert pd.read_parquet(files[1])["epoch"].unique().tolist() == [2]
    _, metrics = evaluated(tmp_path, params, toy_fold(params), toy, files)
    assert metrics["rows"]["mean"]["f1_field"] is metrics["rows"]["mean"]["f1_field_max"] is None
    assert metrics["field"] is metrics["field_max"] is None
    assert metrics["last_epoch"] == 2


@pytest.fixture(scope="module")
def unseen():
    return toy_params(folds={"protocol": "subjects", "number": 3, "activities": "unseen"}, finetune={"epochs": 1})


def test_unseen_activities_are_in_the_test_only(toy, tmp_path, unseen):
    fold = toy_fold(unseen, 1)
    assert fold.unseen_activities == ("T2", "T5")
    stage1 = tmp_path / "p.safetensors"
    pretrain(unseen, 0, fold, toy, stage1)
    assert sorted(sidecar_of(stage1)["activity_texts"]) == sorted(
        open_dataset(unseen).activities[activity] for activity in ("T1", "T3")
    )
    files = stage2_files(tmp_path)
    finetune(unseen, 0, fold, toy, stage1, *files)
    predictions, metrics = evaluated(tmp_path, unseen, fold, toy, files)
    assert set(predictions["activity"]) == {"T2"}
    assert set(predictions["subject"]) == set(fold.test_subjects)
    assert metrics["rows"]["mean"]["activity_only"] is not None
    labelled = select.training_frames(toy.manifest, fold, unseen.labels, 1)
    assert set(labelled["activity"]) == {"T1", "T3"}


def test_labels_held_out_by_name_are_tested_and_not_trained(toy, stage1, tmp_path):
    labels = {"action_units": [1, 4], "zero_shot": ["AU12"]}
    params = toy_params(labels=labels, finetune={"epochs": 1})
    files = stage2_files(tmp_path)
    finetune(params, 0, toy_fold(params), toy, stage1, *files)
    predictions, metrics = evaluated(tmp_path, params, toy_fold(params), toy, files)
    assert metrics["labels"] == ["AU12"]
    assert metrics["rows"]["AU12"]["auc"] is not None
    assert metrics["rows"]["AU12"]["activity_only"] is metrics["counts_activity_only"] is None
    assert [column for column in predictions if column.startswith("p_")] == ["p_AU12"]
    epochs = pd.read_parquet(files[1]).drop(columns="epoch")
    pd.testing.assert_frame_equal(epochs, predictions.dropna(subset="p_AU12")[epochs.columns].reset_index(drop=True))
    task = planned(finetune, params, 0, toy_fold(params), toy, stage1, *files).task
    assert len(task.names) == len(task.bias) == 2  # AU12 has no text and no target in training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": {"zero_shot": ["AU01"]}}, "zero_shot: AU01 is trained on"),
        ({"labels": {"zero_shot": ["AU06", "fear"]}}, "action units, such as AU06, or expressions, not both"),
        ({"labels": {"zero_shot": ["fear"]}}, "two or more expressions"),
        ({"labels": {"zero_shot": ["fear", "anger"]}}, "needs a test on another data set"),
        ({"labels": {"zero_shot": ["AU06"]}, "finetune": {"head": "linear"}}, "zero_shot needs texts"),
        ({"labels": {"zero_shot": ["AU06"]}, "tune": {}}, "tune needs labels that are trained on"),
        ({"folds": {"protocol": "leave_one_out", "activities": "unseen"}}, "unseen needs folds of several subjects"),
        ({"finetune": {"replaces_stage1_of": "demo"}}, "replaces_stage1_of needs `pretrain: null`"),
        ({"finetune": {"image_norm": "none"}}, "image_norm: none needs head linear"),
        ({"finetune": {"image_norm": "unit", "head": "linear"}}, "image_norm: unit needs head text or vectors"),
        ({"finetune": {"head": "vectors", "freeze_text": True}}, "head vectors reads no texts"),
        ({"finetune": {"head": "linear", "bias": "rates"}}, "bias: rates needs head text"),
        ({"labels": CLASSES, "finetune": {"matching": "pair"}}, "matching: pair needs labels of kind action_units"),
        ({"labels": CLASSES, "finetune": {"positive_weight": "inverse"}}, "positive_weight: inverse needs labels of"),
        ({"labels": CLASSES, "finetune": {"bias": "rates"}}, "finetune.bias: rates needs labels of kind action_units"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        toy_params(**change)


def test_action_units_lead_to_expressions_of_another_data_set(toy, tmp_path):
    labels = {"action_units": [1, 4, 12], "zero_shot": ["happiness", "anger", "fear"]}
    params = toy_params(labels=labels, finetune={"epochs": 1}, test={"run": "other"}, pretrain=None)
    tested = LabelParams(kind="expressions", expressions=["happiness", "anger", "fear"])
    assert (params.labels.tested.kind, params.labels.tested.names) == (tested.kind, tested.names)
    other = toy_params(dataset={"name": "other"})
    inputs = make_toy(tmp_path / "other", other)
    table = pd.read_parquet(inputs.manifest)
    classes = np.random.default_rng(0).choice(["happiness", "anger", "fear", "sadness"], len(table))
    made = pa.Table.from_pandas(table.assign(expression=classes), preserve_index=False)
    pq.write_table(made.replace_schema_metadata(pq.read_schema(inputs.manifest).metadata), inputs.manifest)
    data = EvaluationData("other", inputs, fold_testing_all(open_dataset(other)), tested)
    files = stage2_files(tmp_path)
    fold = fold_training_all(open_dataset(toy_params()))
    finetune(params, 0, fold, toy, None, *files, other_dataset=data)
    predictions, metrics = evaluated(tmp_path, params, fold, toy, files, other_dataset=data)
    assert metrics["labels"] == ["happiness", "anger", "fear"]
    assert metrics["unknown_frames"] == (classes == "sadness")[table["labelled"]].sum()
    assert set(predictions["subject"]) == set(open_dataset(other).subjects())
    assert len(predictions["subject"].unique()) == SUBJECTS
    most = max(np.mean(classes[table["labelled"] & (classes != "sadness")] == name) for name in tested.expressions)
    assert metrics["rows"]["accuracy"]["floor"] == pytest.approx(most, abs=1e-6)


def test_weights_that_saw_the_activities_of_the_test_are_refused(toy, stage1, stage2, tmp_path):
    params = toy_params(folds={"protocol": "subjects", "number": 3, "activities": "unseen"})
    message = "was trained on the activity joke, which fold 0 leaves out to test on it"
    with pytest.raises(ClefError, match=message):
        finetune(params, 0, toy_fold(params), toy, stage1, *stage2_files(tmp_path))
    with pytest.raises(ClefError, match=message.replace("activity joke", "activity cold_water")):
        evaluated(tmp_path, params, toy_fold(params), toy, stage2)
