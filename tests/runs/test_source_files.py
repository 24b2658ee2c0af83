import ast
import subprocess
import sys

import pytest

from clef.runs.source_files import CHECKOUT, source_files


@pytest.fixture(autouse=True)
def in_checkout(monkeypatch):
    monkeypatch.chdir(CHECKOUT)


def test_every_module_that_the_evaluation_imports_is_found():
    found = source_files("clef.evaluation.fold.evaluate_fold")
    assert {"clef/manifest/select.py", "clef/training/sidecar.py", "clef/errors.py"} <= {*found}
    for path in found:
        for node in ast.walk(ast.parse((CHECKOUT / path).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clef."):
                base = node.module.replace(".", "/")
                assert f"{base}.py" in found or (CHECKOUT / base).is_dir()


def test_imports_are_followed_into_some_packages_only():
    found = source_files("clef.datasets.bp4d", within=("clef.datasets",))
    assert "clef/datasets/bp4d_family.py" in found
    assert all(path.startswith("clef/datasets/") for path in found)


def test_paths_are_absolute_outside_the_checkout(tmp_path, monkeypatch):
    within = source_files("clef.datasets.bp4d")
    monkeypatch.chdir(tmp_path)
    assert source_files("clef.datasets.bp4d") == [str(CHECKOUT / path) for path in within]


def test_the_evaluation_starts_without_torch():
    code = "import sys, clef.evaluation.fold.evaluate_fold as _; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"torch", "open_clip", "mlflow"} & set(ran.stdout.split())
