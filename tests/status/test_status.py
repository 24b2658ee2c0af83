"""What `clef status` says of real files: of trainings that are done, at work, killed, ended and failed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.toy import make_toy, toy_params

CHECKOUT = Path(__file__).parents[2]
FOLD = Path("results/toy/seed0/fold0")
WHO = "pretrain toy seed 0 fold 0"


class Run:
    """A checkout with a run over the toy set, whose stage 1 of fold 0 is started by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        params = toy_params(pretrain={"epochs": 40}).model_dump(mode="json", by_alias=True)
        (folder / "params").mkdir()
        (folder / "params" / "toy.yaml").write_text(yaml.safe_dump(params))
        self.inputs = make_toy(folder / "toy", toy_params())

    def pretrain(self, **environment: str) -> subprocess.Popen:
        out = FOLD / "pretrain"
        command = [sys.executable, "-m", "clef", "--log", f"{out}.log", "pretrain", "toy", "--seed", "0", "--fold", "0"]
        command += ["--manifest", str(self.inputs.manifest), "--crops", str(self.inputs.manifest.parent)]
        command += ["--out", f"{out}.safetensors"]
        return subprocess.Popen(
            command, cwd=self.folder, env=self._environment() | environment, stderr=subprocess.PIPE, text=True
        )

    def at_work(self, steps: int = 5) -> subprocess.Popen:
        """A training that has made some steps."""
        process = self.pretrain()
        deadline = time.monotonic() + 120
        metrics = self.folder / FOLD / "pretrain.metrics.jsonl"
        while not metrics.exists() or metrics.read_text().count("\n") < steps:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    def status(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "clef", "status", "toy", *options]
        return subprocess.run(
            command, cwd=self.folder, env=self._environment(), capture_output=True, text=True, check=False, timeout=60
        )

    def stage1(self) -> dict:
        """What is said of the training, as JSON."""
        jobs = json.loads(self.status("--json").stdout)["jobs"]
        return next(job for job in jobs if job["step_of_chain"] == "pretrain" and job["fold"] == 0)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "120"}


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(tmp_path)


def test_of_nothing_everything_waits(run):
    said = run.status()
    assert said.returncode == 0
    assert re.match(r"toy: \d+ waiting of \d+ jobs", said.stdout)
    assert re.search(r"crop toy +6 waiting of 6 shards", said.stdout)
    assert run.stage1() == {"step_of_chain": "pretrain", "of": "toy", "seed": 0, "fold": 0, "kind": "waiting"}


def test_a_training_at_work_then_killed_then_done(run):
    process = run.at_work()
    state = run.stage1()
    assert state["kind"] == "running"
    assert 0 < state["step"] < state["steps"]
    assert state["loss"] > 0
    assert state["images_per_second"] > 0
    assert state["seconds_left"] > 0
    said = run.status().stdout
    assert re.search(r"running step \d+ of \d+", said)
    line = next(line for line in said.splitlines() if WHO in line)
    assert re.search(r"loss \d\.\d+, \d+ images/s, .* left; on .*, lease renewed \d+ s ago", line)

    process.kill()
    process.communicate()
    state = run.stage1()
    assert state["kind"] == "stopped"
    assert state["step"] > 0
    said = run.status()
    assert said.returncode == 0
    assert re.search(rf"stopped step {state['step']} of {state['steps']}", said.stdout)
    assert "results/toy/summary.csv" in said.stdout

    process = run.pretrain()
    assert process.wait(120) == 0
    assert run.stage1()["kind"] == "done"


@pytest.mark.slow
def test_a_training_that_was_asked_to_end_is_stopped_and_says_why(run):
    process = run.at_work()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    state = run.stage1()
    assert state["kind"] == "stopped"
    assert re.fullmatch(r"asked to end by SIGTERM; step \d+ of \d+ is saved, .*", state["last_line"])


def test_a_failure_is_told_with_its_last_line_and_an_exit_code(run):
    run.inputs.manifest.write_bytes(b"no table")
    assert run.pretrain().wait(60) == 1
    said = run.status()
    assert said.returncode == 1
    line = next(line for line in said.stdout.splitlines() if WHO in line)
    assert line.split()[0] == "failed"
    assert "error: " in line
    assert f"(log: {FOLD}/pretrain.log)" in " ".join(said.stdout.split())


@pytest.mark.slow
def test_a_lease_on_another_host_runs_while_its_heart_beats_and_is_stopped_after(run):
    process = run.at_work()
    process.kill()
    process.communicate()
    lease = run.folder / FOLD / "pretrain.lease"
    holder = json.loads(lease.read_text()) | {"host": "node7", "job": "4711", "heartbeat": time.time() - 30}
    lease.write_text(json.dumps(holder))
    state = run.stage1()
    assert (state["kind"], state["host"], state["slurm_job"]) == ("running", "node7", "4711")
    assert 29 < state["heartbeat_age"] < 90
    assert "on node7, SLURM job 4711, lease renewed 3" in run.status().stdout
    lease.write_text(json.dumps(holder | {"heartbeat": time.time() - 600}))
    assert run.stage1()["kind"] == "stopped"


def test_it_imports_nothing_heavy_and_reads_damaged_files(run):
    folder = run.folder / FOLD
    folder.mkdir(parents=True)
    (folder / "pretrain.track.json").write_text("[")
    (folder / "pretrain.metrics.jsonl").write_text('{"step": 1\n[]\nx')
    (folder / "pretrain.lease").write_text("{}")
    (folder / "pretrain.log").write_bytes(b"\xff\xfe\n")
    code = "import runpy, sys; sys.argv = ['clef', 'status', 'toy']\n"
    code += "try:\n    runpy.run_module('clef', run_name='__main__')\n"
    code += "except SystemExit as end:\n    assert not end.code\n"
    code += "assert not {'torch', 'mlflow', 'pandas', 'pyarrow', 'numpy', 'cv2'} & set(sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    subprocess.run([sys.executable, "-c", code], cwd=run.folder, env=environment, check=True, timeout=60)


def test_a_name_that_is_no_run_is_told_with_the_nearest(run):
    ran = subprocess.run(
        [sys.executable, "-m", "clef", "status", "toi"],
        cwd=run.folder, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "no run toi; did you mean toy?" in ran.stderr
