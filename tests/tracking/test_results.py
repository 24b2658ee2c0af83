import json

from clef.runtime.files import file_hash
from clef.tracking.record import RUN_RECORD, Process, Record, Unit
from clef.tracking.results import fold_table, own_results, scores

MEAN = {"f1": 0.5, "ci_low": 0.4, "sd_folds": 0.1, "f1_field": 0.6, "auc": 0.7, "floor": 0.3, "ap": None, "frames": 99}
ROWS = {"AU12": {"f1": 0.75, "auc": 0.8}, "AU04": {"f1": None}, "mean": MEAN}


def test_scores_have_names_that_group_and_the_strict_f1_comes_first():
    found = scores(ROWS)
    assert next(iter(found)) == "test/f1"
    assert found == {
        "test/f1": 0.5,
        "test/f1_ci_low": 0.4,
        "test/f1_sd_folds": 0.1,
        "test/f1_field": 0.6,
        "test/auc": 0.7,
        "baseline/floor": 0.3,
        "test/f1_AU12": 0.75,
    }


def test_the_accuracy_of_expressions_is_no_f1():
    found = scores({"anger": {"f1": 0.2}, "mean": {"f1": 0.3}, "accuracy": {"f1": 0.4}})
    assert found == {"test/f1": 0.3, "test/f1_anger": 0.2, "test/accuracy": 0.4}


def test_a_file_that_is_not_the_one_the_record_names_is_no_result_of_it(tmp_path):
    summary, other = tmp_path / "summary.json", tmp_path / "plots" / "f1.svg"
    other.parent.mkdir()
    for path in (summary, other):
        path.write_text(path.name)
    unit = Unit("e", "n", "k", "c", {}, {})
    results = {"summary.json": file_hash(summary), "plots/f1.svg": file_hash(other), "gone.csv": "0"}
    record = Record(unit, None, None, Process.own(), 1.0, results=results)
    assert set(own_results(tmp_path / RUN_RECORD, record)) == {"summary.json", "plots/f1.svg"}
    summary.write_text("made again")
    assert set(own_results(tmp_path / RUN_RECORD, record)) == {"plots/f1.svg"}


def test_the_table_of_folds_has_a_row_for_each_seed_and_fold(tmp_path):
    for seed in (0, 1):
        for fold in (0, 1):
            path = tmp_path / f"seed{seed}" / f"fold{fold}" / "metrics.json"
            path.parent.mkdir(parents=True)
            rows = {"mean": {"f1": seed + fold / 10}}
            path.write_text(json.dumps({"seed": seed, "fold": fold, "frames": 5, "subjects": ["a", "b"], "rows": rows}))
    table = fold_table(tmp_path)
    assert table[["seed", "fold", "f1"]].to_numpy().tolist() == [[0, 0, 0], [0, 1, 0.1], [1, 0, 1], [1, 1, 1.1]]
    assert set(table["subjects"]) == {"a b"}
