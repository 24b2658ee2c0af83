"""Intervals of F1 minus the baselines that do not look at the face. Action units only.

F1 and both baselines depend on the same test subjects: a fold whose subjects smile often raises all three. So the
bootstrap draws their difference, instead of checking whether a baseline is inside the interval of F1.
"""

import numpy as np

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits, stack_labels
from clef.evaluation.fold.metrics import Floats, with_mean
from clef.evaluation.run.bootstrap import bootstrap_values, percentile_interval

BASELINES = ("floor", "activity_only")


def margins(
    model: list[list[BootstrapUnits]],
    activity_only: list[list[BootstrapUnits]] | None,
    names: list[str],
    bootstrap: int,
) -> dict[str, dict[str, list[float]]]:
    """Compute intervals of F1 minus each baseline: baseline to label or `mean` to lower and upper end.

    `model` has, for each fold under each seed, the units with the counts of the run's predictions; `activity_only` has
    the same units with the counts of that baseline, or is None without activities.
    """
    labels = len(names)

    def differences(counts: Floats) -> Floats:
        model_counts = counts[..., :labels, :]
        f1 = metrics.f1(model_counts)
        above = [f1 - metrics.always_positive_f1(metrics.base_rate(model_counts))]
        if activity_only is not None:
            above.append(f1 - metrics.f1(counts[..., labels:, :]))
        return np.concatenate([with_mean(difference) for difference in above], axis=-1)

    folds = model
    if activity_only is not None:
        pairs = [zip(*seeds, strict=True) for seeds in zip(model, activity_only, strict=True)]
        folds = [[stack_labels(pair) for pair in seeds] for seeds in pairs]
    ends = np.stack(percentile_interval(bootstrap_values(folds, differences, bootstrap)), axis=-1)
    rows = [*names, "mean"]
    per_baseline = ends.reshape(-1, len(rows), 2).tolist()
    return {key: dict(zip(rows, part, strict=True)) for key, part in zip(BASELINES, per_baseline, strict=False)}
