"""Jobs that a dead Snakemake left in the queue, on a real SLURM; and that cluster itself."""

import json
import random
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from clef.errors import ClefError
from clef.runtime import lease
from clef.runtime.slurm import ATTENDED, end_orphans
from tests.slurm import means
from tests.slurm.cluster import NODES, running, wait_until
from tests.slurm.submission import copy_of, said, start

pytestmark = pytest.mark.slurm


@pytest.fixture
def on_path(cluster, monkeypatch):
    monkeypatch.setenv("PATH", cluster.environment()["PATH"])
    return cluster


def submit(cluster, folder: Path, name: str, *options: str) -> str:
    words = ["--parsable", "--chdir", str(folder), "--job-name", name, "--output", "/dev/null", "--mem=100"]
    return cluster.call("sbatch", *words, *options, "--wrap", "exec tail -f /dev/null").strip()


def processes_of(folder: str) -> list[str]:
    commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [command for command in commands if folder in command]


def test_jobs_of_this_checkout_by_snakemake_are_ended_and_no_others(on_path, tmp_path):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    (tmp_path / "link").symlink_to(here)
    orphans = [
        submit(on_path, here, f"clef_{uuid.uuid4()}"),
        submit(on_path, tmp_path / "link", str(uuid.uuid4())),
        submit(on_path, here, f"clef_{uuid.uuid4()}", "--begin=now+1hour"),
    ]
    others = [submit(on_path, here, "my-own"), submit(on_path, elsewhere, f"clef_{uuid.uuid4()}")]
    wait_until(lambda: on_path.jobs()[orphans[0]].state == "RUNNING", 30, "the first runs")
    assert sorted(end_orphans(here)) == sorted(orphans)
    states = {number: job.state for number, job in on_path.jobs().items()}
    assert {states[number] for number in orphans} == {"CANCELLED"}
    assert {states[number] for number in others} <= {"RUNNING", "PENDING"}
    assert end_orphans(here) == []
    on_path.call("scancel", *others)


ATTEND = """
import sys
from pathlib import Path
from clef.runtime.slurm import attend
attend(Path(sys.argv[1]), sys.argv[2])
print("attends", flush=True)
sys.stdin.read()
"""


def attended_by(folder: Path, name: str) -> subprocess.Popen[str]:
    """Another process that waits for the jobs of that name."""
    command = [sys.executable, "-c", ATTEND, str(folder), name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "attends\n"
    return process


def test_jobs_that_somebody_waits_for_are_left_until_he_is_dead(on_path, tmp_path):
    name = f"clef_{uuid.uuid4()}"
    attends = attended_by(tmp_path, name)
    job = submit(on_path, tmp_path, name)
    orphan = submit(on_path, tmp_path, f"clef_{uuid.uuid4()}")
    assert end_orphans(tmp_path) == [orphan]
    assert on_path.jobs()[job].state in ("PENDING", "RUNNING")
    attends.kill()
    attends.wait()
    assert [path.name for path in (tmp_path / ATTENDED).iterdir()] == [f"{name}.lease"]
    assert end_orphans(tmp_path) == [job]
    assert not list((tmp_path / ATTENDED).iterdir())


def test_who_ends_in_order_attends_no_more(tmp_path):
    attends = attended_by(tmp_path, "clef_x")
    attends.communicate("", timeout=60)
    assert attends.returncode == 0
    assert not list((tmp_path / ATTENDED).iterdir())


def test_of_a_snakemake_on_another_login_node_the_next_sign_of_life_is_waited_for(on_path, tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "STALE_SECONDS", 3.0)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.1)
    name = f"clef_{uuid.uuid4()}"
    job = submit(on_path, tmp_path, name)
    (tmp_path / ATTENDED).mkdir(parents=True)
    theirs = {"token": "theirs", "host": "login2", "process": 1, "started": 0.0, "job": None, "heartbeat": time.time()}
    (tmp_path / ATTENDED / f"{name}.lease").write_text(json.dumps(theirs))
    began = time.monotonic()
    assert end_orphans(tmp_path) == [job]
    assert time.monotonic() - began >= 3


@pytest.mark.slow
def test_two_snakemakes_with_outputs_of_their_own_leave_each_other_their_jobs(cluster, cropped, tmp_path):
    folder = copy_of(cropped, tmp_path / "checkout")
    of_before = {*cluster.jobs()}
    targets = [f"results/demo-short/seed0/fold{fold}/pretrain.safetensors" for fold in (0, 1)]
    sign = means.TRAINING_SAVED.format(stage="pretrain")
    first = start(cluster, folder, targets=targets[:1])
    means.some_job(folder, first, random.Random(0), sign)
    second = start(cluster, folder, targets=targets[1:])
    assert (first.wait(300), second.wait(300)) == (0, 0), said(folder)
    assert "had left" not in said(folder)
    states = [job.state for number, job in cluster.jobs().items() if number not in of_before]
    assert states == ["COMPLETED"] * 2
    assert not list((folder / ATTENDED).iterdir())


def test_a_slurm_that_does_not_answer_is_one_line(cluster, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClefError, match=r"SLURM: no `squeue` here; start Snakemake on a login node"):
        end_orphans(tmp_path)
    monkeypatch.setenv("PATH", cluster.environment()["PATH"])
    with running() as other:
        monkeypatch.setenv("PATH", other.environment()["PATH"])
        other.kill_controller()
        with pytest.raises(ClefError, match=r"SLURM: `squeue` failed \(.*\); try again when `sinfo` answers"):
            end_orphans(tmp_path)
        other.start_controller()
        assert end_orphans(tmp_path) == []


def test_a_cluster_stops_with_all_its_jobs_and_leaves_nothing(cluster, tmp_path):
    with running() as other:
        assert set(other.call("sinfo", "--noheader", "--Node", "--format=%N").split()) == {*NODES}
        job = submit(other, tmp_path, "endless")
        wait_until(lambda: other.jobs()[job].state == "RUNNING", 30, "the job runs")
        assert other.call("srun", "--partition=gpu", "--gpus=2", "printenv", "CUDA_VISIBLE_DEVICES") == "0,1\n"
        folder = str(other.folder)
    assert processes_of(folder) == []
    assert not Path(folder).exists()


def test_by_hand_it_starts_and_stops(cluster, tmp_path):
    with running() as other:
        other.stop()
        script = [sys.executable, Path(__file__).parent / "cluster.py"]
        started = subprocess.run([*script, "start", other.folder], capture_output=True, text=True, check=True)
        assert f"export PATH={other.programs}:$PATH" in started.stdout
        assert "gpu1" in started.stdout
        subprocess.run([*script, "stop", other.folder], check=True, timeout=60)
        assert processes_of(str(other.folder)) == []
