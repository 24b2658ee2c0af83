"""Both stages and evaluation on the toy set, from files to files."""

import json
from dataclasses import replace

import numpy as np
import open_clip
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from clef.batches.crops import Crops
from clef.errors import ClefError
from clef.faces.shard import CROPPED
from clef.manifest import select
from clef.manifest.folds import inner_split
from clef.manifest.table import manifest_fingerprint
from clef.model.encoders import Encoders, architecture
from clef.model.prediction import predict_frames
from clef.model.tasks import LabelTask
from clef.model.texts import PACKAGED, label_templates, label_texts
from clef.params.schema import TextParams
from clef.runtime.files import file_hash
from clef.training.checkpoint import save_weights
from clef.training.finetune import finetune
from clef.training.metrics_file import MetricsFile
from clef.training.pretrain import pretrain
from tests.toy import LABELLED, make_toy, toy_fold, toy_params
from tests.training.stages import evaluated, sidecar_of, stage2_files

PARAMS = toy_params()
FOLD = toy_fold(PARAMS)
OTHER_FOLD = toy_fold(PARAMS, 1)


def test_stage_1_records_what_it_was_trained_on_and_leaves_no_other_files(stage1):
    sidecar = sidecar_of(stage1)
    assert [subject for _, subject in sidecar["trained_on"]] == sorted(FOLD.train_subjects)
    assert sidecar["fingerprint"]["size"] == 40
    assert sidecar["architecture"] == architecture("clef-tiny")
    suffixes = (".json", ".metrics.jsonl", ".safetensors", ".track.json")
    assert sorted(path.name for path in stage1.parent.iterdir()) == [f"pretrain{suffix}" for suffix in suffixes]
    for record in MetricsFile(stage1.with_suffix(".metrics.jsonl")).read():
        # 3 subjects with 2 frames per activity: 4 of the 5 other frames of the activity are of other subjects.
        assert record["batch/cross_subject_positives"] == pytest.approx(4 / 5)


def test_the_same_seed_gives_the_same_bytes(toy, stage1, tmp_path):
    target = tmp_path / "pretrain.safetensors"
    pretrain(PARAMS, 0, FOLD, toy, target)
    for suffix in (".safetensors", ".json"):
        assert target.with_suffix(suffix).read_bytes() == stage1.with_suffix(suffix).read_bytes()


def test_stage_2_learns_what_the_pictures_show(toy, stage2, tmp_path):
    predictions, metrics = evaluated(tmp_path, PARAMS, FOLD, toy, stage2)
    mean = metrics["rows"]["mean"]
    assert mean["f1_faces"] > mean["floor"] + 0.1
    assert mean["f1"] < mean["f1_faces"]  # frames without a face count as absent
    assert mean["coverage"] == pytest.approx(7 / 8)
    assert set(predictions["subject"]) == set(FOLD.test_subjects)
    assert predictions[predictions["status"] == "no_face"]["p_AU01"].isna().all()
    epochs = pd.read_parquet(stage2[1])
    assert sorted(epochs["epoch"].unique()) == [1, 2, 3]
    pd.testing.assert_frame_equal(
        epochs.query("epoch == 3").drop(columns="epoch").reset_index(drop=True),
        predictions.dropna(subset="p_AU01").reset_index(drop=True),
    )
    assert epochs.query("epoch < 3").filter(like="d_").isna().all(axis=None)
    assert mean["auc_description"] is not None


def test_the_predictions_are_those_of_the_saved_weights(toy, stage2, tmp_path):
    predictions, _ = evaluated(tmp_path, PARAMS, FOLD, toy, stage2)
    cropped = predictions[predictions["status"].isin(CROPPED)]
    frames = select.test_frames(toy.manifest, FOLD, 1).merge(cropped[["sequence", "frame"]])
    texts, templates = label_texts(PARAMS.texts, PARAMS.labels), label_templates(PARAMS.texts)
    task = LabelTask(Encoders(PARAMS.model), texts, PARAMS.labels, templates, PARAMS.finetune, None, 0)
    task.load_state_dict(load_file(stage2[0]))
    crops = Crops(toy.shards, frames, manifest_fingerprint(toy.manifest))
    again = predict_frames(task, crops, PARAMS.evaluate.batch, torch.device("cpu"))
    np.testing.assert_array_equal(cropped.filter(like="p_"), again.probabilities)
    np.testing.assert_array_equal(cropped.filter(like="d_"), again.similarities)


