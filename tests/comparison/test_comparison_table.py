import io

import pytest
from rich.console import Console

from clef.comparison.comparison_table import format_comparison
from clef.comparison.differences import AgainstFirst, Comparison, Difference
from clef.comparison.settings import SettingDifferences
from tests.comparison.test_differences import two_runs

ROW = {"f1": 0.5, "ci_low": 0.4, "ci_high": 0.6, "f1_field": 0.52, "auc": 0.7, "floor": 0.3, "activity_only": None}


def comparison(others=("other",), labels=("AU01", "AU02"), **changes):
    rows = {"AU01": Difference(0.5, 0.62, 0.05, 0.2), "AU02": Difference(0.5, 0.4996, -0.1, 0.1)}
    rows |= {label: Difference(0.5, 0.3, -0.35, -0.1) for label in labels if label not in rows}
    rows["mean"] = Difference(0.5, 0.55, -0.01, 0.1)
    values = {"first": "first", "metric": "f1", "labels": list(labels), "headline": "mean", "folds": 2}
    values |= {"resampled": "subjects", "resamples": 100, "left_out": {}}
    values["others"] = [AgainstFirst(name, rows, 1, 1) for name in others]
    return Comparison(**(values | changes))


ALIKE = SettingDifferences({}, [])


def printed(of, settings=ALIKE, width=80):
    first, other = two_runs(0)
    for run in (first, other):
        run.summary["rows"] = {"mean": ROW}
    console = Console(width=width, file=io.StringIO())
    for part in format_comparison([first, other], of, settings, width):
        console.print(part)
    return console.file.getvalue()


def line(text, *words):
    return next(line for line in text.splitlines() if all(word in line for word in words))


def test_the_runs_are_shown_in_per_cent():
    text = printed(comparison())
    assert line(text, "first", "50.0").split() == ["first", "50.0", "40.0", "-", "60.0", "52.0", "70.0", "30.0"]
    assert "optimistic" in text
    assert "activity" not in text


def test_differences_have_signs_and_marks():
    text = printed(comparison())
    assert "+12.0 (+5.0 to +20.0) !" in line(text, "AU01")
    assert "0.0 (-10.0 to +10.0)" in line(text, "AU02")
    assert "!" not in line(text, "AU02")
    assert line(text, "other", "of").split() == ["other", "+5.0", "-1.0", "to", "+10.0", "1", "of", "2", "1", "of", "2"]
    assert "not corrected for 2 comparisons" in text
    assert "conditional on the trained models" in " ".join(text.split())


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_off_and_nothing_too_wide(width):
    names = [f"bp4d-without-stage-1-number-{i}" for i in range(5)]
    labels = [f"AU{i:02d}" for i in range(1, 28)]
    settings = SettingDifferences({"finetune.optimiser.weight_decay": ["0.05", "0.1"]}, [])
    text = printed(comparison(names, labels), settings, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert text.count("+12.0 (+5.0 to +20.0) !") == 5
    assert "0.05" in line(text, "decay")


def test_small_print_says_what_the_interval_is():
    assert "one seed" in printed(comparison())
    assert "wider than a paired" in " ".join(printed(comparison(resampled="images")).split())
    assert "no intervals" in printed(comparison(resamples=0))


def test_labels_that_not_all_have_are_named():
    assert "first has AU07, AU09 too" in printed(comparison(left_out={"first": ["AU07", "AU09"]}))


def test_equal_settings_are_told_too():
    assert "no setting differs" in printed(comparison())
    text = printed(comparison(), SettingDifferences({"finetune.head": ["text", "linear"]}, ["A note."]))
    assert line(text, "finetune.head").split() == ["finetune.head", "text", "linear"]
    assert "A note." in text
