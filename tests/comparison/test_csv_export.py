from clef.comparison.csv_export import write_differences
from clef.comparison.differences import ComparedRun, Comparison, Difference

NAN = float("nan")


def test_each_run_and_label_is_one_row_with_four_decimals(tmp_path):
    rows = {"AU01": Difference(0.5, 0.61234, 0.05, 0.2), "mean": Difference(0.4, 0.39999, NAN, NAN)}
    others = [ComparedRun(name, rows, 1, 1) for name in ("b", "c")]
    write_differences(tmp_path / "d.csv", Comparison("demo", "f1", ["AU01"], "mean", 10, others))
    assert (tmp_path / "d.csv").read_text().splitlines() == [
        "first,run,label,metric,value_first,value,difference,ci_low,ci_high",
        "demo,b,AU01,f1,0.5000,0.6123,0.1123,0.0500,0.2000",
        "demo,b,mean,f1,0.4000,0.4000,0.0000,,",
        "demo,c,AU01,f1,0.5000,0.6123,0.1123,0.0500,0.2000",
        "demo,c,mean,f1,0.4000,0.4000,0.0000,,",
    ]
