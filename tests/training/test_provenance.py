"""What the keys of trainings depend on: a training is resumed and tracked by its key."""

import shutil
from dataclasses import replace

import pytest
import torch

import clef.training.provenance
from clef.datasets import open_dataset
from clef.manifest.folds import fold_testing_all
from clef.model.tasks import Encoders
from clef.model.texts import PACKAGED
from clef.params.schema import Params
from clef.training.checkpoint import save_weights
from clef.training.finetune import finetune
from clef.training.inputs import EvaluationData
from clef.training.pretrain import pretrain
from clef.training.provenance import training_key
from tests.toy import make_toy, toy_fold, toy_params
from tests.training.planned import planned

PLAIN = toy_params(finetune={"label_weight": "none"})
FOLD = toy_fold(PLAIN)
SECTIONS = {
    "dataset": {"name": "another"},
    "texts": {"file": str(PACKAGED)},
    "model": {"gradient_checkpointing": True},
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
def pretrain_key(inputs, tmp_path_factory):
    """The key of stage 1 with some changes."""
    target = tmp_path_factory.mktemp("key") / "pretrain.safetensors"

    def key(params=PLAIN, data="plain", seed=0, fold=FOLD) -> str:
        return planned(pretrain, params, seed, fold, inputs[data], target).key

    return key


@pytest.fixture(scope="module")
def finetune_key(inputs, stage1, tmp_path_factory):
    """The key of stage 2 with some changes."""
    folder = tmp_path_factory.mktemp("key")
    files = [folder / "finetune.safetensors", folder / "epochs.parquet"]

    def key(params=PLAIN, data="plain", seed=0, fold=FOLD, start=stage1, other_dataset=None) -> str:
        return planned(finetune, params, seed, fold, inputs[data], start, *files, other_dataset).key

    return key


@pytest.fixture(params=["pretrain", "finetune"], scope="module")
def key(request):
    return request.getfixturevalue(f"{request.param}_key")


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


def test_the_key_of_each_stage_depends_on_its_own_settings(pretrain_key, finetune_key):
    assert pretrain_key(changed("pretrain", {"temperature": 0.2})) != pretrain_key()
    changes = [changed("finetune", {"logit_scale": 9.0}), changed("labels", {"threshold": 2}), PLAIN]
    assert len({finetune_key(params) for params in changes}) == 3


def test_the_keys_depend_on_the_contents_of_a_weights_file(key, tmp_path):
    path = tmp_path / "published.safetensors"
    params = changed("model", {"pretrained": str(path)})
    keys = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_weights(path, Encoders(PLAIN.model).clip.state_dict(), {})
        keys.append(key(params))
    assert keys[0] != keys[1]


def test_the_keys_depend_on_the_architecture_behind_a_model_name(key, plain_key, monkeypatch):
    monkeypatch.setattr(clef.training.provenance, "architecture", lambda name: {"embed_dim": 1})
    assert key() != plain_key


@pytest.mark.parametrize(
    ("fixture", "text"),
    [
        ("pretrain_key", "hears a joke"),
        ("finetune_key", "name: inner brow raiser"),
        ("finetune_key", "a photo of a person with {}"),
        ("finetune_key", "a photo of a face where {}"),
    ],
)
def test_the_keys_depend_on_the_texts(fixture, text, request, tmp_path):
    key = request.getfixturevalue(fixture)
    path = shutil.copy(PACKAGED, tmp_path / "texts.yaml")
    params = changed("texts", {"file": str(path)})
    before = key(params)
    assert text in path.read_text()
    path.write_text(path.read_text().replace(text, f"{text} again"))
    assert key(params) != before


def test_the_key_of_stage_2_depends_on_stage_1_and_on_the_tested_data_set(finetune_key, inputs, stage1, tmp_path):
    other = tmp_path / "pretrain.safetensors"
    pretrain(PLAIN, 1, FOLD, inputs["plain"], other)
    assert len({finetune_key(start=start) for start in (stage1, other, None)}) == 3
    fold = fold_testing_all(open_dataset(PLAIN))
    smaller = replace(fold, test_subjects=fold.test_subjects[:-1])
    tested = [
        EvaluationData("plus", inputs["plain"], fold, PLAIN.labels),
        EvaluationData("plus", inputs["other labels"], fold, PLAIN.labels),
        EvaluationData("minus", inputs["plain"], fold, PLAIN.labels),
        EvaluationData("plus", inputs["plain"], smaller, PLAIN.labels),
        None,
    ]
    assert len({finetune_key(other_dataset=data) for data in tested}) == len(tested)


def test_the_keys_do_not_depend_on_what_changes_no_result(key, plain_key, monkeypatch):
    monkeypatch.setattr(clef.training.provenance, "package_hash", lambda: "another")
    often = {"checkpoint": PLAIN.finetune.checkpoint.model_copy(update={"every_steps": 1}), "workers": 3}
    for params in (changed("pretrain", often), changed("finetune", often), changed("evaluate", {"threshold": 0.4})):
        assert key(params) == plain_key
    sidecar = {"seed": 0, "manifest": "m", "finetune": {"lr": 0.1}}
    assert training_key(sidecar) == training_key(dict(reversed(sidecar.items())))
