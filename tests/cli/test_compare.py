import pandas as pd
import pytest

from tests.comparison.conftest import edit, finish

__all__ = ["finish"]


def test_runs_are_compared_and_the_differences_written(clef_here, finish, tmp_path):
    finish("first", seeds=(0, 1))
    finish("other", seeds=(0, 1), skip=2)
    command = ("compare", "first", "other", "--resamples", "100", "--html", "out/page.html", "--csv")
    done = clef_here(*command, "out/differences.csv", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "other compared with first" in (tmp_path / "out" / "page.html").read_text()
    table = pd.read_csv(tmp_path / "out" / "differences.csv").set_index("label")
    assert table.index.tolist() == ["AU01", "AU06", "AU12", "mean"]
    for label, row in table.iterrows():
        assert row["difference"] == pytest.approx(row["value"] - row["value_first"], abs=1.1e-4)
        points = f"{100 * row['difference']:+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0")
        assert any(label in line and points in line for line in done.stdout.splitlines()), label
    assert clef_here(*command, "again.csv", folder=tmp_path).stdout == done.stdout
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out" / "differences.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["first"], "compare: first: expected the names of two or more different runs"),
        (["first", "first"], "expected the names of two or more different runs"),
        (["first", "nowhere"], "results/nowhere/summary.json: no such file; finish the run"),
        (["first", "other"], "first and other cannot be compared: data set bp4d against data set disfa"),
        (["first", "third", "--metric", "auc"], "--metric: auc has no interval"),
    ],
)
def test_runs_that_cannot_be_compared_are_one_error_line(clef_here, finish, tmp_path, arguments, message):
    finish("first")
    finish("third")
    edit(finish("other") / "summary.json", lambda summary: summary.update(dataset="disfa"))
    done = clef_here("compare", *arguments, "--csv", "out.csv", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("clef: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()
