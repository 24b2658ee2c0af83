"""The whole chain on a short demo: uninterrupted, repeated, killed and resumed, and with random test labels."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from tests.workflow.conftest import copy_checkout, snakemake

pytestmark = pytest.mark.slow

TARGET = "results/demo-short/summary.csv"
PARAMS = "\npretrain: {subjects: 3, epochs: 1, checkpoint: {every_steps: 2}}\n"
PARAMS += "finetune: {epochs: 2, checkpoint: {every_steps: 5}}\n"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    folder = copy_checkout(tmp_path_factory.mktemp("uninterrupted"))
    path = folder / "params" / "demo-short.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("pretrain", "finetune"))]
    path.write_text("\n".join(lines) + PARAMS)
    snakemake(folder, TARGET)
    return folder


@pytest.fixture
def checkout(uninterrupted, tmp_path) -> Path:
    return Path(shutil.copytree(uninterrupted, tmp_path / "checkout", symlinks=True))


def kill_in(folder: Path, step: str, pattern: str, everything: bool) -> None:
    """Start the workflow, and kill a step once its work folder has a file of the pattern; or kill all processes."""
    running = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", TARGET],
        cwd=folder,
        env=os.environ | {"PATH": os.defpath},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    pause = threading.Event()
    deadline = time.monotonic() + 600
    try:
        while time.monotonic() < deadline and running.poll() is None:
            for found in folder.glob(pattern):
                output = found.parent.relative_to(folder).with_suffix("")
                for process in psutil.Process(running.pid).children(recursive=True):
                    command = process.cmdline()
                    is_step = command[1:3] == ["-m", "clef"] and step in command
                    if is_step and any(str(output) in word for word in command) and found.exists():
                        started = psutil.Process(running.pid)
                        for killed in [started, *started.children(recursive=True)] if everything else [process]:
                            with contextlib.suppress(psutil.NoSuchProcess):
                                killed.kill()
                        assert running.wait(600) != 0
                        return
            pause.wait(0.01)
        pytest.fail(f"{step} never wrote {pattern}")
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)


@pytest.mark.parametrize("everything", [False, True], ids=["the step", "everything"])
@pytest.mark.parametrize(
    ("step", "removed", "pattern", "resumed"),
    [
        ("crop", ["data/interim/demo-short/*/*", "data/processed/*", "results/*"], "data/interim/*/*/*.work/*", None),
        ("pretrain", ["results/*"], "results/**/pretrain.work/recovery.pt", "pretrain.log"),
        ("finetune", ["results/**/finetune*"], "results/**/finetune.work/recovery.pt", "finetune.log"),
    ],
)
def test_a_killed_run_resumes_to_the_same_bytes(uninterrupted, checkout, step, removed, pattern, resumed, everything):
    (checkout / TARGET).unlink()
    for stale in [*removed, "results/**/metrics.json", "results/**/predictions.parquet"]:
        for path in checkout.glob(stale):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    kill_in(checkout, step, pattern, everything)
    assert not (checkout / TARGET).exists()
    if everything:
        assert "--unlock" in snakemake(checkout, TARGET, check=False)
        snakemake(checkout, "--unlock")
    snakemake(checkout, TARGET, "--rerun-incomplete")
    assert (checkout / TARGET).read_bytes() == (uninterrupted / TARGET).read_bytes()
    assert not list(checkout.glob("**/*.work"))
    assert not list(checkout.glob("**/*.partial"))
    assert not list(checkout.glob("**/*.lease"))
    if resumed:
        logs = [path.read_text() for path in checkout.glob(f"results/demo-short/seed0/fold*/{resumed}")]
        assert any("resuming from step" in log for log in logs)


def randomize_labels(folder: Path, subjects: list[str]) -> None:
    """Replace each known code of these subjects by a random one."""
    draw = np.random.default_rng(0)
    for path in sorted((folder / "data/raw/demo-short/AUCoding/AU_OCC").glob("*.csv")):
        if path.stem.partition("_")[0] in subjects:
            table = pd.read_csv(path)
            codes = table.iloc[:, 1:-1]
            table.iloc[:, 1:-1] = codes.where(~codes.isin([0, 1]), draw.integers(0, 2, codes.shape))
            table.to_csv(path, index=False)


def test_random_test_labels_change_no_weights(uninterrupted, checkout):
    folds = [f"results/demo-short/seed0/fold{fold}" for fold in (0, 1)]
    sidecar = json.loads((uninterrupted / folds[0] / "finetune.json").read_text())
    randomize_labels(checkout, sidecar["test_subjects"])
    # A rendered set depends on its settings, so changed files alone make nothing stale.
    (checkout / "data/interim/demo-short/labels.parquet").unlink()
    shutil.rmtree(checkout / "data/processed")
    shutil.rmtree(checkout / "results")
    snakemake(checkout, f"{folds[0]}/metrics.json", f"{folds[1]}/finetune.safetensors")

    def same(file: str) -> bool:
        return (checkout / file).read_bytes() == (uninterrupted / file).read_bytes()

    assert same(f"{folds[0]}/pretrain.safetensors")
    assert same(f"{folds[0]}/finetune.safetensors")
    assert same(f"{folds[0]}/predictions.parquet")
    assert not same(f"{folds[0]}/metrics.json")
    assert not same(f"{folds[1]}/finetune.safetensors")  # trained on these subjects


def test_the_same_command_again_does_nothing_and_elsewhere_gives_the_same_bytes(uninterrupted, tmp_path):
    assert "Nothing to be done" in snakemake(uninterrupted, TARGET)
    folder = copy_checkout(tmp_path / "again")
    shutil.copy(uninterrupted / "params" / "demo-short.yaml", folder / "params")
    snakemake(folder, TARGET)
    (manifest,) = folder.glob("data/processed/demo-short/*/manifest.parquet")
    assert manifest.read_bytes() == (uninterrupted / manifest.relative_to(folder)).read_bytes()
    assert (folder / TARGET).read_bytes() == (uninterrupted / TARGET).read_bytes()


def test_the_summary_holds_every_action_unit_and_the_mean(uninterrupted):
    table = pd.read_csv(uninterrupted / TARGET)
    assert list(table["label"]) == [
        *("AU01", "AU02", "AU04", "AU06", "AU07", "AU10", "AU12", "AU14", "AU15", "AU17", "AU23", "AU24"),
        "mean",
    ]
    for column in ("f1", "ci_low", "ci_high", "f1_field", "f1_field_max", "floor", "activity_only", "coverage"):
        assert table[column].between(0, 1).all(), column
    assert (table["f1"] <= table["f1_field"] + 1e-9).iloc[-1]


def test_a_truncated_video_has_all_its_rows(uninterrupted):
    (manifest,) = uninterrupted.glob("data/processed/demo-short/*/manifest.parquet")
    frames = pd.read_parquet(manifest)
    sequences = pd.read_parquet(uninterrupted / "data/interim/demo-short/sequences.parquet")
    rows = frames.groupby("sequence").size()
    assert rows.to_dict() == sequences.set_index("sequence")["frames"].to_dict()
    assert frames[frames["status"] == "undecodable"]["sequence"].nunique() == 1
