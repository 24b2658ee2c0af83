import pandas as pd
import pytest
import yaml

from tests.comparison.conftest import finish

__all__ = ["finish"]

RUN = {
    "dataset": {"adapter": "demo"},
    "render": {"subjects": 5},
    "seeds": [0],
    "labels": {"action_units": [1, 6, 12]},
    "folds": {"number": 2},
    "evaluate": {"bootstrap": 20},
}


@pytest.fixture
def folder(tmp_path):
    for name, values in {"small": RUN, "fewer": RUN | {"labels": {"action_units": [1, 6]}}}.items():
        path = tmp_path / "params" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(values))
    return tmp_path


def test_rows_without_results_say_why(clef_here, finish, folder):
    finish("small")
    finish("small@linear", skip=2)
    done = clef_here("variants", "ablation", "small", "--out", "results/small/ablation.csv", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    table = pd.read_csv(folder / "results/small/ablation.csv").set_index("row")
    assert len(table) == 13
    assert table["f1"].notna().sum() == 2
    assert "needs weights" in table.loc["clip-i", "note"]
    assert table.loc["pi-in", "note"] == "not trained yet: results/small@pi-in/seed0/fold0/metrics.json is missing"
    assert (folder / "results/small/plots/ablation.svg").exists()
    assert "needs weights" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ablations", "small"], "variants: no table ablations; expected ablation or core or controls"),
        (["core", "smal"], "no run smal; did you mean small?"),
        (
            ["core", "small", "fewer"],
            "small fewer: have different labels; expected runs that differ in their data",
        ),
    ],
)
def test_mistakes_are_one_line(clef_here, folder, arguments, message):
    done = clef_here("variants", *arguments, "--out", "out.csv", folder=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "out.csv").exists()
