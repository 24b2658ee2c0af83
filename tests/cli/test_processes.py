"""Trainings as the workflow starts them: real processes, ended and started again, alone and several together."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
import yaml
from safetensors.torch import load_file

from clef.cli import find_run
from clef.cli.processes import _key, training_job
from clef.errors import ClefError
from clef.training.metrics_file import MetricsFile
from tests.toy import make_toy, toy_params
from tests.training.ranks.test_ranks import BY_A_SCHEDULER

CHECKOUT = Path(__file__).parents[2]
EPOCHS = 10


class Toy:
    """A checkout's worth of files for one training of stage 1 and one of stage 2."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        inputs = make_toy(folder / "toy", toy_params())
        self.inputs = ["--manifest", str(inputs.manifest), "--crops", str(inputs.manifest.parent)]

    def start(self, stage: str, place: str, gpus: int = 1, *options: str, **settings) -> subprocess.Popen:
        """Start stage 1, or stage 2 from nothing, with its results and words in a folder of their own.

        Args:
            stage: Which.
            place: The folder.
            gpus: Processes.
            options: More of the command.
            settings: More of the params.
        """
        out = self.folder / place
        (out / "params").mkdir(parents=True, exist_ok=True)
        params = toy_params(pretrain={"epochs": EPOCHS}, gpus=gpus, **settings).model_dump(mode="json", by_alias=True)
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
        return subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=environment, cwd=self.folder, start_new_session=True
        )

    def run(self, stage: str, place: str, gpus: int = 1, *options: str, **settings) -> tuple[int, str]:
        """Exit code and what the terminal got."""
        process = self.start(stage, place, gpus, *options, **settings)
        _, said = process.communicate(timeout=240)
        return process.returncode, said

    def start_and_wait(self, place: str, gpus: int) -> subprocess.Popen:
        """Start stage 1 and return once it has made some steps."""
        process = self.start("pretrain", place, gpus)
        deadline = time.monotonic() + 300
        while len(self.steps(place)) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    def end_in_the_middle(self, place: str, gpus: int) -> tuple[int, str]:
        """Start stage 1 and send SIGTERM once it has made some steps."""
        process = self.start_and_wait(place, gpus)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=240)
        return process.returncode, said

    def status(self, place: str) -> str:
        """How its record says that stage 1 ended."""
        return json.loads((self.folder / place / "pretrain.track.json").read_text())["status"]

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
    assert toy.status("ended") == "stopped"
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
    process = toy.start_and_wait("orphan", 2)
    process.kill()
    process.communicate()
    code, said = toy.run("pretrain", "orphan", 2)
    while code == 1:
        assert "is already at work on it" in said
        code, said = toy.run("pretrain", "orphan", 2)
    assert code == 0
    require_close(toy.weights("alone"), toy.weights("orphan"))
    assert toy.steps("orphan") == toy.steps("alone")


def everybody(process: subprocess.Popen) -> list[psutil.Process]:
    """A process and those that it has started, itself first."""
    first = psutil.Process(process.pid)
    return [first, *first.children()]


def to_the_group(process: subprocess.Popen, number: int) -> None:
    os.killpg(process.pid, number)


