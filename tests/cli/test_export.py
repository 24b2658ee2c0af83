import shutil

import pytest

from clef.trained.config import TrainedConfig
from tests.tracking.conftest import empty_store
from tests.trained.conftest import toy_run

__all__ = ["empty_store", "toy_run"]


@pytest.fixture
def folder(toy_run, tmp_path):
    """A folder with the results of a finished run, and params of it and of one that was never trained."""
    shutil.copytree(toy_run[0], tmp_path / "results" / "toy-run")
    (tmp_path / "params").mkdir()
    for name in ("toy-run", "untrained"):
        (tmp_path / "params" / f"{name}.yaml").write_text("dataset: {adapter: demo}\n")
    return tmp_path


def test_a_run_is_exported_by_its_name(clef_here, folder):
    done = clef_here("export", "toy-run", "--to", "out/model", "--fold", "0", "--no-onnx", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("out/model: 1 model, ")
    assert [member.fold for member in TrainedConfig.read(folder / "out" / "model").members] == [0]
    again = clef_here("export", "results/toy-run", "--to", "out/model", "--no-onnx", "--overwrite", folder=folder)
    assert again.stdout.startswith("out/model: 2 models, ")


def test_an_export_is_registered_later_without_writing_it_again(clef_here, folder, empty_store, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_store, folder / "results")
    export = ["export", "toy-run", "--to", "model", "--no-onnx"]
    assert clef_here(*export, folder=folder).returncode == 0
    (folder / "model" / "README.md").write_text("edited")
    done = clef_here(*export, "--register", "faces", folder=folder)
    assert (done.returncode, "models:/faces/1 in " in done.stdout) == (0, True), done.stderr
    assert (folder / "model" / "README.md").read_text() == "edited"
    other = clef_here(*export, "--register", "faces", "--fold", "0", folder=folder)
    assert "--to model: holds an earlier export; replace it with --overwrite" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toy-ran"], "params: no run toy-ran; did you mean toy-run?"),
        (
            ["untrained"],
            "no trained stage 2; run `snakemake --cores 2 results/untrained/summary.csv` first",
        ),
        (["unfinished"], "results/unfinished/summary.json: no such file; finish the run"),
        (["toy-run", "--fold", "7"], "no trained stage 2, fold 7"),
        (["toy-run", "--seed", "3", "--fold", "0"], "no trained stage 2, seed 3, fold 0"),
        (["toy-run", "--to", "params/toy-run.yaml/model"], "params/toy-run.yaml is a file; expected a folder"),
        (["toy-run", "--to", "params"], "--to params: holds toy-run.yaml, which is no part of an export"),
        (["toy-run", "--to", "."], "--to .: holds params, which is no part of an export"),
        (["toy-run", "--register", "my/name"], "--register my/name: expected letters, digits"),
    ],
)
def test_what_cannot_be_exported_is_one_error_line(clef_here, folder, arguments, message):
    shutil.copytree(folder / "results" / "toy-run", folder / "results" / "unfinished")
    (folder / "results" / "unfinished" / "summary.json").unlink()
    to = [] if "--to" in arguments else ["--to", "model"]
    done = clef_here("export", *arguments, *to, "--no-onnx", folder=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("clef: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["params", "results"]


def test_a_folder_to_write_is_required(clef_here, folder):
    done = clef_here("export", "toy-run", folder=folder)
    assert done.returncode == 2
    assert "Missing option '--to'" in done.stderr
