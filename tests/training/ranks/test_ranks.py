"""Several processes on a CPU give the gradients of one process with the whole batch."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from clef.errors import ClefError
from clef.training.ranks.launch import launch
from clef.training.ranks.ranks import Ranks, connected
from tests.training.ranks.gradients import gradients, save_gradients

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def gradients_of_one_process():
    return gradients(Ranks())


def launched_by_clef(target: Path, world: int) -> None:
    launch(world, partial(save_gradients, target, world))


def launched_by_torchrun(target: Path, world: int) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(world)]
    command = [sys.executable, *torchrun, "-m", "tests.training.ranks.gradients", str(target), str(world)]
    subprocess.run(command, check=True, timeout=600, capture_output=True)


@pytest.mark.parametrize(
    ("start", "world"),
    [
        (launched_by_clef, 2),
        pytest.param(launched_by_clef, 4, marks=pytest.mark.slow),
        pytest.param(launched_by_torchrun, 2, marks=pytest.mark.slow),
    ],
)
def test_every_loss_has_the_gradient_of_one_process_with_the_whole_batch(
    start, world, gradients_of_one_process, tmp_path, monkeypatch
):
    target = tmp_path / "gradients.safetensors"
    monkeypatch.chdir(CHECKOUT)
    start(target, world)
    found = load_file(target)
    assert found.keys() == gradients_of_one_process.keys()
    for name, expected in gradients_of_one_process.items():
        scale = expected.abs().max().clamp(min=1e-3)
        difference = (found[name] - expected).abs().max() / scale
        assert difference < 1e-3, f"{name}: {difference:.1e}"


@given(st.integers(1, 200), st.integers(1, 9))
def test_shares_are_disjoint_and_make_up_the_batch(count, world):
    positions = np.arange(count) * 7
    if count < world:
        with pytest.raises(ClefError, match=rf"gpus: {world} processes cannot share {count} images"):
            Ranks(0, world).share(positions)
        return
    shares = [Ranks(rank, world).share(positions) for rank in range(world)]
    assert np.array_equal(np.concatenate(shares), positions)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_single_process_gathers_nothing():
    features = torch.rand(3, 2)
    assert Ranks().gathering(3)(features) is features
    assert Ranks().first("received SIGTERM") == "received SIGTERM"
    assert Ranks().first(None) is None


def save_first_reason(folder: Path) -> None:
    with connected("cpu", 2) as ranks:
        reason = "received SIGTERM" if ranks.rank == 1 else None
        found = [ranks.first(None), ranks.first(reason)]
        (folder / str(ranks.rank)).write_text(repr(found))


def test_all_ranks_learn_why_one_has_to_stop(tmp_path):
    launch(2, partial(save_first_reason, tmp_path))
    assert [(tmp_path / rank).read_text() for rank in "01"] == ["[None, 'received SIGTERM']"] * 2


def test_variables_of_schedulers_do_not_make_several_ranks(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    for name in ("SLURM_NTASKS", "SLURM_PROCID", "WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_RANK"):
        monkeypatch.setenv(name, "4")
    with connected("cpu", 1) as ranks:
        assert ranks == Ranks()


@pytest.mark.parametrize(
    ("processes", "rank", "world"),
    [(2, "0", None), (2, "0", "4"), (1, "0", "2"), (2, "2", "2"), (2, "-1", "2"), (2, "one", "2"), (2, None, None)],
)
def test_a_rank_that_does_not_fit_the_params_is_an_error(monkeypatch, processes, rank, world):
    for name, value in {"RANK": rank, "WORLD_SIZE": world}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    message = f"gpus is {processes}, but RANK is {rank or 'unset'} and WORLD_SIZE {world or 1}; unset RANK"
    with pytest.raises(ClefError, match=message), connected("cpu", processes):
        pass
