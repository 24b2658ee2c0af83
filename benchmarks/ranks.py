"""Compare the speed of stage 1 with several processes that share a batch, and with one.

    snakemake --cores 2 results/demo/summary.csv    # makes the crops
    python -m benchmarks.ranks

Both train the demo's stage 1 in turn for some rounds, with one thread per process. Prints the medians, in images per
second, and their ratio. On two cores the ratio shows the cost of sharing a batch; on GPUs use `--device cuda` and
`--processes`.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.trainings import changed, train_once
from clef.runs.load import load_params

SETTLED = 5
"""First steps, which are not counted."""


def images_per_second(folder: Path, run: str, processes: int, device: str, epochs: float) -> float:
    """Return the median over the steps of one training."""
    params = load_params(Path("params") / f"{run}.yaml")
    params = changed(params, {"gpus": processes, "device": device, "pretrain": {"epochs": epochs}})
    records = train_once(folder, run, params, "pretrain")
    return statistics.median(record["speed/images_per_second"] for record in records[SETTLED:])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="demo", help="a run whose crops and manifest exist")
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
                    images_per_second(Path(folder), arguments.run, processes, arguments.device, arguments.epochs)
                )
            latest = ", ".join(f"{processes}: {measured[-1]:.0f} images/s" for processes, measured in speeds.items())
            print(f"round {number + 1}: {latest}", flush=True)
    medians = {processes: statistics.median(measured) for processes, measured in speeds.items()}
    print(f"medians: {medians}; ratio {medians[arguments.processes] / medians[1]:.2f}")


if __name__ == "__main__":
    main()
