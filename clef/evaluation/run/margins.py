"""How far F1 lies above what is reached without looking at a face, with intervals.

F1, the always-positive floor and the activity-only baseline are all taken from the same test subjects: a fold whose
subjects smile much raises all three. So it is their difference that the bootstrap draws, subject by subject, and not
whether a baseline happens to lie within F1's own interval. Action units only.
"""

import numpy as np

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import Floats, mean_known
from clef.evaluation.run.bootstrap import bootstrap_interval

BASELINES = ("floor", "activity_only")


def margins(
    own: list[list[BootstrapUnits]], without_faces: list[list[BootstrapUnits]] | None, names: list[str], bootstrap: int
) -> dict[str, dict[str, list[float]]]:
    """Intervals of F1 less each baseline.

    Args:
        own: Per fold, under each seed: the units with the counts of the run's own predictions.
        without_faces: The same units with the counts of the activity-only baseline; None where there are no activities.
        names: The labels; `mean` comes after them.
        bootstrap: Resamples; 0 for none.

    Returns:
        Baseline to label to lower and upper end.
    """
    labels = len(names)

    def differences(counts: Floats) -> Floats:
        mine = counts[..., :labels, :]
        f1 = metrics.f1(mine)
        above = [f1 - metrics.always_positive_f1(metrics.base_rate(mine))]
        if without_faces is not None:
            above.append(f1 - metrics.f1(counts[..., labels:, :]))
        return np.concatenate([part for one in above for part in (one, mean_known(one)[..., None])], axis=-1)

    folds = own if without_faces is None else _side_by_side(own, without_faces)
    low, high = bootstrap_interval(folds, differences, bootstrap)
    ends = [[float(a), float(b)] for a, b in zip(low, high, strict=True)]
    rows = [*names, "mean"]
    parts = [ends[start : start + len(rows)] for start in range(0, len(ends), len(rows))]
    return {baseline: dict(zip(rows, part, strict=True)) for baseline, part in zip(BASELINES, parts, strict=False)}


def _side_by_side(own: list[list[BootstrapUnits]], other: list[list[BootstrapUnits]]) -> list[list[BootstrapUnits]]:
    """The labels of both, one after the other, unit by unit."""
    return [
        [
            BootstrapUnits(a.kind, a.names, a.number, np.concatenate([a.counts, b.counts], axis=1))
            for a, b in zip(*seeds, strict=True)
        ]
        for seeds in zip(own, other, strict=True)
    ]
