"""Both stages and evaluation on the toy set, file in and file out."""

import json
import shutil

import numpy as np
import open_clip
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.evaluation.fold.evaluate_fold import evaluate_fold
from clef.manifest.folds import Fold, inner_split
from clef.model.tasks import Encoders, architecture
from clef.model.texts import PACKAGED
from clef.params.schema import TextParams
from clef.training.checkpoint import save_weights
from clef.training.finetune import finetune
from clef.training.inputs import Inputs
from clef.training.metrics_file import MetricsFile
from clef.training.pretrain import pretrain
from tests.toy import LABELLED, make_toy, toy_fold, toy_params


@pytest.fixture(scope="module")
def stage1(tmp_path_factory):
    """Params, inputs and the trained stage 1 of fold 0."""
    folder = tmp_path_factory.mktemp("stages")
    params = toy_params()
    inputs = make_toy(folder, params)
    target = folder / "pretrain.safetensors"
    pretrain(params, 0, toy_fold(params), inputs, target)
    return params, inputs, target


@pytest.fixture(scope="module")
def stage2(stage1, tmp_path_factory):
    """As `stage1`, with the trained stage 2 in a folder of its own."""
    params, inputs, encoders = stage1
    folder = tmp_path_factory.mktemp("stage2")
    finetune(params, 0, toy_fold(params), inputs, encoders, folder / "finetune.safetensors", folder / "epochs.parquet")
    return params, inputs, folder


def test_stage_1_says_what_it_was_trained_on_and_leaves_nothing_else(stage1):
    params, _, target = stage1
    sidecar = json.loads(target.with_suffix(".json").read_text())
    fold = toy_fold(params)
    assert [subject for _, subject in sidecar["trained_on"]] == sorted(fold.train_subjects)
    assert sidecar["fingerprint"]["size"] == 40
    left = {path.name for path in target.parent.glob("pretrain*")}
    assert left == {"pretrain.safetensors", "pretrain.json", "pretrain.metrics.jsonl", "pretrain.track.json"}


def test_a_training_says_what_it_is_even_in_the_fold_of_everybody(stage1, tmp_path, caplog):
    params, inputs, _ = stage1
    everybody = Fold("all", tuple(open_dataset(params).subjects()), ())
    with caplog.at_level("INFO", "clef"):
        pretrain(params, 0, everybody, inputs, tmp_path / "pretrain.safetensors")
    assert "stage 1, seed 0, fold all: " in caplog.text


def test_what_a_model_name_stands_for_is_kept_with_the_weights(stage1):
    _, _, target = stage1
    assert json.loads(target.with_suffix(".json").read_text())["architecture"] == architecture("clef-tiny")


def test_stage_1_logs_the_share_of_positives_across_subjects(stage1):
    _, _, target = stage1
    for record in MetricsFile(target.with_suffix(".metrics.jsonl")).read():
        # 3 subjects x 2 frames an activity: of the 5 others of the activity, 4 are of other subjects
        assert record["batch/cross_subject_positives"] == pytest.approx(4 / 5)


def test_the_same_seed_gives_the_same_bytes(stage1, tmp_path):
    params, inputs, target = stage1
    pretrain(params, 0, toy_fold(params), inputs, tmp_path / "pretrain.safetensors")
    assert (tmp_path / "pretrain.safetensors").read_bytes() == target.read_bytes()
    assert (tmp_path / "pretrain.json").read_bytes() == target.with_suffix(".json").read_bytes()


def test_another_seed_gives_other_weights(stage1, tmp_path):
    params, inputs, target = stage1
    pretrain(params, 1, toy_fold(params), inputs, tmp_path / "pretrain.safetensors")
    assert (tmp_path / "pretrain.safetensors").read_bytes() != target.read_bytes()


