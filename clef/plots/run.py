"""All plots of a run, in `results/{run}/plots/`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clef.plots.confusion import write_confusion_plot
from clef.plots.f1 import write_f1_plot
from clef.plots.training import write_training_plot


def write_plots(
    folder: Path, summary: dict[str, Any], fold_metrics: Mapping[Path, dict[str, Any]], stage1: str | None
) -> None:
    """Draw a run. No plot shows a face.

    Args:
        folder: The run's `plots`.
        summary: What `clef.evaluation.run.summary.summarize` returned.
        fold_metrics: `metrics.json` of each seed and fold, by path: training curves are drawn from the files beside.
        stage1: The run that stage 1 is of, this one or another; None without a stage 1.
    """
    write_f1_plot(folder, summary)
    if summary["kind"] == "expressions":
        write_confusion_plot(folder, summary, list(fold_metrics.values()))
    write_training_plot(folder, summary["run"], [path.parent for path in fold_metrics], stage1)
