"""Jobs that a killed Snakemake left in the queue, on a real SLURM; and that cluster itself."""

import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from clef.errors import ClefError
from clef.runtime import lease
from clef.runtime.slurm import RECORD_VARIABLE, RECORDS, cancel_orphans, prepare_submission
from tests.leases import hold_elsewhere, refresh_elsewhere
from tests.slurm.cluster import NODES, Cluster, running_cluster, wait_until
from tests.slurm.job_interruptions import CHECKPOINT, wait_for_job
from tests.slurm.submission import copy_of, output_of, start, wait
from tests.workflow.conftest import ROOT

pytestmark = pytest.mark.slurm

PROGRAMS = ROOT / "workflow" / "profiles" / "slurm" / "bin"
PREPARE = """
import os, sys
from pathlib import Path
from clef.runtime.slurm import RECORD_VARIABLE, prepare_submission
print(prepare_submission(Path(sys.argv[1]), Path(sys.argv[2])), os.environ[RECORD_VARIABLE], sep="|", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def on_path(cluster, monkeypatch) -> Cluster:
    monkeypatch.setenv("PATH", cluster.environment["PATH"])
    return cluster


def submit(cluster: Cluster, folder: Path, record: str = "", *options: str) -> str:
    """Submit an endless job with a name like Snakemake's, recorded unless `record` is empty; return its number."""
    command = ["sbatch", "--parsable", "--chdir", str(folder), "--job-name", f"clef_{uuid.uuid4()}", "--mem=100"]
    command += ["--output", "/dev/null", *options, "--wrap", "exec tail -f /dev/null"]
    path = os.pathsep.join([str(PROGRAMS), cluster.environment["PATH"]])
    environment = {"PATH": path, RECORD_VARIABLE: record}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


class Submitter:
    """Another process that called `prepare_submission`, as Snakemake does."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", PREPARE, str(folder), str(PROGRAMS)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.cancelled, self.record = self.process.stdout.readline().strip().split("|")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def submitter(on_path, tmp_path) -> Iterator[Submitter]:
    submitter = Submitter(tmp_path)
    yield submitter
    submitter.kill()


def test_only_recorded_jobs_of_dead_snakemakes_are_cancelled(on_path, submitter, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    orphans = [submit(on_path, tmp_path, submitter.record, *options) for options in ([], ["--begin=now+1hour"])]
    others = [submit(on_path, tmp_path), submit(on_path, tmp_path / "elsewhere", submitter.record)]
    wait_until(lambda: on_path.jobs()[orphans[0]].state == "RUNNING", "the first job runs")
    assert cancel_orphans(tmp_path) == []
    submitter.kill()
    assert sorted(cancel_orphans(tmp_path)) == sorted(orphans)
    jobs = on_path.jobs()
    assert {jobs[job].state for job in orphans} == {"CANCELLED"}
    assert {jobs[job].state for job in others} <= {"RUNNING", "PENDING"}
    assert list((tmp_path / RECORDS).iterdir()) == []
    on_path.call("scancel", *others)


def test_next_snakemake_cancels_and_one_that_ends_normally_releases_its_lease(on_path, submitter, tmp_path):
    job = submit(on_path, tmp_path, submitter.record)
    submitter.kill()
    following = Submitter(tmp_path)
    assert following.cancelled == f"['{job}']"
    following.process.communicate("", timeout=600)
    assert following.process.returncode == 0
    assert [str(path) for path in (tmp_path / RECORDS).iterdir()] == [following.record]


def test_snakemake_on_another_login_node_is_waited_for(on_path, tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.1)
    record = tmp_path / RECORDS / "theirs"
    record.mkdir(parents=True)
    job = submit(on_path, tmp_path, str(record))
    theirs = hold_elsewhere(record)
    monkeypatch.setattr(lease, "notice", lambda *_: refresh_elsewhere(theirs, age=-5))
    assert cancel_orphans(tmp_path) == []
    monkeypatch.setattr(lease, "notice", lambda *_: refresh_elsewhere(theirs, age=600))
    assert cancel_orphans(tmp_path) == [job]


@pytest.mark.slow
def test_two_snakemakes_with_different_outputs_leave_each_others_jobs_alone(cluster, cropped, tmp_path):
    folder = copy_of(cropped, tmp_path / "checkout")
    before = {*cluster.jobs()}
    targets = [f"results/demo-short/seed0/fold{fold}/pretrain.safetensors" for fold in (0, 1)]
    first = start(cluster.environment, folder, targets=targets[:1])
    wait_for_job(folder, first, random.Random(0), CHECKPOINT.format(stage="pretrain"))
    second = start(cluster.environment, folder, targets=targets[1:])
    assert (wait(first, folder), wait(second, folder)) == (0, 0), output_of(folder)
    assert "left in the queue" not in output_of(folder)
    assert [job.state for number, job in cluster.jobs().items() if number not in before] == ["COMPLETED"] * 2


def test_python_that_jobs_cannot_start_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "/home/clëf/my data/.venv/bin/python")
    with pytest.raises(ClefError, match=r"^/home/clëf/my data/.venv/bin/python: .* cannot start a Python with spaces"):
        prepare_submission(tmp_path, PROGRAMS)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/home/clëf/.venv/bin/python")
    with pytest.raises(ClefError, match="SLURM: `scontrol` failed"):
        prepare_submission(tmp_path, PROGRAMS)


def test_slurm_that_does_not_answer_is_one_line(cluster, monkeypatch, tmp_path):
    record = tmp_path / RECORDS / "dead"
    record.mkdir(parents=True)
    (record / "1").write_text("1234;cluster\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClefError, match=r"SLURM: `squeue` failed \(.* No such file .*\); start Snakemake on a login"):
        cancel_orphans(tmp_path)
    with running_cluster() as other:
        monkeypatch.setenv("PATH", other.environment["PATH"])
        other.stop_controller(kill=True)
        with pytest.raises(ClefError, match=r"SLURM: `squeue` failed \(.*controller.*\); start Snakemake on"):
            cancel_orphans(tmp_path)
        other.start_controller()
        assert cancel_orphans(tmp_path) == []


def test_cluster_stops_with_all_jobs_and_leaves_nothing(cluster, tmp_path):
    with running_cluster() as other:
        assert set(other.call("sinfo", "--noheader", "--Node", "--format=%N").split()) == {*NODES}
        job = submit(other, tmp_path)
        wait_until(lambda: other.jobs()[job].state == "RUNNING", "the job runs")
        assert other.call("srun", "--partition=gpu", "--gpus=2", "printenv", "CUDA_VISIBLE_DEVICES") == "0,1\n"
    commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert [command for command in commands if str(other.folder) in command] == []
    assert not other.folder.exists()
