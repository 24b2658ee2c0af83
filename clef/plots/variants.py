"""Plot the variants of a run: each row's difference from the first row, with its interval."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clef.comparison.differences import Difference
from clef.comparison.variant_results import RowResults
from clef.evaluation.run.rows import missing_scores, percent
from clef.plots.f1 import INTERVAL, POINT
from clef.plots.style import BLUE, GREY, INK, ORANGE, plot_style, save
from clef.runs import variants

PUBLISHED: dict[str, Any] = {"marker": "D", "markerfacecolor": "white", "markeredgecolor": ORANGE, "markersize": 5}
AGAINST: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": BLUE}
TITLE_CHARACTERS = 30
INCHES = {"labels": 2.6, "panel": 2.5, "row": 0.26}


def write_variants_plot(
    folder: Path, name: str, run: str, results: Sequence[RowResults], settings: Sequence[str]
) -> None:
    """Write `{name}.svg` and `{name}.png`."""
    with plot_style():
        save(variants_figure(run, results, settings), folder, name)


def variants_figure(run: str, results: Sequence[RowResults], settings: Sequence[str]) -> Figure:
    """Draw one row per variant and one panel per setting, with the difference from the first row in percentage points.

    The number beside a row is its F1 or accuracy in per cent. Rows without scores have their reason instead. A row that
    is compared with another one as well has a second line, with a hollow point.
    """
    known, about = variants.settings(), {result.row.row: result.row.about for result in results}
    labels = []
    for result in results:
        labels.append(result.row.parts or result.row.about)
        labels += [f"against {about[result.row.against]}"] if result.row.against else []
    panels = [setting for setting in (None, *settings) if any(setting in result.cells for result in results)] or [None]
    size = (INCHES["labels"] + INCHES["panel"] * len(panels), 1.2 + INCHES["row"] * len(labels))
    figure = Figure(figsize=size)
    all_axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, setting in zip(all_axes, panels, strict=True):
        _draw_panel(axes, results, setting)
        about_panel = "all labels" if setting is None else known[setting].about
        axes.set_title(textwrap.fill(about_panel, TITLE_CHARACTERS), fontsize=8)
        axes.set_xlabel("difference in percentage points", fontsize=8)
    all_axes[0].set_yticks(range(len(labels)), labels)
    all_axes[0].set_ylim(len(labels) - 0.4, -0.6)
    figure.suptitle(f"{run}: what the parts of the method are worth", x=0.01, ha="left", fontsize=9)
    handles = [Line2D([], [], **POINT, label="minus the first row")]
    if any(result.row.against for result in results):
        handles.append(Line2D([], [], **POINT | AGAINST, label="minus the row that is named"))
    if any(result.published is not None for result in results):
        handles.append(Line2D([], [], **PUBLISHED, linestyle="", label="published, minus the first row"))
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
    return figure


def _draw_panel(axes: Axes, results: Sequence[RowResults], setting: str | None) -> None:
    axes.axvline(0, color=INK, linewidth=0.8)
    height = 0
    for result in results:
        cell = result.cells.get(setting)
        text = missing_scores(result.notes.get(setting, "")) if cell is None else percent(cell.f1)
        axes.text(1.02, height, text, transform=axes.get_yaxis_transform(), va="center", color=GREY, fontsize=7)
        if result is results[0] and cell is not None:
            axes.plot(0, height, **POINT, markersize=5.5)
        if cell is not None:
            _draw_difference(axes, height, cell.difference)
        if setting is None and result.published is not None and results[0].published is not None:
            axes.plot(100 * (result.published - results[0].published), height, **PUBLISHED, linestyle="")
        height += 1
        if result.row.against:
            _draw_difference(axes, height, cell.against if cell else None, **AGAINST)
            height += 1
    axes.margins(x=0.1)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _draw_difference(axes: Axes, height: int, difference: Difference | None, **style: Any) -> None:
    if difference is None:
        return
    if not math.isnan(difference.low):
        axes.plot([100 * difference.low, 100 * difference.high], [height] * 2, **INTERVAL, linewidth=1.8)
    axes.plot(100 * difference.difference, height, **POINT | style, markersize=5.5)
