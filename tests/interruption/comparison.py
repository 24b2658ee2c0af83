"""Compare an interrupted run that was resumed to its end with an undisturbed one."""

import subprocess
import sys
from pathlib import Path

from tests.tracking.conftest import all_runs, curve, curve_in_file

TARGET = "results/demo-short/summary.csv"
SYSTEM_METRICS = ".system.jsonl"
"""Sampled at intervals, so a short training may have none."""
IDENTICAL = ("data/processed/*/*/manifest.parquet", "data/interim/*/*/*.arrow", "results/*/seed*/fold*/*.safetensors")
IDENTICAL += ("results/*/tables/*",)
REPORT, TIMES_BEGIN = "results/demo-short/report.html", b'<section id="repeat">'
"""The last section of the page names the times of the trainings."""
TEMPORARY = ("**/*.partial", "**/*.work", "**/*.lease*")


def problems(folder: Path, reference: Path) -> list[str]:
    """Differences of files and of MLflow runs between a checkout and the undisturbed one."""
    return file_problems(folder, reference) + _mlflow_problems(folder)


def file_problems(folder: Path, reference: Path) -> list[str]:
    """Files of the undisturbed checkout that are missing or differ, and temporary files."""
    identical = {TARGET, *(str(path.relative_to(reference)) for kind in IDENTICAL for path in reference.glob(kind))}
    results = [path for path in reference.glob("results/demo-short/**/*") if path.is_file()]
    names = {str(path.relative_to(reference)) for path in results if not path.name.endswith(SYSTEM_METRICS)}
    found = []
    for name in sorted(names | identical):
        if not (folder / name).is_file():
            found.append(f"{name} is missing")
        elif name in identical and (folder / name).read_bytes() != (reference / name).read_bytes():
            found.append(f"{name} differs")
        elif name == REPORT and _without_times(folder / name) != _without_times(reference / name):
            found.append(f"{name} differs before its last section")
    temporary = [path.relative_to(folder) for pattern in TEMPORARY for path in folder.glob(pattern)]
    return [*found, *(f"{path} was not removed" for path in temporary)]


def _without_times(report: Path) -> bytes:
    return report.read_bytes().split(TIMES_BEGIN)[0]


def _mlflow_problems(folder: Path) -> list[str]:
    """Every training must be one finished MLflow run that has each step once."""
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
            found.append(f"MLflow has no run of {target.relative_to(folder)}")
            continue
        if run.info.status != "FINISHED":
            found.append(f"MLflow: {run.info.run_name} is {run.info.status}")
        # Without times: a finished training that is repeated, as after the death of its Snakemake, keeps its run.
        logged = [point[:2] for point in curve(folder, run, "train/loss")]
        written = [point[:2] for point in curve_in_file(target, "train/loss")]
        if [step for step, _ in written] != list(range(1, len(written) + 1)):
            found.append(f"{target.relative_to(folder)}: its metrics file does not have every step once")
        if logged != written:
            found.append(f"MLflow: {run.info.run_name} has {len(logged)} points for {len(written)} steps")
    return found
