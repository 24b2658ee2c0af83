"""A summary on the terminal: a short table, one line that says what it amounts to, and what others have published."""

from typing import Any

from rich.table import Table

from clef.evaluation.run.margins import BASELINES


def format_table(summary: dict[str, Any]) -> Table:
    """The plain data of `summary.json` as a table in percent, with the verdict under it."""
    folds = f"{len(summary['folds'])}{', counts of all together' if summary.get('pooled') else ''}"
    trained_on = summary.get("trained_on", summary["dataset"])
    across = "" if trained_on == summary["dataset"] else f"trained on {trained_on}, tested on {summary['dataset']}; "
    table = Table(title=f"{summary['run']} ({across}folds: {folds}, seeds: {len(summary['seeds'])})")
    table.add_column("label")
    columns = {"F1": "f1", "field (optimistic)": "f1_field", "tuned": "f1_tuned", "floor": "floor"}
    columns |= {"activity only": "activity_only", "coverage": "coverage"}
    columns = {heading: key for heading, key in columns.items() if key != "f1_tuned" or _has(summary, key)}
    for heading in columns:
        table.add_column(heading, justify="right")
        if heading == "F1":
            table.add_column("95 % interval", justify="right")
    for label, row in summary["rows"].items():
        if label in ("mean", "accuracy"):
            table.add_section()
        interval = "" if row["ci_low"] is None else f"{_percent(row['ci_low'])} - {_percent(row['ci_high'])}"
        first, *others = (_percent(row[key]) for key in columns.values())
        table.add_row(label, first, interval, *others)
    table.caption = verdict(summary)
    return table


def format_published(summary: dict[str, Any]) -> Table | None:
    """The run among published numbers on the same labels, the highest first; None where nobody published any.

    How others chose epoch and threshold is mostly unknown, so that the run stands there twice: strictly, and with both
    chosen on the test folds.
    """
    key = "accuracy" if "accuracy" in summary["rows"] else "mean"
    entries = [entry for entry in summary.get("published", []) if key in entry["values"]]
    if not entries:
        return None
    row, accuracy = summary["rows"][key], key == "accuracy"
    listed = [(e["values"][key], e["method"], str(e["year"]), e["protocol"].partition(";")[0]) for e in entries]
    optimistic = row.get("f1_field" if accuracy else "f1_field_max")
    own = [
        (row["f1"], "last epoch" if accuracy else "last epoch, threshold fixed before"),
        (optimistic, f"{'epoch' if accuracy else 'epoch and threshold'} chosen on the test"),
    ]
    listed += [(value, summary["run"], "this run", how) for value, how in own if value is not None]
    table = Table(title="Accuracy, as published" if accuracy else "Mean F1, as published")
    for heading in ("method", "year", "%", "how chosen"):
        table.add_column(heading, justify="right" if heading == "%" else "left")
    for value, method, year, how in sorted(listed, reverse=True):
        style = "bold" if year == "this run" else None
        table.add_row(method, year, _percent(value), how, style=style)
    choice = "the epoch" if accuracy else "epoch and threshold"
    table.caption = f"as printed: {choice} may have been chosen on the test. Per label and with sources: summary.json."
    return table


def verdict(summary: dict[str, Any]) -> str:
    """Whether the headline is above what can be had without looking at a face, in one line."""
    accuracy = "accuracy" in summary["rows"]
    row = summary["rows"]["accuracy" if accuracy else "mean"]
    names = {
        "floor": "the floor of the most frequent class" if accuracy else "the always-positive floor",
        "activity_only": "knowing the activity only",
    }
    parts = []
    for key, name in names.items():
        if row[key] is not None:
            clear = row["ci_low"] is None or _clear(summary, "mean", key)
            parts.append(f"{_relation(row['f1'], row[key], clear)} {name} ({_percent(row[key])})")
    headline = f"{'Accuracy' if accuracy else 'Mean strict F1'} {_percent(row['f1'])}"
    below = [] if accuracy else _not_above(summary)
    exceptions = f"; not clearly above both: {', '.join(below)}" if below else ""
    return f"{headline} is {' and '.join(parts)}{exceptions}; field columns are optimistic, chosen on the test folds."


def _not_above(summary: dict[str, Any]) -> list[str]:
    """Labels whose F1 is not clearly above what can be had without looking at a face."""
    return [
        label
        for label, row in summary["rows"].items()
        if label != "mean"
        and any(
            row[key] is not None and (row["f1"] <= row[key] or not _clear(summary, label, key)) for key in BASELINES
        )
    ]


def _clear(summary: dict[str, Any], label: str, key: str) -> bool:
    """Whether the interval of the difference lies above 0; for accuracies, the interval above the floor."""
    if "accuracy" in summary["rows"]:
        row = summary["rows"]["accuracy"]
        return bool(row["ci_low"] > row[key])
    ends = summary["margins"][key][label]
    return ends[0] is None or ends[0] > 0


def _relation(value: float, baseline: float, clear: bool) -> str:
    if value <= baseline:
        return "NOT above"
    return "above" if clear else "above, but not clearly,"


def _has(summary: dict[str, Any], key: str) -> bool:
    return any(row.get(key) is not None for row in summary["rows"].values())


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
