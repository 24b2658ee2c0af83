"""The modules that make a metrics.json stale, against those that the evaluation imports."""

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import ROOT

DECIDES_NO_VALUE = {
    "clef/runtime/gpus.py": "which GPU",
    "clef/datasets/base.py": "what an adapter is; what one reads comes by way of the manifest, an input",
    "clef/errors.py": "words",
    "clef/runtime/files.py": "how files appear",
    "clef/model/losses.py": "of training",
    "clef/manifest/table.py": "of the manifest, an input",
    "clef/params/schema.py": "its values are params of the rule",
    "clef/weights/open_clip.py": "where training starts",
    "clef/runtime/progress.py": "words",
    "clef/batches/randomness.py": "nothing is drawn here",
    "clef/params/suggestion.py": "words",
    "clef/params/strict_yaml.py": "how the texts file is read; its texts are params of stage 2",
    "clef/training/checkpoint.py": "reads weights, an input, or refuses them",
}


def listed() -> dict[str, Any]:
    """What the rule file says before its first rule."""
    text = (ROOT / "workflow/rules/evaluate.smk").read_text(encoding="utf-8")
    names: dict[str, Any] = {"Path": Path}
    exec(text.partition("\nrule ")[0], names)
    return names


def imported(path: str) -> set[str]:
    """Modules of the package that a module imports."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "clef":
            base = node.module.replace(".", "/")
            found |= {f"{base}/{alias.name}.py" for alias in node.names} | {f"{base}.py"}
    return {path for path in found if (ROOT / path).is_file()}


def reached(path: str, excused: set[str]) -> set[str]:
    """All that a module imports, and what that imports, but for what is excused."""
    found: set[str] = set()
    ahead = {path}
    while ahead:
        found |= ahead
        ahead = {name for at in ahead for name in imported(at)} - found - excused
    return found


@pytest.fixture
def evaluation_code(monkeypatch) -> list[str]:
    monkeypatch.chdir(ROOT)
    return listed()["EVALUATION_CODE"]


def test_whatever_decides_a_metric_makes_it_stale(evaluation_code):
    needed = reached("clef/evaluation/fold/evaluate_fold.py", {*DECIDES_NO_VALUE})
    assert {
        "clef/datasets/votes.py",
        "clef/manifest/folds.py",
        "clef/model/texts.py",
        "clef/training/inputs.py",
    } <= needed
    assert needed <= {*evaluation_code}


def test_a_module_is_excused_by_itself_and_only_where_the_evaluation_imports_it():
    """A folder would excuse what is put into it later."""
    needed = reached("clef/evaluation/fold/evaluate_fold.py", {*DECIDES_NO_VALUE})
    assert {*DECIDES_NO_VALUE} == {name for path in needed for name in imported(path)} - needed


def test_every_module_of_the_list_is_there(evaluation_code):
    assert all(Path(path).is_file() for path in evaluation_code)
