import io

import pytest
from rich.console import Console

from clef.comparison.comparison_table import format_comparison, write_differences
from clef.comparison.differences import ComparedRun, Comparison, Difference
from clef.comparison.setting_differences import SettingDifferences
from tests.comparison.conftest import two_runs

ROW = {"f1": 0.5, "ci_low": 0.4, "ci_high": 0.6, "f1_field": 0.52, "auc": 0.7, "floor": 0.3, "activity_only": None}


def make_comparison(others=("other",), labels=("AU01", "AU02"), resamples=100, seeds=None):
    rows = {"AU01": Difference(0.5, 0.62, 0.05, 0.2), "AU02": Difference(0.5, 0.4996, -0.1, 0.1)}
    rows |= {label: Difference(0.5, 0.3, -0.35, -0.1) for label in labels if label not in rows}
    rows["mean"] = Difference(0.5, 0.55, -0.01, 0.1)
    compared = [ComparedRun(name, rows, 1, (0.05, -0.01), seeds or {}) for name in others]
    return Comparison("first", "f1", list(labels), "mean", resamples, compared)


def output(comparison, values=None, notes=(), width=80, resampled="subjects", seeds=(0,)):
    first, other = two_runs(0, labels=len(comparison.labels), seeds=seeds)
    settings = SettingDifferences(values or {}, list(notes))
    for run in (first, other):
        run.summary.update(rows={"mean": ROW}, resampled=resampled)
    console = Console(width=width, file=io.StringIO())
    for part in format_comparison([first, other], comparison, settings, width):
        console.print(part)
    return console.file.getvalue()


def line(text, *words):
    """The first line with all of these words."""
    return next(line for line in text.splitlines() if all(word in line for word in words))


def test_runs_are_shown_in_per_cent_and_differences_with_signs_and_marks():
    text = output(make_comparison())
    assert line(text, "first", "50.0").split() == ["first", "50.0", "40.0", "-", "60.0", "52.0", "70.0", "30.0"]
    assert "optimistic" in text
    assert "activity" not in text
    assert "+12.0 (+5.0 to +20.0) !" in line(text, "AU01")
    assert "0.0 (-10.0 to +10.0)" in line(text, "AU02")
    assert "!" not in line(text, "AU02")
    assert line(text, "other", "of").split() == ["other", "+5.0", "-1.0", "to", "+10.0", "1", "of", "2", "1", "of", "2"]


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_off_or_too_wide(width):
    names = [f"bp4d-without-stage-1-number-{i}" for i in range(5)]
    labels = [f"AU{i:02d}" for i in range(1, 28)]
    text = output(make_comparison(names, labels), {"finetune.optimiser.weight_decay": ["0.05", "0.1"]}, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert text.count("+12.0 (+5.0 to +20.0) !") == 5
    assert "0.05" in line(text, "decay")


def test_long_names_and_paths_are_broken_after_separators_only():
    text = output(
        make_comparison(["results/demo-linear", "elsewhere/results/demo"]), {"finetune.head": ["text", "linear"]}
    )
    words = text.replace("\n", " ").split()
    assert {"results/demo-", "linear", "elsewhere/results/", "demo"} <= set(words)
    assert not any(word.startswith("results/demo-l") for word in words)


def test_limits_of_the_comparison_are_explained():
    text = " ".join(output(make_comparison()).split())
    assert "conditional on the trained models. With one seed, they cannot tell a better method" in text
    assert "not corrected for 2 comparisons" in text
    several = " ".join(output(make_comparison(), seeds=(0, 1)).split())
    assert "within folds and over seeds, paired." in several
    assert "wider than a paired one" in " ".join(output(make_comparison(), resampled="images").split())
    assert "no intervals" in output(make_comparison(resamples=0))
    text = output(make_comparison(labels=("AU02", "AU05")))
    assert "first also has AU01: included in its row above, not compared below" in text


def test_differences_by_seed_are_shown_if_there_are_several():
    assert "other by seed: +1.2 (0), -0.3 (4)" in output(make_comparison(seeds={0: 0.012, 4: -0.0034}))
    assert "by seed" not in output(make_comparison(seeds={0: 0.012}))


def test_settings_that_differ_are_listed():
    assert "no setting differs" in output(make_comparison())
    text = output(make_comparison(), {"finetune.head": ["text", "linear"]}, ["A note."])
    assert line(text, "finetune.head").split() == ["finetune.head", "text", "linear"]
    assert "A note." in text


def test_each_run_and_label_is_one_row_of_the_csv_file_with_four_decimals(tmp_path):
    nan = float("nan")
    rows = {"AU01": Difference(0.5, 0.61234, 0.05, 0.2), "mean": Difference(0.4, 0.39999, nan, nan)}
    others = [ComparedRun(name, rows, 1, (0.05,), {}) for name in ("b", "c")]
    write_differences(tmp_path / "d.csv", Comparison("demo", "f1", ["AU01"], "mean", 10, others))
    assert (tmp_path / "d.csv").read_text().splitlines() == [
        "first,run,label,metric,value_first,value,difference,ci_low,ci_high",
        "demo,b,AU01,f1,0.5000,0.6123,0.1123,0.0500,0.2000",
        "demo,b,mean,f1,0.4000,0.4000,0.0000,,",
        "demo,c,AU01,f1,0.5000,0.6123,0.1123,0.0500,0.2000",
        "demo,c,mean,f1,0.4000,0.4000,0.0000,,",
    ]
