"""Interrupt runs of the demo at random moments: `make test-interruption`, with `trials=N` and `seed=N`.

With `slurm=1` their steps are jobs of a real SLURM, which is started for it. Prints a table with a line a trial; exit
code 1 if any run did not end as an undisturbed one.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from tests.interruption.means import LOCAL
from tests.interruption.trial import Trial, interrupted, prepare, undisturbed, why_no_disk
from tests.slurm.cluster import running, why_not
from tests.slurm.means import BY_NAME, STAGES
from tests.slurm.trial import interrupted_on

FULL_DISK = "full disk"
HEADER = "| # | means | at s | at work | commands | s in all | outcome |\n|---|---|---|---|---|---|---|"


def trials(folder: Path, count: int, draw: random.Random) -> Iterator[Trial]:
    """Trials by each means in turn, each at a moment drawn from the length of the undisturbed run."""
    prepared, reference, length = _undisturbed(folder)
    names = possible(LOCAL)
    for number in range(count):
        name = names[number % len(names)]
        place = folder / f"trial{number}"

        def trial(name: str = name, place: Path = place) -> Trial | None:
            moment = draw.uniform(0.05, 0.95) * length
            return interrupted(prepared, reference, place, name, LOCAL[name], moment, draw)

        yield until_it_hits(name, trial)


def trials_on_slurm(folder: Path, count: int, draw: random.Random) -> Iterator[Trial]:
    """Trials by each means in turn; each hits another step, and after a round another one than in the round before."""
    prepared, reference, _ = _undisturbed(folder)
    names, stages = possible(BY_NAME), list(STAGES)
    with running() as cluster:
        for number in range(count):
            name = names[number % len(names)]
            stage = stages[(number + number // len(names)) % len(stages)]
            place = folder / f"trial{number}"
            yield until_it_hits(name, partial(interrupted_on, cluster, prepared, reference, place, name, stage, draw))


def until_it_hits(name: str, trial: Callable[[], Trial | None]) -> Trial:
    """Repeat a trial until it has hit a run that was under way. An error is its outcome; the others are tried."""
    try:
        while (done := trial()) is None:
            continue
    except Exception as error:
        return Trial(name, -1, "", -1, -1, [f"not brought to its end: {type(error).__name__}: {error}"[:500]])
    return done


def possible(means: Iterable[str]) -> list[str]:
    """Names of the means that can be tried here; says which cannot, and why."""
    if (reason := why_no_disk()) is None:
        return list(means)
    print(f"{FULL_DISK}: skipped, {reason}", flush=True)
    return [name for name in means if name != FULL_DISK]


def _undisturbed(folder: Path) -> tuple[Path, Path, float]:
    """A prepared checkout, the same one run to its end without a cluster, and the seconds of that."""
    prepared, reference = prepare(folder / "prepared"), folder / "undisturbed"
    length = undisturbed(prepared, reference)
    print(f"undisturbed: {length:.0f} s", flush=True)
    return prepared, reference, length


def as_row(number: int, trial: Trial) -> str:
    """A row of the table."""
    outcome = "; ".join(trial.complaints) or "identical"
    cells = (number, trial.means, f"{trial.moment:.1f}", trial.at_work, trial.commands, f"{trial.seconds:.0f}", outcome)
    return f"| {' | '.join(map(str, cells))} |"


def main() -> int:
    """Run the trials and print them."""
    parser = argparse.ArgumentParser(prog="python -m tests.interruption", description=__doc__)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slurm", action="store_true", help="as jobs of a SLURM that is started for it")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if not given")
    arguments = parser.parse_args()
    if arguments.slurm and (reason := why_not()) is not None:
        sys.exit(f"no SLURM here: {reason}")
    with tempfile.TemporaryDirectory(prefix="clef-interruption-") as temporary:
        folder = arguments.folder or Path(temporary)
        failed = 0
        several = trials_on_slurm if arguments.slurm else trials
        for number, trial in enumerate(several(folder, arguments.trials, random.Random(arguments.seed)), start=1):
            if number == 1:
                print(HEADER)
            print(as_row(number, trial), flush=True)
            failed += bool(trial.complaints)
    print(f"{arguments.trials - failed} of {arguments.trials} ended as the undisturbed run")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
