import numpy as np
import pytest
from rich.console import Console

from clef.evaluation.fold.score_fold import score_fold
from clef.evaluation.fold.threshold_tuning import Tuning
from clef.evaluation.run.summary import summarize
from clef.evaluation.run.terminal_summary import format_published, format_summary, verdict
from clef.params.schema import EvaluateParams


def printed(table):
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table)
    return console.export_text()


@pytest.fixture
def summary(action_unit_tables):
    metrics = score_fold(*action_unit_tables().parts(), EvaluateParams())
    return summarize([metrics | {"seed": 0, "fold": 0}], "bp4d", 50)[1]


def row(f1, floor, activity, above_floor=(0.1, 0.2), above_activity=(0.1, 0.2)):
    keys = {"f1": f1, "ci_low": f1 - 0.03, "ci_high": f1 + 0.03, "floor": floor, "activity_only": activity}
    return {
        "rows": {"mean": keys},
        "margins": {"floor": {"mean": list(above_floor)}, "activity_only": {"mean": list(above_activity)}},
    }


def test_the_table_shows_percent(summary):
    text = printed(format_summary(summary))
    mean = summary["rows"]["mean"]
    assert f"{100 * mean['f1']:.1f}" in text
    assert f"{100 * mean['ci_low']:.1f} - {100 * mean['ci_high']:.1f}" in text
    assert f"{100 * mean['activity_only']:.1f}" in text
    assert "field (optimistic)" in text
    assert [line for line in text.splitlines() if "AU12" in line]


def test_tuned_thresholds_have_a_column_only_where_a_run_tunes(action_unit_tables, summary):
    assert "tuned" not in printed(format_summary(summary))
    tables = action_unit_tables()
    tuning = Tuning(1.0, np.full(len(tables.labels.names), 0.01), 9)
    metrics = score_fold(*tables.parts(), EvaluateParams(), tuning)
    tuned = summarize([metrics | {"seed": 0, "fold": 0}], "bp4d", 0)[1]
    text = printed(format_summary(tuned))
    assert "tuned" in text
    assert f"{100 * tuned['rows']['mean']['f1_tuned']:.1f}" in text
    assert tuned["rows"]["mean"]["f1_tuned"] != tuned["rows"]["mean"]["f1"]


def test_accuracy_has_no_activity_baseline(expression_tables):
    metrics = score_fold(*expression_tables().parts(), EvaluateParams())
    summary = summarize([metrics | {"seed": 0, "fold": 0}], "raf_db", 0)[1]
    line = verdict(summary)
    assert line.startswith("Accuracy")
    assert "most frequent class" in line
    assert "activity" not in line
    assert "accuracy" in printed(format_summary(summary))


def test_the_verdict_says_plainly_where_the_headline_stands():
    assert "is above the always-positive floor (48.0) and above knowing the activity" in verdict(row(0.66, 0.48, 0.52))
    line = verdict(row(0.50, 0.48, 0.52, above_floor=(-0.01, 0.05)))
    assert "above, but not clearly, the always-positive floor (48.0)" in line
    assert "NOT above knowing the activity only (52.0)" in line
    assert "NOT above the always-positive floor" in verdict(row(0.48, 0.48, None))
    assert "optimistic" in line


def test_the_verdict_names_labels_that_are_not_clearly_above_both_baselines():
    summary = row(0.6, 0.48, 0.52)
    rows = {
        "AU01": {"f1": 0.6, "floor": 0.5, "activity_only": None},
        "AU02": {"f1": 0.4, "floor": 0.5, "activity_only": 0.3},
        "AU04": {"f1": 0.4, "floor": 0.3, "activity_only": 0.4},
        "AU06": {"f1": 0.6, "floor": 0.5, "activity_only": 0.5},
    }
    ends = {label: [0.01, 0.1] for label in rows}
    summary["margins"]["floor"] |= ends
    summary["margins"]["activity_only"] |= ends | {"AU06": [-0.01, 0.2]}
    mean = summary["rows"]["mean"]
    summary["rows"] = rows | {"mean": mean}
    assert "; not clearly above both: AU02, AU04, AU06;" in verdict(summary)
    summary["rows"] = {"AU01": rows["AU01"], "mean": mean}
    assert "not clearly above both" not in verdict(summary)


def test_the_run_stands_twice_among_what_was_published():
    row = {"f1": 0.601, "f1_field_max": 0.66}
    others = [
        {"method": name, "year": 2023, "protocol": "as printed", "values": {"mean": value}}
        for name, value in (("low", 0.55), ("high", 0.659))
    ]
    others.append({"method": "part", "year": 2020, "protocol": "as printed", "values": {"AU01": 0.9}})
    lines = printed(format_published({"run": "mine", "rows": {"mean": row}, "published": others})).splitlines()
    shown = [line.split()[1] for line in lines if line.startswith("│")]
    assert shown == ["mine", "high", "mine", "low"]
    assert [word for line in lines for word in line.split() if word in ("60.1", "66.0", "65.9")] == [
        "66.0",
        "65.9",
        "60.1",
    ]


def test_nothing_stands_beside_a_run_on_what_nobody_published():
    assert format_published({"run": "mine", "rows": {"mean": {"f1": 0.5}}, "published": []}) is None
