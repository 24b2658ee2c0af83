"""The tables of a run's report. Cells are percentages unless the caption says otherwise."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clef.evaluation.probe.table import HEADINGS, formatted_rows, probe_table
from clef.evaluation.run.fold_metrics import MetricsGrid
from clef.evaluation.run.published import ranking
from clef.evaluation.run.rows import interval, missing_scores, percent, points, points_interval, row_names
from clef.evaluation.run.spread import Spread
from clef.reports.table import Table

HEADLINE = {
    "auc": "AUC",
    "f1_tuned": "F1 tuned",
    "f1_within_activity": "F1 within activity",
    "floor": "floor",
    "activity_only": "activity only",
    "coverage": "coverage",
    "f1_field": "F1 field (optimistic)",
    "f1_field_max": "F1 field max (optimistic)",
}
MORE = {
    "precision": "precision",
    "recall": "recall",
    "ap": "average precision",
    "auc_description": "AUC of descriptions",
    "calibration_error": "calibration error",
    "f1_faces": "F1 of frames with a face",
    "sd_folds": "SD over folds",
    "sd_seeds": "SD over seeds",
}
SCORES_OF_VARIANTS = (
    *("f1", "ci_low", "ci_high", "f1_within_activity"),
    *("difference", "difference_low", "difference_high", "published"),
)
STATUS = {
    "detected": "a face was detected",
    "tracked": "the face was followed from detections in other frames",
    "bridged": "the face was followed through a gap between detections",
    "no_face": "no face was found",
    "undecodable": "the recording lacks the frame, or it cannot be decoded",
}


def headline_table(summary: dict[str, Any]) -> Table:
    """F1 with its interval, baselines and optimistic scores."""
    rows, names = summary["rows"], row_names(summary)
    shown = _with_values(summary, HEADLINE)
    cells = [[n, percent(rows[n]["f1"]), interval(rows[n]), *(percent(rows[n][k]) for k in shown)] for n in names]
    threshold = "" if summary["threshold"] is None else f", threshold {summary['threshold']:g}"
    caption = f"Results of {summary['run']} in per cent. F1 is strict: last epoch{threshold}."
    if "accuracy" in rows:
        caption += " In the rows of accuracies, the columns F1 are accuracies."
    columns = ["", "F1", "95 % interval", *(HEADLINE[key] for key in shown)]
    return Table(caption, columns, cells, "l" + "r" * (len(columns) - 1), len(names) - len(summary["labels"]))


def more_table(summary: dict[str, Any]) -> Table:
    """Scores beside the headline."""
    shown = _with_values(summary, MORE)
    rows = [[name, *(percent(summary["rows"][name][key]) for key in shown)] for name in row_names(summary)]
    totals = len(rows) - len(summary["labels"])
    columns = ["", *(MORE[key] for key in shown)]
    return Table("More scores in per cent.", columns, rows, "l" + "r" * len(shown), totals)


def ranking_table(summary: dict[str, Any]) -> Table | None:
    """The run among published results, highest first; None if nothing is published on these labels."""
    if not (entries := ranking(summary)):
        return None
    rows = [[e.method, e.year, percent(e.value), e.chosen, e.source or ""] for e in entries]
    score = "accuracy" if "accuracy" in summary["rows"] else "mean F1"
    marked = frozenset(number for number, entry in enumerate(entries) if entry.source is None)
    columns = ["method", "year", score, "how epoch and threshold were chosen", "source"]
    return Table(f"Published results on the same labels, {score} in per cent.", columns, rows, "llrll", 0, marked)


def published_table(summary: dict[str, Any]) -> Table | None:
    """A row per method and a column per published label, as papers print them; None without published values."""
    published = sorted(summary["published"], key=lambda entry: (entry["year"], entry["method"]))
    names = [name for name in row_names(summary) if any(name in entry["values"] for entry in published)]
    rows = [[f"{e['method']} ({e['year']})", *(percent(e["values"].get(name)) for name in names)] for e in published]
    if not rows:
        return None
    rows.append([f"{summary['run']} (this run, strict)", *(percent(summary["rows"][name]["f1"]) for name in names)])
    score = "Accuracy" if names == ["accuracy"] else "F1"
    marked = frozenset([len(rows) - 1])
    caption = f"{score} in per cent. Published methods may have chosen epoch and threshold on the test set."
    return Table(caption, ["method", *names], rows, "l" + "r" * len(names), 1, marked)


def confusion_shares(fold_metrics: Sequence[dict[str, Any]]) -> tuple[list[str], list[tuple[str, int, list[float]]]]:
    """The predicted classes, and for each true class its images and the share of each predicted class.

    The last column is "no face found", unless it is empty.
    """
    labels = fold_metrics[0]["labels"]
    confusion = np.sum([metrics["confusion"] for metrics in fold_metrics], axis=0)
    images = confusion.sum(axis=1)
    shares = confusion / np.maximum(1, images)[:, None]
    columns = [*labels, "no face found"] if confusion[:, -1].any() else labels
    return columns, list(zip(labels, images.tolist(), shares[:, : len(columns)].tolist(), strict=True))


def subjects_table(found: Spread, kind: str) -> Table:
    """The scores of each subject, the lowest mean first."""
    order = np.argsort(np.nan_to_num(found.units[:, len(found.names) - 1], nan=-1), kind="stable")
    rows = [[found.unit_names[i], *map(percent, found.units[i])] for i in order]
    caption = f"F1 of test {kind} in per cent, the lowest last column first; empty if a label never occurs."
    return Table(caption, ["", *found.names], rows, "l" + "r" * len(found.names))


def tuned_table(summary: dict[str, Any]) -> Table | None:
    """The temperature of each seed and fold, and what it changes; None for runs without a `tune` section."""
    if not summary["tuned"]:
        return None
    rows = [
        [
            *(str(tuned[key]) for key in ("seed", "fold")),
            f"{tuned['temperature']:.2f}",
            *("" if tuned[key] is None else f"{tuned[key]:.3f}" for key in ("log_loss", "log_loss_tempered")),
            *(percent(tuned[key]) for key in ("calibration_error", "calibration_error_tempered")),
        ]
        for tuned in summary["tuned"]
    ]
    columns = ["seed", "fold", "temperature", "log loss", "after it", "calibration error, %", "after it, %"]
    caption = "Temperatures chosen on held-out training subjects, and scores of the test frames before and after them."
    return Table(caption, columns, rows, "rrrrrrr")


def read_probe(folds: Sequence[Path]) -> Table | None:
    """What a linear classifier reads from the features, if all folds were probed with these weights."""
    probes = []
    for folder in folds:
        try:
            probe = json.loads((folder / "probe.json").read_text(encoding="utf-8"))
            weights = json.loads((folder / "finetune.json").read_text(encoding="utf-8"))["sha256"]
            if probe["stage2"] != weights:
                return None
        except (FileNotFoundError, ValueError, KeyError):
            return None
        probes.append(probe)
    table = probe_table(probes)
    columns = [HEADINGS[name] for name in HEADINGS if name in table]
    caption = f"Read from frozen features, in per cent; ± over seeds and folds ({len(probes)})."
    return Table(caption, ["weights", *columns], formatted_rows(table), "l" + "r" * len(columns))


def read_ablation(file: Path, summary: dict[str, Any]) -> Table | None:
    """The ablation of the run in `ablation.csv`, if its first row is this run.

    A file that is no such table counts as none, since the results do not depend on it.
    """
    try:
        table = pd.read_csv(file, keep_default_na=False, na_values=dict.fromkeys(SCORES_OF_VARIANTS, ""))
    except (FileNotFoundError, ValueError):  # pandas' errors of parsing are ValueErrors
        return None
    if table.empty or not {*SCORES_OF_VARIANTS, "parts", "about", "note"} <= set(table):
        return None
    headline = summary["rows"]["accuracy" if "accuracy" in summary["rows"] else "mean"]
    first = table.iloc[0]
    if any(first[key] != headline[key] for key in ("f1", "ci_low", "ci_high") if headline[key] is not None):
        return None
    rows = []
    for row in table.to_dict("records"):
        values = {str(column): value for column, value in row.items()}
        scores = [percent(values["f1"]), interval(values), percent(values["f1_within_activity"])]
        scores += [points(values["difference"]), points_interval(values["difference_low"], values["difference_high"])]
        scores += [percent(values["published"])]
        rows.append([values["parts"], values["about"], *scores, values["note"] and missing_scores(values["note"])])
    columns = ["parts", "", "F1", "95 % interval", "F1 within activity", "difference", "95 % interval", "paper", ""]
    shown = [i for i in range(len(columns)) if i < 2 or any(row[i] for row in rows)]
    caption = "Parts of the method, in per cent; differences from the first row in percentage points."
    align = "".join("l" if columns[i] in ("parts", "") else "r" for i in shown)
    return Table(caption, [columns[i] for i in shown], [[row[i] for i in shown] for row in rows], align)


def status_table(summary: dict[str, Any]) -> Table:
    """How the face of each test frame was found."""
    frames = sum(summary["status"].values())
    rows = [
        [name.replace("_", " "), f"{summary['status'][name]:,}", percent(summary["status"][name] / frames), meaning]
        for name, meaning in STATUS.items()
        if name in summary["status"]
    ]
    return Table("Test frames with a known label.", ["", "frames", "%", "meaning"], rows, "lrrl")


def labels_table(summary: dict[str, Any]) -> Table:
    """How many test frames each label has."""
    frames, rows = sum(summary["status"].values()), []
    for label in summary["labels"]:
        row = summary["rows"][label]
        known, present = row["frames"], row["positives"]
        cells = [f"{present:,}", percent(row["base_rate"]), f"{known:,}", f"{frames - known:,}"]
        rows.append([label, *cells, percent(row["coverage"])])
    columns = ["", "present", "present %", "known", "unknown", "coverage %"]
    return Table("Test frames by label. Unknown labels are left out of every score.", columns, rows, "lrrrrr")


def folds_table(grid: MetricsGrid) -> Table:
    """What each fold tested, and the choices behind its optimistic scores, if there are any."""
    choices = {"field": "field: epoch", "field_max": "field max: epoch, threshold"}
    choices = {
        key: text for key, text in choices.items() if any(m[key] for of_seed in grid.values() for m in of_seed.values())
    }
    rows = []
    for seed, folds in grid.items():
        for fold, m in folds.items():
            lost = sum(m["status"].get(name, 0) for name in ("no_face", "undecodable"))
            counts = (len(m["subjects"]), m["frames"], lost, m["unknown_frames"])
            texts = [f"{count:,}" for count in counts]
            chosen = [_choice(m[key]) for key in choices]
            rows.append([str(seed), str(fold), *texts, str(m["last_epoch"] or ""), *chosen])
    columns = ["seed", "fold", "subjects", "frames", "without a face", "no known label", "last epoch"]
    columns += choices.values()
    caption = "Test frames of each fold"
    if choices:
        caption += ", and the epochs and thresholds with the best score on its test frames"
    return Table(f"{caption}.", columns, rows, "r" * len(columns))


def _with_values(summary: dict[str, Any], columns: dict[str, str]) -> list[str]:
    return [key for key in columns if any(row.get(key) is not None for row in summary["rows"].values())]


def _choice(choice: dict[str, Any] | None) -> str:
    if choice is None:
        return ""
    return ", ".join(f"{choice[key]:g}" for key in ("epoch", "threshold") if choice[key] is not None)
