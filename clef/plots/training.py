"""The losses of all trainings of a run, from the metrics files beside their weights.

These files hold times and may be gone, so this plot is an extra: it is drawn from whatever is there.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from clef.plots.style import BLUE, GREEN, GREY, INK, ORANGE, drawing, save
from clef.training.metrics_file import MetricsFile

log = logging.getLogger(__name__)

STAGES = {"pretrain": "stage 1", "finetune": "stage 2"}
PREFIX = "train/"
TOTAL = "loss"
NO_LOSS = {"lr_factor", "gradient_norm"}
STROKES = [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (INK, ":")]
"""Of the named losses, in order; folds and seeds share their loss's stroke."""

Curves = dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]]
"""Loss to steps and values of each training."""


def write_training_plot(folder: Path, run: str, folds: Sequence[Path], stage1: str | None) -> None:
    """Write `training.svg` and `training.png` if there is anything to draw.

    Args:
        folder: The run's `plots`.
        run: Its name.
        folds: Folders of its seeds and folds.
        stage1: The run that stage 1 is of, this one or another beside it; None without a stage 1.
    """
    stage1_folds = [] if stage1 is None else stage1_folders(folds, stage1)
    stages = {"pretrain": read_curves(stage1_folds, "pretrain"), "finetune": read_curves(folds, "finetune")}
    drawn = {stage: curves for stage, curves in stages.items() if curves}
    if not drawn:
        return
    with drawing():
        save(training_figure(run, drawn, stage1), folder, "training")


def stage1_folders(folds: Sequence[Path], run: str) -> list[Path]:
    """Folders of the stage 1 that folds start from, each once.

    Args:
        folds: Folders of seeds and folds.
        run: The run that trained it, beside theirs: in the same fold, or over another data set in its fold `all`.
    """
    found = {}
    for fold in folds:
        seed = fold.parent.parent.parent / run / fold.parent.name
        same = seed / fold.name
        found[same if (same / "pretrain.metrics.jsonl").exists() else seed / "foldall"] = True
    return list(found)


def read_curves(folds: Sequence[Path], stage: str) -> Curves:
    """The losses in the metrics files that are there; one that cannot be read is named in the log."""
    curves: Curves = {}
    for folder in folds:
        path = folder / f"{stage}.metrics.jsonl"
        try:
            records = MetricsFile(path).read()
            losses = _losses(records)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s: not drawn: %s", path, error)
            continue
        for name, points in losses.items():
            curves.setdefault(name, []).append((points[:, 0], points[:, 1]))
    return curves


def _losses(records: list[dict[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """Name to (points, 2): step and value; without the total where one loss is all of it."""
    points: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        for key, value in record.items():
            name = key.removeprefix(PREFIX)
            if key.startswith(PREFIX) and name not in NO_LOSS:
                points.setdefault(name, []).append((record["step"], float(value)))
    if len(points) == 2:
        points.pop(TOTAL, None)
    return {name: np.array(of_loss) for name, of_loss in points.items()}


def training_figure(run: str, stages: dict[str, Curves], stage1: str | None = None) -> Figure:
    """A panel a stage; each loss is a line a training, averaged over neighbouring steps, and the total grey."""
    figure = Figure(figsize=(3.4 * len(stages) + 0.4, 2.9))
    panels = figure.subplots(1, len(stages), squeeze=False)[0]
    for axes, (stage, curves) in zip(panels, stages.items(), strict=True):
        _draw_stage(axes, curves)
        borrowed = stage == "pretrain" and stage1 not in (None, run)
        axes.set_title(f"{STAGES[stage]}, of {stage1}" if borrowed else STAGES[stage])
    panels[0].set_ylabel("training loss")
    trainings = max(len(of_loss) for curves in stages.values() for of_loss in curves.values())
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
            label = "_"  # one entry a loss in the legend
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(axis="y")
    axes.set_xlabel("step")
    axes.legend()


def _smooth(steps: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means over windows of a fiftieth of the training: what is left of the noise of single batches is its trend."""
    window = max(1, len(values) // 50)
    whole = len(values) // window * window
    return (
        steps[:whole].reshape(-1, window).mean(axis=1),
        values[:whole].reshape(-1, window).mean(axis=1),
    )
