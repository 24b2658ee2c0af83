"""The units that the bootstrap resamples, with their confusion counts.

A unit is a subject. If a data set does not name its subjects, a unit is a sequence, or for expressions an image. Images
with the same true and predicted class are grouped, and only the size of each group is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clef.evaluation.fold.metrics import FN, FP, TN, TP, Floats, counts_by_name

CELLS = {"tp": TP, "fp": FP, "fn": FN, "tn": TN}

UnitKind = Literal["subjects", "sequences", "images"]


@dataclass(frozen=True)
class BootstrapUnits:
    """The units of one test fold."""

    kind: UnitKind
    names: tuple[str, ...]
    """Subjects or sequences, sorted; empty for images."""
    number: NDArray[np.int64]
    """(units,): images in each group; 1 for subjects and sequences."""
    counts: NDArray[np.int64]
    """(units, labels, 4): confusion counts of each subject or sequence, or of one image of the group."""

    def total(self) -> NDArray[np.int64]:
        """Sum the counts over all units: (labels, 4)."""
        return np.tensordot(self.number, self.counts, 1)

    def to_records(self) -> list[dict[str, Any]]:
        """One dict per unit: `unit` (name or None), `number`, and `tp`, `fp`, `fn`, `tn` as lists over labels."""
        return [
            {
                "unit": self.names[i] if self.names else None,
                "number": int(self.number[i]),
                **{name: self.counts[i, :, cell].tolist() for name, cell in CELLS.items()},
            }
            for i in range(len(self.number))
        ]

    @classmethod
    def from_records(cls, kind: UnitKind, units: list[dict[str, Any]]) -> "BootstrapUnits":
        """The inverse of `to_records`."""
        return cls(
            kind,
            tuple(unit["unit"] for unit in units if unit["unit"] is not None),
            np.array([unit["number"] for unit in units], dtype=np.int64),
            np.array([[unit[name] for name in CELLS] for unit in units], dtype=np.int64).transpose(0, 2, 1),
        )


def concatenate_units(folds: Sequence[BootstrapUnits]) -> BootstrapUnits:
    """Put the units of several folds together."""
    return BootstrapUnits(
        folds[0].kind,
        tuple(name for fold in folds for name in fold.names),
        np.concatenate([fold.number for fold in folds]),
        np.concatenate([fold.counts for fold in folds]),
    )


def units_by_subject(
    truth: Floats, probability: Floats, threshold: float, subject: NDArray, sequence: NDArray
) -> BootstrapUnits:
    """Count by subject, or by sequence if the subject of any frame is None."""
    anonymous = any(name is None for name in subject)
    counts = counts_by_name(sequence if anonymous else subject, truth, probability, threshold)
    kind: UnitKind = "sequences" if anonymous else "subjects"
    return BootstrapUnits(kind, tuple(counts), np.ones(len(counts), dtype=np.int64), np.stack([*counts.values()]))


def units_by_image(confusion: NDArray[np.int64]) -> BootstrapUnits:
    """Group images by class; `confusion` is (classes, classes + 1): true by predicted, with "no crop" last.

    Groups are ordered by true class, correct before wrong. Seeds that use the same random numbers then draw the same
    true classes, and as far as possible the same errors.
    """
    classes = len(confusion)
    groups = sorted(zip(*np.nonzero(confusion), strict=True), key=lambda group: (group[0], group[0] != group[1]))
    counts = np.zeros((len(groups), classes, 4), dtype=np.int64)
    counts[:, :, TN] = 1
    for of_group, (true, predicted) in zip(counts, groups, strict=True):
        of_group[true] = np.eye(4)[TP if predicted == true else FN]
        if predicted not in (true, classes):
            of_group[predicted] = np.eye(4)[FP]
    return BootstrapUnits("images", (), np.array([confusion[group] for group in groups]), counts)
