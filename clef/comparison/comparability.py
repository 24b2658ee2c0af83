"""Check that runs can be compared, and align their counts.

Differences are meaningful only if the runs were tested on the same frames of the same subjects in the same folds. The
counts show that: each fold, unit and label must have the same number of frames with and without the label. A unit is
what the bootstrap resamples: a subject, a sequence or an image.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clef.comparison.finished_run import FinishedRun
from clef.errors import ClefError
from clef.evaluation.fold.bootstrap_units import BootstrapUnits, concatenate_units
from clef.evaluation.fold.metrics import FN, FP, TN, TP
from clef.manifest.folds import FoldName


def common_labels(runs: Sequence[FinishedRun]) -> list[str]:
    """Labels that all runs predict, in the first run's order.

    Raises:
        ClefError: The runs differ in data set, kind of label, bootstrap unit, folds or test subjects; have no common
            label; or have different expression classes, which share one probability.
    """
    first = runs[0]
    for run in runs[1:]:
        for key, name in (("dataset", "data set"), ("kind", "labels"), ("resampled", "units")):
            if run.summary[key] != first.summary[key]:
                raise _incomparable(first, run, f"{name} {first.summary[key]} against {run.summary[key]}")
        if run.summary.get("pooled") != first.summary.get("pooled"):
            raise _incomparable(first, run, "F1 from the pooled counts of all folds against a mean over folds")
        if run.folds != first.folds:
            raise _incomparable(first, run, f"{len(first.folds)} folds against {len(run.folds)}")
        for fold, other in zip(first.summary["folds"], run.summary["folds"], strict=True):
            if fold["subjects"] != other["subjects"]:
                raise _different_units(first, run, fold["fold"], "subjects", fold["subjects"], other["subjects"])
        if first.summary["kind"] == "expressions" and run.labels != first.labels:
            raise _incomparable(first, run, f"expressions {', '.join(first.labels)} against {', '.join(run.labels)}")
    labels = [label for label in first.labels if all(label in run.labels for run in runs)]
    if not labels:
        example = f"{first.labels[0]} ..., {runs[-1].labels[0]} ..."
        raise _incomparable(first, runs[-1], f"no label that all of them predict ({example})")
    return labels


def aligned_units(run: FinishedRun, labels: list[str]) -> list[list[BootstrapUnits]]:
    """The units of each fold and seed, with the counts of these labels only.

    Units are sorted by name, and units without a frame of these labels are left out, so that comparable runs have the
    same units.
    """
    columns = [run.labels.index(label) for label in labels]
    by_fold = [[_units(run.grid[seed][fold], columns) for seed in run.grid] for fold in run.folds]
    if run.summary.get("pooled"):
        return [[concatenate_units(folds) for folds in zip(*by_fold, strict=True)]]
    return by_fold


def require_same_frames(first: FinishedRun, run: FinishedRun, labels: list[str]) -> None:
    """Check that two runs were tested on the same frames.

    Raises:
        ClefError: They were not; it names the first fold, unit and label with different numbers of frames.
    """
    folds: Sequence[FoldName] = ["all"] if first.summary.get("pooled") else first.folds
    pairs = zip(folds, aligned_units(first, labels), aligned_units(run, labels), strict=True)
    for fold, (a, *_), (b, *_) in pairs:
        if a.names != b.names:
            raise _different_units(first, run, fold, a.kind, a.names, b.names)
        frames_a, frames_b = _frames(a), _frames(b)
        if not np.array_equal(frames_a, frames_b):
            unit, label, _ = np.argwhere(frames_a != frames_b)[0]
            where = f"fold {fold}{f', {a.names[unit]}' if a.names else ''}, {labels[label]}"
            counts = (frames_a[unit, label], frames_b[unit, label])
            present = " against ".join(f"{yes} of {yes + no}" for yes, no in counts)
            raise _incomparable(first, run, f"different test frames ({where}: present in {present})")


def _units(metrics: dict, columns: list[int]) -> BootstrapUnits:
    units = BootstrapUnits.from_records(metrics["resampled"], metrics["counts"])
    counts = units.counts[:, columns]
    if not units.names:
        return BootstrapUnits(units.kind, (), units.number, counts)
    order = [i for i in np.argsort(np.array(units.names)) if counts[i].any()]
    return BootstrapUnits(units.kind, tuple(units.names[i] for i in order), units.number[order], counts[order])


def _frames(units: BootstrapUnits) -> NDArray[np.int64]:
    """Frames with and without each label, (units, labels, 2). Images have no names and are added up."""
    present = units.counts[..., TP] + units.counts[..., FN]
    absent = units.counts[..., FP] + units.counts[..., TN]
    frames = np.stack([present, absent], axis=-1)
    return frames if units.names else (frames * units.number[:, None, None]).sum(axis=0, keepdims=True)


def _different_units(
    first: FinishedRun, run: FinishedRun, fold: FoldName, kind: str, a: Sequence[str], b: Sequence[str]
) -> ClefError:
    differing = ", ".join(sorted(set(a) ^ set(b))[:4])
    return _incomparable(first, run, f"fold {fold} has different test {kind} ({differing})")


def _incomparable(first: FinishedRun, run: FinishedRun, reason: str) -> ClefError:
    return ClefError(f"{first.name} and {run.name} cannot be compared: {reason}; expected the same test data")
