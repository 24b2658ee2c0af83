"""Write the differences as a csv file."""

import csv
import math
from pathlib import Path

from clef.comparison.differences import Comparison
from clef.runtime.files import atomic_write


def write_differences(target: Path, comparison: Comparison) -> None:
    """Write one row per run and label: values between 0 and 1, four decimals; `difference` is `run` minus `first`."""
    with atomic_write(target) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["first", "run", "label", "metric", "value_first", "value", "difference", "ci_low", "ci_high"])
        for other in comparison.others:
            for label, row in other.rows.items():
                metric = "accuracy" if label == "accuracy" else comparison.metric
                values = (row.first, row.other, row.difference, row.low, row.high)
                writer.writerow([comparison.first, other.run, label, metric, *map(_format, values)])


def _format(value: float) -> str:
    return "" if math.isnan(value) else f"{round(value, 4) + 0.0:.4f}"  # adding 0.0 turns -0.0 into 0.0
