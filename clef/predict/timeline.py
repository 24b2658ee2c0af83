"""Draw the predictions of a video over time."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clef.errors import ClefError
from clef.plots.style import BLUE, GREY, METADATA, PERSON_COLOURS, plot_style
from clef.predict.table import Layout
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import atomic_write
from clef.trained.columns import ASKED, EXPRESSION, PROBABILITY

MOST_POINTS = 2000  # of a curve; those of a longer video are means


def check_plot(target: Path, recordings: Sequence[RecordedSequence]) -> None:
    """Raise a ClefError if the recordings are not one video, or the file is no picture."""
    if target.suffix not in (".png", ".svg"):
        raise ClefError(f"--plot: {target}; expected a name that ends in .png or .svg")
    if len(recordings) != 1 or recordings[0].kind != "video":
        raise ClefError(f"--plot: {target}; expected one video; predict it alone")


def write_timeline(target: Path, rows: Iterable[pa.RecordBatch], layout: Layout) -> None:
    """Draw a curve for each label, sentence and person, with the decisions about the main person shaded."""
    table = pa.Table.from_batches(rows, layout.schema)
    if set(table["status"].unique().to_pylist()) <= {"undecodable"}:
        raise ClefError("--plot: the video has no frame to draw")
    times = table["time"].to_numpy()
    faces = table["face"].to_numpy()
    people = [face for face in range(len(PERSON_COLOURS)) if face in faces]  # others are left out
    shown, first_rows = _shown(table), _first_rows(table)
    with plot_style():
        names = [*layout.labels, *layout.asked]
        figure = Figure(figsize=(9, 1 + 0.6 * len(names)))
        grid = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(grid, names, strict=True):
            is_label = name in layout.labels
            values = table[f"{PROBABILITY}{name}" if is_label else f"{ASKED}{name}"].to_numpy()
            for face in people:
                own, colour = faces == face, PERSON_COLOURS[face]
                axes.plot(*_curve(times[own], values[own]), color=colour, linewidth=0.9, label=f"person {face}")
            if is_label:
                _decorate(axes, layout, name)
                _shade(axes, shown, (_decisions(table, layout, name) & (faces == 0))[first_rows])
            axes.set_ylabel(_short(name), rotation=0, ha="right", va="center")
        grid[0].set_xlim(times.min(initial=0), shown.max(initial=0))
        grid[0].set_title(_title(table, layout))
        grid[-1].set_xlabel("seconds")
        if len(people) > 1:
            figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower right", ncols=len(people))
        with atomic_write(target) as partial:
            kind = target.suffix[1:]
            figure.savefig(partial, format=kind, metadata=METADATA[kind])


def _title(table: pa.Table, layout: Layout) -> str:
    file = table["file"][0].as_py() if len(table) else ""
    notice = f"\n{layout.notice}" if layout.notice else ""
    return f"{Path(file).name}, model {Path(layout.model).name}{notice}"


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


def _decisions(table: pa.Table, layout: Layout, label: str) -> np.ndarray:
    if layout.kind == "expressions":
        return np.array(table[EXPRESSION].to_pylist(), object) == label
    return table[label].fill_null(0).to_numpy() == 1


def _decorate(axes: Axes, layout: Layout, label: str) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 1])
    if label in layout.thresholds:
        axes.axhline(layout.thresholds[label], color=GREY, linewidth=0.6, linestyle=":")


def _curve(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of neighbouring points, with a gap wherever the face is not visible."""
    share = -(-len(times) // MOST_POINTS)
    if share > 1:
        starts = np.arange(0, len(times), share)
        counts = np.diff(np.append(starts, len(times)))
        times, values = np.add.reduceat(times, starts) / counts, np.add.reduceat(values, starts) / counts
    if len(times) < 2:
        return times, values
    steps = np.diff(times)
    gaps = np.flatnonzero(steps > 3 * np.median(steps)) + 1
    return np.insert(times, gaps, np.nan), np.insert(values, gaps, np.nan)


def _shown(table: pa.Table) -> np.ndarray:
    """Begin and end of each frame in seconds, (frame, 2). The last one is as long as most."""
    times = table["time"].to_numpy()[_first_rows(table)]
    usual = np.median(np.diff(times)) if len(times) > 1 else 0.0
    return np.column_stack([times, np.append(times[1:], times[-1:] + usual)])


def _first_rows(table: pa.Table) -> np.ndarray:
    """Index of each frame's first row, which has the main person if they are visible."""
    return np.unique(table["frame"].to_numpy(), return_index=True)[1]


def _shade(axes: Axes, shown: np.ndarray, decided: np.ndarray) -> None:
    """Shade each run of frames with a positive decision, from its begin to its end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], decided, [False]]).astype(int)))
    for first, after in edges.reshape(-1, 2):
        axes.axvspan(shown[first, 0], shown[after - 1, 1], color=BLUE, alpha=0.15, linewidth=0)
