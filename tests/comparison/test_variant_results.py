import io

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from rich.console import Console

from clef.comparison.differences import compare
from clef.comparison.finished_run import FinishedRun
from clef.comparison.variant_results import as_table, format_results, variant_results
from clef.errors import ClefError
from clef.evaluation.run.fold_metrics import cross_validation
from clef.evaluation.run.summary import summarize
from clef.runs.variants import TableRow, VariantTable, tables
from tests.evaluation.conftest import FOLDS, action_unit_tables, expression_tables

TABLE = VariantTable(
    rows=[
        TableRow("full", "PA PI I N D", {"demo": 65.9}),
        TableRow("linear", against="unit"),
        TableRow("unit"),
        TableRow("clip-i", published={"rafdb": 80.0}),
    ],
    settings=["labels10"],
    probe=True,
)
NO_WEIGHTS = "run@clip-i: needs weights: run trains from scratch"


def metrics_of(run: str) -> list[dict]:
    """Every run has its own predictions for the same labels."""
    return [
        action_unit_tables(sum(map(ord, run)), *subjects).score() | {"seed": 0, "fold": fold}
        for fold, subjects in enumerate(FOLDS)
    ]


def probes_of(run: str) -> list[dict]:
    score = len(run) / 100
    weights = {"before training": 0.9, "after stage 1": score, "after stage 2": 2 * score, "chance": 0.1}
    rows = [{"weights": name, "identity": value, "activity": value / 2} for name, value in weights.items()]
    return [{"rows": rows}, {"rows": [{**row, "identity": row["identity"] + 0.1} for row in rows]}]


def read(run: str):
    return NO_WEIGHTS if "clip" in run else (metrics_of(run), probes_of(run))


def test_each_row_is_compared_with_the_first_under_the_same_setting():
    results = variant_results(["run"], TABLE, read, "demo", resamples=50)
    for setting, suffix in {None: "", "labels10": "@labels10"}.items():
        finished, names = [], [f"run{row}{suffix}" for row in ("", "@linear", "@unit")]
        for name in names:
            _, summary = summarize(metrics_of(name), name, 50)
            finished.append(FinishedRun(name, None, summary, cross_validation(metrics_of(name))))
            row, result = summary["rows"]["mean"], results[names.index(name)].cells[setting]
            assert (result.f1, result.low, result.high) == (row["f1"], row["ci_low"], row["ci_high"])
            assert result.within_activity == row["f1_within_activity"]
        full, linear, unit = finished
        cells = [result.cells[setting] for result in results[:3]]
        from_full, from_unit = (compare([other, linear], resamples=50).others[0] for other in (full, unit))
        assert (cells[1].difference, cells[1].folds) == (from_full.rows["mean"], from_full.folds)
        assert (cells[1].against, cells[1].against_folds) == (from_unit.rows["mean"], from_unit.folds)
        assert cells[2].difference == compare([full, unit], resamples=50).others[0].rows["mean"]
        assert (cells[0].difference, cells[0].against, cells[2].against) == (None, None, None)
    assert results[3].cells == {}
    assert results[3].notes == {None: NO_WEIGHTS, "labels10": NO_WEIGHTS}
    assert [result.published for result in results] == [0.659, None, None, None]
    unpublished = variant_results(["run"], TABLE, read, None, resamples=0)
    assert [result.published for result in unpublished] == [None] * 4


def test_the_table_has_a_column_per_setting_and_empty_cells_without_scores():
    results = variant_results(["run"], TABLE, read, "demo", resamples=0)
    table = pd.read_csv(io.StringIO(as_table(results, TABLE.settings).to_csv(index=False)))
    assert table.loc[1, ["identity_stage1", "activity_stage1"]].tolist() == pytest.approx([0.15, 0.05])
    assert table.loc[1, ["identity_stage2", "activity_stage2"]].tolist() == pytest.approx([0.25, 0.1])
    assert table["identity_stage1"].notna().tolist() == [True, True, True, False]
    assert "auc_stage1" not in table  # the probes have none
    assert list(table["row"]) == ["full", "linear", "unit", "clip-i"]
    assert table["f1"].notna().tolist() == table["f1_labels10"].notna().tolist() == [True, True, True, False]
    assert table["difference"].notna().tolist() == [False, True, True, False]
    assert table["difference_low"].isna().all()  # without resamples
    assert table["note"].fillna("").tolist() == table["note_labels10"].fillna("").tolist() == ["", "", "", NO_WEIGHTS]
    assert table["against"].fillna("").tolist() == ["", "unit", "", ""]
    means = [[fold["rows"]["mean"]["f1"] for fold in metrics_of(run)] for run in ("run", "run@linear", "run@unit")]
    for base, prefix in ((0, ""), (2, "against_")):
        differences = np.subtract(means[1], means[base])
        assert table.loc[1, f"{prefix}folds_ahead"] == (differences > 0).sum()
        ends = scipy.stats.t.interval(0.95, len(differences) - 1, differences.mean(), scipy.stats.sem(differences))
        assert table.loc[1, [f"{prefix}folds_low", f"{prefix}folds_high"]].tolist() == pytest.approx(ends, abs=1e-5)
    assert table.loc[0, ["folds_ahead", "folds_low", "folds_high"]].isna().all()
    f1 = table["f1_labels10"]
    assert table.loc[1, "difference_labels10"] == pytest.approx(f1[1] - f1[0], abs=1e-3)
    assert table.loc[1, "against_difference_labels10"] == pytest.approx(f1[1] - f1[2], abs=1e-3)
    assert table["against_difference"].notna().tolist() == [False, True, False, False]
    console = Console(file=io.StringIO(), width=80)
    for part in format_results(results, TABLE.settings):
        console.print(part)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert lines.count(["clip-i", "needs", "weights"]) == 2
    assert any(line[-5:] == ["tenth", "of", "the", "labelled", "frames"] for line in lines)
    assert ["linear", "15.0", "5.0", "25.0", "10.0"] in lines
    first = next(line for line in lines if line[:1] == ["PA"])
    assert (first[5], first[-1]) == (f"{100 * table['f1'][0]:.1f}", "65.9")
    minus = next(line for line in lines if line[:2] == ["minus", "unit"])
    assert float(minus[2]) == pytest.approx(100 * table.loc[1, "against_difference"], abs=0.051)


