"""Measure how long Snakemake plans a run of many subjects.

    python -m benchmarks.planning --out benchmarks/figures/planning.json

Each round is a dry run, in a new process, of a copy of the workflow: three folds, three seeds, and one small image of
each subject. Each subject is one cropping job.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import yaml

from benchmarks.figures_file import write_figures
from benchmarks.rounds import medians, take_turns
from clef.fixtures.formats import encode, put, table

ROOT = Path(__file__).parents[1]
SUBJECTS = (41, 410, 4100)
"""As many as in BP4D, and ten and a hundred times as many."""


def write_run(folder: Path, number: int) -> str:
    """Write a data set of so many subjects and its params, and return the run's name."""
    name, image = f"subjects{number}", encode(np.zeros((64, 64, 3), np.uint8))
    subjects = [f"P{index:04d}" for index in range(number)]
    for subject in subjects:
        put(folder / "data" / "raw" / name / f"{subject}/1.jpg", image)
    rows = [(subject, subject, "joke", 1, 1, 0) for subject in subjects]
    put(
        folder / "data" / "raw" / name / "labels.csv",
        table(("path", "subject", "activity", "frame", "AU01", "AU04"), rows),
    )
    options = {"subjects": subjects, "activities": {"joke": "joke"}}
    params = {
        "dataset": {"adapter": "folder", "name": name, "options": options},
        "labels": {"action_units": [1, 4]},
        "seeds": [0, 1, 2],
        "folds": {"protocol": "subjects", "number": 3},
        "crop": {"detector": "none", "align": "box"},
    }
    put(folder / "params" / f"{name}.yaml", yaml.safe_dump(params))
    return name


def plan(folder: Path, run: str) -> None:
    """Plan a run without executing it."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "-n", f"results/{run}/summary.csv"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("workflow", "clef"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Snakefile", folder)
        calls = {f"{number} subjects": partial(plan, folder, write_run(folder, number)) for number in SUBJECTS}
        seconds = take_turns(calls, given.rounds)
    figures = medians(seconds)
    print(figures)
    write_figures(given.out, {"seconds": figures})


if __name__ == "__main__":
    main()
