"""Measure how long the subcommands of `clef` take before they begin to work.

    python -m benchmarks.start_up --out benchmarks/figures/start_up.json

Each command runs in a new process, in turn. `evaluate` and the trainings are measured by the modules that they import.
"""

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.figures_file import write_figures
from benchmarks.rounds import medians, take_turns

COMMANDS = {
    "python": ["-c", "pass"],
    "clef --help": ["-m", "clef", "--help"],
    "clef crop": ["-c", "import clef.faces.crop, clef.faces.detectors.lbp"],
    "clef pretrain": ["-c", "import clef.training.pretrain"],
    "clef finetune": ["-c", "import clef.training.finetune"],
    "clef evaluate": ["-c", "import clef.evaluation.fold.evaluate_fold"],
    "import torch": ["-c", "import torch"],
    "import open_clip": ["-c", "import open_clip"],
}


def start(arguments: list[str]) -> None:
    """Run Python once."""
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start_up", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    given = parser.parse_args()
    seconds = take_turns({name: partial(start, command) for name, command in COMMANDS.items()}, given.rounds)
    figures = medians(seconds)
    print(figures)
    write_figures(given.out, {"seconds": figures})


if __name__ == "__main__":
    main()
