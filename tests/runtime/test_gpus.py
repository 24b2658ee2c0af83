import os
import tempfile
from pathlib import Path

import pytest

from clef.errors import ClefError
from clef.runtime import gpus
from clef.runtime.gpus import claim_gpus, visible_gpus


@pytest.fixture
def claim(tmp_path, monkeypatch):
    """Claim GPUs of a machine with three; the result is `CUDA_VISIBLE_DEVICES`."""
    for gpu in range(3):
        (tmp_path / "driver" / f"0000:{gpu}0:00.0").mkdir(parents=True)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "driver")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(gpus, "_claims", [])

    def claim(number: int, visible: str | None = None, slurm_job: str | None = None) -> str:
        for name, value in (("CUDA_VISIBLE_DEVICES", visible), ("SLURM_JOB_ID", slurm_job)):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        claim_gpus(number)
        return os.environ["CUDA_VISIBLE_DEVICES"]

    return claim


def test_each_training_gets_its_own_gpus(claim):
    assert claim(1) == "0"
    assert claim(2) == "1,2"
    with pytest.raises(ClefError, match="gpus: 1 asked for, 0 of the 3 here are free; wait for a training to end"):
        claim(1)


def test_a_claim_that_fails_takes_nothing(claim):
    assert claim(2) == "0,1"
    with pytest.raises(ClefError, match="gpus: 2 asked for, 1 of the 3"):
        claim(2)
    assert claim(1) == "2"
    gpus._claims[0].release()
    assert claim(1) == "0"
    with pytest.raises(ClefError, match="gpus: 4 asked for, 3 available; lower `gpus`"):
        claim(4)


def test_a_lock_file_that_cannot_be_opened_counts_as_claimed(claim, tmp_path):
    assert claim(1) == "0"
    (lock,) = tmp_path.glob("*.lock")
    assert lock.stat().st_mode & 0o666 == 0o666
    gpus._claims.pop().release()
    lock.unlink()
    lock.symlink_to(tmp_path / "precious")
    assert claim(1) == "1"
    assert not Path(tmp_path, "precious").exists()


@pytest.mark.parametrize("names", [["2", "3", "5"], ["GPU-8932f937-d72c", "GPU-5e1f", "MIG-GPU-8932/1/0"]])
def test_claims_stay_within_the_visible_gpus(claim, names):
    visible = f" {names[0]}, {names[1]},{names[2]}"
    assert claim(1, visible) == names[0]
    assert claim(2, visible) == f"{names[1]},{names[2]}"
    with pytest.raises(ClefError, match="0 of the 3 here are free"):
        claim(1, visible)
    assert claim(3, visible) == visible  # all of them: nothing to choose


def test_a_visible_gpu_that_is_claimed_is_claimed_for_processes_that_see_all(claim):
    assert claim(1, "0,2") == "0"
    assert claim(1) == "1"


def test_entries_after_an_invalid_one_do_not_count(claim):
    assert claim(1, "3,-1,4") == "3,-1,4"
    assert visible_gpus() == ["3"]


def test_slurm_jobs_may_use_the_same_numbers_for_different_gpus(claim):
    assert claim(1, "0,1", slurm_job="7") == "0"
    assert claim(1, "0,1", slurm_job="8") == "0"
    assert claim(1, "0,1", slurm_job="7") == "1"


@pytest.mark.parametrize("count", [0, 1])
def test_a_single_gpu_is_shared(tmp_path, monkeypatch, count):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for gpu in range(count):
        (tmp_path / f"0000:{gpu}0:00.0").mkdir()
    claim_gpus(1)
    claim_gpus(1)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
