"""What a training is resumed and tracked by: the keys of both stages, as they are when the training would begin."""

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
from tests.training.beginning import beginning

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
"""A change in each section on which both stages depend."""


def changed(section: str, change) -> Params:
    value = getattr(PLAIN, section)
    return PLAIN.model_copy(update={section: value.model_copy(update=change) if isinstance(change, dict) else change})


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Inputs of a toy set as it is, with the labels of one person turned round, and with lighter crops."""
    folder = tmp_path_factory.mktemp("toy")
    return {
        "plain": make_toy(folder / "plain", PLAIN),
        "other labels": make_toy(folder / "labels", PLAIN, flip_labels_of=("M003",)),
        "other crops": make_toy(folder / "crops", PLAIN, light=61),
    }


@pytest.fixture(scope="module")
def stage1(toy, tmp_path_factory):
    """Stage 1 of two seeds."""
    folder = tmp_path_factory.mktemp("stage1")
    for seed in (0, 1):
        pretrain(PLAIN, seed, FOLD, toy["plain"], folder / f"{seed}.safetensors")
    return [folder / f"{seed}.safetensors" for seed in (0, 1)]


@pytest.fixture(scope="module")
def pretrain_key(toy, tmp_path_factory):
    """A function that gives the key of stage 1 for some changes."""
    target = tmp_path_factory.mktemp("key") / "pretrain.safetensors"

    def key(params=PLAIN, inputs="plain", seed=0, fold=FOLD) -> str:
        return beginning(pretrain, params, seed, fold, toy[inputs], target).key

    return key


@pytest.fixture(scope="module")
def finetune_key(toy, stage1, tmp_path_factory):
    """Likewise of stage 2."""
    folder = tmp_path_factory.mktemp("key")
    made = [folder / "finetune.safetensors", folder / "epochs.parquet"]

    def key(params=PLAIN, inputs="plain", seed=0, fold=FOLD, start=stage1[0], elsewhere=None) -> str:
        return beginning(finetune, params, seed, fold, toy[inputs], start, *made, elsewhere).key

    return key


@pytest.fixture(params=["pretrain", "finetune"], scope="module")
def either_key(request):
    return request.getfixturevalue(f"{request.param}_key")


@pytest.fixture(scope="module")
def plain_key(either_key):
    """What it gives without a change."""
    return either_key()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_of_both_stages_is_in_their_keys(section, either_key, plain_key):
    assert either_key(changed(section, SECTIONS[section])) != plain_key


def test_the_settings_of_stage_1_are_in_its_key(pretrain_key):
    assert pretrain_key(changed("pretrain", {"temperature": 0.2})) != pretrain_key()


@pytest.mark.parametrize(("section", "change"), [("finetune", {"logit_scale": 9.0}), ("labels", {"threshold": 2})])
def test_the_settings_and_labels_of_stage_2_are_in_its_key(section, change, finetune_key):
    assert finetune_key(changed(section, change)) != finetune_key()


@pytest.mark.parametrize("inputs", ["other labels", "other crops"])
def test_what_the_manifest_says_is(inputs, either_key, plain_key):
    assert either_key(inputs=inputs) != plain_key


def test_the_seed_is(either_key, plain_key):
    assert either_key(seed=1) != plain_key


@pytest.mark.parametrize(
    "fold",
    [
        replace(FOLD, number=2),
        replace(FOLD, train_subjects=FOLD.train_subjects[:-1]),
        replace(FOLD, test_subjects=FOLD.test_subjects[:-1]),
    ],
    ids=["number", "training", "test"],
)
def test_the_fold_and_its_people_are(fold, either_key, plain_key):
    assert either_key(fold=fold) != plain_key


def test_the_contents_of_published_weights_are_and_not_only_their_name(either_key, tmp_path):
    path = tmp_path / "published.safetensors"
    params = changed("model", {"pretrained": str(path)})
    keys = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_weights(path, Encoders(PLAIN.model).clip.state_dict(), {})
        keys.append(either_key(params))
    assert keys[0] != keys[1]


def test_what_a_model_s_name_stands_for_is(either_key, plain_key, monkeypatch):
    monkeypatch.setattr(clef.training.provenance, "architecture", lambda name: {"embed_dim": 1})
    assert either_key() != plain_key


@pytest.mark.parametrize(
    ("fixture", "text"),
    [
        ("pretrain_key", "hears a joke"),
        ("finetune_key", "name: inner brow raiser"),
        ("finetune_key", "a photo of a person with {}"),
        ("finetune_key", "a photo of a face where {}"),
    ],
)
def test_the_texts_are_and_not_only_their_file(fixture, text, request, tmp_path):
    key = request.getfixturevalue(fixture)
    path = shutil.copy(PACKAGED, tmp_path / "texts.yaml")
    params = changed("texts", {"file": str(path)})
    before = key(params)
    assert text in path.read_text()
    path.write_text(path.read_text().replace(text, f"{text} again"))
    assert key(params) != before


def test_the_weights_that_stage_2_starts_from_are(finetune_key, stage1):
    assert len({finetune_key(start=start) for start in (*stage1, None)}) == 3


def test_the_other_data_set_that_is_tested_is(finetune_key, toy):
    labels = PLAIN.labels
    everybody = fold_testing_all(open_dataset(PLAIN))
    tested = [
        EvaluationData("plus", toy["plain"], everybody, labels),
        EvaluationData("plus", toy["other labels"], everybody, labels),
        EvaluationData("minus", toy["plain"], everybody, labels),
        EvaluationData("plus", toy["plain"], replace(everybody, test_subjects=everybody.test_subjects[:-1]), labels),
        None,
    ]
    assert len({finetune_key(elsewhere=elsewhere) for elsewhere in tested}) == len(tested)


def test_what_changes_no_result_is_not(either_key, plain_key, monkeypatch):
    monkeypatch.setattr(clef.training.provenance, "package_hash", lambda: "another")
    assert either_key() == plain_key
    often = {"checkpoint": PLAIN.finetune.checkpoint.model_copy(update={"every_steps": 1}), "workers": 3}
    for params in (changed("pretrain", often), changed("finetune", often), changed("evaluate", {"threshold": 0.4})):
        assert either_key(params) == plain_key


def test_the_order_of_entries_is_not():
    sidecar = {"seed": 0, "manifest": "m", "finetune": {"lr": 0.1}}
    assert training_key(sidecar) == training_key(dict(reversed(sidecar.items())))
    assert training_key(sidecar) != training_key(sidecar | {"finetune": {"lr": 0.2}})
