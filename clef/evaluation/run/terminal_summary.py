"""Show a summary in the terminal: a table with a one-line verdict, and published results beside the run."""

from typing import Any

from rich.table import Table

from clef.evaluation.run.baseline_margins import BASELINES

NOT_ABOVE = "NOT above"
UNCLEAR = "not clearly above"


def format_summary(summary: dict[str, Any]) -> Table:
    """Format the data of `summary.json` as a table in percent, with the verdict as its caption."""
    folds = f"{len(summary['folds'])}{', pooled' if summary.get('pooled') else ''}"
    trained_on = summary.get("trained_on", summary["dataset"])
    across = "" if trained_on == summary["dataset"] else f"trained on {trained_on}, tested on {summary['dataset']}; "
    table = Table(title=f"{summary['run']} ({across}folds: {folds}, seeds: {len(summary['seeds'])})")
    columns = {"field (optimistic)": "f1_field", "tuned": "f1_tuned", "floor": "floor"}
    columns |= {"activity only": "activity_only", "coverage": "coverage"}
    if all(row.get("f1_tuned") is None for row in summary["rows"].values()):
        del columns["tuned"]
    table.add_column("label")
    for heading in ("F1", "95 % interval", *columns):
        table.add_column(heading, justify="right")
    for label, row in summary["rows"].items():
        if label in ("mean", "accuracy"):
            table.add_section()
        interval = "" if row["ci_low"] is None else f"{_percent(row['ci_low'])} - {_percent(row['ci_high'])}"
        table.add_row(label, _percent(row["f1"]), interval, *(_percent(row[key]) for key in columns.values()))
    table.caption = verdict(summary)
    return table


def format_published(summary: dict[str, Any]) -> Table | None:
    """Sort the run among published results on the same labels, highest first; None if there are none.

    How published numbers chose epoch and threshold is mostly unknown. So the run is listed twice: strict, and with both
    chosen on the test folds.
    """
    accuracy = "accuracy" in summary["rows"]
    key = "accuracy" if accuracy else "mean"
    entries = [entry for entry in summary.get("published", []) if key in entry["values"]]
    if not entries:
        return None
    row = summary["rows"][key]
    listed = [(e["values"][key], e["method"], str(e["year"]), e["protocol"].partition(";")[0]) for e in entries]
    choice = "epoch" if accuracy else "epoch and threshold"
    results = {
        "last epoch" if accuracy else "last epoch, fixed threshold": row["f1"],
        f"{choice} chosen on the test set": row.get("f1_field" if accuracy else "f1_field_max"),
    }
    listed += [(value, summary["run"], "this run", how) for how, value in results.items() if value is not None]
    table = Table(title="Accuracy, as published" if accuracy else "Mean F1, as published")
    for heading in ("method", "year", "%", "how chosen"):
        table.add_column(heading, justify="right" if heading == "%" else "left")
    for value, method, year, how in sorted(listed, reverse=True):
        table.add_row(method, year, _percent(value), how, style="bold" if year == "this run" else None)
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
        f"{_relation(summary, headline, key)} {name} ({_percent(row[key])})"
        for key, name in names.items()
        if row[key] is not None
    ]
    sentence = f"{'Accuracy' if accuracy else 'Mean strict F1'} {_percent(row['f1'])} is {' and '.join(parts)}"
    below = [
        label
        for label in (() if accuracy else summary["rows"])
        if label != "mean" and any(_relation(summary, label, key) in (NOT_ABOVE, UNCLEAR) for key in BASELINES)
    ]
    no_interval = row["ci_low"] is None
    if below:
        sentence += f"; not {'' if no_interval else 'clearly '}above both: {', '.join(below)}"
    if no_interval:
        sentence += "; without intervals (evaluate.bootstrap: 0) a difference may be chance"
    return f"{sentence}; field columns are optimistic, chosen on the test folds."


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


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
