"""Small square plots of one label each, to be set side by side. Captions beside them name the label and the axes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clef.evaluation.fold.metrics import Counts, Floats
from clef.plots.style import BLUE, GREY, INK, ORANGE, PALE

SIDE = 1.75  # inches
GOLDEN_RATIO = 0.618034


def precision_recall_panel(
    curves: Sequence[tuple[Floats, Floats]], together: tuple[Floats, Floats], base_rate: float, strict: Sequence[float]
) -> Figure:
    """Draw precision against recall: a thin line per fold, a thick one for all together.

    The dashed line is the share of frames that show the label; `strict` is recall and precision of the headline.
    """
    figure, axes = _panel()
    for precision, recall in curves:
        axes.plot(100 * recall, 100 * precision, color=GREY, linewidth=0.6)
    precision, recall = together
    axes.plot(100 * recall, 100 * precision, color=BLUE, linewidth=1.6)
    axes.axhline(100 * base_rate, color=INK, linewidth=0.8, linestyle="--")
    axes.plot(100 * strict[0], 100 * strict[1], marker="o", markersize=5, color=ORANGE, linestyle="", clip_on=False)
    return figure


def calibration_panel(predicted: Floats, observed: Floats, frames: Counts) -> Figure:
    """Draw the share of frames that show the label against the predicted probability, and below it where frames are."""
    figure, axes = _panel()
    axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle="--")
    width = 100 / len(frames)
    axes.bar(width * np.arange(len(frames)), 25 * frames / max(1, frames.max()), width, align="edge", color=PALE)
    filled = frames > 0
    axes.plot(100 * predicted[filled], 100 * observed[filled], color=BLUE, marker="o", markersize=3.5, clip_on=False)
    return figure


def spread_panel(strips: Sequence[tuple[str, NDArray[np.floating]]], headline: float | None) -> Figure:
    """Draw a strip of points per kind (folds, seeds, subjects), with the headline as a line across."""
    figure, axes = _panel()
    for position, (_, values) in enumerate(strips):
        known = np.sort(values[~np.isnan(values)])
        # Neighbours in value are set apart sideways, evenly without a pattern, so that equal points stay visible.
        aside = 0.4 * (np.arange(len(known)) * GOLDEN_RATIO % 1 - 0.5)
        axes.plot(position + aside, 100 * known, "o", color=BLUE, markersize=3.5, alpha=0.55, clip_on=False)
    if headline is not None:
        axes.axhline(100 * headline, color=ORANGE, linewidth=1)
    axes.set_xlim(-0.6, len(strips) - 0.4)
    axes.set_xticks(range(len(strips)), [name for name, _ in strips])
    axes.grid(axis="x", visible=False)
    return figure


def _panel() -> tuple[Figure, Axes]:
    """A square from 0 to 100 in both directions. Fixed margins, since there are dozens and layouting takes longest."""
    figure = Figure(figsize=(SIDE, SIDE))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.16, 0.13, 0.79, 0.8))
    axes.set(xlim=(0, 100), ylim=(0, 100), xticks=(0, 50, 100), yticks=(0, 50, 100))
    axes.tick_params(labelsize=8, length=2)
    axes.grid(visible=True)
    axes.set_axisbelow(True)
    return figure, axes
