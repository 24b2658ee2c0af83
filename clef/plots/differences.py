"""Plot the differences between a run and the first one, with their intervals."""

import math

from matplotlib.figure import Figure

from clef.comparison.differences import ComparedRun
from clef.plots.f1 import INTERVAL, POINT
from clef.plots.style import GREY, INK


def differences_figure(other: ComparedRun, totals: int) -> Figure:
    """Draw one row per label from the top, then the totals, which are the last rows; percentage points to the right."""
    labels = len(other.rows) - totals
    heights = [i + 0.5 * (i >= labels) for i in range(len(other.rows))]
    figure = Figure(figsize=(4.2, 0.75 + 0.235 * len(heights)))
    axes = figure.subplots()
    axes.axvline(0, color=INK, linewidth=0.8)
    for height, row in zip(heights, other.rows.values(), strict=True):
        if math.isnan(row.difference):
            continue
        bold = height > labels
        if not math.isnan(row.low):
            axes.plot([100 * row.low, 100 * row.high], [height, height], **INTERVAL, linewidth=2.6 if bold else 1.8)
        axes.plot(100 * row.difference, height, **POINT, markersize=7 if bold else 5.5)
    axes.axhline(labels - 0.25, color=GREY, linewidth=0.6)
    axes.set_yticks(heights, list(other.rows))
    axes.set_ylim(max(heights) + 0.7, -0.7)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("percentage points")
    return figure
