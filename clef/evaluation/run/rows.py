"""The rows of a summary: their order, and their values as text."""

import math
from typing import Any

from clef.evaluation.fold.metrics import ACCURACIES

TOTALS = ("mean", *ACCURACIES)


def row_names(summary: dict[str, Any]) -> list[str]:
    """Labels in the order of the params, `mean`, and for expressions the accuracies. JSON files sort them by name."""
    return [*summary["labels"], *(name for name in TOTALS if name in summary["rows"])]


def percent(value: float | None) -> str:
    """A fraction in per cent with one decimal; empty if undefined.

    It is first rounded to the four decimals of the summary, so that all programs print the same value.
    """
    return "" if value is None or math.isnan(value) else f"{100 * round(value, 4):.1f}"


def interval(row: dict[str, Any]) -> str:
    """The 95 % interval of a row in per cent; empty without one."""
    low, high = percent(row["ci_low"]), percent(row["ci_high"])
    return f"{low} - {high}" if low else ""


def points(difference: float) -> str:
    """A difference in percentage points with a sign; empty if undefined, and without a sign if it rounds to zero."""
    if math.isnan(difference):
        return ""
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def points_interval(low: float, high: float) -> str:
    """The interval of a difference in percentage points; empty without one."""
    return "" if math.isnan(low) else f"{points(low)} to {points(high)}"


def missing_scores(note: str) -> str:
    """Why a row of variants has no scores, in two words, from its note; see `clef.comparison.variant_results`."""
    return "needs weights" if "needs weights" in note else "not trained"
