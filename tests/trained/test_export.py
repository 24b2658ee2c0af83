import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.runtime.files import temporary_path
from clef.trained.config import CONFIG, TrainedConfig
from clef.trained.export import CARD, GRAPH, export_run
from clef.trained.load import load_model
from clef.trained.run_members import run_config
from tests.mounts import mounted, unwritable
from tests.toy import toy_params
from tests.trained.conftest import evaluated_crops

ROOT = Path(__file__).parents[2]
WEIGHTS = ["seed0-fold0.safetensors", "seed0-fold1.safetensors"]

LOAD = """
import socket, sys
def forbidden(*_): raise OSError("the network is not there")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = forbidden
import numpy as np, torch
from clef.trained.load import load_model
crops, out = sys.argv[2:]
model = load_model(sys.argv[1], device="cpu")
np.save(out, model.predict(torch.from_numpy(np.load(crops)))[0])
print(*(name for name in sys.modules if name.startswith(("clef.training", "clef.datasets", "mlflow", "dvc"))))
"""


def export(toy_run, target: Path, **options) -> Path:
    """Export the run quickly."""
    export_run(toy_run[0], run_config(toy_run[0]), target, **{"with_onnx": False, **options})
    return target


def test_the_exported_folder_is_complete_and_predicts_as_the_evaluation_did(toy_run, exported):
    assert sorted(path.name for path in exported.iterdir()) == sorted([CARD, CONFIG, GRAPH, *WEIGHTS])
    for fold in (0, 1):
        crops, expected = evaluated_crops(toy_run, fold)
        assert (load_model(exported, fold=fold, device="cpu").predict(crops)[0] == expected).all()
    both = [load_model(folder, device="cpu") for folder in (toy_run[0], exported)]
    assert (both[0].predict(crops)[0] == both[1].predict(crops)[0]).all()
    sentences = [model.encode_sentences(["a smile"]) for model in both]
    assert (both[0].predict(crops, sentences[0])[1] == both[1].predict(crops, sentences[1])[1]).all()


def test_a_run_that_tests_other_labels_than_it_predicts_is_not_exported(toy_run, tmp_path):
    config = run_config(toy_run[0])
    labels = config.labels.model_copy(update={"zero_shot": ["AU25"]})
    with pytest.raises(ClefError, match=r"tests labels that it was not trained on \(labels.zero_shot\)"):
        export_run(toy_run[0], config.model_copy(update={"labels": labels}), tmp_path / "model", with_onnx=False)
    assert not (tmp_path / "model").exists()


def test_loading_needs_no_network_and_no_training_code(toy_run, exported, tmp_path):
    crops, _ = evaluated_crops(toy_run, 0)
    np.save(tmp_path / "crops.npy", crops.numpy())
    command = [sys.executable, "-c", LOAD, exported, tmp_path / "crops.npy", tmp_path / "out.npy"]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr
    assert (np.load(tmp_path / "out.npy") == load_model(exported, device="cpu").predict(crops)[0]).all()


def test_the_folder_names_no_subject_and_no_path_of_the_machine(toy_run, exported):
    subjects = open_dataset(toy_params()).subjects()
    paths = [ROOT, Path.home(), toy_run[0], toy_run[1].manifest.parent, sys.prefix, Path(np.__file__).parents[1]]
    for path in exported.iterdir():
        content = path.read_bytes()
        if path.name in WEIGHTS:  # only the header is text
            content = content[8 : 8 + int.from_bytes(content[:8], "little")]
        found = [str(text) for text in (*subjects, *paths, "/site-packages/") if str(text).encode() in content]
        assert not found, path.name


def test_members_can_be_chosen(toy_run, tmp_path):
    export_run(toy_run[0], run_config(toy_run[0], fold="1"), tmp_path / "one", with_onnx=False)
    assert [member.file for member in TrainedConfig.read(tmp_path / "one").members] == [WEIGHTS[1]]
    assert not (tmp_path / "one" / GRAPH).exists()


def test_only_an_earlier_export_is_replaced_and_only_if_wanted(toy_run, tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    export(toy_run, target)  # an empty folder is filled
    (target / CARD).write_text("old")
    with pytest.raises(ClefError, match=r"model: holds an earlier export; replace it with --overwrite"):
        export(toy_run, target)
    assert (target / CARD).read_text() == "old"
    export(toy_run, target, overwrite=True)
    assert (target / CARD).read_text() != "old"
    (target / ".git").mkdir()
    with pytest.raises(ClefError, match=r"model: holds \.git, which is no part of an export; name a new folder"):
        export(toy_run, target, overwrite=True)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").touch()
    with pytest.raises(ClefError, match=r"notes: holds README\.md, which is no part of an export"):
        export(toy_run, tmp_path / "notes", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "notes"]


def test_a_failed_export_leaves_the_earlier_one_and_nothing_else(toy_run, tmp_path):
    target, run = export(toy_run, tmp_path / "model"), tmp_path / "run"
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    shutil.copytree(toy_run[0], run)
    config = run_config(run)
    (run / config.members[1].file).write_bytes((run / config.members[0].file).read_bytes())
    with pytest.raises(ClefError, match=r"seed0-fold1\.safetensors: changed since it was trained"):
        export_run(run, config, target, with_onnx=False, overwrite=True)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "run"]


def test_what_a_killed_export_left_is_removed(toy_run, tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = temporary_path(tmp_path / "model")
    left = left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{dead.pid}-"))
    left.mkdir()
    (left / "seed0-fold0.safetensors").touch()
    export(toy_run, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_full_disk_leaves_nothing_and_names_the_folder(toy_run, tmp_path):
    with mounted(tmp_path / "disk", "size=2m") as disk:
        with pytest.raises(OSError, match="No space left on device") as caught:
            export(toy_run, disk / "model")
        assert caught.value.filename == str(disk / "model")
        assert list(disk.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(toy_run, tmp_path):
    with unwritable(tmp_path / "disk") as disk:
        with pytest.raises(OSError, match=r"Read-only file system|Permission denied") as caught:
            export(toy_run, disk / "model")
        assert caught.value.filename == str(disk / "model")
    (tmp_path / "file").touch()
    for target in (tmp_path / "file", tmp_path / "file" / "model"):
        with pytest.raises(ClefError, match=r"--to .*: .*/file is a file; expected a folder"):
            export(toy_run, target)


def test_the_config_has_everything_but_the_paths_of_the_run(toy_run, exported):
    expected, found = (config.model_dump() for config in (run_config(toy_run[0]), TrainedConfig.read(exported)))
    assert [member.pop("file") for member in found["members"]] == WEIGHTS
    for member in expected["members"]:
        del member["file"]
    assert found == expected
    assert json.loads((exported / CONFIG).read_text())["run"] == "toy-run"
