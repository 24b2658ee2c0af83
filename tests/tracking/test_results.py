from clef.tracking.results import scores

MEAN = {"f1": 0.5, "ci_low": 0.4, "sd_folds": 0.1, "f1_field": 0.6, "auc": 0.7, "floor": 0.3, "ap": None, "frames": 99}


def test_scores_have_grouped_names_and_the_strict_f1_comes_first():
    found = scores({"AU12": {"f1": 0.75, "auc": 0.8}, "AU04": {"f1": None}, "mean": MEAN})
    assert next(iter(found)) == "test/f1"
    values = {"test/f1": 0.5, "test/f1_ci_low": 0.4, "test/f1_sd_folds": 0.1, "test/f1_field": 0.6, "test/auc": 0.7}
    assert found == values | {"baseline/floor": 0.3, "test/f1_AU12": 0.75}


def test_the_accuracy_of_expressions_is_not_an_f1():
    rows = {"anger": {"f1": 0.2}, "mean": {"f1": 0.3}, "mean_class_accuracy": {"f1": 0.5}, "accuracy": {"f1": 0.4}}
    expected = {"test/f1": 0.3, "test/f1_anger": 0.2, "test/mean_class_accuracy": 0.5, "test/accuracy": 0.4}
    assert scores(rows) == expected
