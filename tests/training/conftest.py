"""A toy data set, with both stages planned and trained on its fold 0, for all tests of training."""

import pytest

from clef.training.finetune import finetune
from clef.training.pretrain import pretrain
from tests.toy import make_toy, toy_fold, toy_params
from tests.training.planned import Planned, planned


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """Manifest and crops."""
    return make_toy(tmp_path_factory.mktemp("toy"), toy_params())


@pytest.fixture(scope="session")
def stage1(toy, tmp_path_factory):
    """Weights of stage 1."""
    target = tmp_path_factory.mktemp("stage1") / "pretrain.safetensors"
    pretrain(toy_params(), 0, toy_fold(toy_params()), toy, target)
    return target


@pytest.fixture(scope="session")
def stage2(toy, stage1, tmp_path_factory):
    """Weights and test predictions of stage 2."""
    folder = tmp_path_factory.mktemp("stage2")
    files = (folder / "finetune.safetensors", folder / "epochs.parquet")
    finetune(toy_params(), 0, toy_fold(toy_params()), toy, stage1, *files)
    return files


@pytest.fixture(scope="session")
def plan_pretrain(toy):
    """Plan stage 1 with some changed settings."""

    def plan(seed: int = 0, **changes) -> Planned:
        params = toy_params(pretrain=changes)
        return planned(pretrain, params, seed, toy_fold(params), toy, toy.manifest.with_name("pretrain.safetensors"))

    return plan


@pytest.fixture(scope="session")
def plan_finetune(toy):
    """Plan stage 2 with some changed settings."""
    files = [toy.manifest.with_name(name) for name in ("finetune.safetensors", "epochs.parquet")]

    def plan(seed: int = 0, **changes) -> Planned:
        params = toy_params(finetune=changes)
        return planned(finetune, params, seed, toy_fold(params), toy, None, *files)

    return plan
