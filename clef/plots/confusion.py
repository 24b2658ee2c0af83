"""Plot the confusion matrix of expressions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clef.evaluation.fold.metrics import Counts
from clef.plots.style import INK, plot_style, save, subtitle


def write_confusion_plot(folder: Path, summary: dict[str, Any], fold_metrics: Sequence[dict[str, Any]]) -> None:
    """Write `confusion.svg` and `confusion.png`, with the confusion matrices of all seeds and folds added up."""
    confusion = np.sum([metrics["confusion"] for metrics in fold_metrics], axis=0)
    with plot_style():
        save(confusion_figure(summary, confusion), folder, "confusion")


def confusion_figure(summary: dict[str, Any], confusion: Counts) -> Figure:
    """Draw the shares of each true class from counts (classes, classes + 1); the last column is "no crop"."""
    classes = summary["labels"]
    columns = [*classes, "no face found"]
    if not confusion[:, -1].any():
        confusion, columns = confusion[:, :-1], columns[:-1]
    frames = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, frames, out=np.zeros(confusion.shape), where=frames > 0)
    figure = Figure(figsize=(2.1 + 0.52 * len(columns), 1.9 + 0.52 * len(classes)))
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
    title = f"{summary['run']}: per cent of each true expression\n{subtitle(summary)}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    return figure
