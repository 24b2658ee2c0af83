"""Show a summary in the terminal: a table with a one-line verdict, and published results beside the run."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from clef.evaluation.run.baseline_margins import BASELINES
from clef.evaluation.run.published import ranking
from clef.evaluation.run.rows import TOTALS, interval, percent, row_names

NOT_ABOVE = "NOT above"
UNCLEAR = "not clearly above"


COLUMNS = {
    "f1_field": "field\n(optimistic)",
    "f1_tuned": "tuned",
    "floor": "floor",
    "activity_only": "activity\nonly",
    "coverage": "coverage",
}
"""Columns beside the headline and its interval; columns without values are left out."""


def format_summary(summary: dict[str, Any]) -> Table:
    """Format the data of `summary.json` as a table in percent, with the verdict as its caption."""
    folds = f"{len(summary['folds'])}{', pooled' if summary.get('pooled') else ''}"
    trained_on = summary.get("trained_on", summary["dataset"])
    across = "" if trained_on == summary["dataset"] else f"trained on {trained_on}, tested on {summary['dataset']}; "
    table = _table(f"{summary['run']} ({across}folds: {folds}, seeds: {len(summary['seeds'])})")
    shown = [key for key in COLUMNS if any(row.get(key) is not None for row in summary["rows"].values())]
    table.add_column("label")
    for heading in ("F1", "95 %\ninterval", *(COLUMNS[key] for key in shown)):
        table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    for label in row_names(summary):
        row = summary["rows"][label]
        if label == TOTALS[0]:
            table.add_section()
        table.add_row(label, percent(row["f1"]), interval(row), *(percent(row[key]) for key in shown))
    table.caption = verdict(summary)
    return table


def format_published(summary: dict[str, Any]) -> Table | None:
    """Sort the run among published results on the same labels, highest first; None if there are none."""
    if not (listed := ranking(summary)):
        return None
    accuracy = "accuracy" in summary["rows"]
    table = _table("Accuracy, as published" if accuracy else "Mean F1, as published")
    for heading in ("method", "year", "%", "how chosen"):
        table.add_column(heading, justify="right" if heading == "%" else "left")
    for entry in listed:
        style = "bold" if entry.source is None else None
        table.add_row(entry.method, entry.year, percent(entry.value), entry.chosen, style=style)
    choice = "epoch" if accuracy else "epoch and threshold"
    table.caption = f"Published methods may have chosen {choice} on the test set. Labels and sources: summary.json."
    return table


def verdict(summary: dict[str, Any]) -> str:
    """Say in one line whether the headline is above the baselines that do not look at the face."""
    accuracy = "accuracy" in summary["rows"]
    headline = "accuracy" if accuracy else "mean"
    row = summary["rows"][headline]
    names = {
        "floor": "the floor of the most frequent class" if accuracy else "the always-positive floor",
        "activity_only": "the activity-only baseline",
    }
    parts = [
        f"{_relation(summary, headline, key)} {name} ({percent(row[key])})"
        for key, name in names.items()
        if row[key] is not None
    ]
    sentence = f"{'Accuracy' if accuracy else 'Mean strict F1'} {percent(row['f1'])} is {' and '.join(parts)}"
    labels = [] if accuracy else [label for label in summary["rows"] if label != "mean"]
    relations = {label: {_relation(summary, label, key) for key in BASELINES} for label in labels}
    if below := [label for label, found in relations.items() if NOT_ABOVE in found]:
        sentence += f"; NOT above both: {', '.join(below)}"
    if unclear := [label for label, found in relations.items() if UNCLEAR in found and NOT_ABOVE not in found]:
        sentence += f"; not clearly above both: {', '.join(unclear)}"
    if row["ci_low"] is None:
        sentence += "; without intervals (evaluate.bootstrap: 0) a difference may be chance"
    if row.get("f1_field") is not None:
        sentence += "; field columns are optimistic, chosen on the test folds"
    return f"{sentence}."


def _relation(summary: dict[str, Any], label: str, baseline: str) -> str | None:
    """Compare F1 with a baseline by the interval of their difference; for accuracy, by the interval of the accuracy."""
    row = summary["rows"][label]
    if row[baseline] is None:
        return None
    if row["f1"] <= row[baseline]:
        return NOT_ABOVE
    if label == "accuracy":
        low = None if row["ci_low"] is None else row["ci_low"] - row[baseline]
    else:
        low = summary["margins"][baseline][label][0]
    if low is None:
        return "higher than"
    return "above" if low > 0 else UNCLEAR


def _table(title: str) -> Table:
    """A table that is at most 80 columns wide with the labels of the supported data sets."""
    return Table(title=title, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
