from pathlib import Path

import pytest
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, _validate_param_name, _validate_tag

from clef.runs.load import load_params
from clef.tracking.units import compared, parent_key, parent_unit, training_unit
from tests.toy import toy_params

PARAMS = Path(__file__).parents[2] / "params"
SIDECAR = {"stage": "finetune", "seed": 1, "fold": 2, "steps": 9, "manifest": "m" * 64, "package": "p", "stage1": "s"}


def differing(*runs: str) -> list[str]:
    """Parameters that MLflow's comparison of runs calls different, in its order."""
    values = [compared(load_params(PARAMS / f"{run}.yaml")) for run in runs]
    names = sorted(set().union(*values))
    return [name for name in names if len({value.get(name) for value in values}) > 1]


def test_what_first_differs_between_variants_of_the_demo_says_why_they_differ():
    assert differing("demo", "demo-linear") == ["finetune.head", "pretrain"]
    assert differing("demo", "demo-no-pretrain", "demo-linear")[:3] == ["finetune.head", "pretrain", "pretrain.epochs"]
    values = {run: compared(load_params(PARAMS / f"{run}.yaml")) for run in ("demo", "demo-no-pretrain", "demo-linear")}
    assert [value["pretrain"] for value in values.values()] == ["own", "none", "demo"]
    assert [value["pretrain.epochs"] for value in values.values()] == ["2", "0", "2"]


def test_data_sets_that_take_part_in_stage_1_are_compared_where_there_are_any():
    params = load_params(PARAMS / "demo.yaml")
    assert "pretrain.also" not in compared(params)
    pretrain = params.pretrain.model_copy(update={"also": ["bp4d"]})
    assert compared(params.model_copy(update={"pretrain": pretrain}))["pretrain.also"] == "bp4d"


def test_only_what_the_trainings_depend_on_makes_another_run():
    key = parent_key(toy_params(), "toy", "m")
    for same in (
        toy_params(seeds=[0, 1]),
        toy_params(evaluate={"threshold": 0.4}),
        toy_params(tracking={"mlflow": True}),
        toy_params(finetune={"workers": 2}),
    ):
        assert parent_key(same, "toy", "m") == key
    assert parent_key(toy_params(finetune={"epochs": 4}), "toy", "m") != key
    assert parent_key(toy_params(pretrain=None), "toy", "m") != key
    assert parent_key(toy_params(), "other", "m") != key
    assert parent_key(toy_params(), "toy", "n") != key


def test_a_training_belongs_to_the_run_and_can_be_found_by_its_tags():
    params = toy_params()
    sidecar = SIDECAR | {"finetune": params.tracked("finetune")}
    unit = training_unit(params, "toy", "inner", "k", sidecar, {"host": "h"})
    assert unit.name == "toy seed 1 fold 2 inner"
    assert unit.params["finetune.optimiser.lr_image"] == "0.002"
    tags = unit.tags
    assert (tags["run"], tags["stage"], tags["seed"], tags["fold"], tags["host"]) == ("toy", "inner", "1", "2", "h")
    assert tags["clef.parent"] == parent_unit(params, "toy", SIDECAR["manifest"], {}).key


@pytest.mark.parametrize("path", sorted(PARAMS.glob("*.yaml")), ids=lambda path: path.stem)
def test_mlflow_takes_every_parameter_and_tag(path):
    params = load_params(path)
    sections = {name: params.tracked(name) for name in ("labels", "texts", "pretrain", "finetune", "model")}
    for unit in (
        parent_unit(params, path.stem, "m", {}),
        training_unit(params, path.stem, "finetune", "k", SIDECAR | sections, {}),
    ):
        for name, value in unit.params.items():
            _validate_param_name(name)
            assert 0 < len(value) < 200 < MAX_PARAM_VAL_LENGTH, name
        for name, value in unit.tags.items():
            _validate_tag(name, value)
