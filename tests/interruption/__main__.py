"""Interrupt runs of the demo at random moments: `make test-interruption`, with `trials=N` and `seed=N`.

With `slurm=1` their steps are jobs of a real SLURM that is started for them. Prints a table with one line per trial.
The exit code is 1 if a run did not end like an undisturbed one.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from tests.interruption.interruptions import INTERRUPTIONS
from tests.interruption.trial import Trial, can_mount, prepare, run_interrupted, run_undisturbed
from tests.slurm.cluster import missing_programs, running_cluster
from tests.slurm.job_interruptions import JOB_INTERRUPTIONS, STEPS
from tests.slurm.job_trial import run_interrupted_on_slurm

FULL_DISK = "full disk"
HEADER = "| # | interruption | at s | jobs | resumes | s in all | outcome |\n|---|---|---|---|---|---|---|"


def run_trials(folder: Path, count: int, draw: random.Random) -> Iterator[Trial]:
    """Use the interruptions in turn, each at a random moment."""
    prepared, reference, length = _prepare(folder)
    names = feasible(INTERRUPTIONS)
    for number in range(count):
        name = names[number % len(names)]
        place = folder / f"trial{number}"

        def trial(name: str = name, place: Path = place) -> Trial | None:
            moment = draw.uniform(0.05, 0.95) * length
            return run_interrupted(prepared, reference, place, name, moment, draw)

        yield repeat_until_hit(name, trial)


def run_trials_on_slurm(folder: Path, count: int, draw: random.Random) -> Iterator[Trial]:
    """Use the interruptions in turn; each hits another step, and in the next round another one than before."""
    prepared, reference, _ = _prepare(folder)
    names, steps = feasible(JOB_INTERRUPTIONS), list(STEPS)
    with running_cluster() as cluster:
        for number in range(count):
            name = names[number % len(names)]
            step = steps[(number + number // len(names)) % len(steps)]
            place = folder / f"trial{number}"
            trial = partial(run_interrupted_on_slurm, cluster, prepared, reference, place, name, step, draw)
            yield repeat_until_hit(name, trial)


def repeat_until_hit(name: str, trial: Callable[[], Trial | None]) -> Trial:
    """Repeat a trial until it hits a run before its end. An error is an outcome too, so that other trials are run."""
    try:
        while (outcome := trial()) is None:
            continue
    except Exception as error:
        return Trial(name, -1, "", -1, -1, [f"failed: {type(error).__name__}: {error}"[:500]])
    return outcome


def feasible(names: Iterable[str]) -> list[str]:
    """The interruptions that this user can try; only root can mount a disk."""
    if can_mount():
        return list(names)
    print(f"{FULL_DISK}: skipped, only root may mount a disk", flush=True)
    return [name for name in names if name != FULL_DISK]


def _prepare(folder: Path) -> tuple[Path, Path, float]:
    """Make a prepared checkout, and an undisturbed run of it without SLURM; also return its seconds."""
    prepared, reference = prepare(folder / "prepared"), folder / "undisturbed"
    length = run_undisturbed(prepared, reference)
    print(f"undisturbed: {length:.0f} s", flush=True)
    return prepared, reference, length


def main() -> int:
    """Run the trials and print them."""
    parser = argparse.ArgumentParser(prog="python -m tests.interruption", description=__doc__)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slurm", action="store_true", help="run the steps as jobs of a SLURM that is started for it")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    arguments = parser.parse_args()
    if arguments.slurm and (missing := missing_programs()):
        sys.exit(f"no SLURM here: {missing}")
    with tempfile.TemporaryDirectory(prefix="clef-interruption-") as temporary:
        trials = run_trials_on_slurm if arguments.slurm else run_trials
        failed = 0
        outcomes = trials(arguments.folder or Path(temporary), arguments.trials, random.Random(arguments.seed))
        for number, trial in enumerate(outcomes, start=1):
            if number == 1:
                print(HEADER)
            print(
                f"| {number} | {trial.interruption} | {trial.moment:.1f} | {trial.jobs} | {trial.resumes} "
                f"| {trial.seconds:.0f} | {'; '.join(trial.problems) or 'identical'} |",
                flush=True,
            )
            failed += bool(trial.problems)
    print(f"{arguments.trials - failed} of {arguments.trials} ended like the undisturbed run")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
