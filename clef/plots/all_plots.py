"""Draw all plots of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clef.plots.confusion import write_confusion_plot
from clef.plots.f1 import write_f1_plot
from clef.plots.training_curves import Curves, write_training_plot


def write_plots(
    folder: Path,
    summary: dict[str, Any],
    fold_metrics: Sequence[dict[str, Any]],
    training: Mapping[str, Curves],
    stage1: str | None,
) -> None:
    """Draw a run from its summary, the metrics of each seed and fold, and the losses. No plot shows a face.

    `stage1` is the run that trained stage 1, this one or another; None without a stage 1.
    """
    write_f1_plot(folder, summary)
    if summary["kind"] == "expressions":
        write_confusion_plot(folder, summary, fold_metrics)
    write_training_plot(folder, summary["run"], training, stage1)
