import os
import tempfile
from pathlib import Path

import pytest
import torch

from clef.errors import ClefError
from clef.model.device import prepare_device
from clef.params.schema import Params
from clef.runtime import gpus
from clef.runtime.gpus import claim_gpus, gpus_here, require_cuda

EXPECTED = "device: cuda asked for, but torch sees no GPU; run where there is one, or set `device: cpu`"


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_cuda_without_a_gpu_is_one_line_before_and_in_a_training():
    with pytest.raises(ClefError) as before:
        require_cuda()
    params = Params.model_validate({"dataset": {"adapter": "demo"}, "render": {}, "device": "cuda"})
    with pytest.raises(ClefError) as within:
        prepare_device(params)
    assert str(before.value) == str(within.value) == EXPECTED


@pytest.mark.skipif(not torch.cuda.is_available(), reason="has no GPU")
def test_a_gpu_is_seen():
    require_cuda()


def test_a_torch_that_cannot_be_imported_is_told_with_its_reason(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.99: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ClefError, match=r"torch cannot be imported \(ImportError: libcudart\.so\.99: no such file\)"):
        require_cuda()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with three GPUs as the driver lists them, on which nobody has chosen any."""
    for gpu in range(3):
        (tmp_path / "driver" / f"0000:{gpu}0:00.0").mkdir(parents=True)
    (tmp_path / "locks").mkdir()
    monkeypatch.setattr(gpus, "_claims", [])

    def claim(number: int) -> str | None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        claim_gpus(number, tmp_path / "driver", tmp_path / "locks")
        return os.environ.get("CUDA_VISIBLE_DEVICES")

    return claim


def test_each_training_of_a_workstation_has_gpus_of_its_own(machine):
    assert machine(1) == "0"
    assert machine(2) == "1,2"
    with pytest.raises(ClefError, match="gpus: 1 asked for, 0 of the 3 here are not in use by CLEF; wait"):
        machine(1)


def test_a_claim_that_cannot_be_met_takes_nothing_and_one_that_ended_gives_back(machine):
    assert machine(2) == "0,1"
    with pytest.raises(ClefError, match="gpus: 2 asked for, 1 of the 3"):
        machine(2)
    assert machine(1) == "2"
    gpus._claims.pop(0).close()
    assert machine(1) == "0"


def of_another_user(path: Path) -> str:
    """What a process of a user who is nobody here can have of a lock file."""
    if os.getuid():
        pytest.skip("only root may become another user")
    child = os.fork()  # started anew, it could not read what is installed for this user alone
    if child == 0:
        code = 9
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            code = int(gpus._lock(path) is None)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return ["free", "taken"][os.waitstatus_to_exitcode(status)]


@pytest.fixture
def everybodys():
    """A folder like /tmp, where everybody may write and nobody remove another's."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o1777)
        yield Path(folder)


def test_users_share_the_locks_of_a_machine(everybodys):
    path = everybodys / "clef-gpu0.lock"
    before = os.umask(0o077)
    lock = gpus._lock(path)
    os.umask(before)
    assert lock is not None
    assert of_another_user(path) == "taken"
    lock.close()
    assert of_another_user(path) == "free"


def test_a_lock_file_of_another_user_that_may_not_be_opened_counts_as_taken(everybodys):
    path = everybodys / "clef-gpu0.lock"
    path.touch(0o600)
    assert of_another_user(path) == "taken"


def test_a_link_in_the_place_of_a_lock_file_leads_nowhere(everybodys):
    path = everybodys / "clef-gpu0.lock"
    path.symlink_to(everybodys / "precious")
    assert gpus._lock(path) is None
    assert not (everybodys / "precious").exists()


def test_more_gpus_than_there_are_is_one_line(machine):
    with pytest.raises(ClefError, match="gpus: 4 asked for, 3 here; lower `gpus`"):
        machine(4)


def test_what_a_scheduler_or_a_user_chose_stays_where_it_is_as_many_as_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert gpus_here(tmp_path) == 2
    claim_gpus(2, tmp_path, tmp_path)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5,7"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ClefError, match="gpus: 3 asked for, 2 here"):
        claim_gpus(3, tmp_path, tmp_path)


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A machine of which GPUs are listed, for a process outside SLURM or for one in a job."""
    monkeypatch.setattr(gpus, "_claims", [])

    def claim(number: int, names: str, job: str | None = None) -> str:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)
        monkeypatch.delenv("SLURM_JOB_ID", raising=False)
        if job is not None:
            monkeypatch.setenv("SLURM_JOB_ID", job)
        claim_gpus(number, tmp_path / "no driver", tmp_path)
        return os.environ["CUDA_VISIBLE_DEVICES"]

    return claim


@pytest.mark.parametrize(
    "names",
    [["2", "3", "5"], ["GPU-8932f937-d72c", "GPU-5e1f", "GPU-77"], ["MIG-GPU-8932/1/0", "MIG-GPU-8932/2/0", "1"]],
)
def test_each_training_takes_its_own_of_the_gpus_that_a_user_lists(listed, names):
    text = f" {names[0]}, {names[1]},{names[2]}"
    assert listed(1, text) == names[0]
    assert listed(2, text) == f"{names[1]},{names[2]}"
    with pytest.raises(ClefError, match="gpus: 1 asked for, 0 of the 3 here are not in use by CLEF; wait"):
        listed(1, text)


def test_a_gpu_that_is_listed_is_taken_for_those_who_list_none(machine, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    claim_gpus(1, tmp_path / "driver", tmp_path / "locks")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    assert machine(1) == "1"


def test_what_follows_a_gpu_that_there_cannot_be_is_not_seen(listed, monkeypatch):
    assert listed(1, "3,-1,4") == "3,-1,4"
    assert gpus_here() == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpus_here() == 0


def test_jobs_of_slurm_have_their_own_gpus_under_the_same_numbers(listed):
    assert listed(1, "0,1", job="7") == "0"
    assert listed(1, "0,1", job="8") == "0"
    assert listed(1, "0,1", job="7") == "1"
    with pytest.raises(ClefError, match="gpus: 1 asked for, 0 of the 2"):
        listed(1, "0,1", job="7")


def test_machines_that_share_the_folder_of_locks_do_not_wait_for_each_other(machine, monkeypatch):
    assert machine(3) == "0,1,2"
    monkeypatch.setattr(gpus, "mark", lambda: "another-boot:1:2")
    assert machine(3) == "0,1,2"


def test_a_single_gpu_is_left_to_be_shared(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "0000:00:00.0").mkdir()
    claim_gpus(1, tmp_path, tmp_path)
    claim_gpus(1, tmp_path, tmp_path)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
