"""Which expression is taken for which."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clef.evaluation.fold.metrics import Counts
from clef.plots.style import INK, drawing, heading, save


def write_confusion_plot(folder: Path, summary: dict[str, Any], fold_metrics: list[dict[str, Any]]) -> None:
    """Write `confusion.svg` and `confusion.png`.

    Args:
        folder: The run's `plots`.
        summary: Of the run.
        fold_metrics: The metrics of all its seeds and folds; their confusion matrices are added up.
    """
    confusion = np.sum([m["confusion"] for m in fold_metrics], axis=0)
    with drawing():
        save(confusion_figure(summary, confusion), folder, "confusion")


def confusion_figure(summary: dict[str, Any], confusion: Counts) -> Figure:
    """Shares of each true class, with numbers; (classes, classes + 1), the last column "no crop"."""
    classes = summary["labels"]
    columns = [*classes, "no face found"]
    if not confusion[:, -1].any():
        confusion, columns = confusion[:, :-1], columns[:-1]
    frames = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, frames, out=np.zeros(confusion.shape), where=frames > 0)
    side = 0.52
    figure = Figure(figsize=(2.1 + side * len(columns), 1.9 + side * len(classes)))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), share in np.ndenumerate(shares):
        if confusion[i, j]:
            colour = "white" if share > 0.6 else INK
            axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), [f"{name} ({n:g})" for name, n in zip(classes, frames[:, 0], strict=True)])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (images)" if summary["resampled"] == "images" else "true (frames)")
    title = f"{summary['run']}: per cent of each true expression\n{heading(summary)}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    return figure
