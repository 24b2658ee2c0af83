import json
import os
import signal
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from clef.errors import ClefError
from clef.model.device import prepare_device
from clef.params.schema import Params
from clef.runs.messages import PlannedJob
from clef.runs.preflight import check_before_start, handle_sigterm_in_thread, require_cuda, require_writable
from clef.runs.requested import RequestedRuns
from tests.mounts import unwritable
from tests.runs.conftest import BASE, write

NO_GPU = "device: cuda asked for, but torch sees no GPU; run where there is one, or set `device: cpu`"


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_cuda_without_a_gpu_is_the_same_error_before_and_in_a_training():
    with pytest.raises(ClefError) as before:
        require_cuda()
    params = Params.model_validate({"dataset": {"adapter": "demo"}, "render": {}, "device": "cuda"})
    with pytest.raises(ClefError) as within:
        prepare_device(params)
    assert str(before.value) == str(within.value) == NO_GPU


def test_a_torch_that_cannot_be_imported_is_reported_with_the_reason(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.99: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ClefError, match=r"torch cannot be imported \(ImportError: libcudart\.so\.99: no such file\)"):
        require_cuda()


def test_weights_that_are_gone_from_the_cache_are_an_error_before_the_first_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params").mkdir()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "ViT-B-32.openai.json").write_text(json.dumps({"file": "/emptied/cache"}))
    model = "model: {name: ViT-B-32, pretrained: openai}"
    text = f"dataset: {{adapter: demo}}\nrender: {{}}\ndevice: cpu\ncrop: {{detector: lbp}}\n{model}\n"
    (tmp_path / "params" / "run.yaml").write_text(text)
    job = PlannedJob("pretrain", {"run": "run", "seed": "0", "fold": "0"}, ["results/run/x"], [])
    with pytest.raises(ClefError, match="/emptied/cache was fetched and is gone; run `clef fetch-weights"):
        check_before_start([job], RequestedRuns(Path("params")), remote=True)


@pytest.mark.parametrize("tracked", [True, False])
def test_a_folder_as_mlflow_store_is_an_error_before_the_first_job_of_a_tracked_run(tmp_path, monkeypatch, tracked):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    (tmp_path / "params").mkdir()
    write(tmp_path / "params", "run", **BASE, tracking={"mlflow": tracked})
    job = PlannedJob("pretrain", {"run": "run", "seed": "0", "fold": "0"}, ["results/run/x"], [])
    expected = pytest.raises(ClefError, match=r"^MLFLOW_TRACKING_URI=\./mlruns: is a path")
    with expected if tracked else nullcontext():
        check_before_start([job], RequestedRuns(Path("params")), remote=False)


def test_the_handler_of_sigterm_runs_in_another_thread_than_the_one_it_interrupts():
    handled, threads = threading.Event(), []

    def handle(*_: object) -> None:
        threads.append(threading.current_thread())
        handled.set()

    before = signal.signal(signal.SIGTERM, handle)
    try:
        handle_sigterm_in_thread()
        os.kill(os.getpid(), signal.SIGTERM)
        assert handled.wait(600)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert threads[0] is not threading.main_thread()


def test_writable_folders_are_left_as_they_are(tmp_path):
    require_writable([tmp_path / "results" / "demo", tmp_path])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["file", "dangling link", "read-only"])
def test_folder_that_is_not_writable_is_an_error(tmp_path, kind):
    folder, message = tmp_path / "results", r"not writable \(.+\); change its permissions"
    if kind == "file":
        folder.touch()
    elif kind == "dangling link":
        folder.symlink_to(tmp_path / "unmounted" / "disk")
        message = rf"leads to {tmp_path}/unmounted/disk, which does not exist; mount that disk"
    expected = pytest.raises(ClefError, match=rf"^{folder}: {message}[^\n]*$")
    with unwritable(folder) if kind == "read-only" else nullcontext(), expected:
        require_writable([folder / "demo" / "seed0"])
