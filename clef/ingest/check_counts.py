"""Compare the labels of a copy with published counts: how many there are, and how often each label is present."""

from typing import TYPE_CHECKING

import numpy as np

from clef.datasets.base import NOT_CODED, Dataset
from clef.errors import abbreviate
from clef.ingest.check_recordings import RawCopy
from clef.ingest.report import ReportRow
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 0.0006
"""Published shares have three digits."""
INCOMPLETE_COPY = 0.02
"""Tolerance of a share if the copy lacks published frames."""
WRONG_ORDER = 4
"""How many times better than the given order of classes another one fits if the given one is wrong."""


def count_labels(
    copy: RawCopy, sequences: list[RecordedSequence], labels: "pd.DataFrame", labels_missing: bool
) -> None:
    """Compare counts with published ones. If missing labels are reported already, do not report missing classes."""
    dataset, published, report = copy.dataset, copy.published, copy.report
    report.count("labels", "labelled frames", len(labels), published.labelled_frames)
    for by, expected in published.frames_by.items():
        counts = labels["sequence"].map(_groups(by, dataset, sequences)).value_counts()
        for name, number in expected.items():
            report.count("labels", f"labelled frames of {by} {name}", int(counts.get(name, 0)), number)
    action_units = [name for name in labels.columns if name in dataset.label_names and name != "expression"]
    if action_units:
        _count_codes(copy, action_units, labels)
    classes = _classes(labels)
    if classes is not None:
        by_split = published.classes or dataset.params.folds.protocol == "official"
        split_of = {sequence.sequence: sequence.split if by_split else None for sequence in sequences}
        counts = classes.groupby([labels["sequence"].map(split_of).fillna("all"), classes]).size()
        _count_classes(copy, counts, labels_missing)
        _judge_order(copy, counts)


def _groups(by: str, dataset: Dataset, sequences: list[RecordedSequence]) -> dict[str, str | None]:
    """Return activity, split, or fold of the first partition, by sequence."""
    if by != "fold":
        return {sequence.sequence: getattr(sequence, by) for sequence in sequences}
    folds = next(iter(dataset.partitions.values()), [])
    fold_of = {subject: f"P{number}" for number, subjects in enumerate(folds, start=1) for subject in subjects}
    return {sequence.sequence: fold_of.get(sequence.subject or "") for sequence in sequences}


def _count_codes(copy: RawCopy, action_units: list[str], labels: "pd.DataFrame") -> None:
    """Count uncodable frames, and the share of the others in which each action unit is present."""
    dataset, published, report = copy.dataset, copy.published, copy.report
    codes = labels[action_units].astype("Float32")
    codes = codes.where(codes != NOT_CODED)
    codable = codes.notna()
    uncodable = int((~codable).all(axis=1).sum())
    expected = published.uncodable_frames if published.labelled_frames is not None else None
    report.count("labels", "uncodable frames", uncodable, expected)
    threshold = published.threshold if published.rates else dataset.params.labels.threshold
    complete = len(labels) == published.labelled_frames and uncodable == published.uncodable_frames
    tolerance = ROUNDING if complete else INCOMPLETE_COPY
    for name in action_units:
        if name not in published.rates and name not in dataset.params.labels.names:
            continue
        present = (codes[name] >= threshold).sum()
        share = float(present / codable[name].sum()) if codable[name].any() else 0.0
        rate = published.rates.get(name)
        differs = rate is not None and abs(share - rate) > tolerance
        note = f"{100 * (share - rate):+.1f} points" if differs and rate is not None else ""
        report.rows.append(ReportRow("rates", f"rate of {name}", share, rate, differs, note))


def _classes(labels: "pd.DataFrame") -> "pd.Series | None":
    """Return the class of each row; of votes, the majority."""
    if "expression" in labels:
        return labels["expression"]
    from clef.datasets.votes import classes, vote_columns

    return classes(labels, "majority") if vote_columns(labels.columns) else None


def _count_classes(copy: RawCopy, counts: "pd.Series", labels_missing: bool) -> None:
    """Count images by split and class."""
    dataset, published = copy.dataset, copy.published
    splits = set(published.classes) or {str(split) for split, _ in counts.index}
    wanted = dataset.params.labels.expressions
    if dataset.params.folds.protocol == "official":
        splits |= {"test", "train"}
    for split in sorted(splits):
        expected = published.classes.get(split, {})
        without = [name for name in wanted if not counts.get((split, name), 0)]
        if without and not labels_missing:
            number = sum(expected.get(name, 0) for name in without)
            where = "the data set" if split == "all" else f"the split {split}"
            missing = f"{where} has no labels of {{}}" + (f"; expected {number} images" if number else "")
            if len(without) == len(wanted):
                copy.report.problem(missing.format("the run's classes") + "; restore them")
            else:
                copy.report.problem(missing.format(abbreviate(without)) + "; restore them, or leave the class out")
        found = {str(name) for own, name in counts.index if own == split}
        for name in dict.fromkeys([*(expected or wanted), *sorted(found)]):
            note = "" if name in wanted else "not a class of the run"
            copy.report.count("classes", f"{split} {name}", int(counts.get((split, name), 0)), expected.get(name), note)


def _judge_order(copy: RawCopy, counts: "pd.Series") -> None:
    """Refuse an order of numbered classes if another one fits the published counts much better."""
    from scipy.optimize import linear_sum_assignment

    published, order = copy.published.classes, getattr(copy.dataset.options, "classes", None)
    if not published or not order:
        return
    found = np.array([[counts.get((split, name), 0) for name in order] for split in published], dtype=float)
    expected = np.array([[classes.get(name, 0) for name in order] for classes in published.values()], dtype=float)
    shares, published_shares = (table / table.sum(axis=1, keepdims=True).clip(1) for table in (found, expected))
    # misfits[i, j]: how far the images called order[i] are from those of order[j]
    misfits = np.abs(shares[:, :, None] - published_shares[:, None, :]).sum(axis=0)
    own, best = linear_sum_assignment(misfits)
    if misfits.trace() > WRONG_ORDER * misfits[own, best].sum() + 1e-9:  # which is above the error of a sum of shares
        worst = int(misfits.diagonal().argmax())
        number, published_number = int(found[:, worst].sum()), int(expected[:, worst].sum())
        copy.report.problem(
            f"dataset.options.classes: in this order, {order[worst]} has {number} images, published are "
            f"{published_number}; the counts fit the order [{', '.join(order[number] for number in best)}]; look at "
            "images of each class and correct the order"
        )
