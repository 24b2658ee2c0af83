import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.comparison.conftest import action_unit_tables, edit, expression_tables, finish

__all__ = ["action_unit_tables", "expression_tables", "finish"]

ROOT = Path(__file__).parents[2]


def compare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clef", "compare", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "COLUMNS": "80"},
    )


def test_runs_are_shown_and_the_differences_written(finish, tmp_path):
    finish("first", seeds=(0, 1))
    finish("other", seeds=(0, 1), skip=2)
    ran = compare(tmp_path, "first", "other", "--csv", "out/differences.csv", "--resamples", "100")
    assert ran.returncode == 0, ran.stderr
    table = pd.read_csv(tmp_path / "out" / "differences.csv").set_index("label")
    assert table.index.tolist() == ["AU01", "AU06", "AU12", "mean"]
    for label, row in table.iterrows():
        assert row["difference"] == pytest.approx(row["value"] - row["value_first"], abs=1.1e-4)
        points = f"{100 * row['difference']:+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0")
        assert any(label in line and points in line for line in ran.stdout.splitlines()), label
    assert "bp4d, 2 folds" in ran.stdout
    again = compare(tmp_path, "first", "other", "--csv", "again.csv", "--resamples", "100")
    assert again.stdout == ran.stdout
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out" / "differences.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["first"], "compare: first: expected the names of two or more different runs"),
        (["first", "first"], "expected the names of two or more different runs"),
        (["first", "nowhere"], "results/nowhere/summary.json: no such file; finish the run"),
        (["first", "other"], "first and other cannot be compared: data set bp4d against disfa"),
        (["first", "third", "--metric", "auc"], "--metric: auc does not follow from the counts per subject"),
    ],
)
def test_what_cannot_be_compared_is_one_line(finish, tmp_path, arguments, message):
    finish("first")
    finish("third")
    edit(finish("other") / "summary.json", lambda summary: summary.update(dataset="disfa"))
    ran = compare(tmp_path, *arguments, "--csv", "out.csv")
    assert ran.returncode == 1
    assert ran.stderr.startswith("clef: error: ")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""
    assert not (tmp_path / "out.csv").exists()


def test_nothing_heavy_is_imported_to_compare(finish, tmp_path):
    finish("first")
    finish("other", skip=1)
    code = (
        "import sys; sys.argv = ['clef', 'compare', 'first', 'other', '--resamples', '10']\nfrom clef.cli import main\n"
    )
    code += "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
    code += "assert not {'torch', 'open_clip', 'cv2', 'mlflow', 'matplotlib'} & set(sys.modules)"
    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}
    )
