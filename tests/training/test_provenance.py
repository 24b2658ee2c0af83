"""What the keys of trainings depend on: a training is resumed and tracked by its key."""

import shutil
from dataclasses import replace
from functools import partial

import pytest
from safetensors.torch import load_file

import clef.training.provenance
from clef.datasets import open_dataset
from clef.manifest.folds import fold_testing_all
from clef.model.encoders import Encoders
from clef.model.texts import PACKAGED
from clef.params.schema import Params
from clef.training.checkpoint import save_weights
from clef.training.finetune import finetune
from clef.training.inputs import EvaluationData
from clef.training.pretrain import pretrain
from clef.training.provenance import training_key
from tests.toy import make_toy, toy_fold, toy_params
from tests.training.stages import planned, sidecar_of, stage2_files

PLAIN = toy_params(finetune={"label_weight": "none"})
FOLD = toy_fold(PLAIN)
SECTIONS = {
    "dataset": {"name": "another"},
    "texts": {"file": str(PACKAGED)},
    "model": {"normalisation": "imagenet"},
    "folds": {"seed": 5},
    "device": "cuda",
    "threads": 2,
    "deterministic": True,
}
"""A change in each section that both stages depend on."""


def changed(section: str, change) -> Params:
    value = getattr(PLAIN, section)
    return PLAIN.model_copy(update={section: value.model_copy(update=change) if isinstance(change, dict) else change})


@pytest.fixture(scope="module")
def inputs(toy, tmp_path_factory):
    """The toy set as it is, with other labels, and with other crops."""
    folder = tmp_path_factory.mktemp("inputs")
    labels = make_toy(folder / "labels", PLAIN, flip_labels_of=("M003",))
    return {"plain": toy, "other labels": labels, "other crops": make_toy(folder / "crops", PLAIN, light=61)}


@pytest.fixture(scope="module")
def key_of(inputs, stage1, tmp_path_factory):
    """The key of a stage with some changes."""
    files = stage2_files(tmp_path_factory.mktemp("key"))

    def key_of(stage, params=PLAIN, data="plain", seed=0, fold=FOLD, start=stage1, other_dataset=None) -> str:
        more = (files[0],) if stage is pretrain else (start, *files, other_dataset)
        return planned(stage, params, seed, fold, inputs[data], *more).key

    return key_of


@pytest.fixture(params=[pretrain, finetune], scope="module")
def key(request, key_of):
    return partial(key_of, request.param)


@pytest.fixture(scope="module")
def plain_key(key):
    """The key without a change."""
    return key()


@pytest.mark.parametrize(
    "change",
    [
        *[{"params": changed(*section)} for section in SECTIONS.items()],
        {"data": "other labels"},
        {"data": "other crops"},
        {"seed": 1},
        {"fold": replace(FOLD, number=2)},
        {"fold": replace(FOLD, train_subjects=FOLD.train_subjects[:-1])},
        {"fold": replace(FOLD, test_subjects=FOLD.test_subjects[:-1])},
    ],
    ids=[*SECTIONS, "labels", "crops", "seed", "fold", "training subjects", "test subjects"],
)
def test_the_keys_of_both_stages_change_with(change, key, plain_key):
    assert key(**change) != plain_key


def test_the_key_of_each_stage_depends_on_its_own_settings(key_of):
    assert key_of(pretrain, changed("pretrain", {"temperature": 0.2})) != key_of(pretrain)
    changes = [changed("finetune", {"logit_scale": 9.0}), changed("labels", {"threshold": 2}), PLAIN]
    assert len({key_of(finetune, params) for params in changes}) == 3


def test_the_keys_depend_on_the_weights_file_and_on_the_architecture(key, plain_key, monkeypatch, tmp_path):
    path, weights = tmp_path / "published.safetensors", Encoders(PLAIN.model).clip.state_dict()
    params = changed("model", {"pretrained": str(path), "normalisation": "clip"})
    keys = set()
    for factor in (1, 2):
        save_weights(path, {name: factor * value for name, value in weights.items()}, {})
        keys.add(key(params))
    assert len(keys) == 2
    monkeypatch.setattr(clef.training.provenance, "architecture", lambda name: {"embed_dim": 1})
    assert key() != plain_key


@pytest.mark.parametrize(
    ("stage", "text"),
    [
        (pretrain, "hears a joke"),
        (finetune, "name: inner brow raiser"),
        (finetune, "a photo of a person with {}"),
        (finetune, "a photo of a face where {}"),
    ],
)
def test_the_keys_depend_on_the_texts(key_of, stage, text, tmp_path):
    path = shutil.copy(PACKAGED, tmp_path / "texts.yaml")
    params = changed("texts", {"file": str(path)})
    before = key_of(stage, params)
    path.write_text(path.read_text().replace(text, f"{text} again"))
    assert key_of(stage, params) != before


def test_the_key_of_stage_2_depends_on_stage_1_and_on_the_tested_data_set(key_of, inputs, stage1, tmp_path):
    other, weights = tmp_path / "pretrain.safetensors", load_file(stage1)
    save_weights(other, {name: 2 * value for name, value in weights.items()}, sidecar_of(stage1))
    assert len({key_of(finetune, start=start) for start in (stage1, other, None)}) == 3
    fold = fold_testing_all(open_dataset(PLAIN))
    smaller = replace(fold, test_subjects=fold.test_subjects[:-1])
    tested = [
        EvaluationData("plus", inputs["plain"], fold, PLAIN.labels),
        EvaluationData("plus", inputs["other labels"], fold, PLAIN.labels),
        EvaluationData("minus", inputs["plain"], fold, PLAIN.labels),
        EvaluationData("plus", inputs["plain"], smaller, PLAIN.labels),
        None,
    ]
    assert len({key_of(finetune, other_dataset=data) for data in tested}) == len(tested)


def test_the_keys_do_not_depend_on_what_changes_no_result(key, plain_key, monkeypatch):
    monkeypatch.setattr(clef.training.provenance, "package_hash", lambda: "another")
    often = {"checkpoint": PLAIN.finetune.checkpoint.model_copy(update={"every_steps": 1}), "workers": 3}
    for params in (changed("pretrain", often), changed("finetune", often), changed("evaluate", {"threshold": 0.4})):
        assert key(params) == plain_key
    sidecar = {"seed": 0, "manifest": "m", "finetune": {"lr": 0.1}}
    assert training_key(sidecar) == training_key(dict(reversed(sidecar.items())))
