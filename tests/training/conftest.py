"""A toy data set, with both stages trained on its fold 0, for all tests of training."""

import pytest

from clef.training.finetune import finetune
from clef.training.pretrain import pretrain
from tests.toy import make_toy, toy_fold, toy_params
from tests.training.stages import stage2_files


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
    files = stage2_files(tmp_path_factory.mktemp("stage2"))
    finetune(toy_params(), 0, toy_fold(toy_params()), toy, stage1, *files)
    return files
