"""Draw all plots of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clef.plots.confusion import write_confusion_plot
from clef.plots.f1 import write_f1_plot
from clef.plots.training_curves import write_training_plot


def write_plots(
    folder: Path, summary: dict[str, Any], fold_metrics: Mapping[Path, dict[str, Any]], stage1: str | None
) -> None:
    """Draw a run from its summary and the `metrics.json` of each seed and fold, by path. No plot shows a face.

    `stage1` is the run that trained stage 1, this one or another; None without a stage 1.
    """
    write_f1_plot(folder, summary)
    if summary["kind"] == "expressions":
        write_confusion_plot(folder, summary, list(fold_metrics.values()))
    write_training_plot(folder, summary["run"], [path.parent for path in fold_metrics], stage1)
