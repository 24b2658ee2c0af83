from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils import validation

from clef.runs.load import load_params
from clef.tracking.run_description import as_text, comparison_params, parent_key, parent_run, training_run
from tests.toy import toy_params

PARAMS = Path(__file__).parents[2] / "params"
SIDECAR = {"stage": "finetune", "seed": 1, "fold": 2, "steps": 9, "manifest": "m" * 64, "package": "p", "stage1": "s"}


def test_the_first_differences_between_the_demo_runs_explain_them():
    runs = ("demo", "demo-no-pretrain", "demo-linear")
    values = {run: comparison_params(load_params(PARAMS / f"{run}.yaml")) for run in runs}

    def differences(*runs: str) -> list[str]:
        """Parameters that differ, in the order in which MLflow's comparison shows them."""
        names = sorted(set().union(*(values[run] for run in runs)))
        return [name for name in names if len({values[run].get(name) for run in runs}) > 1]

    assert differences("demo", "demo-linear") == ["finetune.head", "pretrain"]
    assert differences(*values)[:3] == ["finetune.head", "pretrain", "pretrain.epochs"]
    assert [value["pretrain"] for value in values.values()] == ["own", "none", "demo"]
    assert [value["pretrain.epochs"] for value in values.values()] == ["1", "0", "1"]


def test_other_data_sets_in_stage_1_are_compared_only_if_there_are_any():
    params = load_params(PARAMS / "demo.yaml")
    assert "pretrain.also" not in comparison_params(params)
    pretrain = params.pretrain.model_copy(update={"also": ["bp4d"]})
    assert comparison_params(params.model_copy(update={"pretrain": pretrain}))["pretrain.also"] == "bp4d"


def test_only_what_changes_the_trainings_makes_another_run():
    key = parent_key(toy_params(), "toy", "m")
    for same in ({"seeds": [0, 1]}, {"evaluate": {"threshold": 0.4}}, {"finetune": {"workers": 2}}):
        assert parent_key(toy_params(**same), "toy", "m") == key
    assert parent_key(toy_params(finetune={"epochs": 4}), "toy", "m") != key
    assert parent_key(toy_params(pretrain=None), "toy", "m") != key
    assert parent_key(toy_params(), "other", "m") != key
    assert parent_key(toy_params(), "toy", "n") != key


def test_a_training_has_the_tags_to_find_it_and_its_run():
    params = toy_params()
    run = training_run(params, "toy", "inner", "k", SIDECAR | {"finetune": params.tracked("finetune")}, {"host": "h"})
    assert (run.name, run.params["finetune.optimiser.lr_image"]) == ("toy seed 1 fold 2 inner", "0.002")
    expected = {"run": "toy", "stage": "inner", "seed": "1", "fold": "2", "host": "h", "stage1": "s", "package": "p"}
    assert expected.items() <= run.tags.items()
    assert run.tags["clef.parent"] == parent_run(params, "toy", SIDECAR["manifest"], {}).key


@pytest.mark.parametrize("path", sorted(PARAMS.glob("*.yaml")), ids=lambda path: path.stem)
def test_mlflow_accepts_every_parameter_and_tag_in_one_call(path):
    params = load_params(path)
    sections = {name: params.tracked(name) for name in ("labels", "texts", "pretrain", "finetune", "model")}
    training = training_run(params, path.stem, "finetune", "k", SIDECAR | sections, {})
    for run in (parent_run(params, path.stem, "m", {}), training):
        assert max(len(run.params), len(run.tags)) < validation.MAX_PARAMS_TAGS_PER_BATCH
        for name, value in run.params.items():
            validation._validate_param_name(name)
            assert 0 < len(value) < 200 < validation.MAX_PARAM_VAL_LENGTH, name
        for name, value in run.tags.items():
            validation._validate_tag(name, value)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6))
def test_a_number_keeps_its_value_as_text(value):
    assert abs(float(as_text(value)) - value) <= 1e-11 * max(1, abs(value))
