"""Whether runs can be compared, and their counts side by side.

Differences mean something only where the runs were tested on the same frames of the same people in the same folds.
That is read off the counts themselves: per fold, unit and label, the same number of frames with and without it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clef.comparison.finished import FinishedRun
from clef.errors import ClefError
from clef.evaluation.fold.bootstrap_units import BootstrapUnits, concatenate_units
from clef.evaluation.fold.metrics import FN, FP, TN, TP
from clef.manifest.folds import FoldName


def common_labels(runs: Sequence[FinishedRun]) -> list[str]:
    """Labels that all runs predict, in the first run's order.

    Raises:
        ClefError: Another data set, kind of label, unit of the bootstrap, fold or test subject; no common label; or
            other classes of expressions, whose probabilities are shared out otherwise.
    """
    first = runs[0]
    for run in runs[1:]:
        for key in ("dataset", "kind", "resampled"):
            if run.summary[key] != first.summary[key]:
                name = {"dataset": "data set", "kind": "labels", "resampled": "units"}[key]
                raise _incomparable(first, run, f"{name} {first.summary[key]} against {run.summary[key]}")
        if run.summary.get("pooled") != first.summary.get("pooled"):
            raise _incomparable(first, run, "F1 from the counts of all folds together against a mean over folds")
        if run.folds != first.folds:
            raise _incomparable(first, run, f"{len(first.folds)} folds against {len(run.folds)}")
        for mine, theirs in zip(first.summary["folds"], run.summary["folds"], strict=True):
            if mine["subjects"] != theirs["subjects"]:
                other = sorted(set(mine["subjects"]) ^ set(theirs["subjects"]))
                raise _incomparable(first, run, f"fold {mine['fold']} has other test subjects ({', '.join(other[:4])})")
        if first.summary["kind"] == "expressions" and run.labels != first.labels:
            raise _incomparable(first, run, f"expressions {', '.join(first.labels)} against {', '.join(run.labels)}")
    labels = [label for label in first.labels if all(label in run.labels for run in runs)]
    if not labels:
        raise _incomparable(
            first, runs[-1], f"no label that all predict ({first.labels[0]} ..., {runs[-1].labels[0]} ...)"
        )
    return labels


def units_of(run: FinishedRun, labels: list[str]) -> list[list[BootstrapUnits]]:
    """Per fold, the units under each seed, with the counts of these labels only.

    Units are sorted by name, and those without a frame of these labels are left out, so that the
    units of comparable runs agree.
    """
    columns = [run.labels.index(label) for label in labels]
    by_fold = [[_units(run, seed, fold, columns) for seed in run.grid] for fold in run.folds]
    if run.summary.get("pooled"):
        return [[concatenate_units(of_seed) for of_seed in zip(*by_fold, strict=True)]]
    return by_fold


def require_same_frames(first: FinishedRun, run: FinishedRun, labels: list[str]) -> None:
    """Stop unless two runs were tested on the same frames.

    Raises:
        ClefError: Naming the first fold, unit and label in which the numbers of frames differ.
    """
    folds = ["all"] if first.summary.get("pooled") else first.folds
    pairs = zip(folds, units_of(first, labels), units_of(run, labels), strict=True)
    for fold, mine, theirs in pairs:
        a, b = mine[0], theirs[0]
        if a.names != b.names:
            other = sorted(set(a.names) ^ set(b.names))
            raise _incomparable(first, run, f"fold {fold} has other test {a.kind} ({', '.join(other[:4])})")
        frames_a, frames_b = _frames(a), _frames(b)
        if not np.array_equal(frames_a, frames_b):
            unit, label, _ = np.argwhere(frames_a != frames_b)[0]
            where = f"fold {fold}{f', {a.names[unit]}' if a.names else ''}, {labels[label]}"
            numbers = [
                f"{present} of {present + absent}" for present, absent in (frames_a[unit, label], frames_b[unit, label])
            ]
            raise _incomparable(first, run, f"other test frames ({where}: present in {' against '.join(numbers)})")


def _units(run: FinishedRun, seed: int, fold: FoldName, columns: list[int]) -> BootstrapUnits:
    m = run.grid[seed][fold]
    units = BootstrapUnits.from_records(m["resampled"], m["counts"])
    counts = units.counts[:, columns]
    if not units.names:
        return BootstrapUnits(units.kind, (), units.number, counts)
    order = [i for i in np.argsort(np.array(units.names)) if counts[i].any()]
    return BootstrapUnits(units.kind, tuple(units.names[i] for i in order), units.number[order], counts[order])


def _frames(units: BootstrapUnits) -> NDArray[np.int64]:
    """Frames with and without each label: (units, labels, 2); images have no names and are taken together."""
    present = units.counts[..., TP] + units.counts[..., FN]
    absent = units.counts[..., FP] + units.counts[..., TN]
    frames = np.stack([present, absent], axis=-1)
    return frames if units.names else (frames * units.number[:, None, None]).sum(axis=0, keepdims=True)


def _incomparable(first: FinishedRun, run: FinishedRun, what: str) -> ClefError:
    return ClefError(f"{first.name} and {run.name} cannot be compared: {what}; expected the same test of both")
