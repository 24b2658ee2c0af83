"""Images a second of stage 1 with two processes that share a batch, against one with the whole batch.

    snakemake --cores 2 results/demo/summary.csv    # makes the crops that this reads
    python -m benchmarks.ranks

Both train the demo's stage 1 in turn, some rounds each, with one thread a process. Prints the median of each and their
ratio. On two cores the ratio says what sharing a batch costs; on GPUs give `--device cuda` and as many as there are.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.trainings import changed, train_once
from clef.runs.load import load_params

SETTLED = 5
"""Steps that are left out at the start."""


def images_a_second(folder: Path, run: str, processes: int, device: str, epochs: float) -> float:
    """Median over the steps of one training."""
    params = load_params(Path("params") / f"{run}.yaml")
    params = changed(params, {"gpus": processes, "device": device, "pretrain": {"epochs": epochs}})
    records = train_once(folder, run, params, "pretrain")
    return statistics.median(record["speed/images_per_second"] for record in records[SETTLED:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="demo", help="its crops and manifest must be there")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=float, default=0.5)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    speeds: dict[int, list[float]] = {1: [], arguments.processes: []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            for processes, measured in speeds.items():
                measured.append(
                    images_a_second(Path(folder), arguments.run, processes, arguments.device, arguments.epochs)
                )
            said = ", ".join(f"{processes}: {measured[-1]:.0f} images/s" for processes, measured in speeds.items())
            print(f"round {number + 1}: {said}", flush=True)
    medians = {processes: statistics.median(measured) for processes, measured in speeds.items()}
    print(f"medians: {medians}; ratio {medians[arguments.processes] / medians[1]:.2f}")


if __name__ == "__main__":
    main()
