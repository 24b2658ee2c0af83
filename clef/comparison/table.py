"""The differences as a csv file: one row a run and label."""

import csv
import io
import math
from pathlib import Path

from clef.comparison.differences import Comparison
from clef.runtime.files import write_text

COLUMNS = ["first", "run", "label", "metric", "value_first", "value", "difference", "ci_low", "ci_high"]


def write_differences(target: Path, comparison: Comparison) -> None:
    """Write shares between 0 and 1, with four decimals; `difference` and its interval are `run` less `first`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for other in comparison.others:
        for label, row in other.rows.items():
            metric = "accuracy" if label == "accuracy" else comparison.metric
            numbers = (row.first, row.other, row.difference, row.low, row.high)
            writer.writerow([comparison.first, other.run, label, metric, *map(_number, numbers)])
    write_text(target, text.getvalue())


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{round(value, 4) + 0.0:.4f}"  # no minus before zero
