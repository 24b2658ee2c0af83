"""Intervals of F1 minus the baselines that do not look at the face. Action units only.

F1 and both baselines depend on the same test subjects: a fold whose subjects smile often raises all three. So the
bootstrap draws their difference, instead of checking whether a baseline is inside the interval of F1.
"""

from collections.abc import Sequence

import numpy as np

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import Counts, Floats, with_mean
from clef.evaluation.run.bootstrap import Estimate, estimate, interval

BASELINES = ("floor", "activity_only")


def margins(
    f1: Estimate,
    model: Sequence[Sequence[BootstrapUnits]],
    activity_only: Sequence[Sequence[BootstrapUnits]] | None,
    seeds: Sequence[int],
    names: list[str],
    bootstrap: int,
) -> dict[str, dict[str, list[float]]]:
    """Compute intervals of F1 minus each baseline: baseline to label or `mean` to lower and upper end.

    `f1` is that of each label and their mean. `model` has, for each fold under each seed, the units behind it;
    `activity_only` has the same units with the counts of that baseline, or is None without activities.
    """

    def floor(counts: Counts) -> Floats:
        return with_mean(metrics.always_positive_f1(metrics.base_rate(counts)))

    baselines = {"floor": estimate(model, seeds, floor, bootstrap)}
    if activity_only is not None:
        baselines["activity_only"] = estimate(
            activity_only, seeds, lambda counts: with_mean(metrics.f1(counts)), bootstrap
        )
    ends = {key: np.stack(interval(f1 - baseline), axis=-1).tolist() for key, baseline in baselines.items()}
    return {key: dict(zip([*names, "mean"], of_baseline, strict=True)) for key, of_baseline in ends.items()}
