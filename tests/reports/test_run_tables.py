import numpy as np
import pytest

from clef.evaluation.run.fold_metrics import cross_validation
from clef.evaluation.run.rows import row_names
from clef.evaluation.run.spread import spread
from clef.reports import run_tables


def numbers(table):
    """Row name to heading to cell."""
    return {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}


def test_results_are_those_of_the_summary_with_optimistic_columns_named_so(make_run):
    summary = make_run(seeds=2).summary
    table = run_tables.headline_table(summary)
    assert [row[0] for row in table.rows] == ["AU01", "AU06", "AU12", "mean"]
    assert table.totals == 1
    for name, cells in numbers(table).items():
        row = summary["rows"][name]
        for key, heading in {"f1": "F1", **run_tables.HEADLINE}.items():
            assert cells.get(heading, "") == ("" if row[key] is None else f"{100 * row[key]:.1f}"), (name, key)
        assert cells["95 % interval"] == f"{100 * row['ci_low']:.1f} - {100 * row['ci_high']:.1f}"
    assert "F1 tuned" not in table.columns, "the run has no tuned thresholds"
    assert [column for column in table.columns if "field" in column] == [
        "F1 field (optimistic)",
        "F1 field max (optimistic)",
    ]


def test_the_auc_of_descriptions_is_shown_where_it_is_known(make_run):
    summary = make_run().summary
    for row in summary["rows"].values():
        row["auc_description"] = None
    assert "AUC of descriptions" not in run_tables.more_table(summary).columns
    summary["rows"]["mean"]["auc_description"] = 0.625
    assert numbers(run_tables.more_table(summary))["mean"]["AUC of descriptions"] == "62.5"


def test_temperatures_are_shown_if_the_run_tuned_any(make_run):
    run = make_run()
    assert run_tables.tuned_table(run.summary) is None
    values = {"temperature": 1.514, "log_loss": 0.61, "log_loss_tempered": 0.5}
    values |= {"calibration_error": 0.0912, "calibration_error_tempered": None}
    run.summary["tuned"] = [{"seed": 0, "fold": 1, "frames": 9} | values]
    assert run_tables.tuned_table(run.summary).rows == [["0", "1", "1.51", "0.610", "0.500", "9.1", ""]]
    assert "Temperatures chosen on held-out training subjects" in run.write()


def test_the_run_is_ranked_among_published_results_with_their_sources(make_run):
    run = make_run("expressions", published="rafdb")
    assert run_tables.ranking_table(run.summary) is None, "three classes are not the seven of the published results"
    row = run.summary["rows"]["accuracy"]
    run.summary["published"] = [
        {"method": name, "year": year, "protocol": "as printed; may", "source": f"paper {name}", "values": values}
        for name, year, values in (("B", 2021, {"accuracy": 1.0}), ("A", 2023, {"accuracy": 0.0, "fear": 0.5}))
    ]
    table = run_tables.ranking_table(run.summary)
    assert [row[0] for row in table.rows] == ["B", "mine", "mine", "A"]
    assert table.rows[0] == ["B", "2021", "100.0", "as printed", "paper B"]
    assert table.marked == {1, 2}
    each = run_tables.published_table(run.summary)
    assert each.columns == ["method", "fear", "accuracy"], "columns without a published value"
    assert [row[0] for row in each.rows] == ["B (2021)", "A (2023)", "mine (this run, strict)"]
    assert each.rows[1] == ["A (2023)", "50.0", "0.0"]
    assert each.rows[2][-1] == f"{100 * row['f1']:.1f}"


def test_confusion_adds_up_seeds_and_leaves_out_an_empty_last_column(make_run):
    scores = list(make_run("expressions", seeds=2).fold_metrics.values())
    columns, rows = run_tables.confusion_shares(scores)
    added = sum(np.array(metrics["confusion"]) for metrics in scores)
    assert columns == ["happiness", "sadness", "fear", "no face found"]
    for (name, images, shares), counts in zip(rows, added, strict=True):
        assert images == counts.sum()
        assert shares == pytest.approx(counts / counts.sum()), name
    for metrics in scores:
        metrics["confusion"] = [[*row[:3], 0] for row in metrics["confusion"]]
    columns, rows = run_tables.confusion_shares(scores)
    assert columns == ["happiness", "sadness", "fear"]
    assert [len(shares) for _, _, shares in rows] == [3, 3, 3]


def test_what_was_left_out_adds_up_to_all_frames(make_run):
    run = make_run()
    status = numbers(run_tables.status_table(run.summary))
    frames = sum(metrics["frames"] for metrics in run.fold_metrics.values())
    assert sum(int(cells["frames"]) for cells in status.values()) == frames
    assert sum(float(cells["%"]) for cells in status.values()) == pytest.approx(100, abs=0.11)
    for label, cells in numbers(run_tables.labels_table(run.summary)).items():
        assert int(cells["known"]) + int(cells["unknown"]) == frames
        assert int(cells["present"]) == run.summary["rows"][label]["positives"]
    table = run_tables.folds_table(cross_validation(list(run.fold_metrics.values())))
    for row, metrics in zip(table.rows, run.fold_metrics.values(), strict=True):
        lost, choice = metrics["status"]["no_face"], metrics["field_max"]
        assert row[1:5] == [str(metrics["fold"]), str(len(metrics["subjects"])), str(metrics["frames"]), str(lost)]
        assert int(row[5]) == metrics["unknown_frames"]
        assert row[8] == f"{choice['epoch']}, {choice['threshold']:g}"


def test_without_optimistic_choices_the_folds_have_no_columns_for_them(make_run):
    grid = cross_validation([m | {"field": None, "field_max": None} for m in make_run().fold_metrics.values()])
    table = run_tables.folds_table(grid)
    assert table.columns[-1] == "last epoch"
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert table.caption == "Test frames of each fold."


def test_subjects_are_sorted_by_their_mean(make_run):
    run = make_run()
    names = row_names(run.summary)
    found = spread(cross_validation(list(run.fold_metrics.values())), names, pooled=False)
    table = run_tables.subjects_table(found, "subjects")
    assert sorted(row[0] for row in table.rows) == found.unit_names
    means = [float(row[-1]) for row in table.rows]
    assert means == sorted(means)
