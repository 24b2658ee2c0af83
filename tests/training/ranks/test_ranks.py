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
from clef.training.ranks.launch import launch
from clef.training.ranks.ranks import ALONE, Ranks, joined, ranks_here
from tests.training.gradients import gradients

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def of_one_process():
    return gradients(ALONE)


def started_by_clef(world: int, target: Path) -> None:
    launch(world, [sys.executable, "-m", "tests.training.gradients", str(target)])


def started_by_torchrun(world: int, target: Path) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(world)]
    command = [sys.executable, *torchrun, "-m", "tests.training.gradients", str(target)]
    subprocess.run(command, check=True, timeout=300, capture_output=True)


@pytest.mark.parametrize(
    ("start", "world"),
    [
        (started_by_clef, 2),
        pytest.param(started_by_clef, 4, marks=pytest.mark.slow),
        pytest.param(started_by_torchrun, 2, marks=pytest.mark.slow),
    ],
)
def test_every_loss_has_the_gradient_of_one_process_with_the_whole_batch(
    start, world, of_one_process, tmp_path, monkeypatch
):
    target = tmp_path / "gradients.safetensors"
    monkeypatch.chdir(CHECKOUT)
    start(world, target)
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


BY_A_SCHEDULER = {
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "3",
    "WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_SIZE": "4",
    "PMI_RANK": "3",
}


def test_what_a_scheduler_sets_makes_nobody_one_of_several(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    for name, value in BY_A_SCHEDULER.items():
        monkeypatch.setenv(name, value)
    with joined("cpu") as ranks:
        assert ranks == ALONE


@pytest.mark.parametrize(("rank", "world"), [("3", None), ("2", "2"), ("-1", "2"), ("one", "2"), ("0", "two")])
def test_a_rank_that_is_none_is_told(monkeypatch, rank, world):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if world is not None:
        monkeypatch.setenv("WORLD_SIZE", world)
    with pytest.raises(ClefError, match=f"RANK={rank} and WORLD_SIZE={world or 1} in the environment: expected a rank"):
        ranks_here()
