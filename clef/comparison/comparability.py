"""Check that runs can be compared, and align their counts.

Differences are meaningful only if the runs were tested on the same frames of the same subjects in the same folds. The
counts show that: each fold, unit and label must have the same number of frames with and without the label. A unit is
what the bootstrap resamples: a subject, a sequence or an image.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from clef.comparison.finished_run import FinishedRun
from clef.errors import ClefError
from clef.evaluation.fold.bootstrap_units import BootstrapUnits, concatenate_units
from clef.evaluation.fold.metrics import FN, FP, TN, TP


def align(runs: Sequence[FinishedRun]) -> tuple[list[str], list[list[list[BootstrapUnits]]]]:
    """Find the labels that all runs predict, and the units of each run, fold and seed with the counts of these labels.

    Labels have the first run's order. Units are sorted by name, and units without a frame of these labels are left
    out. Pooled folds are a single fold.

    Raises:
        ClefError: The runs were tested on different data, or have no common label.
    """
    first = runs[0]
    labels = [label for label in first.labels if all(label in run.labels for run in runs)]
    for run in runs[1:]:
        for mismatch in _mismatches(first, run, labels):
            raise ClefError(f"{first.name} and {run.name} cannot be compared: {mismatch}; expected the same test data")
    return labels, [_units(run, labels) for run in runs]


def _mismatches(first: FinishedRun, run: FinishedRun, labels: list[str]) -> Iterator[str]:
    """Yield the reasons why two runs cannot be compared, in words. Each check requires that the earlier ones passed."""
    for a, b in zip(_test_data(first), _test_data(run), strict=True):
        if a != b:
            yield f"{a} against {b}"
    for fold, other_fold in zip(first.summary["folds"], run.summary["folds"], strict=True):
        if fold["subjects"] != other_fold["subjects"]:
            yield _different_units(fold["fold"], "subjects", fold["subjects"], other_fold["subjects"])
    if not labels:
        yield f"no label that all of them predict ({first.labels[0]} ..., {run.labels[0]} ...)"
    folds = ["all"] if first.summary.get("pooled") else first.folds
    for name, (own, *_), (other, *_) in zip(folds, _units(first, labels), _units(run, labels), strict=True):
        if own.names != other.names:
            yield _different_units(name, own.kind, own.names, other.names)
        frames, other_frames = _frames(own), _frames(other)
        if not np.array_equal(frames, other_frames):
            unit, label, _ = np.argwhere(frames != other_frames)[0]
            where = f"fold {name}{f', {own.names[unit]}' if own.names else ''}, {labels[label]}"
            counts = (frames[unit, label], other_frames[unit, label])
            present = " against ".join(f"{yes} of {yes + no}" for yes, no in counts)
            yield f"different test frames ({where}: present in {present})"


def _different_units(fold: object, kind: str, a: Sequence[str], b: Sequence[str]) -> str:
    return f"fold {fold} has different test {kind} ({', '.join(sorted(set(a) ^ set(b))[:4])})"


def _test_data(run: FinishedRun) -> list[str]:
    summary = run.summary
    return [
        f"data set {summary['dataset']}",
        f"labels {summary['kind']}",
        f"units {summary['resampled']}",
        "F1 from the pooled counts of all folds" if summary.get("pooled") else "a mean over folds",
        f"folds {', '.join(map(str, run.folds))}",
        # Expressions share one probability, so runs with fewer of them predict something else.
        f"expressions {', '.join(run.labels)}" if summary["kind"] == "expressions" else "",
    ]


def _units(run: FinishedRun, labels: list[str]) -> list[list[BootstrapUnits]]:
    columns = [run.labels.index(label) for label in labels]
    by_fold = [[_sorted_units(run.grid[seed][fold], columns) for seed in run.grid] for fold in run.folds]
    if run.summary.get("pooled"):
        return [[concatenate_units(folds) for folds in zip(*by_fold, strict=True)]]
    return by_fold


def _sorted_units(metrics: dict, columns: list[int]) -> BootstrapUnits:
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
