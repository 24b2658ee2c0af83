"""States of jobs, from real trainings and from files as a process or a cluster leaves them."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from clef.cli.find_run import settings
from clef.datasets import open_dataset
from clef.runs.jobs import jobs_of
from clef.runs.related_runs import load_run
from clef.runs.state import state_of
from clef.tracking.location import write_page_links
from clef.tracking.record import Record, RunDescription, record_path
from tests.cli.conftest import ROOT, on_a_terminal, python
from tests.leases import hold_elsewhere
from tests.toy import make_toy, toy_params

FOLD = Path("results/toy/seed0/fold0")
NAME = "pretrain toy seed 0 fold 0"
WAIT_SECONDS = 600


class Run:
    """A checkout with a run over the toy set, in the current folder."""

    def __init__(self, folder: Path) -> None:
        params = toy_params(pretrain={"epochs": 10}).model_dump(mode="json", by_alias=True)
        (folder / "params").mkdir()
        (folder / "params" / "toy.yaml").write_text(yaml.safe_dump(params))
        self.folder = folder
        self.inputs = make_toy(folder / "toy", toy_params())

    def clef(self, *arguments: str) -> subprocess.Popen:
        command, environment = [sys.executable, "-m", "clef", *arguments], os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, cwd=self.folder, env=environment, stderr=subprocess.PIPE, text=True)

    def stage1(self) -> dict:
        """State of stage 1 of fold 0, as in JSON."""
        jobs = jobs_of("toy", load_run("toy", settings.params_folder))
        return next(state_of(job).plain() for job in jobs if job.name == NAME)


def wait_until(process: subprocess.Popen, condition) -> None:
    deadline, pause = time.monotonic() + WAIT_SECONDS, threading.Event()
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < deadline
        pause.wait(0.02)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return Run(tmp_path)


def test_at_first_everything_waits(run, clef_here):
    ran = clef_here("status", "toy", folder=run.folder)
    assert not ran.returncode
    assert re.match(r"toy: \d+ waiting of \d+ jobs", ran.stdout)
    assert re.search(r"render-demo toy +waiting", ran.stdout)
    assert re.search(r"crop toy +6 waiting of 6 shards", ran.stdout)
    plain = json.loads(clef_here("status", "toy", "--json", folder=run.folder).stdout)
    assert {"rule": "pretrain", "run_or_dataset": "toy", "seed": 0, "fold": 0, "kind": "waiting"} in plain["jobs"]
    assert plain["steps"]["crop"] == {"waiting": 6}


def test_a_training_that_runs_and_is_then_killed(run, clef_here):
    out, metrics, crops = FOLD / "pretrain", FOLD / "pretrain.metrics.jsonl", run.inputs.manifest.parent
    arguments = ["--seed", "0", "--fold", "0", "--manifest", str(run.inputs.manifest), "--crops", str(crops)]
    process = run.clef("--log", f"{out}.log", "pretrain", "toy", *arguments, "--out", f"{out}.safetensors")
    wait_until(process, lambda: metrics.exists() and metrics.read_text().count("\n") >= 5)
    process.send_signal(signal.SIGSTOP)
    state = run.stage1()
    assert state["kind"] == "running"
    assert 0 < state["step"] < state["steps"]
    assert min(state["loss"], state["images_per_second"], state["seconds_left"]) > 0
    shown = clef_here("status", "toy", folder=run.folder).stdout
    assert re.search(r"running step \d+ of \d+", shown)
    line = next(line for line in shown.splitlines() if NAME in line)
    assert re.search(r"loss \d\.\d+, \d+ images/s, .* left; on .*, lease renewed \d+ s ago", line)
    process.kill()
    process.communicate()
    state = run.stage1()
    assert state["kind"] == "stopped"
    shown = clef_here("status", "toy", folder=run.folder).stdout
    assert re.search(rf"stopped step {state['step']} of {state['steps']}", shown)
    assert "no process works on stopped jobs; resume with: snakemake --cores" in shown


def test_a_job_of_another_host_runs_until_its_lease_expires(run, clef_here):
    FOLD.mkdir(parents=True)
    first = "10:00:00 INFO clef 1.0, process 5 on node7, SLURM job 4711 on node7 with no GPU\n"
    (FOLD / "pretrain.log").write_text(first)
    hold_elsewhere(FOLD / "pretrain.safetensors", host="node7", age=30)
    state = run.stage1()
    assert (state["kind"], state["host"], state["slurm_job"]) == ("running", "node7", "4711")
    assert "on node7, SLURM job 4711, lease renewed 3" in clef_here("status", "toy", folder=run.folder).stdout
    hold_elsewhere(FOLD / "pretrain.safetensors", host="node7", age=900)
    assert run.stage1()["kind"] == "stopped"
    shown = clef_here("status", "toy", folder=run.folder).stdout
    assert "snakemake --profile workflow/profiles/slurm results/toy/summary.csv" in shown


@pytest.mark.parametrize(
    ("step", "arguments"),
    [
        ("render-demo", "--out data/raw/toy"),
        ("ingest", "--raw pipes --out {out}"),
        ("summarize", "pipes/table --out {out}"),
    ],
)
def test_a_step_holds_the_lease_by_which_it_is_shown_as_running(run, step, arguments):
    """Except the first, these steps read a pipe that has no writer, and so hang."""
    params = toy_params()
    names = [f"videos/{name.replace('_', '/')}.mp4" for name in open_dataset(params).expected_sequences()]
    for pipe in (Path("pipes", name) for name in ("table", *names)):
        pipe.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(pipe)
    job = next(job for job in jobs_of("toy", {"toy": params}) if job.step == step)
    process = run.clef("--log", str(job.log), step, "toy", *arguments.format(out=job.target).split())
    wait_until(process, job.target.with_suffix(".lease").exists)
    process.send_signal(signal.SIGSTOP)
    kind = state_of(job).kind
    process.kill()
    process.communicate()
    assert kind == "running"
    assert state_of(job).kind == "stopped"


def test_watching_ends_with_the_run(run, monkeypatch):
    command = import_module("clef.cli.status")
    monkeypatch.setattr(command, "REDRAW_SECONDS", 0)
    outputs = [path for job in jobs_of("toy", {"toy": toy_params()}) for path in job.outputs]
    for path in outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    outputs[-1].unlink()
    states = command._states("toy")
    outputs[-1].touch()
    screen = Console(file=StringIO(), force_terminal=True, width=120)
    assert states[-1].kind == "waiting"
    assert command._watch("toy", states, screen)[-1].kind == "done"
    assert "summarize  \x1b[32mdone" in screen.file.getvalue()


def test_a_failure_is_shown_with_its_last_line_and_ends_watching(run, clef_here):
    FOLD.mkdir(parents=True)
    (FOLD / "pretrain.log").write_text(f"{NAME}: error: it broke\n")
    ran = clef_here("status", "toy", folder=run.folder)
    assert ran.returncode == 1
    assert f"failed {NAME}: error: it broke (log: {FOLD}/pretrain.log)" in " ".join(ran.stdout.split())
    code, shown = on_a_terminal("status", "toy", "--watch", folder=run.folder)
    assert code == 1
    assert "it broke" in shown


def test_pages_of_mlflow_are_linked(run, clef_here):
    target = FOLD / "pretrain.safetensors"
    target.parent.mkdir(parents=True)
    description = RunDescription("toys", "toy fold 0", "k", "c", {}, {})
    record = Record(description, None, "m", "h", time.time(), time.time(), "failed")
    record.write(record_path(target))
    write_page_links(record_path(target), "k", "https://me:secret@lab:5000/mlflow/", "3", "the-run", "its-parent")
    page = "https://lab:5000/mlflow/#/experiments/3/runs/"
    state = run.stage1()
    assert (state["link"], state["run_link"]) == (f"{page}the-run", f"{page}its-parent")
    assert f"  MLflow  {page}its-parent" in clef_here("status", "toy", folder=run.folder).stdout
    write_page_links(record_path(target), "another training", "https://lab:5000", "3", "the-run", "its-parent")
    assert "link" not in run.stage1()


def test_it_imports_nothing_heavy_and_reads_damaged_files(run):
    FOLD.mkdir(parents=True)
    (FOLD / "pretrain.track.json").write_text("[")
    (FOLD / "pretrain.metrics.jsonl").write_text('{"step": 1\n[]\nx')
    (FOLD / "pretrain.lease").write_text("{}")
    (FOLD / "pretrain.log").write_bytes(b"\xff\xfe\n")
    code = "import runpy, sys; sys.argv = ['clef', 'status', 'toy']\n"
    code += "try:\n    runpy.run_module('clef', run_name='__main__')\n"
    code += "except SystemExit as end:\n    assert not end.code\n"
    code += "assert not {'torch', 'mlflow', 'pandas', 'pyarrow', 'cv2'} & set(sys.modules)"
    assert python("-c", code, folder=run.folder).returncode == 0
