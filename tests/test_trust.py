"""Attacks through every kind of file that the project reads. docs/trust.md says what is trusted."""

import contextlib
import os
import pickle
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from clef.datasets import affectnet_releases, open_dataset
from clef.errors import ClefError
from clef.faces.detectors import build_detector
from clef.model.encoders import Encoders
from clef.model.texts import activity_texts
from clef.params.schema import CropParams, ModelParams, Params, TextParams
from clef.runs.clean import leftovers, remove
from clef.runs.load import load_params
from clef.runtime.files import write_text
from clef.training.checkpoint import Recovery
from tests.cli.test_processes import Toy
from tests.tracking.conftest import free_port, wait_until
from tests.workflow.conftest import ROOT, copy_checkout, snakemake


@dataclass
class Attack:
    """Creates a file when it is unpickled."""

    evidence: Path

    def __reduce__(self):
        return (Path.touch, (self.evidence,))


@pytest.fixture
def evidence(tmp_path) -> Path:
    """A file that exists only if the attack succeeded."""
    return tmp_path / "attacked"


def test_a_recovery_checkpoint_runs_no_code(tmp_path, evidence):
    pickle.loads(pickle.dumps(Attack(evidence)))
    assert evidence.exists()  # the attack works on plain pickle
    evidence.unlink()
    recovery = Recovery(tmp_path / "work", "key")
    torch.save({"state_dict": Attack(evidence)}, recovery.path)
    assert recovery.load(torch.device("cpu")) is None
    assert not evidence.exists()


def read_model(weights: str) -> None:
    Encoders(ModelParams(name="clef-tiny", image_size=64, pretrained=weights))


def read_retinaface(weights: str) -> None:
    pytest.importorskip("retinaface", reason="retinaface-pytorch is not installed")
    build_detector(CropParams(detector="retinaface", weights=weights))


@pytest.mark.parametrize("packing", ["plain", "legacy", "zipped"])
@pytest.mark.parametrize("read", [read_model, read_retinaface])
def test_weights_run_no_code(tmp_path, evidence, read, packing):
    path = tmp_path / "weights.pt"
    torch.save({"state_dict": Attack(evidence)}, path, _use_new_zipfile_serialization=packing != "legacy")
    if packing == "zipped":
        with zipfile.ZipFile(tmp_path / "weights.zip", "w") as archive:
            archive.write(path, "../evil.pt")
        path = tmp_path / "weights.zip"
    with pytest.raises(ClefError, match=r"does not fit|cannot be read as weights|could run code"):
        read(str(path))
    assert not evidence.exists()
    assert not (tmp_path.parent / "evil.pt").exists()


class WritesWhenLoaded(torch.nn.Module):
    """A TorchScript module whose code runs in `torch.jit.load`."""

    def __init__(self, evidence: str) -> None:
        super().__init__()
        self.evidence = evidence
        self.training = True

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.evidence, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.evidence = state[0]
        self.training = state[1]
        torch.save(torch.zeros(1), state[0])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_a_torchscript_archive_runs_no_code(tmp_path, evidence):
    path = tmp_path / "ViT.pt"
    torch.jit.script(WritesWhenLoaded(str(evidence))).save(path)
    torch.jit.load(path)
    assert evidence.exists()  # the attack works with torch's own loader
    evidence.unlink()
    with pytest.raises(ClefError, match=r"ViT\.pt cannot be read as weights"):
        read_model(str(path))
    assert not evidence.exists()


def test_npy_labels_run_no_code(tmp_path, evidence):
    path = tmp_path / "0_exp.npy"
    np.save(path, np.array(Attack(evidence), dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        affectnet_releases._code(path.read_bytes())
    assert not evidence.exists()


@pytest.mark.parametrize("tag", ["!!python/object/apply:pathlib.Path.touch [{path}]", "!!python/name:os.system"])
def test_params_and_texts_create_no_python_objects(tmp_path, evidence, tag):
    path = tmp_path / "run.yaml"
    path.write_text(f"dataset: {{adapter: demo}}\nrender: {tag.replace('{path}', str(evidence))}\n")
    with pytest.raises(ClefError, match=r"run\.yaml"):
        load_params(path)
    with pytest.raises(ClefError, match=r"run\.yaml"):
        activity_texts(TextParams(file=str(path)), {"T1": "joke"})
    assert not evidence.exists()


def folder_params(**options) -> Params:
    values = {"dataset": {"adapter": "folder", "name": "mine", "options": {"subjects": ["P01", "P02"], **options}}}
    return Params.model_validate(values | {"labels": {"action_units": [1, 12]}, "folds": {"number": 2}})


@pytest.mark.parametrize(
    "path", ["../secret.mp4", "/etc/passwd", "videos/../../secret.mp4", "..\\secret.mp4", "./videos/a.mp4", ""]
)
def test_tables_and_params_name_no_file_outside_the_raw_folder(tmp_path, path):
    (tmp_path / "labels.csv").write_text(f"path,subject,AU01,AU12\n{path},P01,0,1\n")
    with pytest.raises(ClefError, match=r"labels\.csv"):
        open_dataset(folder_params()).sequences(tmp_path)
    with pytest.raises(ClefError, match="labels"):
        open_dataset(folder_params(labels=path))


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "a; touch attacked", "$(touch attacked)", "a'b", ".", ""])
def test_names_of_subjects_and_data_sets_become_no_path_and_no_command(name):
    with pytest.raises(ClefError, match=r"subject"):
        open_dataset(folder_params(subjects=["P01", name]))
    folds = {"protocol": "given", "test_subjects": [["P01"], [name]]}
    with pytest.raises((ClefError, ValueError), match=r"subject"):
        open_dataset(Params.model_validate(folder_params().model_dump(by_alias=True) | {"folds": folds}))
    if name:  # otherwise the adapter's name is used
        with pytest.raises(ValueError, match="letters, digits"):
            Params.model_validate({"dataset": {"adapter": "demo", "name": name}, "render": {}})


