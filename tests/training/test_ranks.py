"""Several processes on a CPU, over gloo, against one with the whole batch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from clef.errors import ClefError
from clef.training.ranks import ALONE, Ranks
from tests.training.gradients import gradients

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def of_one_process():
    return gradients(ALONE)


@pytest.mark.parametrize("world", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_every_loss_has_the_gradient_of_one_process_with_the_whole_batch(world, of_one_process, tmp_path):
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(world)]
    target = tmp_path / "gradients.safetensors"
    subprocess.run(
        [sys.executable, *torchrun, "-m", "tests.training.gradients", str(target)],
        cwd=CHECKOUT,
        check=True,
        timeout=300,
        capture_output=True,
    )
    of_several = load_file(target)
    assert of_several.keys() == of_one_process.keys()
    for name, expected in of_one_process.items():
        scale = expected.abs().max().clamp(min=1e-3)
        difference = (of_several[name] - expected).abs().max() / scale
        assert difference < 1e-3, f"{name}: {difference:.1e}"


@given(st.integers(1, 200), st.integers(1, 9))
def test_shares_are_disjoint_and_in_order_the_whole(count, world):
    positions = np.arange(count) * 7
    if count < world:
        with pytest.raises(ClefError, match=rf"gpus: {world} processes cannot share {count} images"):
            Ranks(0, world).share(positions)
        return
    shares = [Ranks(rank, world).share(positions) for rank in range(world)]
    assert np.array_equal(np.concatenate(shares), positions)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_gathers_nothing():
    features = torch.rand(3, 2)
    assert ALONE.gathering(3)(features) is features
    assert ALONE.any(True, torch.device("cpu"))
    assert not ALONE.any(False, torch.device("cpu"))
