import json
import shutil

import numpy as np
import pytest
import torch

from clef.errors import ClefError
from clef.manifest.table import manifest_fingerprint
from clef.trained.config import CONFIG, TrainedConfig
from clef.trained.load import load_model
from clef.trained.run_members import NOTICE, run_config
from tests.trained.conftest import LABELS, evaluated_crops


def test_a_fold_predicts_its_test_frames_as_the_evaluation_did(toy_run):
    for fold in (0, 1):
        crops, expected = evaluated_crops(toy_run, fold)
        probabilities, cosines = load_model(toy_run[0], fold=fold, device="cpu").predict(crops)
        assert (probabilities == expected).all()
        assert cosines is None


@torch.no_grad()
def test_all_members_are_averaged_for_labels_and_sentences(toy_run):
    folder, _ = toy_run
    crops = torch.randint(0, 255, (5, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    whole, parts = load_model(folder, device="cpu"), [load_model(folder, fold=n, device="cpu") for n in (0, 1)]
    sentences = ["a person with raised inner brows", "a smile"]
    probabilities, cosines = whole.predict(crops, whole.encode_sentences(sentences))
    single = [part.predict(crops, part.encode_sentences(sentences)) for part in parts]
    np.testing.assert_allclose(probabilities, np.mean([one for one, _ in single], axis=0), atol=1e-6)
    np.testing.assert_allclose(cosines, np.mean([one for _, one in single], axis=0), atol=1e-6)
    assert not np.allclose(*(one for one, _ in single), atol=1e-3)
    assert np.abs(cosines).max() <= 1


def test_the_config_knows_crops_labels_thresholds_and_scores(toy_run):
    folder, inputs = toy_run
    config = load_model(folder, device="cpu").config
    assert config.crop == manifest_fingerprint(inputs.manifest)
    assert config.labels.names == LABELS
    assert config.thresholds == dict.fromkeys(LABELS, 0.5)
    assert config.scores == json.loads((folder / "summary.json").read_text())["rows"]
    assert [(member.seed, member.fold) for member in config.members] == [(0, 0), (0, 1)]
    assert config.notice == NOTICE


def tune(path, temperature: float, thresholds: list[float]) -> None:
    tuned = {"temperature": temperature, "thresholds": dict(zip(LABELS, thresholds, strict=True))}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tuned": tuned}))


def test_tuned_thresholds_are_averaged_where_every_member_has_some(toy_run, tmp_path):
    run = shutil.copytree(toy_run[0], tmp_path / "run")
    tune(run / "seed0/fold0/metrics.json", 2.0, [0.2, 0.5, 0.8])
    assert run_config(run, fold="0").thresholds == pytest.approx(
        dict(zip(LABELS, [1 / 17, 0.5, 16 / 17], strict=True)), abs=1e-4
    )
    assert run_config(run).thresholds == dict.fromkeys(LABELS, 0.5), "fold 1 has none"
    assert not run_config(run).tuned
    tune(run / "seed0/fold1/metrics.json", 1.0, [0.4, 0.1, 0.8])
    config = run_config(run)
    mean = [(1 / 17 + 0.4) / 2, 0.3, (16 / 17 + 0.8) / 2]
    assert config.thresholds == pytest.approx(dict(zip(LABELS, mean, strict=True)), abs=1e-4)
    assert config.tuned


def test_a_config_is_read_as_it_was_written(toy_run, tmp_path):
    config = load_model(toy_run[0], device="cpu").config
    (tmp_path / CONFIG).write_text(config.to_json())
    assert TrainedConfig.read(tmp_path) == config


@pytest.mark.parametrize(
    ("remove", "options", "message"),
    [
        ("seed0/fold1", {"fold": 1}, r"no trained stage 2, fold 1; it has seed0/fold0; name one of them"),
        ("summary.json", {}, r"summary\.json: no such file; finish the run with `snakemake .*`, or name a fold"),
        ("seed0/fold0/finetune.json", {}, r"finetune\.json: no such file; restore it, or run `clef finetune` again"),
    ],
)
def test_an_unfinished_run_is_refused(toy_run, tmp_path, remove, options, message):
    run = tmp_path / "run"
    shutil.copytree(toy_run[0], run)
    shutil.rmtree(run / remove) if (run / remove).is_dir() else (run / remove).unlink()
    with pytest.raises(ClefError, match=message):
        load_model(run, device="cpu", **options)


def test_a_fold_of_an_unfinished_run_can_be_named(toy_run, tmp_path):
    shutil.copytree(toy_run[0] / "seed0/fold0", tmp_path / "run/seed0/fold0")
    model = load_model(tmp_path / "run", fold=0, device="cpu")
    assert (len(model.tasks), model.config.scores) == (1, {})


def test_changed_weights_and_unknown_names_are_refused(toy_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(toy_run[0], run)
    shutil.copy(run / "seed0/fold0/finetune.safetensors", run / "seed0/fold1/finetune.safetensors")
    with pytest.raises(ClefError, match=r"fold1/finetune\.safetensors: changed since it was trained"):
        load_model(run, device="cpu")
    with pytest.raises(ClefError, match="nothing: no trained run and no exported model; expected the name of a run"):
        load_model("nothing")


def test_only_sentences_that_can_be_encoded_are_asked(toy_run):
    model = load_model(toy_run[0], fold=0, device="cpu")
    with pytest.raises(ClefError, match="ask: empty; expected a sentence"):
        model.encode_sentences(["a smile", " "])
    with pytest.raises(ClefError, match="shorten it"):
        model.encode_sentences(["word " * 80])
