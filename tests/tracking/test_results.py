from clef.runtime.files import file_hash
from clef.tracking.record import RUN_RECORD, Record, RunDescription
from clef.tracking.results import current_results, scores

MEAN = {"f1": 0.5, "ci_low": 0.4, "sd_folds": 0.1, "f1_field": 0.6, "auc": 0.7, "floor": 0.3, "ap": None, "frames": 99}


def test_scores_have_grouped_names_and_the_strict_f1_comes_first():
    found = scores({"AU12": {"f1": 0.75, "auc": 0.8}, "AU04": {"f1": None}, "mean": MEAN})
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


def test_the_accuracy_of_expressions_is_not_an_f1():
    found = scores({"anger": {"f1": 0.2}, "mean": {"f1": 0.3}, "accuracy": {"f1": 0.4}})
    assert found == {"test/f1": 0.3, "test/f1_anger": 0.2, "test/accuracy": 0.4}


def test_a_result_file_with_another_hash_than_recorded_is_ignored(tmp_path):
    summary, plot = tmp_path / "summary.json", tmp_path / "plots" / "f1.svg"
    plot.parent.mkdir()
    for path in (summary, plot):
        path.write_text(path.name)
    results = {"summary.json": file_hash(summary), "plots/f1.svg": file_hash(plot), "missing.csv": "0"}
    record = Record(RunDescription("e", "n", "k", "c", {}, {}), None, "m", "h", 1.0, 1.0, results=results)
    assert set(current_results(tmp_path / RUN_RECORD, record)) == {"summary.json", "plots/f1.svg"}
    summary.write_text("new summary")
    assert set(current_results(tmp_path / RUN_RECORD, record)) == {"plots/f1.svg"}
