"""The whole chain on a short demo: uninterrupted, repeated, killed and resumed, and with random test labels."""

import json
import random
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from tests.interruption.comparison import TARGET, file_problems
from tests.interruption.interruptions import cut_power, running_jobs
from tests.interruption.trial import ENVIRONMENT, RUN, call, prepare
from tests.workflow.conftest import snakemake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    folder = prepare(tmp_path_factory.mktemp("uninterrupted") / "clëf ü")  # users have such paths
    call(folder, RUN)
    return folder


@pytest.fixture
def checkout(uninterrupted, tmp_path) -> Path:
    return Path(shutil.copytree(uninterrupted, tmp_path / "checkout", symlinks=True))


def kill(folder: Path, step: str, pattern: str, everything: bool) -> None:
    """Start the workflow. Once there is a file of the pattern, kill the jobs of a step; or kill all processes."""
    pause = threading.Event()
    run = subprocess.Popen(RUN, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while run.poll() is None:
        jobs = [job for job, name in running_jobs(run).items() if name == step]
        if jobs and any(folder.glob(pattern)):
            with suppress(psutil.NoSuchProcess):
                if everything:
                    cut_power(folder, run, random.Random(0))
                for job in jobs:
                    job.kill()
        pause.wait(0.01)
    assert any(folder.glob(pattern)), f"no {step} was killed after it wrote {pattern}"


@pytest.mark.parametrize("everything", [False, True], ids=["the step", "everything"])
@pytest.mark.parametrize(
    ("step", "removed", "pattern"),
    [
        ("crop", ["data/interim/demo-short/*/*", "data/processed/*", "results/*"], "data/interim/*/*/*.work/*"),
        ("pretrain", ["results/*"], "results/**/pretrain.work/recovery.pt"),
        ("finetune", ["results/**/finetune*"], "results/**/finetune.work/recovery.pt"),
    ],
)
def test_a_killed_run_resumes_to_the_same_bytes(uninterrupted, checkout, step, removed, pattern, everything):
    (checkout / TARGET).unlink()
    for stale in [*removed, "results/**/metrics.json", "results/**/predictions.parquet"]:
        for path in checkout.glob(stale):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    kill(checkout, step, pattern, everything)
    assert not (checkout / TARGET).exists()
    if everything:
        assert "--unlock" in snakemake(checkout, TARGET, check=False)
        snakemake(checkout, "--unlock")
    call(checkout, RUN)
    assert file_problems(checkout, uninterrupted) == []
    if step != "crop":
        logs = [path.read_text() for path in checkout.glob(f"results/demo-short/seed0/fold*/{step}.log")]
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


def test_the_same_command_again_does_nothing(uninterrupted):
    assert "Nothing to be done" in snakemake(uninterrupted, TARGET)


def test_elsewhere_without_git_home_folder_and_locale_the_bytes_are_the_same(uninterrupted, tmp_path):
    folder, programs = prepare(tmp_path / "elsewhere"), tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "which"):  # Snakemake's plugin for SLURM needs `which` to be imported
        (programs / name).symlink_to(shutil.which(name))
    bare = {"PATH": str(programs), "HOME": "/dev/null/none", "XDG_CACHE_HOME": str(tmp_path / "cache"), "LC_ALL": "C"}
    call(folder, RUN, bare)
    call(folder, [sys.executable, "-m", "clef", "track", "sync"], bare)
    assert file_problems(folder, uninterrupted) == []
    (run,) = folder.glob("results/mlartifacts/demo-short/*/artifacts")
    assert (run / "summary.csv").read_bytes() == (folder / TARGET).read_bytes()


def test_a_truncated_video_has_all_its_rows(uninterrupted):
    (manifest,) = uninterrupted.glob("data/processed/demo-short/*/manifest.parquet")
    frames = pd.read_parquet(manifest)
    sequences = pd.read_parquet(uninterrupted / "data/interim/demo-short/sequences.parquet")
    rows = frames.groupby("sequence").size()
    assert rows.to_dict() == sequences.set_index("sequence")["frames"].to_dict()
    assert frames[frames["status"] == "undecodable"]["sequence"].nunique() == 1
