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
    return differences(folder, undisturbed) + _tracking(folder)


def differences(folder: Path, undisturbed: Path) -> list[str]:
    """Files of the undisturbed run that are missing or differ, and half-written ones."""
    same = [TARGET, *_same_bytes(undisturbed)]
    results = [path for path in undisturbed.glob("results/demo-short/**/*") if not path.name.endswith(SAMPLES)]
    names = {*same, *(path.relative_to(undisturbed).as_posix() for path in results if path.is_file())}
    missing = [name for name in sorted(names) if not (folder / name).is_file()]
    there = [name for name in same if name not in missing]
    changed = [name for name in there if (folder / name).read_bytes() != (undisturbed / name).read_bytes()]
    left = [path.relative_to(folder) for pattern in HALF_WRITTEN for path in folder.glob(pattern)]
    return [
        *(f"{name} is missing" for name in missing),
        *(f"{name} differs" for name in changed),
        *(f"{path} is left" for path in left),
    ]


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
