"""The one look of all plots, and files whose bytes depend on nothing but what is drawn."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from clef.runtime.files import atomic_write

# Okabe and Ito's colours, told apart with any colour vision; shapes differ too.
BLUE, ORANGE, GREEN, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#8A8A8A", "#222222"

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
    "xtick.color": INK,
    "ytick.color": INK,
}

METADATA = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


def drawing() -> AbstractContextManager[None]:
    """Draw in this style, on top of matplotlib's own defaults: nobody's matplotlibrc changes a plot."""
    defaults: Any = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    return matplotlib.rc_context(defaults | STYLE)


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as `{name}.svg` and `{name}.png`, without date, host or software in them."""
    for suffix, metadata in METADATA.items():
        with atomic_write(folder / f"{name}.{suffix}") as partial:
            figure.savefig(partial, format=suffix, metadata=metadata)


def heading(summary: dict[str, Any]) -> str:
    """What a summary is of, as a line under a title: data set, folds, seeds."""
    folds, seeds = len(summary["folds"]), summary["seeds"]
    split = "official split" if summary["resampled"] == "images" and folds == 1 else f"{folds} fold{'s' * (folds > 1)}"
    return f"data set {summary['dataset']}, {split}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
