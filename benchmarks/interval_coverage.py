"""How often the 95 % intervals of a mean F1 contain the true value, in simulated studies.

    python -m benchmarks.interval_coverage --out interval-coverage.json

A study tests three folds of people who show eight labels at their own rates and are recognised more or less well. The
true value is the mean F1 of very many such people. Percentiles of the same draws show what the correction is worth.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.figures_file import write_figures
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import Counts, Floats, f1
from clef.evaluation.run.bootstrap import estimate, interval

SUBJECTS = (6, 9, 14)
"""In each fold."""
FOLDS = 3
FRAMES = 200
RATES = np.linspace(0.08, 0.55, 8)
RESAMPLES = 1000


def main() -> None:
    """Run the simulation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interval_coverage", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--studies", type=int, default=1000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    truth = float(mean_f1(people(rng, 400_000).sum(axis=0))[0])
    covered = {}
    for number in SUBJECTS:
        hits = np.mean([study(rng, number, truth, stream) for stream in range(arguments.studies)], axis=0)
        covered[f"{number} subjects in each fold"] = dict(
            zip(("percentiles", "BCa"), hits.round(3).tolist(), strict=True)
        )
        print(number, covered[f"{number} subjects in each fold"])
    write_figures(arguments.out, {"covered": covered})


def people(rng: np.random.Generator, number: int) -> Counts:
    """Confusion counts of people, (people, labels, 4)."""
    present = rng.binomial(FRAMES, rng.beta(4 * RATES, 4 * (1 - RATES), size=(number, len(RATES))))
    tp = rng.binomial(present, rng.beta(6, 3, size=present.shape))
    fp = rng.binomial(FRAMES - present, rng.beta(1, 7, size=present.shape))
    return np.stack([tp, fp, present - tp, FRAMES - present - fp], axis=-1)


def mean_f1(counts: Counts) -> Floats:
    """Mean over labels, (..., 1)."""
    return f1(counts).mean(axis=-1, keepdims=True)


def study(rng: np.random.Generator, number: int, truth: float, stream: int) -> list[bool]:
    """Whether the percentiles and the BCa interval of one study contain the true value."""
    folds = []
    for _ in range(FOLDS):
        names = tuple(f"F{index:03d}" for index in range(number))
        folds.append([BootstrapUnits("subjects", names, np.ones(number, dtype=np.int64), people(rng, number))])
    found = estimate(folds, [0], mean_f1, RESAMPLES, stream)
    ends = np.quantile(found.draws, [0.025, 0.975]), np.ravel(interval(found))
    return [bool(low <= truth <= high) for low, high in ends]


if __name__ == "__main__":
    main()
