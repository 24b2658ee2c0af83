import pandas as pd
import pytest

from clef.comparison.differences import AgainstFirst, Comparison, Difference
from clef.comparison.table import COLUMNS, write_differences

NAN = float("nan")


def test_a_row_a_run_and_label(tmp_path):
    rows = {"AU01": Difference(0.5, 0.61234, 0.05, 0.2), "mean": Difference(0.4, 0.39999, NAN, NAN)}
    comparison = Comparison(
        "demo", "f1", ["AU01"], "mean", 3, "subjects", 10, {}, [AgainstFirst(name, rows, 1, 1) for name in ("b", "c")]
    )
    write_differences(tmp_path / "d.csv", comparison)
    table = pd.read_csv(tmp_path / "d.csv")
    assert table.columns.tolist() == COLUMNS
    assert table["run"].tolist() == ["b", "b", "c", "c"]
    assert table.loc[0, ["value_first", "value", "difference", "ci_low"]].tolist() == [0.5, 0.6123, 0.1123, 0.05]
    assert table.loc[1, ["ci_low", "ci_high"]].isna().all()
    assert (tmp_path / "d.csv").read_text().splitlines()[2] == "demo,b,mean,f1,0.4000,0.4000,0.0000,,"
    assert table.loc[1, "difference"] == pytest.approx(0)