def test_stage_2_learns_what_the_corners_show(stage2, tmp_path):
    params, inputs, folder = stage2
    fold = toy_fold(params)
    evaluate_fold(
        params,
        0,
        fold,
        inputs,
        folder / "finetune.safetensors",
        folder / "epochs.parquet",
        tmp_path / "predictions.parquet",
        tmp_path / "metrics.json",
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    mean = metrics["rows"]["mean"]
    assert mean["f1_faces"] > mean["floor"] + 0.1
    assert mean["f1"] < mean["f1_faces"]  # frames without a face count as absent
    assert mean["coverage"] == pytest.approx(7 / 8)
    predictions = pd.read_parquet(tmp_path / "predictions.parquet")
    assert set(predictions["subject"]) == set(fold.test_subjects)
    assert predictions[predictions["status"] == "no_face"]["p_AU01"].isna().all()
    epochs = pd.read_parquet(folder / "epochs.parquet")
    assert sorted(epochs["epoch"].unique()) == [1, 2, 3]
    last = epochs[epochs["epoch"] == 3].merge(predictions, on=["sequence", "frame"], suffixes=("", "_final"))
    assert (last["p_AU01"] == last["p_AU01_final"]).all()


def test_both_stages_train_both_towers_and_what_is_beside_them(stage1, stage2):
    params, _, target = stage1
    torch.manual_seed(0)
    first = {name: tensor.clone() for name, tensor in Encoders(params.model).state_dict().items()}
    after_1, after_2 = load_file(target), load_file(stage2[2] / "finetune.safetensors")
    for name in ("clip.visual.trunk.conv_stem.weight", "clip.token_embedding.weight", "clip.text_projection"):
        assert not torch.equal(first[name], after_1[name])
        assert not torch.equal(after_1[name], after_2[f"encoders.{name}"])
    assert after_2["log_scale"].exp().item() != pytest.approx(params.finetune.logit_scale)
    assert after_2["bias"].abs().min() > 0


def test_noise_for_test_labels_changes_no_bit_of_the_weights(stage1, stage2, tmp_path):
    params, _, encoders = stage1
    _, _, folder = stage2
    fold = toy_fold(params)
    noisy = make_toy(tmp_path, params, flip_labels_of=fold.test_subjects)
    target = tmp_path / "finetune.safetensors"
    finetune(params, 0, fold, noisy, encoders, target, tmp_path / "epochs.parquet")
    assert target.read_bytes() == (folder / "finetune.safetensors").read_bytes()
    turned = make_toy(tmp_path / "train", params, flip_labels_of=fold.train_subjects[:1])
    finetune(params, 0, fold, turned, encoders, target, tmp_path / "epochs.parquet")
    assert target.read_bytes() != (folder / "finetune.safetensors").read_bytes()


def test_stage_1_that_saw_a_test_subject_is_refused(stage1, tmp_path):
    params, inputs, encoders = stage1
    other = toy_fold(params, 1)
    with pytest.raises(ClefError, match="stage 1 was trained on test subjects"):
        finetune(params, 0, other, inputs, encoders, tmp_path / "f.safetensors", tmp_path / "e.parquet")


def test_an_inner_stage_2_may_start_from_the_stage_1_of_its_fold_and_from_no_other(stage1, tmp_path):
    params, inputs, encoders = stage1
    target, predictions = tmp_path / "inner.safetensors", tmp_path / "inner.parquet"
    inner = inner_split(toy_fold(params), 0.5, 0)
    finetune(params, 0, inner, inputs, encoders, target, predictions)
    sidecar = json.loads(target.with_suffix(".json").read_text())
    assert [subject for _, subject in sidecar["trained_on"]] == sorted(inner.train_subjects)
    held_out = pd.read_parquet(predictions)
    assert set(held_out["subject"]) == set(inner.test_subjects)
    assert set(held_out["epoch"]) == {params.finetune.epochs}
    with pytest.raises(ClefError, match="stage 1 was trained on test subjects"):
        finetune(params, 0, inner_split(toy_fold(params, 1), 0.5, 0), inputs, encoders, target, predictions)


def test_thresholds_come_from_the_people_held_out_and_from_nobody_else(stage1, stage2, tmp_path):
    _, inputs, encoders = stage1
    _, _, folder = stage2
    params = toy_params(tune={"held_out": 0.5})
    fold = toy_fold(params)
    inner = inner_split(fold, 0.5, 0)
    files = [tmp_path / "inner.safetensors", tmp_path / "inner.parquet"]
    finetune(params, 0, inner, inputs, encoders, *files)

    def tuned(turned_round: tuple[str, ...]) -> dict:
        labels = make_toy(tmp_path / "-".join(turned_round), params, flip_labels_of=turned_round)
        metrics = tmp_path / "metrics.json"
        trained = [folder / "finetune.safetensors", folder / "epochs.parquet", tmp_path / "p.parquet", metrics]
        evaluate_fold(params, 0, fold, labels, *trained, inner=files[1])
        return json.loads(metrics.read_text())

    plain = tuned(())
    assert plain["rows"]["mean"]["f1_tuned"] is not None
    assert plain["tuned"]["frames"] == len(inner.test_subjects) * 3 * len(LABELLED)
    assert plain["tuned"]["thresholds"].keys() == {"AU01", "AU04", "AU12"}
    for others in (fold.test_subjects, inner.train_subjects):
        chosen = {key: tuned(others)["tuned"][key] for key in ("thresholds", "temperature")}
        assert chosen == {key: plain["tuned"][key] for key in chosen}
    assert tuned(inner.test_subjects)["tuned"]["thresholds"] != plain["tuned"]["thresholds"]


def test_inner_predictions_of_other_people_are_refused(stage2, tmp_path):
    _, inputs, folder = stage2
    params = toy_params(tune={"held_out": 0.5})
    trained = [folder / "finetune.safetensors", folder / "epochs.parquet", tmp_path / "p.parquet", tmp_path / "m.json"]
    with pytest.raises(ClefError, match="other people than `tune` holds out now"):
        evaluate_fold(params, 0, toy_fold(params), inputs, *trained, inner=folder / "epochs.parquet")


def test_a_run_that_tunes_asks_for_the_inner_predictions(stage2, tmp_path):
    _, inputs, folder = stage2
    params = toy_params(tune={"held_out": 0.5})
    with pytest.raises(ClefError, match="give --inner"):
        evaluate_fold(
            params,
            0,
            toy_fold(params),
            inputs,
            folder / "finetune.safetensors",
            folder / "epochs.parquet",
            tmp_path / "p.parquet",
            tmp_path / "m.json",
        )


def test_stage_1_of_other_crops_is_refused(stage1, tmp_path):
    params, inputs, encoders = stage1
    for suffix in (".safetensors", ".json"):
        shutil.copy(encoders.with_suffix(suffix), tmp_path / f"p{suffix}")
    sidecar = json.loads((tmp_path / "p.json").read_text())
    sidecar["fingerprint"]["margin"] = 0.7
    (tmp_path / "p.json").write_text(json.dumps(sidecar))
    with pytest.raises(ClefError, match=r"margin 0.7 against 0.2"):
        finetune(
            params,
            0,
            toy_fold(params),
            inputs,
            tmp_path / "p.safetensors",
            tmp_path / "f.safetensors",
            tmp_path / "e.parquet",
        )


def test_evaluation_refuses_weights_that_saw_a_test_subject(stage2, tmp_path):
    params, inputs, folder = stage2
    with pytest.raises(ClefError, match="are in training and in test"):
        evaluate_fold(
            params,
            0,
            toy_fold(params, 1),
            inputs,
            folder / "finetune.safetensors",
            folder / "epochs.parquet",
            tmp_path / "p.parquet",
            tmp_path / "m.json",
        )


def test_evaluation_refuses_other_texts_than_the_weights_were_trained_with(stage2, tmp_path):
    params, inputs, folder = stage2
    own, absent = tmp_path / "texts.yaml", tmp_path / "absent.yaml"
    own.write_text(PACKAGED.read_text().replace("name: inner brow raiser", "name: brow thing"))
    absent.write_text(PACKAGED.read_text().replace("a person without {}", "nobody with {}"))
    for changed, what in (
        (params.model_copy(update={"texts": TextParams(file=str(own))}), "texts, label_texts"),
        (params.model_copy(update={"texts": TextParams(file=str(absent))}), "texts, templates"),
        (toy_params(finetune={"matching": "pair"}), "finetune"),
    ):
        with pytest.raises(ClefError, match=f"trained with other {what} than the run has now"):
            evaluate_fold(
                changed,
                0,
                toy_fold(params),
                inputs,
                folder / "finetune.safetensors",
                folder / "epochs.parquet",
                tmp_path / "p.parquet",
                tmp_path / "m.json",
            )


def test_training_refuses_crops_that_the_params_do_not_ask_for(stage1, tmp_path):
    _, inputs, _ = stage1
    params = toy_params(crop={"margin": 0.5})
    with pytest.raises(ClefError, match=r"not those of the params: margin 0\.2 against 0\.5"):
        pretrain(params, 0, toy_fold(params), inputs, tmp_path / "p.safetensors")


@pytest.mark.parametrize(
    "changes",
    [
        {"head": "linear"},
        {"head": "linear", "freeze_image": True},
        {"matching": "pair"},
        {"names_descriptions": 0},
        {"image_names": 0, "names_descriptions": 0, "image_descriptions": 1},
    ],
)
def test_every_variant_of_stage_2_trains_and_predicts(stage1, tmp_path, changes):
    _, inputs, encoders = stage1
    params = toy_params(finetune={"epochs": 1, **changes})
    fold = toy_fold(params)
    target, epochs = tmp_path / "f.safetensors", tmp_path / "e.parquet"
    finetune(params, 0, fold, inputs, encoders, target, epochs)
    evaluate_fold(params, 0, fold, inputs, target, epochs, tmp_path / "p.parquet", tmp_path / "m.json")
    assert pd.read_parquet(tmp_path / "p.parquet")["p_AU01"].dropna().between(0, 1).all()
    if changes.get("freeze_image"):
        before, after = load_file(encoders), load_file(target)
        visual = [name for name in before if name.startswith("clip.visual.")]
        assert all((before[name] == after[f"encoders.{name}"]).all() for name in visual)


@pytest.mark.parametrize("changes", [{"image_text": 0}, {"image_image": 0}])
def test_each_loss_of_stage_1_can_be_switched_off(stage1, tmp_path, changes):
    _, inputs, _ = stage1
    params = toy_params(pretrain=changes)
    pretrain(params, 0, toy_fold(params), inputs, tmp_path / "p.safetensors")
    (off,) = changes
    records = MetricsFile(tmp_path / "p.metrics.jsonl").read()
    assert records
    assert all(f"train/{off}" not in record for record in records)


@pytest.fixture
def other_normalisation(tmp_path, monkeypatch):
    """Params that start from a tag whose weights were trained on images normalised otherwise than by default."""
    torch.manual_seed(7)
    weights = tmp_path / "published.safetensors"
    save_weights(weights, Encoders(toy_params().model).clip.state_dict(), {})
    tag = {"url": "weights", "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "clef-tiny", {"published": tag})
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda *_, **__: str(weights))
    return toy_params(model={"pretrained": "published"}, finetune={"epochs": 1})


def after_the_last_epoch_and_evaluated(params, inputs, encoders, folder):
    """Probabilities of the test frames with a crop, as stage 2 saw them at its end and as evaluation does."""
    target, epochs = folder / "f.safetensors", folder / "e.parquet"
    finetune(params, 0, toy_fold(params), inputs, encoders, target, epochs)
    evaluate_fold(params, 0, toy_fold(params), inputs, target, epochs, folder / "p.parquet", folder / "m.json")
    evaluated = pd.read_parquet(folder / "p.parquet").dropna(subset="p_AU01").reset_index(drop=True)
    return pd.read_parquet(epochs).drop(columns="epoch"), evaluated


def test_evaluation_normalises_as_the_tag_did_that_training_began_with(stage1, other_normalisation, tmp_path):
    _, inputs, _ = stage1
    trained, evaluated = after_the_last_epoch_and_evaluated(other_normalisation, inputs, None, tmp_path)
    pd.testing.assert_frame_equal(trained, evaluated, check_exact=True)
    kept = json.loads((tmp_path / "f.json").read_text())["normalisation"]
    assert kept == {"mean": [0.5] * 3, "std": [0.5] * 3}


def test_stage_2_and_evaluation_normalise_as_stage_1_did(stage1, other_normalisation, tmp_path):
    _, inputs, _ = stage1
    encoders = tmp_path / "pretrain.safetensors"
    pretrain(other_normalisation, 0, toy_fold(other_normalisation), inputs, encoders)
    params = toy_params(finetune={"epochs": 1})
    trained, evaluated = after_the_last_epoch_and_evaluated(params, inputs, encoders, tmp_path)
    pd.testing.assert_frame_equal(trained, evaluated, check_exact=True)
    for stage in ("pretrain.json", "f.json"):
        assert json.loads((tmp_path / stage).read_text())["normalisation"]["mean"] == [0.5] * 3


def test_weights_that_do_not_say_how_images_were_normalised_are_refused(stage1, tmp_path):
    params, inputs, encoders = stage1
    sidecar = json.loads(encoders.with_suffix(".json").read_text())
    del sidecar["normalisation"]
    old = shutil.copy(encoders, tmp_path / "old.safetensors")
    (tmp_path / "old.json").write_text(json.dumps(sidecar))
    with pytest.raises(ClefError, match=r"old\.safetensors: .* no normalisation of images; train again"):
        finetune(params, 0, toy_fold(params), inputs, old, tmp_path / "f.safetensors", tmp_path / "e.parquet")


def test_a_test_side_without_a_crop_is_told_by_either_stage(stage1, stage2, tmp_path):
    params, inputs, encoders = stage1
    fold = toy_fold(params)
    frames = pq.read_table(inputs.manifest)
    tested = np.isin(frames["subject"].to_pylist(), fold.test_subjects)
    status = np.where(tested, "no_face", frames["status"].to_pylist())
    column = pa.array(status, frames.schema.field("status").type)
    faceless = Inputs(tmp_path / "manifest.parquet", inputs.shards)
    pq.write_table(frames.set_column(frames.schema.get_field_index("status"), "status", column), faceless.manifest)
    made = [tmp_path / "f.safetensors", tmp_path / "e.parquet"]
    with pytest.raises(ClefError, match="fold 0 has no test frame with a crop"):
        finetune(params, 0, fold, faceless, encoders, *made)
    trained = [stage2[2] / "finetune.safetensors", stage2[2] / "epochs.parquet"]
    with pytest.raises(ClefError, match="fold 0 has no test frame with a crop"):
        evaluate_fold(params, 0, fold, faceless, *trained, *made)
