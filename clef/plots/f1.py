"""Plot the F1 of each label with its interval, beside baselines that do not look at the face."""

import csv
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from clef.evaluation.run.rows import row_names
from clef.plots.style import BLUE, GREY, INK, ORANGE, plot_style, save, subtitle
from clef.runtime.files import atomic_write

COLUMNS = ["f1", "ci_low", "ci_high", "floor", "activity_only"]

POINT: dict[str, Any] = {"marker": "o", "linestyle": "", "color": BLUE, "clip_on": False}
INTERVAL: dict[str, Any] = {"color": BLUE, "alpha": 0.45, "solid_capstyle": "butt"}
FLOOR: dict[str, Any] = {"marker": "|", "color": INK, "markersize": 9, "markeredgewidth": 1.4, "linestyle": ""}
ACTIVITY_ONLY: dict[str, Any] = {"marker": "D", "markerfacecolor": "white", "markeredgecolor": ORANGE, "markersize": 5}


def write_f1_plot(folder: Path, summary: dict[str, Any]) -> None:
    """Write `f1.svg`, `f1.png`, and `f1.csv` with the values of the plot, between 0 and 1."""
    with atomic_write(folder / "f1.csv") as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["label", *COLUMNS])
        for label in row_names(summary):
            row = summary["rows"][label]
            writer.writerow([label, *("" if row[key] is None else f"{row[key]:.4f}" for key in COLUMNS)])
    with plot_style():
        save(f1_figure(summary), folder, "f1")


def f1_figure(summary: dict[str, Any], width: float = 6.0) -> Figure:
    """Draw one row per label from the top, then the mean; F1 in per cent is on the horizontal axis.

    `width` is in inches; below the default, the legend has two columns.
    """
    rows, labels = summary["rows"], summary["labels"]
    totals = row_names(summary)[len(labels) :]
    heights = {label: float(i) for i, label in enumerate(labels)}
    heights |= {label: len(labels) + 0.5 + i for i, label in enumerate(totals)}
    figure = Figure(figsize=(width, 1.45 + 0.235 * len(heights)))
    axes = figure.subplots()
    for label, height in heights.items():
        _draw_row(axes, rows[label], height, bold=label in totals)
    axes.axhline(len(labels) - 0.25, color=GREY, linewidth=0.6)
    axes.set_yticks(list(heights.values()), list(heights))
    for text in axes.get_yticklabels()[len(labels) :]:
        text.set_fontweight("bold")
    axes.set_ylim(max(heights.values()) + 0.7, -0.7)
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_locator(MultipleLocator(20))
    axes.xaxis.set_minor_locator(MultipleLocator(10))
    axes.grid(axis="x", which="both")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("F1 or accuracy (%)" if "accuracy" in totals else "F1 (%)")
    threshold = "" if summary["threshold"] is None else f", threshold {summary['threshold']:g}"
    title = f"{summary['run']}: strict F1 (last epoch{threshold})\n{subtitle(summary)}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    _legend(figure, summary, columns=4 if width >= 6 else 2)
    return figure


def _draw_row(axes: Any, row: dict[str, Any], height: float, bold: bool) -> None:
    if row["floor"] is not None:
        axes.plot(100 * row["floor"], height, **FLOOR, zorder=3)
    if row["activity_only"] is not None:
        axes.plot(100 * row["activity_only"], height, **ACTIVITY_ONLY, zorder=3)
    if row["f1"] is None:
        axes.text(1, height, "not defined", color=GREY, va="center", fontsize=7)
        return
    if row["ci_low"] is not None:
        ends = [100 * row["ci_low"], 100 * row["ci_high"]]
        axes.plot(ends, [height, height], **INTERVAL, linewidth=2.6 if bold else 1.8)
    axes.plot(100 * row["f1"], height, **POINT, markersize=7 if bold else 5.5, zorder=4)


def _legend(figure: Figure, summary: dict[str, Any], columns: int) -> None:
    rows = summary["rows"].values()
    handles = [Line2D([], [], **POINT, markersize=5.5, label="F1")]
    if any(row["ci_low"] is not None for row in rows):
        label = f"95 % interval over test {summary['resampled']}{' and seeds' if len(summary['seeds']) > 1 else ''}"
        handles.append(Line2D([], [], **INTERVAL, linewidth=1.8, label=label))
    floor = "always present" if summary["kind"] == "action_units" else "always the most frequent"
    handles.append(Line2D([], [], **FLOOR, label=floor))
    if any(row["activity_only"] is not None for row in rows):
        handles.append(Line2D([], [], **ACTIVITY_ONLY, linestyle="", label="activity only"))
    columns = min(columns, len(handles))
    figure.legend(handles=handles, loc="outside lower left", ncols=columns, handletextpad=0.4, columnspacing=1.2)