def test_a_link_in_a_data_set_gives_no_access_to_other_files(tmp_path):
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
    (root / "videos" / "b.mp4").touch()
    (root / "labels.csv").write_text("path,subject,AU01,AU12\nvideos/b.mp4,P01,0,1\n")
    (tmp_path / "linked").symlink_to(root)
    assert len(open_dataset(folder_params()).sequences(tmp_path / "linked")) == 1


def test_nothing_is_written_through_a_link(tmp_path):
    precious, summary = tmp_path / "precious", tmp_path / "summary.csv"
    precious.write_text("mine")
    summary.symlink_to(precious)
    write_text(summary, "table")
    assert (precious.read_text(), summary.read_text()) == ("mine", "table")


def test_clean_removes_links_but_not_their_targets(tmp_path):
    precious = tmp_path / "precious"
    (precious / "deep").mkdir(parents=True)
    crops = tmp_path / "data" / "interim" / "demo" / "0123abcd"
    crops.mkdir(parents=True)
    for link in (crops / "linked", crops.with_name("89abcdef")):
        link.symlink_to(precious)
    for item in leftovers(tmp_path, {}):
        remove(tmp_path, item.path)
    assert not crops.exists()
    assert (precious / "deep").exists()


ATTACK = "x; touch attacked #"


@pytest.mark.parametrize(
    ("setting", "options", "message"),
    [
        (f"name: '{ATTACK}'", [], "model.name: expected letters, digits"),
        (f"pretrained: 'weights/{ATTACK}'", ["-n"], f"model.pretrained: no file weights/{ATTACK}"),
    ],
    ids=["name", "path"],
)
def test_a_model_in_the_params_becomes_no_command(tmp_path, setting, options, message):
    folder = copy_checkout(tmp_path / "checkout")
    with (folder / "params" / "demo-short.yaml").open("a") as params:
        params.write(f"\nmodel: {{{setting}}}\n")
    assert message in snakemake(folder, *options, "results/demo-short/summary.csv", check=False)
    assert not (folder / "data").exists()
    assert not list(tmp_path.rglob("attacked"))


def test_file_names_become_no_command(tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    output = snakemake(folder, f"weights/model.{ATTACK}.json", check=False)
    assert f"error: model/{ATTACK}: no such weights" in output
    name = "$(touch attacked)"
    shutil.copy(folder / "params" / "demo.yaml", folder / "params" / f"{name}.yaml")
    output = snakemake(folder, "-n", f"results/{name}/summary.csv", check=False)
    assert re.search(rf"CLEF: error: .*{re.escape(name)}", output)
    assert not list(tmp_path.rglob("attacked"))


@pytest.mark.parametrize("rules", sorted((ROOT / "workflow").rglob("*.smk")), ids=lambda path: path.stem)
def test_every_value_in_a_shell_command_of_the_workflow_is_quoted(rules):
    text = rules.read_text(encoding="utf-8")
    commands = re.findall(r"^ +shell:\n((?: +\".*\"\n)+)", text, re.MULTILINE)
    assert len(commands) == len(re.findall(r"^ +shell:", text, re.MULTILINE))
    assert [field for command in commands for field in re.findall(r"\{[^}]*\}", command) if field[-3:] != ":q}"] == []


def listening_addresses(process: subprocess.Popen) -> set[str]:
    """Addresses at which a process and its descendants accept connections."""
    parent = psutil.Process(process.pid)
    connections = [c for member in (parent, *parent.children(recursive=True)) for c in member.net_connections()]
    return {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}


@pytest.mark.slow
def test_training_processes_listen_only_on_this_machine(tmp_path):
    toy = Toy(tmp_path)
    process = toy.start("pretrain", "two", gpus=2)
    found = set()

    def has_trained() -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.update(listening_addresses(process))
        return bool(toy.steps("two")) or process.poll() is not None

    wait_until(has_trained)
    process.terminate()
    process.communicate(timeout=600)
    assert found == {"127.0.0.1"}


@pytest.mark.slow
def test_mlflow_answers_only_this_machine_under_its_own_names(tmp_path):
    port = free_port()

    def status(host: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get?experiment_id=0")
        request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=600) as response:
                return response.status
        except urllib.error.HTTPError as refused:
            return refused.code

    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-m", "clef", "track", "ui", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: listening_addresses(process))
            assert listening_addresses(process) == {"127.0.0.1"}
            hosts = (f"127.0.0.1:{port}", f"localhost:{port}", "evil.example", f"evil.example:{port}")
            assert [status(host) for host in hosts] == [200, 200, 403, 403]  # refused after DNS rebinding
        finally:
            process.terminate()