def test_predictions_of_another_training_or_manifest_are_refused(toy, stage2, tmp_path):
    weights, epochs = stage2_files(tmp_path)
    for file in (stage2[0], stage2[0].with_suffix(".json")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    sidecar = sidecar_of(weights)
    beside = weights.with_suffix(".json")
    beside.write_text(json.dumps({name: value for name, value in sidecar.items() if name != "predictions"}))
    with pytest.raises(ClefError, match=r"finetune\.safetensors: trained by an earlier version, .*; train again"):
        evaluated(tmp_path, PARAMS, FOLD, toy, (weights, epochs))
    beside.write_text(json.dumps(sidecar | {"sha256": "0" * 64}))
    with pytest.raises(ClefError, match=r"finetune\.safetensors: changed since it was trained; .*again"):
        evaluated(tmp_path, PARAMS, FOLD, toy, (weights, epochs))
    beside.write_text(json.dumps(sidecar))
    with pytest.raises(ClefError, match=r"epochs\.parquet: no such file; run `clef finetune` first"):
        evaluated(tmp_path, PARAMS, FOLD, toy, (weights, epochs))
    predicted = pd.read_parquet(stage2[1])
    predicted.assign(p_AU01=0.5).to_parquet(epochs)
    with pytest.raises(ClefError, match=r"epochs\.parquet: was not written with .*finetune\.safetensors; .*again"):
        evaluated(tmp_path, PARAMS, FOLD, toy, (weights, epochs))
    for kept in (predicted.iloc[1:], predicted.query("epoch < 3 or frame > 8"), predicted.assign(frame=-1)):
        kept.to_parquet(epochs)
        beside.write_text(json.dumps(sidecar | {"predictions": file_hash(epochs)}))
        with pytest.raises(ClefError, match=r"epochs\.parquet: has other test frames than the manifest; train again"):
            evaluated(tmp_path, PARAMS, FOLD, toy, (weights, epochs))


def test_both_stages_train_both_encoders_and_the_head(stage1, stage2):
    torch.manual_seed(0)
    initial = {name: tensor.clone() for name, tensor in Encoders(PARAMS.model).state_dict().items()}
    after_1, after_2 = load_file(stage1), load_file(stage2[0])
    for name in ("clip.visual.trunk.conv_stem.weight", "clip.token_embedding.weight", "clip.text_projection"):
        assert not torch.equal(initial[name], after_1[name])
        assert not torch.equal(after_1[name], after_2[f"encoders.{name}"])
    assert after_2["log_scale"].exp().item() != pytest.approx(PARAMS.finetune.logit_scale)
    assert after_2["bias"].abs().min() > 0


def test_test_labels_change_no_bit_of_the_weights(stage1, stage2, tmp_path):
    files = stage2_files(tmp_path)
    for subjects, same in ((FOLD.test_subjects, True), (FOLD.train_subjects[:1], False)):
        inputs = make_toy(tmp_path / subjects[0], PARAMS, flip_labels_of=subjects)
        finetune(PARAMS, 0, FOLD, inputs, stage1, *files)
        assert (files[0].read_bytes() == stage2[0].read_bytes()) == same


def test_true_labels_are_learnt_and_shuffled_ones_are_not(toy, tmp_path):
    params = toy_params(pretrain=None, finetune={"epochs": 12})
    shuffled = make_toy(tmp_path / "shuffled", params, shuffle_labels_of=FOLD.train_subjects)
    files, auc = stage2_files(tmp_path), {}
    for name, inputs in (("true", toy), ("shuffled", shuffled)):
        finetune(params, 0, FOLD, inputs, None, *files)
        auc[name] = evaluated(tmp_path, params, FOLD, inputs, files)[1]["rows"]["mean"]["auc"]
    assert auc["true"] > 0.8  # the frames without a face keep it from 1
    assert auc["shuffled"] == pytest.approx(0.5, abs=0.2)


def test_weights_that_saw_a_test_subject_are_refused(toy, stage1, stage2, tmp_path):
    for fold in (OTHER_FOLD, inner_split(OTHER_FOLD, 0.5, 0)):
        with pytest.raises(ClefError, match="stage 1 was trained on test subjects"):
            finetune(PARAMS, 0, fold, toy, stage1, *stage2_files(tmp_path))
    with pytest.raises(ClefError, match="are in training and in test"):
        evaluated(tmp_path, PARAMS, OTHER_FOLD, toy, stage2)


def test_thresholds_come_from_the_held_out_subjects_only(toy, stage1, stage2, tmp_path):
    params = toy_params(tune={"held_out": 0.5})
    inner = inner_split(FOLD, 0.5, 0)
    files = stage2_files(tmp_path)
    finetune(params, 0, inner, toy, stage1, *files)
    sidecar = sidecar_of(files[0])
    assert [subject for _, subject in sidecar["trained_on"]] == sorted(inner.train_subjects)
    held_out = pd.read_parquet(files[1])
    assert set(held_out["subject"]) == set(inner.test_subjects)
    assert set(held_out["epoch"]) == {params.finetune.epochs}

    def tuned(flipped: tuple[str, ...]) -> dict:
        labels = make_toy(tmp_path / "-".join(flipped), params, flip_labels_of=flipped)
        return evaluated(tmp_path, params, FOLD, labels, stage2, inner=files[1])[1]

    plain = tuned(())
    assert plain["rows"]["mean"]["f1_tuned"] is not None
    assert plain["tuned"]["frames"] == len(inner.test_subjects) * 3 * len(LABELLED)
    assert plain["tuned"]["thresholds"].keys() == {"AU01", "AU04", "AU12"}
    for others in (FOLD.test_subjects, inner.train_subjects):
        found = tuned(others)["tuned"]
        assert {key: found[key] for key in ("thresholds", "temperature")}.items() <= plain["tuned"].items()
    assert tuned(inner.test_subjects)["tuned"]["thresholds"] != plain["tuned"]["thresholds"]

    with pytest.raises(ClefError, match="other subjects than `tune` holds out now"):
        evaluated(tmp_path, params, FOLD, toy, stage2, inner=stage2[1])
    with pytest.raises(ClefError, match="give --inner"):
        evaluated(tmp_path, params, FOLD, toy, stage2)


def test_crops_with_other_settings_than_the_params_are_refused(toy, tmp_path):
    with pytest.raises(ClefError, match=r"do not have the settings of the params: margin 0\.2 against 0\.5"):
        pretrain(toy_params(crop={"margin": 0.5}), 0, FOLD, toy, tmp_path / "pretrain.safetensors")


@pytest.mark.parametrize(
    ("old", "difference"),
    [
        ("name: inner brow raiser", "texts, label_texts"),
        ("a person without {}", "texts, templates"),
        (None, "finetune"),
    ],
)
def test_evaluation_refuses_weights_with_other_texts_or_settings(toy, stage2, tmp_path, old, difference):
    params = toy_params(finetune={"matching": "pair"})
    if old is not None:
        texts = tmp_path / "texts.yaml"
        texts.write_text(PACKAGED.read_text().replace(old, f"{old} changed"))
        params = PARAMS.model_copy(update={"texts": TextParams(file=str(texts))})
    with pytest.raises(ClefError, match=f"trained with other (texts, )?{difference} than the run has now"):
        evaluated(tmp_path, params, FOLD, toy, stage2)


@pytest.mark.parametrize(
    "changes",
    [
        {"head": "linear", "freeze_image": True},
        {"matching": "pair"},
        {"image_names": 0, "names_descriptions": 0, "image_descriptions": 1},
    ],
)
def test_every_variant_of_stage_2_trains_and_predicts(toy, stage1, tmp_path, changes):
    params = toy_params(finetune={"epochs": 1, **changes})
    files = stage2_files(tmp_path)
    finetune(params, 0, FOLD, toy, stage1, *files)
    predictions, _ = evaluated(tmp_path, params, FOLD, toy, files)
    assert predictions["p_AU01"].dropna().between(0, 1).all()
    if changes.get("freeze_image"):
        before, after = load_file(stage1), load_file(files[0])
        visual = [name for name in before if name.startswith("clip.visual.")]
        assert all((before[name] == after[f"encoders.{name}"]).all() for name in visual)


@pytest.fixture
def other_normalisation(tmp_path, monkeypatch):
    """Params with a pretrained tag that has another normalisation than the default."""
    torch.manual_seed(7)
    weights = tmp_path / "published.safetensors"
    save_weights(weights, Encoders(PARAMS.model).clip.state_dict(), {})
    tag = {"url": "weights", "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "clef-tiny", {"published": tag})
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda *_, **__: str(weights))
    return toy_params(model={"pretrained": "published"}, finetune={"epochs": 1})


@pytest.mark.parametrize("pretrained", [False, True])
def test_stage_2_and_evaluation_keep_the_normalisation_of_the_first_training(
    toy, other_normalisation, tmp_path, pretrained
):
    params, encoders = other_normalisation, None
    if pretrained:
        params, encoders = toy_params(finetune={"epochs": 1}), tmp_path / "pretrain.safetensors"
        pretrain(other_normalisation, 0, FOLD, toy, encoders)
    files = stage2_files(tmp_path)
    finetune(params, 0, FOLD, toy, encoders, *files)
    predictions, _ = evaluated(tmp_path, params, FOLD, toy, files)
    predictions = predictions.dropna(subset="p_AU01").reset_index(drop=True)
    last_epoch = pd.read_parquet(files[1]).drop(columns="epoch")  # without similarities
    pd.testing.assert_frame_equal(last_epoch, predictions[last_epoch.columns], check_exact=True)
    assert sidecar_of(files[0])["normalisation"] == {"mean": [0.5] * 3, "std": [0.5] * 3}


def test_test_frames_without_any_crop_are_an_error_in_both_commands(toy, stage1, stage2, tmp_path):
    frames = pq.read_table(toy.manifest)
    tested = np.isin(frames["subject"].to_pylist(), FOLD.test_subjects)
    status = np.where(tested, "no_face", frames["status"].to_pylist())
    column = pa.array(status, frames.schema.field("status").type)
    faceless = replace(toy, manifest=tmp_path / "manifest.parquet")
    pq.write_table(frames.set_column(frames.schema.get_field_index("status"), "status", column), faceless.manifest)
    with pytest.raises(ClefError, match="fold 0 has no test frame with a crop"):
        finetune(PARAMS, 0, FOLD, faceless, stage1, *stage2_files(tmp_path))
    with pytest.raises(ClefError, match="fold 0 has no test frame with a crop"):
        evaluated(tmp_path, PARAMS, FOLD, faceless, stage2)
