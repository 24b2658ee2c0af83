import json

import pandas as pd
import pytest
import yaml

from clef.cli.variants import published_dataset
from clef.runs.load import load_params
from clef.runs.variants import tables
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
    runs = {
        "small": RUN,
        "other": RUN | {"dataset": {"adapter": "demo", "name": "other"}, "render": {"subjects": 5, "seed": 1}},
        "renamed": RUN | {"dataset": {"adapter": "demo", "name": "renamed"}},
        "longer": RUN
        | {"dataset": {"adapter": "demo", "name": "longer"}, "render": {"seed": 2}, "finetune": {"epochs": 9}},
        "linear": RUN | {"finetune": {"head": "linear"}},
    }
    for name, values in runs.items():
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
    assert table["published"].isna().all()


def test_runs_over_other_data_count_as_one(clef_here, finish, folder):
    for run in ("small", "other"):
        finish(run)
    done = clef_here("variants", "core", "small", "other", "--out", "results/both.csv", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert pd.read_csv(folder / "results/both.csv")["f1"].notna().tolist() == [True, False, False, False]


def test_probes_are_shown_if_every_seed_and_fold_has_one(clef_here, finish, folder):
    results = finish("small")
    for fold, shown in ((0, False), (1, True)):
        rows = [{"weights": "after stage 1", "identity": 0.5, "activity": 0.25, "auc": 0.75}]
        (results / f"seed0/fold{fold}/probe.json").write_text(json.dumps({"rows": rows}))
        clef_here("variants", "core", "small", "--out", "core.csv", folder=folder)
        assert ("identity_stage1" in pd.read_csv(folder / "core.csv")) == shown


@pytest.mark.parametrize(
    ("changes", "published"),
    [
        ({}, "bp4d"),
        ({"labels": {"action_units": [1, 6, 12]}}, None),
        ({"folds": {"protocol": "subjects", "number": 3}}, None),
        ({"evaluate": {"stride": 5}}, None),
        ({"labels": {"zero_shot": ["happiness", "fear"]}, "test": {"run": "rafdb"}}, None),
    ],
)
def test_published_results_are_shown_beside_their_labels_and_folds_only(tmp_path, changes, published):
    values = {"dataset": {"adapter": "bp4d"}, "folds": {"protocol": "standard"}} | changes
    path = tmp_path / "bp4d.yaml"
    path.write_text(yaml.safe_dump(values))
    assert published_dataset(load_params(path)) == published


def test_the_help_names_every_table(clef_here, tmp_path):
    text = clef_here("variants", "--help", folder=tmp_path).stdout
    assert all(name in text for name in tables())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ablations", "small"], "variants: no table ablations; did you mean ablation?"),
        (["core", "smal"], "no run smal; did you mean small?"),
        (["core", "linear"], "linear: finetune.head is linear, and a table of variants is made of a run with the full"),
        (["core", "small", "renamed"], "renamed: has the same subjects as small, which would count twice"),
        (
            ["core", "small", "longer"],
            "longer: finetune differs from that of small; expected runs that differ in their",
        ),
    ],
)
def test_mistakes_are_one_line(clef_here, folder, arguments, message):
    done = clef_here("variants", *arguments, "--out", "out.csv", folder=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "out.csv").exists()
