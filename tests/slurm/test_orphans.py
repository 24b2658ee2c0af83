"""Jobs that a dead Snakemake left in the queue, on a real SLURM; and that cluster itself."""

import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from clef.errors import ClefError
from clef.slurm import end_orphans
from tests.slurm.cluster import NODES, running, wait_until

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
