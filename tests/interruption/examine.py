"""What an interrupted run that went on to its end must look like: as if nothing had happened."""

import subprocess
import sys
from pathlib import Path

from mlflow.entities import Run

from tests.tracking.conftest import all_runs, curve, curve_in_file

TARGET = "results/demo-short/summary.csv"
SAMPLES = ".system.jsonl"
"""How busy the machine was: now and then, so that a short training may end before the first."""
Point = tuple[int, float, int]
"""Step, value and time."""
HALF_WRITTEN = ("**/*.partial", "**/*.work", "**/*.lease")


def complaints(folder: Path, undisturbed: Path) -> list[str]:
    """What differs from the undisturbed run, is half-written, or is missing or double in MLflow."""
    found = []
    for path in sorted(undisturbed.glob("results/demo-short/**/*")):
        there = folder / path.relative_to(undisturbed)
        if path.is_file() and not there.is_file() and not path.name.endswith(SAMPLES):
            found.append(f"{there.relative_to(folder)} is missing")
    for name in (TARGET, *_same_bytes(undisturbed)):
        same = not (folder / name).is_file() or (folder / name).read_bytes() == (undisturbed / name).read_bytes()
        found += [] if same else [f"{name} differs"]
    for pattern in HALF_WRITTEN:
        found += [f"{path.relative_to(folder)} is left" for path in folder.glob(pattern)]
    return found + _tracking(folder)


def _same_bytes(undisturbed: Path) -> list[str]:
    kinds = ("data/processed/*/*/manifest.parquet", "data/interim/*/*/*.arrow", "results/*/seed*/fold*/*.safetensors")
    return [path.relative_to(undisturbed).as_posix() for kind in kinds for path in sorted(undisturbed.glob(kind))]


def _tracking(folder: Path) -> list[str]:
    """Every training is one finished run of MLflow with every step once, in one parent."""
    subprocess.run([sys.executable, "-m", "clef", "track", "sync"], cwd=folder, check=True, capture_output=True)
    found = []
    runs = all_runs(folder)
    targets = sorted(folder.glob("results/demo-short/seed*/fold*/*.safetensors"))
    if len(runs) != len(targets) + 1:
        found.append(f"MLflow has {len(runs)} runs for {len(targets)} trainings and their parent: {sorted(runs)}")
    for target in targets:
        fold = target.parent.name.removeprefix("fold")
        run = runs.get(f"demo-short seed 0 fold {fold} {target.stem}")
        if run is None:
            found.append(f"MLflow lacks {target.relative_to(folder)}")
            continue
        if run.info.status != "FINISHED":
            found.append(f"MLflow: {run.info.run_name} is {run.info.status}")
        # Without their times: a training that had ended and was done again, as after the death of the Snakemake that
        # waited for it, is the same run of MLflow with the same points.
        shown, written = ([point[:2] for point in points] for points in _curves(folder, run, target))
        if [step for step, _ in written] != list(range(1, len(written) + 1)):
            found.append(f"{target.relative_to(folder)}: its metrics file has not every step once")
        if shown != written:
            found.append(f"MLflow: {run.info.run_name} has {len(shown)} points for {len(written)} steps")
    return found


def _curves(folder: Path, run: Run, target: Path) -> tuple[list[Point], list[Point]]:
    """The loss in MLflow and in the metrics file."""
    return curve(folder, run, "train/loss"), curve_in_file(target, "train/loss")