@pytest.mark.parametrize("name", tables())
def test_every_table_fits_into_80_columns_without_cut_names(name):
    results = variant_results(["run"], tables()[name], read, "bp4d", resamples=20)
    console = Console(file=io.StringIO(), width=80)
    for part in format_results(results, tables()[name].settings):
        console.print(part)
    text = console.file.getvalue()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    for result in results:
        assert f"\n{result.row.parts or result.row.row} " in text
    assert "against" not in as_table(results, []) or name in ("controls", "heads")


def test_notes_belong_to_their_setting():
    def missing(run: str):
        return {"run@labels10": "not trained yet: a", "run@linear": "not trained yet: b"}.get(run) or read(run)

    results = variant_results(["run"], TABLE, missing, None, resamples=0)
    table = as_table(results, TABLE.settings)
    assert table["note"].tolist() == ["", "not trained yet: b", "", NO_WEIGHTS]
    assert table["note_labels10"].tolist() == ["not trained yet: a", "", "", NO_WEIGHTS]
    assert table["f1_labels10"].notna().tolist() == [False, True, True, False]
    assert table["difference_labels10"].isna().all()  # nothing to compare with
    assert table["against_difference_labels10"].notna().tolist() == [False, True, False, False]


def test_probes_count_only_if_every_run_has_them():
    def probed(run: str):
        return metrics_of(run), probes_of(run) if run.startswith("one") else []

    rows = VariantTable(TABLE.rows[:2], [], probe=True)
    assert not any(result.probe for result in variant_results(["one", "two"], rows, probed, None, resamples=0))
    assert all(result.probe for result in variant_results(["one"], rows, probed, None, resamples=0))


def test_several_runs_are_one_cross_validation_with_all_of_their_folds():
    results = variant_results(["one", "two"], TABLE, read, "demo", resamples=100)
    for position, suffix in enumerate(("", "@linear")):
        means = [summarize(metrics_of(run + suffix), run, 0)[1]["rows"]["mean"]["f1"] for run in ("one", "two")]
        assert results[position].cells[None].f1 == pytest.approx(np.mean(means), abs=1e-4)
    difference = results[1].cells[None].difference
    alone = [variant_results([run], TABLE, read, "demo", 100)[1].cells[None].difference for run in ("one", "two")]
    assert difference.difference == pytest.approx(np.mean([each.difference for each in alone]), abs=1e-9)
    assert difference.high - difference.low < max(each.high - each.low for each in alone)


def test_expressions_are_judged_by_accuracy():
    def of_expressions(run: str):
        return [expression_tables(sum(map(ord, run))).score() | {"seed": 0, "fold": 0}], []

    rows = VariantTable(TABLE.rows[:2], [])
    result = variant_results(["run"], rows, of_expressions, "rafdb", resamples=0)[1]
    summary = summarize(of_expressions("run@linear")[0], "run", 0)[1]
    assert result.cells[None].f1 == summary["rows"]["accuracy"]["f1"]


def test_variants_tested_on_other_frames_are_refused():
    def fewer(run: str):
        return metrics_of(run)[: 1 if "linear" in run else 2], []

    with pytest.raises(ClefError, match="folds 0, 1 against folds 0"):
        variant_results(["run"], TABLE, fewer, "demo", resamples=0)


def test_without_the_first_row_a_setting_has_no_results():
    results = variant_results(["run"], TABLE, lambda run: NO_WEIGHTS, "demo", resamples=0)
    assert all(not result.cells and result.notes[None] == NO_WEIGHTS for result in results)
