import io
import json
import re

import pytest
from rich.console import Console

from clef.evaluation.run.summary import summarize
from clef.evaluation.run.terminal_summary import COLUMNS, format_published, format_summary, verdict
from tests.evaluation.conftest import expression_tables


def printed(table, width=120):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def summary_of(metrics, bootstrap=50):
    return summarize([metrics], "run", bootstrap)[1]


def summary_with(mean, activity_margin=(0.1, 0.2), **labels):
    """A summary with F1, floor and activity-only F1 of the mean and of labels, all above the floor by 0.1 to 0.2."""
    keys = ("f1", "floor", "activity_only")
    rows = {
        name: dict(zip(keys, row, strict=True), ci_low=0.0, f1_field=row[0])
        for name, row in (labels | {"mean": mean}).items()
    }
    above = {name: [0.1, 0.2] for name in rows}
    return {"rows": rows, "margins": {"floor": above, "activity_only": above | {"mean": list(activity_margin)}}}


def test_the_table_shows_percent(tables):
    summary = summary_of(tables.score())
    text = printed(format_summary(summary))
    mean = summary["rows"]["mean"]
    assert f"{100 * mean['ci_low']:.1f} - {100 * mean['ci_high']:.1f}" in text
    for key in ("f1", "f1_field", "activity_only"):
        assert f" {100 * mean[key]:.1f} " in text
    assert "(optimistic)" in text
    assert "tuned" not in text


def test_rows_have_the_order_of_the_params_after_reading_the_file_and_fit_into_80_columns():
    summary = json.loads(json.dumps(summary_of(expression_tables().score()), sort_keys=True))
    text = printed(format_summary(summary), width=80)
    assert re.findall(r"^(\w+) .*\d$", text, re.MULTILINE) == [
        *summary["labels"],
        "mean",
        "mean_class_accuracy",
        "accuracy",
    ]
    assert "activity" not in text, "a column without values"
    for row in summary["rows"].values():
        row.update(dict.fromkeys(("ci_low", "ci_high", "f1", *COLUMNS), 1.0))
    assert "100.0 - 100.0 " in printed(format_summary(summary), width=80)


def test_the_verdict_of_expressions_uses_the_most_frequent_class():
    summary = summary_of(expression_tables().score())
    assert "accuracy" in printed(format_summary(summary))
    row = summary["rows"]["accuracy"]
    start = f"Accuracy {100 * row['f1']:.1f} is above the floor of the most frequent class ({100 * row['floor']:.1f});"
    assert verdict(summary).startswith(start)
    assert "activity" not in verdict(summary)


@pytest.mark.parametrize(
    ("mean", "activity_margin", "expected"),
    [
        ((0.66, 0.48, 0.52), (0.1, 0.2), "66.0 is above the always-positive floor (48.0) and above the activity-only"),
        ((0.53, 0.48, 0.52), (-0.01, 0.05), "and not clearly above the activity-only baseline (52.0)"),
        ((0.50, 0.48, 0.52), (-0.1, 0.05), "and NOT above the activity-only baseline (52.0)"),
        ((0.48, 0.48, None), (0.1, 0.2), "48.0 is NOT above the always-positive floor (48.0); field columns are"),
    ],
)
def test_the_verdict_compares_the_headline_with_the_baselines(mean, activity_margin, expected):
    assert expected in verdict(summary_with(mean, activity_margin))


def test_the_verdict_names_labels_that_are_not_above_both_baselines_or_not_clearly():
    labels = {"AU01": (0.6, 0.5, None), "AU02": (0.4, 0.5, 0.3), "AU04": (0.4, 0.3, 0.4), "AU06": (0.6, 0.5, 0.5)}
    summary = summary_with((0.6, 0.48, 0.52), **labels)
    summary["margins"]["activity_only"]["AU06"] = [-0.01, 0.2]
    assert "; NOT above both: AU02, AU04; not clearly above both: AU06;" in verdict(summary)
    assert "above both" not in verdict(summary_with((0.6, 0.48, 0.52), AU01=labels["AU01"]))


def test_without_a_bootstrap_the_verdict_does_not_say_above(tables):
    """The plain difference may be chance, so it is reported as such."""
    for each in (tables, expression_tables()):
        line = verdict(summary_of(each.score(), bootstrap=0))
        assert "is higher than the" in line
        assert not re.search("(is|and) above", line)
        assert "without intervals (evaluate.bootstrap: 0) a difference may be chance;" in line


def test_runs_that_predict_the_last_epoch_only_have_no_optimistic_columns(tables):
    last = tables.changed(epochs=tables.epochs[tables.epochs["epoch"] == 3])
    summary = summary_of(last.score())
    assert summary["rows"]["mean"]["f1_field"] is None
    assert "field" not in printed(format_summary(summary))
    assert "field" not in verdict(summary)


def test_the_run_is_listed_twice_among_published_results():
    others = [
        {"method": name, "year": 2023, "protocol": "as printed", "source": "a journal", "values": values}
        for name, values in {"low": {"mean": 0.55}, "high": {"mean": 0.659}, "part": {"AU01": 0.9}}.items()
    ]
    summary = {"run": "mine", "rows": {"mean": {"f1": 0.601, "f1_field_max": 0.66}}, "published": others}
    lines = [line.split() for line in printed(format_published(summary)).splitlines() if re.search(r"\d\.\d", line)]
    assert [line[0] for line in lines] == ["mine", "high", "mine", "low"]
    assert [word for line in lines for word in line if word in ("60.1", "66.0", "65.9")] == ["66.0", "65.9", "60.1"]
    assert format_published(summary | {"published": others[2:]}) is None