def to_those_that_train(process: subprocess.Popen, number: int) -> None:
    """And later to the one that has started them, as a service manager may."""
    first, *others = everybody(process)
    for one in others:
        one.send_signal(number)
    time.sleep(0.1)
    if first.is_running():
        first.send_signal(number)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("send", "number", "code"),
    [
        (to_the_group, signal.SIGTERM, 75),
        (to_those_that_train, signal.SIGTERM, 75),
        (to_the_group, signal.SIGINT, 130),
    ],
)
def test_a_signal_to_every_process_saves_and_says_so(toy, tmp_path, send, number, code):
    place = f"{send.__name__}-{number.name}"
    process = toy.start_and_wait(place, 2)
    send(process, number)
    _, said = process.communicate(timeout=240)
    assert process.returncode == code, said
    last = toy.steps(place)[-1]
    assert (toy.folder / place / "pretrain.work" / "step").read_text() == str(last)
    assert f"asked to end by {number.name}; step {last} of " in said
    assert "error" not in said
    # The others have waited until the first gave back its lease and wrote how it ended.
    assert not (toy.folder / place / "pretrain.lease").exists()
    assert toy.status(place) == "stopped"
    code, said = toy.run("pretrain", place, 2)
    assert code == 0, said
    assert f"going on from step {last} of" in said
    assert toy.steps(place) == toy.steps("alone")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_kills_of_one_of_several_are_told_and_are_no_failure_that_repeats(toy, rank):
    place = f"killed{rank}"
    process = toy.start_and_wait(place, 2)
    (one,) = [child for child in everybody(process)[1:] if child.environ()["RANK"] == str(rank)]
    one.kill()
    _, said = process.communicate(timeout=240)
    assert process.returncode == 1
    assert f"error: process {rank} of 2 was ended by SIGKILL; the same command goes on" in said
    assert not (toy.folder / place / "pretrain.failure.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("gpus", [1, 2])
def test_a_failure_before_the_first_step_that_repeats_is_not_tried_a_third_time(toy, gpus):
    place = f"mismatch{gpus}"
    tries = [toy.run("pretrain", place, gpus, "--attempt", n, crop={"size": 48}) for n in ("1", "2", "3", "1")]
    assert [code for code, _ in tries] == [1, 1, 1, 1]
    first, second, third, anew = (said for _, said in tries)
    for said in (first, second, anew):
        assert "error: " in said
        assert "its crops are not those of the params" in said
        assert "not tried again" not in said
    assert "failed alike" not in first
    assert "failed alike 2 times; further attempts are refused until that is mended" in second
    assert "not tried again, since it failed 2 times with: ClefError: " in third
    assert "its crops are not those of the params" in third
    assert len(third.strip().splitlines()) == 1


@pytest.mark.slow
def test_what_a_scheduler_sets_changes_nothing(toy, monkeypatch):
    for name, value in BY_A_SCHEDULER.items():
        monkeypatch.setenv(name, value)
    code, said = toy.run("pretrain", "scheduled")
    assert code == 0, said
    assert toy.weights("scheduled").read_bytes() == toy.weights("alone").read_bytes()


@pytest.mark.parametrize(("gpus", "world"), [(2, None), (2, "4"), (1, "2")])
def test_a_rank_that_the_params_do_not_know_is_told(monkeypatch, gpus, world):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if world is not None:
        monkeypatch.setenv("WORLD_SIZE", world)
    message = f"RANK is set in the environment, of {world or 1} processes, and gpus is {gpus}; unset RANK"
    with pytest.raises(ClefError, match=message), training_job(toy_params(gpus=gpus), None):
        raise AssertionError("it ran")


def test_the_same_attempt_is_known_again_whatever_its_number(tmp_path, monkeypatch):
    monkeypatch.setattr(find_run.settings, "params_folder", tmp_path)
    toy = partial(find_run.run_params, "toy")
    (tmp_path / "toy.yaml").write_text("dataset: {adapter: demo}\nrender: {}\n")
    one = _key(toy, ["--log", "a", "pretrain", "toy", "--attempt", "1", "--out", "x"])
    assert one == _key(toy, ["--log=b", "pretrain", "toy", "--time-budget", "9", "--attempt=2", "--out", "x"])
    assert one != _key(toy, ["--log", "a", "pretrain", "toy", "--attempt", "1", "--out", "y"])
    (tmp_path / "toy.yaml").write_text("dataset: {adapter: demo}\nrender: {}\nseeds: [7]\n")
    assert one != _key(toy, ["--log", "a", "pretrain", "toy", "--attempt", "1", "--out", "x"])
