"""Plot the losses of all trainings of a run, from those metrics files beside their weights that exist."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from clef.plots.style import BLUE, GREEN, GREY, INK, ORANGE, plot_style, save
from clef.training.metrics_file import MetricsFile

log = logging.getLogger(__name__)

STAGES = {"pretrain": "stage 1", "finetune": "stage 2"}
TOTAL = "loss"
NO_LOSS = {"lr_factor", "gradient_norm"}
STROKES = [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (INK, ":")]
Curves = dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]]
"""Name of a loss to the steps and values of each training."""


def read_training(folds: Sequence[Path], stage1: str | None) -> dict[str, Curves]:
    """The losses of both stages, as far as their metrics files exist.

    `folds` are the folders of the run's seeds and folds; `stage1` is the run that trained its stage 1, if any.
    """
    stage1_folds = [] if stage1 is None else stage1_folders(folds, stage1)
    stages = {"pretrain": read_curves(stage1_folds, "pretrain"), "finetune": read_curves(folds, "finetune")}
    return {stage: curves for stage, curves in stages.items() if curves}


def write_training_plot(folder: Path, run: str, stages: Mapping[str, Curves], stage1: str | None) -> None:
    """Write `training.svg` and `training.png` if any metrics file exists."""
    if stages:
        with plot_style():
            save(training_figure(run, stages, stage1), folder, "training")


def stage1_folders(folds: Sequence[Path], run: str) -> list[Path]:
    """Folders of the stage 1 that folds start from, each once.

    The run that trained stage 1 has the same fold, or, on another data set, a single fold `all`.
    """
    found = {}
    for fold in folds:
        seed = fold.parent.parent.parent / run / fold.parent.name
        same = seed / fold.name
        found[same if (same / "pretrain.metrics.jsonl").exists() else seed / "foldall"] = True
    return list(found)


def read_curves(folds: Sequence[Path], stage: str) -> Curves:
    """The losses in the metrics files that exist. A file that cannot be read is reported in the log."""
    curves: Curves = {}
    for folder in folds:
        path = folder / f"{stage}.metrics.jsonl"
        try:
            losses = _losses(MetricsFile(path).read())
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s: not drawn: %s", path, error)
            continue
        for name, points in losses.items():
            curves.setdefault(name, []).append((points[:, 0], points[:, 1]))
    return curves


def _losses(records: list[dict[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """Name of a loss to its steps and values (points, 2); without the total if there is a single loss."""
    points: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        for key, value in record.items():
            name = key.removeprefix("train/")
            if key.startswith("train/") and name not in NO_LOSS:
                points.setdefault(name, []).append((record["step"], float(value)))
    if len(points) == 2:
        points.pop(TOTAL, None)
    return {name: np.array(values) for name, values in points.items()}


def training_figure(run: str, stages: Mapping[str, Curves], stage1: str | None = None) -> Figure:
    """Draw one panel per stage, and in it one line per loss and training; the total is grey."""
    figure = Figure(figsize=(3.4 * len(stages) + 0.4, 2.9))
    panels = figure.subplots(1, len(stages), squeeze=False)[0]
    for axes, (stage, curves) in zip(panels, stages.items(), strict=True):
        _draw_stage(axes, curves)
        from_other_run = stage == "pretrain" and stage1 not in (None, run)
        axes.set_title(f"{STAGES[stage]}, of {stage1}" if from_other_run else STAGES[stage])
    panels[0].set_ylabel("training loss")
    trainings = max(len(lines) for curves in stages.values() for lines in curves.values())
    title = f"{run}: a line for each of {trainings} trainings (seeds and folds)" if trainings > 1 else run
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    return figure


def _draw_stage(axes: Axes, curves: Curves) -> None:
    strokes = iter(STROKES)
    for name in sorted(curves, key=lambda name: (name == TOTAL, name)):
        colour, dashes = (GREY, "-") if name == TOTAL else next(strokes, STROKES[-1])
        label = "total" if name == TOTAL else name.replace("_", " and ")
        for steps, values in curves[name]:
            axes.plot(*_smooth(steps, values), dashes, color=colour, linewidth=1, alpha=0.85, label=label)
            label = "_"  # one entry per loss in the legend
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(axis="y")
    axes.set_xlabel("step")
    axes.legend()


def _smooth(steps: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means over windows of a fiftieth of the training, which remove the noise of single batches."""
    window = max(1, len(values) // 50)
    whole = len(values) // window * window
    return steps[:whole].reshape(-1, window).mean(axis=1), values[:whole].reshape(-1, window).mean(axis=1)
