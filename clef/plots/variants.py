"""Plot the variants of a run: each row's difference from the first row, with its interval."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clef.comparison.variant_results import RowResults
from clef.evaluation.run.rows import percent
from clef.plots.f1 import INTERVAL, POINT
from clef.plots.style import GREY, INK, ORANGE, plot_style, save
from clef.runs import variants

PUBLISHED: dict[str, Any] = {"marker": "D", "markerfacecolor": "white", "markeredgecolor": ORANGE, "markersize": 5}
INCHES = {"labels": 2.6, "panel": 2.5, "row": 0.26}


def write_variants_plot(
    folder: Path, name: str, run: str, results: Sequence[RowResults], settings: Sequence[str]
) -> None:
    """Write `{name}.svg` and `{name}.png`."""
    with plot_style():
        save(variants_figure(run, results, settings), folder, name)


def variants_figure(run: str, results: Sequence[RowResults], settings: Sequence[str]) -> Figure:
    """Draw one row per variant and one panel per setting, with percentage points to the right.

    The number beside a row is its F1 or accuracy in per cent. Rows without scores have their reason instead.
    """
    known = variants.settings()
    panels = [setting for setting in (None, *settings) if any(setting in result.cells for result in results)] or [None]
    size = (INCHES["labels"] + INCHES["panel"] * len(panels), 1.2 + INCHES["row"] * len(results))
    figure = Figure(figsize=size)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, setting in zip(all_axes, panels, strict=True):
        _draw_panel(axes, results, setting)
        axes.set_title("all labels" if setting is None else known[setting].about, fontsize=8)
    all_axes[0].set_yticks(range(len(results)), [_label(result) for result in results])
    all_axes[0].set_ylim(len(results) - 0.4, -0.6)
    figure.supxlabel("percentage points above or below the first row", fontsize=8)
    figure.suptitle(f"{run}: what the parts of the method are worth", x=0.01, ha="left", fontsize=9)
    if any(result.published is not None for result in results):
        handles = [
            Line2D([], [], **POINT, label="measured"),
            Line2D([], [], **PUBLISHED, linestyle="", label="published"),
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=2)
    return figure


def _draw_panel(axes: Any, results: Sequence[RowResults], setting: str | None) -> None:
    first = results[0].published
    axes.axvline(0, color=INK, linewidth=0.8)
    for height, result in enumerate(results):
        cell = result.cells.get(setting)
        if cell is None:
            reason = "needs weights" if "needs weights" in result.note else "not trained"
            axes.text(0.02, height, reason, transform=axes.get_yaxis_transform(), va="center", color=GREY, fontsize=7)
        else:
            difference = cell.difference
            if difference is not None and not math.isnan(difference.low):
                axes.plot([100 * difference.low, 100 * difference.high], [height] * 2, **INTERVAL, linewidth=1.8)
            axes.plot(0 if difference is None else 100 * difference.difference, height, **POINT, markersize=5.5)
            text = percent(cell.f1)
            axes.text(1.0, height, text, transform=axes.get_yaxis_transform(), va="center", ha="right", fontsize=7)
        if setting is None and result.published is not None and first is not None:
            axes.plot(100 * (result.published - first), height, **PUBLISHED, linestyle="")
    axes.margins(x=0.25)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _label(result: RowResults) -> str:
    return result.row.parts or result.row.about
