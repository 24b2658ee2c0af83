"""Trainings as the workflow starts them: real processes, alone and several together, stopped and started again."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
import yaml
from safetensors.torch import load_file

from clef.training.metrics_file import MetricsFile
from tests.toy import make_toy, toy_params

CHECKOUT = Path(__file__).parents[2]


class Toy:
    """The files of a toy run, and commands that train it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        inputs = make_toy(folder / "toy", toy_params())
        self.inputs = ["--manifest", str(inputs.manifest), "--crops", str(inputs.manifest.parent)]

    def start(self, stage: str, name: str, *options: str, **settings) -> subprocess.Popen:
        """Start `pretrain`, or `finetune` without a stage 1, with all its files in a folder of this name."""
        out = self.folder / name
        (out / "params").mkdir(parents=True, exist_ok=True)
        params = toy_params(**{"pretrain": {"epochs": 10}, **settings}).model_dump(mode="json", by_alias=True)
        (out / "params" / "toy.yaml").write_text(yaml.safe_dump(params))
        if stage == "finetune":
            options = (*options, "--epochs", str(out / "epochs.parquet"))
        command = [sys.executable, "-m", "clef", "--params", out / "params", "--log", out / f"{stage}.log", stage]
        command += ["toy", "--seed", "0", "--fold", "0", *self.inputs, "--out", self.weights(name, stage), *options]
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        return subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=environment, cwd=self.folder, start_new_session=True
        )

    def run(self, stage: str, name: str, *options: str, **settings) -> tuple[int, str]:
        """Run a stage; return its exit code and what it wrote to the terminal."""
        process = self.start(stage, name, *options, **settings)
        _, output = process.communicate(timeout=600)
        return process.returncode, output

    def start_and_wait(self, name: str, **settings) -> subprocess.Popen:
        """Start stage 1 and wait until it has made some steps."""
        process = self.start("pretrain", name, **settings)
        while len(self.steps(name)) < 3:
            assert process.poll() is None
            threading.Event().wait(0.02)
        return process

    def status(self, name: str) -> str:
        return json.loads((self.folder / name / "pretrain.track.json").read_text())["status"]

    def steps(self, name: str, stage: str = "pretrain") -> list[int]:
        return [record["step"] for record in MetricsFile(self.folder / name / f"{stage}.metrics.jsonl").read()]

    def weights(self, name: str, stage: str = "pretrain") -> Path:
        return self.folder / name / f"{stage}.safetensors"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    toy = Toy(tmp_path_factory.mktemp("processes"))
    assert toy.run("pretrain", "alone")[0] == 0
    return toy


def test_a_training_resumes_after_sigterm_and_ends_with_the_same_bytes(toy):
    process = toy.start_and_wait("stopped")
    process.send_signal(signal.SIGTERM)
    _, output = process.communicate(timeout=600)
    assert process.returncode == 75
    last = toy.steps("stopped")[-1]
    assert f"received SIGTERM; saved step {last} of " in output
    assert "error" not in output
    assert toy.status("stopped") == "stopped"
    code, output = toy.run("pretrain", "stopped")
    assert code == 0
    assert f"resuming from step {last} of" in output
    assert toy.weights("stopped").read_bytes() == toy.weights("alone").read_bytes()
    assert toy.steps("stopped") == toy.steps("alone")


@pytest.mark.slow
def test_two_processes_train_what_one_trains_and_write_once(toy):
    # With a frozen image tower, no statistics depend on the share of a batch.
    for name, gpus in (("one", 1), ("two", 2)):
        code, output = toy.run("finetune", name, gpus=gpus, finetune={"epochs": 2, "freeze_image": True})
        assert code == 0, output
    expected, found = load_file(toy.weights("one", "finetune")), load_file(toy.weights("two", "finetune"))
    for name, value in expected.items():
        difference = (value - found[name]).float().norm() / value.float().norm().clamp(min=1)
        assert difference < 0.01, f"{name}: {difference:.4f}"
    assert toy.steps("two", "finetune") == toy.steps("one", "finetune")
    assert len(re.findall("steps done in", output)) == 1
    assert len(re.findall("stage 2, seed 0", (toy.folder / "two" / "finetune.log").read_text())) == 1
    assert not [path for path in toy.folder.glob("two/*") if path.suffix in (".work", ".lease")]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_to_the_process_group_saves(toy, number, code):
    process = toy.start_and_wait(number.name, gpus=2)
    os.killpg(process.pid, number)
    _, output = process.communicate(timeout=600)
    assert process.returncode == code, output
    last = toy.steps(number.name)[-1]
    assert (toy.folder / number.name / "pretrain.work" / "step").read_text() == str(last)
    assert f"received {number.name}; saved step {last} of " in output
    assert "error" not in output
    assert not (toy.folder / number.name / "pretrain.lease").exists()
    assert toy.status(number.name) == "stopped"


@pytest.mark.slow
def test_the_processes_of_a_launcher_that_was_killed_stop_and_fewer_can_resume(toy):
    process = toy.start_and_wait("orphans", gpus=2)
    children = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    psutil.wait_procs(children, timeout=600)
    code, output = toy.run("pretrain", "orphans")
    assert code == 0, output
    assert "resuming from step" in output
    assert toy.steps("orphans") == toy.steps("alone")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_is_reported_and_does_not_count_as_a_failure(toy, rank):
    process = toy.start_and_wait(f"killed{rank}", gpus=2)
    children = psutil.Process(process.pid).children()
    ranks = [child for child in children if "spawn_main" in " ".join(child.cmdline())]  # in the order of their start
    ranks[rank].kill()
    _, output = process.communicate(timeout=600)
    assert process.returncode == 1
    assert f"error: process {rank} of 2 was ended by SIGKILL; run the same command to resume" in output
    assert not (toy.folder / f"killed{rank}" / "pretrain.failure.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("gpus", [1, 2])
def test_a_failure_that_repeats_is_not_retried_a_third_time(toy, gpus):
    attempts = [
        toy.run("pretrain", f"mismatch{gpus}", "--attempt", number, gpus=gpus, crop={"size": 48})
        for number in ("1", "2", "3", "1")
    ]
    assert [code for code, _ in attempts] == [1, 1, 1, 1]
    for _, output in attempts:
        assert "its crops do not have the settings of the params" in output
        assert output.count("toy seed 0 fold 0: error: ") == 1
        assert "Traceback" not in output
    assert ["not retried" in output for _, output in attempts] == [False, False, True, False]
    assert re.fullmatch(r"pretrain toy seed 0 fold 0: error: .*\n", attempts[2][1])
