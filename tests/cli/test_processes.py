"""Trainings as the workflow starts them: real processes, ended and started again, alone and several together."""

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
from safetensors.torch import load_file

from clef.training.metrics_file import MetricsFile
from tests.toy import make_toy, toy_params

CHECKOUT = Path(__file__).parents[2]
EPOCHS = 10


class Toy:
    """A checkout's worth of files for one training of stage 1 and one of stage 2."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        inputs = make_toy(folder / "toy", toy_params())
        self.inputs = ["--manifest", str(inputs.manifest), "--crops", str(inputs.manifest.parent)]

    def start(self, stage: str, place: str, gpus: int = 1, *options: str) -> subprocess.Popen:
        """Start stage 1, or stage 2 from nothing, with its results and words in a folder of their own."""
        out = self.folder / place
        (out / "params").mkdir(parents=True, exist_ok=True)
        params = toy_params(pretrain={"epochs": EPOCHS}, gpus=gpus).model_dump(mode="json", by_alias=True)
        (out / "params" / "toy.yaml").write_text(yaml.safe_dump(params))
        if stage == "finetune":
            options = (*options, "--epochs", str(out / "epochs.parquet"))
        command = [
            sys.executable,
            "-m",
            "clef",
            "--params",
            out / "params",
            "--log",
            out / f"{stage}.log",
            stage,
            "toy",
        ]
        command += ["--seed", "0", "--fold", "0", *self.inputs, "--out", out / f"{stage}.safetensors", *options]
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=self.folder)

    def run(self, stage: str, place: str, gpus: int = 1, *options: str) -> tuple[int, str]:
        """Exit code and what the terminal got."""
        process = self.start(stage, place, gpus, *options)
        _, said = process.communicate(timeout=240)
        return process.returncode, said

    def end_in_the_middle(self, place: str, gpus: int) -> tuple[int, str]:
        """Start stage 1 and send SIGTERM once it has made some steps."""
        process = self.start("pretrain", place, gpus)
        deadline = time.monotonic() + 120
        while len(self.steps(place)) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
        return process.returncode, said

    def steps(self, place: str) -> list[int]:
        """Steps in the metrics file."""
        return [r["step"] for r in MetricsFile(self.folder / place / "pretrain.metrics.jsonl").read()]

    def weights(self, place: str, stage: str = "pretrain") -> Path:
        return self.folder / place / f"{stage}.safetensors"


def require_close(left: Path, right: Path) -> None:
    expected, found = load_file(left), load_file(right)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        difference = (value - found[name]).float().norm() / value.float().norm().clamp(min=1)
        assert difference < 0.01, f"{name}: {difference:.4f}"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    toy = Toy(tmp_path_factory.mktemp("processes"))
    for stage in ("pretrain", "finetune"):
        assert toy.run(stage, "alone")[0] == 0
    return toy


def test_sigterm_saves_and_the_same_command_ends_byte_for_byte_the_same(toy):
    code, said = toy.end_in_the_middle("ended", 1)
    assert code == 75
    last = toy.steps("ended")[-1]
    assert f"asked to end by SIGTERM; step {last} of " in said
    assert "error" not in said
    assert "Traceback" not in said
    assert json.loads((toy.folder / "ended" / "pretrain.track.json").read_text())["status"] == "stopped"
    code, said = toy.run("pretrain", "ended")
    assert code == 0
    assert f"going on from step {last} of" in said
    assert toy.weights("ended").read_bytes() == toy.weights("alone").read_bytes()
    assert toy.steps("ended") == toy.steps("alone")


@pytest.mark.slow
def test_a_time_budget_that_is_up_ends_with_75(toy):
    code, said = toy.run("pretrain", "late", 1, "--time-budget", "0.1")
    while code == 75:
        assert "the time it was given is up; step" in said
        code, said = toy.run("pretrain", "late", 1, "--time-budget", "0.2")
    assert code == 0
    assert toy.weights("late").read_bytes() == toy.weights("alone").read_bytes()


@pytest.mark.parametrize("stage", ["pretrain", pytest.param("finetune", marks=pytest.mark.slow)])
def test_two_processes_train_what_one_does_and_speak_and_write_once(toy, stage):
    code, said = toy.run(stage, "two", 2)
    assert code == 0, said
    require_close(toy.weights("alone", stage), toy.weights("two", stage))
    mine, theirs = (MetricsFile(toy.folder / place / f"{stage}.metrics.jsonl").read() for place in ("two", "alone"))
    assert [record["step"] for record in mine] == [record["step"] for record in theirs]
    assert mine[0]["train/loss"] == pytest.approx(theirs[0]["train/loss"], rel=1e-4)
    assert len(re.findall("steps done in", said)) == 1
    log = (toy.folder / "two" / f"{stage}.log").read_text()
    assert len(re.findall(r"stage [12], seed 0", log)) == 1
    assert not list(toy.folder.glob("two/*.work"))
    assert not list(toy.folder.glob("two/*.lease"))


@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_processes(toy):
    code, said = toy.end_in_the_middle("fewer", 2)
    assert code == 75, said
    code, said = toy.run("pretrain", "fewer", 1)
    assert code == 0
    assert "going on from step" in said
    require_close(toy.weights("alone"), toy.weights("fewer"))
    assert toy.steps("fewer") == toy.steps("alone")


@pytest.mark.slow
def test_what_stops_one_of_several_is_one_line_and_its_exit_code(toy):
    code, said = toy.run("pretrain", "wrong", 2, "--crops", str(toy.folder / "nowhere"))
    assert code == 1
    lines = said.strip().splitlines()
    assert all(re.search(r"pretrain toy seed 0 fold 0.*: error: .*nowhere.*no such", line) for line in lines), said
    assert 1 <= len(lines) <= 2


@pytest.mark.slow
def test_an_orphan_keeps_others_off_its_folder(toy):
    process = toy.start("pretrain", "orphan", 2)
    deadline = time.monotonic() + 120
    while not toy.steps("orphan"):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    code, said = toy.run("pretrain", "orphan", 2)
    while code == 1:
        assert "is already at work on it" in said
        code, said = toy.run("pretrain", "orphan", 2)
    assert code == 0
    require_close(toy.weights("alone"), toy.weights("orphan"))
    assert toy.steps("orphan") == toy.steps("alone")
