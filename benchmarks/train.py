"""Compare both stages with a plain loop over open_clip's model and loss, and with the arithmetic alone.

    snakemake --cores 2 results/demo-short/summary.csv    # makes the crops
    python -m benchmarks.train --out benchmarks/figures/train.json

The stages run as the workflow runs them, in new processes, with loading and augmentation. The plain loop trains the
same model on random tensors of the same number and size, with as many threads. The floor is the number of
floating-point operations of a step over the rate of a large matrix product.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.figures_file import write_figures
from benchmarks.trainings import changed, share_waiting, train_once
from clef.model.device import autocast
from clef.model.open_clip_model import create_model
from clef.params.schema import Params
from clef.runs.load import load_params

SETTLED = 5
"""First steps, which are not counted."""
STEPS = 25
TEXTS = 12


def stage_speed(folder: Path, run: str, params: Params, stage: Any) -> tuple[float, float]:
    """Median images a second of one training, and share of the time that it waited for images."""
    records = train_once(folder, run, params, stage)[SETTLED:]
    return statistics.median(record["speed/images_per_second"] for record in records), share_waiting(records)


class PlainLoop:
    """Trains open_clip's model with open_clip's loss on random images, each with one of a few texts."""

    def __init__(self, params: Params, images: int, device: torch.device) -> None:
        self._device = device
        self._model = create_model(params.model).to(device).train()
        self._optimiser = torch.optim.AdamW(self._model.parameters(), lr=1e-5, fused=True)
        size = params.model.image_size
        self._images = torch.randn(images, 3, size, size, device=device)
        tokens = open_clip.get_tokenizer(params.model.name)([f"text {number}" for number in range(TEXTS)])
        self._tokens = tokens.to(device)
        self._targets = torch.arange(images, device=device) % TEXTS

    def step(self) -> None:
        """Train one step."""
        with autocast(self._device):
            images = self._model.encode_image(self._images, normalize=True)
            texts = self._model.encode_text(self._tokens, normalize=True)[self._targets]
            loss = open_clip.ClipLoss()(images, texts, self._model.logit_scale.exp())
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimiser.step()

    def images_per_second(self) -> float:
        """Median over some steps."""
        seconds = []
        for _ in range(STEPS):
            began = time.perf_counter()
            self.step()
            if self._device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
        return len(self._images) / statistics.median(seconds[SETTLED:])

    def operations(self) -> int:
        """Floating-point operations of a step."""
        with FlopCounterMode(display=False) as counter:
            self.step()
        return counter.get_total_flops()


def matrix_product_rate(device: torch.device) -> float:
    """Floating-point operations a second of a large matrix product, in the numbers that training uses."""
    side = 8192 if device.type == "cuda" else 1024
    left = torch.randn(side, side, device=device, dtype=torch.bfloat16 if device.type == "cuda" else torch.float32)
    seconds = []
    for _ in range(STEPS):
        began = time.perf_counter()
        left @ left
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / statistics.median(seconds[SETTLED:])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train", description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="demo-short", help="a run whose crops and manifest exist")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: that of the run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    given = parser.parse_args()
    params = load_params(Path("params") / f"{given.run}.yaml")
    params = changed(params, {"device": given.device or params.device})
    assert params.pretrain is not None
    device = torch.device(params.device)
    torch.set_num_threads(params.threads)
    images = {
        "pretrain": 2 * params.pretrain.subjects * params.pretrain.activities * params.pretrain.frames,
        "finetune": params.finetune.batch,
    }
    loops = {stage: PlainLoop(params, number, device) for stage, number in images.items()}
    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.rounds):
            for stage, loop in loops.items():
                speed, waiting = stage_speed(Path(folder), given.run, params, stage)
                views = 2 if stage == "pretrain" else 1
                speeds.setdefault(f"{stage}: clef", []).append(views * speed)
                speeds.setdefault(f"{stage}: share waiting for images", []).append(waiting)
                speeds.setdefault(f"{stage}: plain loop of open_clip", []).append(loop.images_per_second())
    rate = matrix_product_rate(device)
    medians = {name: statistics.median(each) for name, each in speeds.items()}
    figures: dict[str, Any] = {
        "views_per_second": {
            name: {"median": round(medians[name], 3), "rounds": [round(one, 3) for one in each]}
            for name, each in speeds.items()
        },
        "matrix product, operations a second": f"{rate:.3g}",
    }
    for stage, loop in loops.items():
        floor = images[stage] * rate / loop.operations()
        figures[f"{stage}: views a second if all were matrix products"] = round(floor, 1)
        figures[f"{stage}: share of that"] = round(medians[f"{stage}: clef"] / floor, 3)
        plain = medians[f"{stage}: plain loop of open_clip"]
        figures[f"{stage}: times the plain loop"] = round(medians[f"{stage}: clef"] / plain, 2)
    for name, figure in figures.items():
        print(name, figure)
    write_figures(given.out, figures)


if __name__ == "__main__":
    main()
