"""Attacks through every kind of file that the project reads. docs/trust.md says what is trusted."""

import contextlib
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from clef.datasets import affectnet_npy, open_dataset
from clef.errors import ClefError
from clef.faces.detectors import build_detector
from clef.model.tasks import Encoders
from clef.model.texts import activity_texts
from clef.params.schema import CropParams, ModelParams, Params, TextParams
from clef.runs.clean import leftovers, remove
from clef.runs.load import load_params
from clef.runtime.files import write_text
from clef.training.checkpoint import Recovery
from tests.cli.test_processes import Toy
from tests.tracking.conftest import free_port, wait_until
from tests.workflow.conftest import ROOT, copy_checkout, snakemake


class Attack:
    """Pickled, it makes a file wherever it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self):
        return (Path.touch, (self.sign,))


@pytest.fixture
def sign(tmp_path) -> Path:
    """A file that is there after an attack has had its way."""
    return tmp_path / "attacked"


def test_the_attack_works_on_plain_pickle(sign):
    pickle.loads(pickle.dumps(Attack(sign)))
    assert sign.exists()


def evil(path: Path, sign: Path) -> Path:
    torch.save({"state_dict": Attack(sign)}, path)
    return path


def test_a_recovery_checkpoint_runs_no_code(tmp_path, sign):
    recovery = Recovery(tmp_path / "work", "key")
    evil(recovery.path, sign)
    assert recovery.load(torch.device("cpu")) is None
    assert not sign.exists()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_pretrained_weights_by_path_run_no_code(tmp_path, sign, legacy):
    path = tmp_path / "weights.pt"
    torch.save({"state_dict": Attack(sign)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ClefError, match=r"weights\.pt does not fit"):
        Encoders(ModelParams(name="clef-tiny", image_size=64, pretrained=str(path)))
    assert not sign.exists()


@pytest.mark.parametrize("packed", [False, True], ids=["pth", "zip"])
def test_a_detectors_weights_run_no_code(tmp_path, sign, packed):
    pytest.importorskip("retinaface")
    path = evil(tmp_path / "weights.pth", sign)
    if packed:
        with zipfile.ZipFile(tmp_path / "weights.zip", "w") as archive:
            archive.write(path, "weights.pth")
        path = tmp_path / "weights.zip"
    with pytest.raises(ClefError, match="does not fit"):
        build_detector(CropParams(detector="retinaface", weights=str(path)))
    assert not sign.exists()


def test_npy_labels_run_no_code(tmp_path, sign):
    path = tmp_path / "0_exp.npy"
    np.save(path, np.array(Attack(sign), dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        affectnet_npy._code(path.read_bytes())
    assert not sign.exists()


@pytest.mark.parametrize("tag", ["!!python/object/apply:pathlib.Path.touch [{sign}]", "!!python/name:os.system"])
def test_params_and_texts_make_no_python_objects(tmp_path, sign, tag):
    text = f"dataset: {{adapter: demo}}\nrender: {tag.replace('{sign}', str(sign))}\n"
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ClefError, match=r"run\.yaml"):
        load_params(path)
    with pytest.raises(ClefError, match=r"run\.yaml"):
        activity_texts(TextParams(file=str(path)), {"T1": "joke"})
    assert not sign.exists()


NOT_BELOW = ["../secret.mp4", "/etc/passwd", "videos/../../secret.mp4", "..\\secret.mp4", "./videos/a.mp4", ""]


def folder_params(**options) -> Params:
    values = {"dataset": {"adapter": "folder", "name": "mine", "options": {"subjects": ["P01", "P02"], **options}}}
    return Params.model_validate(values | {"labels": {"action_units": [1, 12]}, "folds": {"number": 2}})


@pytest.mark.parametrize("path", NOT_BELOW)
def test_a_table_of_labels_names_no_file_outside_its_folder(tmp_path, path):
    (tmp_path / "labels.csv").write_text(f"path,subject,AU01,AU12\n{path},P01,0,1\n")
    with pytest.raises(ClefError, match=r"labels\.csv"):
        open_dataset(folder_params()).sequences(tmp_path)


@pytest.mark.parametrize("path", NOT_BELOW)
def test_params_name_no_table_outside_the_raw_folder(path):
    with pytest.raises(ClefError, match="labels"):
        open_dataset(folder_params(labels=path))


EVIL_NAMES = [
    "../../evil",
    "/tmp/evil",
    "a; touch attacked",
    "$(touch attacked)",
    "a b",
    "`touch attacked`",
    "a'b",
    ".",
    "",
]


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_a_subject_becomes_no_path_and_no_command(name):
    """Subjects name shards, which are files and stand in the commands of rules."""
    with pytest.raises(ClefError, match=r"subject"):
        open_dataset(folder_params(subjects=["P01", name]))
    given = {"protocol": "given", "test_subjects": [["P01"], [name]]}
    values = folder_params().model_dump(by_alias=True) | {"folds": given}
    with pytest.raises((ClefError, ValueError), match=r"subject"):
        open_dataset(Params.model_validate(values))


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_a_data_set_becomes_no_path_and_no_command(name):
    if not name:
        return  # takes the adapter's name
    with pytest.raises(ValueError, match="letters, digits"):
        Params.model_validate({"dataset": {"adapter": "demo", "name": name}, "render": {}})


@pytest.mark.parametrize("name", ["a; touch attacked", "$(touch attacked)", "a b"])
def test_a_params_file_becomes_no_command(tmp_path, name):
    folder = copy_checkout(tmp_path / "checkout")
    shutil.copy(folder / "params" / "demo.yaml", folder / "params" / f"{name}.yaml")
    output = snakemake(folder, "-n", f"results/{name}/summary.csv", check=False)
    assert f"{name}.yaml" in output
    assert "letters, digits" in output
    assert not list(tmp_path.rglob("attacked"))


def test_a_link_in_a_data_set_shows_no_other_file_of_the_user(tmp_path):
    (tmp_path / "secret.mp4").write_text("mine")
    root = tmp_path / "raw"
    (root / "videos").mkdir(parents=True)
    (root / "videos" / "a.mp4").symlink_to(tmp_path / "secret.mp4")
    (root / "elsewhere").symlink_to(tmp_path)
    for path in ("videos/a.mp4", "elsewhere/secret.mp4"):
        (root / "labels.csv").write_text(f"path,subject,AU01,AU12\n{path},P01,0,1\n")
        with pytest.raises(ClefError, match="a link leads out of"):
            open_dataset(folder_params()).sequences(root)
        assert open_dataset(folder_params(links=True)).sequences(root)


def test_the_raw_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "disk" / "videos").mkdir(parents=True)
    (tmp_path / "disk" / "videos" / "a.mp4").touch()
    (tmp_path / "disk" / "labels.csv").write_text("path,subject,AU01,AU12\nvideos/a.mp4,P01,0,1\n")
    (tmp_path / "raw").symlink_to(tmp_path / "disk")
    assert len(open_dataset(folder_params()).sequences(tmp_path / "raw")) == 1


@pytest.mark.parametrize("name", ["summary.csv", ".summary.csv.partial"])
def test_nothing_is_written_through_a_link(tmp_path, name):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    results = tmp_path / "results"
    results.mkdir()
    (results / name).symlink_to(precious)
    write_text(results / "summary.csv", "table")
    assert precious.read_text() == "mine"
    assert (results / "summary.csv").read_text() == "table"
    assert not (results / "summary.csv").is_symlink()


def test_clean_removes_links_and_not_what_they_lead_to(tmp_path):
    precious = tmp_path / "precious"
    (precious / "deep").mkdir(parents=True)
    (precious / "deep" / "file").write_text("mine")
    crops = tmp_path / "data" / "interim" / "demo" / "0123abcd"
    crops.mkdir(parents=True)
    (crops / "linked").symlink_to(precious)
    (tmp_path / "data" / "interim" / "demo" / "89abcdef").symlink_to(precious)
    for item in leftovers(tmp_path, {}):
        with contextlib.suppress(ClefError):
            remove(tmp_path, item)
    assert not crops.exists()
    assert (precious / "deep" / "file").read_text() == "mine"


def test_a_zip_of_weights_is_read_in_memory(tmp_path):
    pytest.importorskip("retinaface")
    with zipfile.ZipFile(tmp_path / "weights.zip", "w") as archive:
        archive.writestr("../../evil.pth", b"no weights")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ClefError):
        build_detector(CropParams(detector="retinaface", weights=str(tmp_path / "weights.zip")))
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent / "evil.pth").exists()


ATTACK = "x; touch attacked #"


@pytest.mark.parametrize("key", ["pretrained", "name"])
@pytest.mark.parametrize("run", [[], ["-n"]], ids=["run", "dry run"])
def test_a_model_becomes_no_command(tmp_path, key, run):
    folder = copy_checkout(tmp_path / "checkout")
    path = folder / "params" / "demo-short.yaml"
    path.write_text(path.read_text() + f"\nmodel: {{{key}: '{ATTACK}'}}\n")
    output = snakemake(folder, *run, "results/demo-short/summary.csv", check=False)
    expected = "expected a tag of open_clip's" if key == "pretrained" else "expected letters, digits"
    assert [line for line in output.splitlines() if f"demo-short.yaml: model.{key}: {expected}" in line], output
    assert not (folder / "data").exists()
    assert not list(tmp_path.rglob("attacked"))


def test_weights_at_a_path_are_no_file_to_fetch_and_no_command(tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    path = folder / "params" / "demo-short.yaml"
    weights = folder / "weights" / ATTACK
    path.write_text(path.read_text() + f"\nmodel: {{pretrained: 'weights/{ATTACK}'}}\n")
    output = snakemake(folder, "-n", "results/demo-short/summary.csv", check=False)
    assert f"demo-short.yaml: model.pretrained: no file weights/{ATTACK}; put it there" in output
    for target in (f"weights/clef-tiny.weights/{ATTACK}.json", "weights/clef-tiny.None.json"):
        assert "No rule to produce" in snakemake(folder, target, check=False)
    weights.parent.mkdir()
    weights.touch()
    output = snakemake(folder, "-n", "results/demo-short/summary.csv")
    assert "fetch_weights" not in output
    assert not list(tmp_path.rglob("attacked"))


def test_what_is_fetched_becomes_no_command(tmp_path, monkeypatch):
    """Should a name get past the params, the rule itself takes it for a name."""
    folder = copy_checkout(tmp_path / "checkout")
    inputs = folder / "workflow" / "rules" / "inputs.smk"
    inputs.write_text(inputs.read_text() + f'\nPUBLISHED["evil.json"] = "{ATTACK}"\n')
    output = snakemake(folder, "weights/evil.json", check=False)
    assert f"fetch-weights: no weights of {ATTACK}" in output
    assert not list(tmp_path.rglob("attacked"))


@pytest.mark.parametrize("rules", sorted((ROOT / "workflow").rglob("*.smk")), ids=lambda path: path.stem)
def test_whatever_stands_in_a_command_of_the_workflow_is_quoted(rules):
    text = rules.read_text(encoding="utf-8")
    commands = re.findall(r"^ +shell:\n((?: +\".*\"\n)+)", text, re.MULTILINE)
    assert len(commands) == len(re.findall(r"^ +shell:", text, re.MULTILINE))
    assert [field for command in commands for field in re.findall(r"\{[^}]*\}", command) if field[-3:] != ":q}"] == []


def listening(process: subprocess.Popen) -> set[str]:
    """Addresses at which a process and those that it has started take connections."""
    first = psutil.Process(process.pid)
    family = [first, *first.children(recursive=True)]
    return {c.laddr.ip for one in family for c in one.net_connections() if c.status == psutil.CONN_LISTEN}


@pytest.mark.slow
def test_processes_that_train_together_listen_on_this_machine_alone(tmp_path):
    toy = Toy(tmp_path)
    process = toy.start("pretrain", "two", 2)
    found = set()
    while not toy.steps("two") and process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= listening(process)
        time.sleep(0.02)
    found |= listening(process)
    process.terminate()
    process.communicate(timeout=120)
    assert found == {"127.0.0.1"}


@pytest.mark.slow
def test_the_pages_of_mlflow_are_for_this_machine_and_under_its_own_names_alone(tmp_path):
    port = free_port()

    def answer(host: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get?experiment_id=0")
        request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as refused:
            return refused.code

    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-m", "clef", "track", "ui", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: answers(port), 120)
            assert listening(process) == {"127.0.0.1"}
            assert answer(f"127.0.0.1:{port}") == 200
            assert answer(f"localhost:{port}") == 200
            # As of a page elsewhere whose name was made to lead here.
            assert answer("evil.example") == 403
            assert answer(f"evil.example:{port}") == 403
        finally:
            process.terminate()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False
