"""Interrupt runs of the demo at random moments: `make test-interruption`, with `trials=N` and `seed=N`.

Prints a line a trial and a table at the end; exit code 1 if any run did not end as an undisturbed one.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.interruption.means import LOCAL
from tests.interruption.trial import Trial, interrupted, prepare, undisturbed


def trials(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """Trials by each means in turn, each at a moment drawn from the length of the undisturbed run."""
    draw = random.Random(seed)
    prepared = prepare(folder / "prepared")
    reference = folder / "undisturbed"
    length = undisturbed(prepared, reference)
    print(f"undisturbed: {length:.0f} s", flush=True)
    names = list(LOCAL)
    for number in range(count):
        name = names[number % len(names)]
        while True:
            moment = draw.uniform(0.05, 0.95) * length
            place = folder / f"trial{number}"
            trial = interrupted(prepared, reference, place, name, LOCAL[name], moment, draw)
            if trial is not None:
                yield trial
                break


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
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clef-interruption-") as temporary:
        folder = arguments.folder or Path(temporary)
        print(
            "| # | means | at s | at work | commands | s in all | outcome |\n|---|---|---|---|---|---|---|", flush=True
        )
        failed = 0
        for number, trial in enumerate(trials(folder, arguments.trials, arguments.seed), start=1):
            print(as_row(number, trial), flush=True)
            failed += bool(trial.complaints)
    print(f"{arguments.trials - failed} of {arguments.trials} ended as the undisturbed run")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
