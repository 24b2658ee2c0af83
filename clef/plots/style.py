"""A common style for all plots, and files whose bytes depend only on what is drawn."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from clef.runtime.files import atomic_write

# Colours of Okabe and Ito, which differ for every kind of colour vision. Plots use different shapes as well.
BLUE, ORANGE, GREEN, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#8A8A8A", "#222222"
PALE = "#C4C4C4"
PERSON_COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
"""Of the first people in a recording."""

STYLE: dict[str, Any] = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "savefig.dpi": 144,
    "svg.hashsalt": "clef",
    "text.color": INK,
    "text.parse_math": False,  # a label may contain a dollar sign
    "xtick.color": INK,
    "ytick.color": INK,
}

METADATA = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


def plot_style() -> AbstractContextManager[None]:
    """Draw in this style, based on matplotlib's defaults, so that a user's matplotlibrc does not change a plot."""
    defaults: Any = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    return matplotlib.rc_context(defaults | STYLE)


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as `{name}.svg` and `{name}.png`, without date, host and software."""
    for suffix, metadata in METADATA.items():
        with atomic_write(folder / f"{name}.{suffix}") as partial:
            figure.savefig(partial, format=suffix, metadata=metadata)


def subtitle(summary: dict[str, Any]) -> str:
    """The line below a title: data set, folds and seeds."""
    folds, seeds = len(summary["folds"]), summary["seeds"]
    split = "official split" if summary["resampled"] == "images" and folds == 1 else f"{folds} fold{'s' * (folds > 1)}"
    return f"data set {summary['dataset']}, {split}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
