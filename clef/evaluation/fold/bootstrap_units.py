"""The units that the bootstrap resamples, with the confusion counts of each.

A unit is a subject; where a data set names no subjects, a sequence; for expressions of unnamed people, an
image. Images with the same true and the same predicted class are alike, so only their number is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clef.evaluation.fold.metrics import FN, FP, TN, TP, Floats, count

CELLS = {"tp": TP, "fp": FP, "fn": FN, "tn": TN}

Kind = Literal["subjects", "sequences", "images"]


@dataclass(frozen=True)
class BootstrapUnits:
    """BootstrapUnits of one test fold."""

    kind: Kind
    names: tuple[str, ...]
    """Subjects or sequences, sorted; empty for images."""
    number: NDArray[np.int64]
    """(units,): how many alike; 1 for what has a name."""
    counts: NDArray[np.int64]
    """(units, labels, 4): confusion counts of one of them."""

    def to_records(self) -> list[dict[str, Any]]:
        """One dict a unit: its name or None, `number`, and lists over labels `tp`, `fp`, `fn`, `tn`."""
        return [
            {
                "unit": self.names[i] if self.names else None,
                "number": int(self.number[i]),
                **{name: self.counts[i, :, cell].tolist() for name, cell in CELLS.items()},
            }
            for i in range(len(self.number))
        ]

    @classmethod
    def from_records(cls, kind: Kind, units: list[dict[str, Any]]) -> "BootstrapUnits":
        """The inverse of `to_records`."""
        return cls(
            kind,
            tuple(unit["unit"] for unit in units if unit["unit"] is not None),
            np.array([unit["number"] for unit in units], dtype=np.int64),
            np.array([[unit[name] for name in CELLS] for unit in units], dtype=np.int64).transpose(0, 2, 1),
        )


def concatenate_units(folds: Sequence[BootstrapUnits]) -> BootstrapUnits:
    """The units of all folds as if they were of one."""
    return BootstrapUnits(
        folds[0].kind,
        tuple(name for fold in folds for name in fold.names),
        np.concatenate([fold.number for fold in folds]),
        np.concatenate([fold.counts for fold in folds]),
    )


def units_by_subject(
    truth: Floats, probability: Floats, threshold: float, subject: NDArray, sequence: NDArray
) -> BootstrapUnits:
    """BootstrapUnits of frames whose subject is known, or else of sequences.

    Args:
        truth: (frames, labels), as in `clef.evaluation.fold.metrics`.
        probability: (frames, labels), likewise.
        threshold: Likewise.
        subject: (frames,) of str or None; one None makes every sequence a unit.
        sequence: (frames,) of str.
    """
    anonymous = any(name is None for name in subject)
    names, unit = np.unique((sequence if anonymous else subject).astype(str), return_inverse=True)
    order = np.argsort(unit, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(unit[order])) + 1)
    counts = np.stack([count(truth[rows], probability[rows], [threshold])[0] for rows in parts])
    kind: Kind = "sequences" if anonymous else "subjects"
    return BootstrapUnits(kind, tuple(names.tolist()), np.ones(len(names), dtype=np.int64), counts)


def units_by_image(confusion: NDArray[np.int64]) -> BootstrapUnits:
    """Images grouped by true and predicted class, from a confusion matrix.

    The groups are ordered by true class, then right before wrong: seeds that draw with the same random
    numbers then draw the same true classes, and err on the same images as far as their error rates allow.

    Args:
        confusion: (classes, classes + 1): true class by predicted class; the last column is "no crop".
    """
    classes = len(confusion)
    number, counts = [], []
    for true in range(classes):
        for predicted in [true, *(column for column in range(classes + 1) if column != true)]:
            if not confusion[true, predicted]:
                continue
            one = np.zeros((classes, 4), dtype=np.int64)
            one[:, TN] = 1
            one[true] = np.eye(4, dtype=np.int64)[TP if predicted == true else FN]
            if predicted not in (true, classes):
                one[predicted] = np.eye(4, dtype=np.int64)[FP]
            number.append(confusion[true, predicted])
            counts.append(one)
    return BootstrapUnits("images", (), np.array(number), np.stack(counts))
