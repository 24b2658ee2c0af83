"""What `clef status` says of real files: of trainings that are done, at work, killed, ended and failed."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from clef.datasets import open_dataset
from clef.runs.jobs import jobs_of
from clef.tracking.location import write_page_links
from clef.tracking.record import Record, RunDescription, record_path
from tests.cli.conftest import on_a_terminal
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
        arguments = ["--log", f"{out}.log", "pretrain", "toy", "--seed", "0", "--fold", "0"]
        arguments += ["--manifest", str(self.inputs.manifest), "--crops", str(self.inputs.manifest.parent)]
        return self.clef(*arguments, "--out", f"{out}.safetensors", **environment)

    def clef(self, *arguments: str, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "clef", *arguments]
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
    assert re.search(r"render-demo toy +waiting", said.stdout)
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


ARGUMENTS = {
    "render-demo": "--out data/raw/toy",
    "ingest": "--raw stuck --out {out}",
    "manifest": "--crop {crop} --sequences stuck/pipe --labels stuck/pipe --crops crops --out {out}",
    "summarize": "stuck/pipe --out {out}",
}
"""Of steps that begin with a pipe into which nobody writes, but for the first one."""


@pytest.mark.parametrize("step", ARGUMENTS)
def test_whoever_is_at_work_is_seen_to_be(run, step):
    params = toy_params()
    stuck = run.folder / "stuck"
    pipes = [stuck / "videos" / f"{name.replace('_', '/')}.mp4" for name in open_dataset(params).expected_sequences()]
    for pipe in (stuck / "pipe", *pipes):
        pipe.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(pipe)
    job = next(job for job in jobs_of("toy", {"toy": params}) if job.step == step)
    arguments = ARGUMENTS[step].format(out=job.target, crop=params.crop_digest)
    process = run.clef("--log", str(job.log), step, "toy", *arguments.split())
    lease = run.folder / job.target.with_suffix(".lease")
    deadline = time.monotonic() + 60
    while not lease.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    states = {state["step_of_chain"]: state for state in json.loads(run.status("--json").stdout)["jobs"]}
    process.kill()
    process.communicate()
    assert states[step]["kind"] == "running"
    assert run.status().stdout.count("nobody is at work on what is stopped") == 1


def fill(run: Run, *without: str) -> list[Path]:
    """Have a run look done but for these steps, whose outputs are returned."""
    lacking = []
    for job in jobs_of("toy", {"toy": toy_params()}):
        for path in (run.folder / output for output in job.outputs):
            path.parent.mkdir(parents=True, exist_ok=True)
            if job.step in without:
                lacking.append(path)
            else:
                path.touch()
    return lacking


def test_watching_ends_with_the_run(run):
    lacking = fill(run, "summarize")
    ends = threading.Timer(8, lambda: [path.touch() for path in lacking])
    ends.start()
    code, shown = on_a_terminal("status", "toy", "--watch", folder=run.folder)
    ends.join()
    assert code == 0
    assert "summarize  waiting" in re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert "summarize  done" in re.sub(r"\x1b\[[\d;]*m", "", shown)


@pytest.mark.slow
def test_watching_ends_once_something_has_failed_and_nobody_is_at_work(run):
    fill(run, "evaluate", "summarize")
    log = run.folder / FOLD / "evaluate.log"
    log.write_text("evaluate toy seed 0 fold 0: error: it broke\n")
    lock = run.folder / ".snakemake" / "locks" / "0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    ends = threading.Timer(8, lock.unlink)
    ends.start()
    code, shown = on_a_terminal("status", "toy", "--watch", folder=run.folder)
    assert not lock.exists(), "it ended while a workflow was at work"
    ends.join()
    assert code == 1
    assert "it broke" in shown
    assert "--cores" in shown


def test_a_run_on_a_cluster_goes_on_there(run):
    log = run.folder / FOLD / "pretrain.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        f"10:00:00 INFO clef 1.0, process 5 on node7, SLURM job 4711 on node7 with no GPU\n{WHO}: error: x\n"
    )
    assert run.stage1()["slurm_job"] == "4711"
    assert "snakemake --profile workflow/profiles/slurm results/toy/summary.csv" in run.status().stdout


def test_the_pages_of_mlflow_are_linked(run):
    target = run.folder / FOLD / "pretrain.safetensors"
    target.parent.mkdir(parents=True)
    record = Record(RunDescription("toys", "toy fold 0", "k", "c", {}, {}), None, "m", "h", time.time(), time.time(), "failed")
    record.write(record_path(target))
    write_page_links(record_path(target), "k", "https://me:secret@lab:5000/mlflow/", "3", "the-run", "its-parent")
    page = "https://lab:5000/mlflow/#/experiments/3/runs/"
    state = run.stage1()
    assert (state["link"], state["run_link"]) == (f"{page}the-run", f"{page}its-parent")
    assert json.loads(run.status("--json").stdout)["mlflow"] == f"{page}its-parent"
    assert f"  MLflow  {page}its-parent" in run.status().stdout
    write_page_links(record_path(target), "another training", "https://lab:5000", "3", "the-run", "its-parent")
    assert "link" not in run.stage1()


def test_a_job_is_named_as_it_names_itself():
    params = toy_params(tune={"held_out": 0.3})
    names = {job.step: job.name for job in jobs_of("toy", {"toy": params}) if job.fold in (None, 0)}
    assert names["render-demo"] == "render-demo toy"
    assert names["crop"].startswith("crop toy ")
    assert names["inner"] == "finetune toy seed 0 fold 0 inner"
    assert names["summarize"] == "summarize toy"


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
