"""A training or evaluation that loses its lease stops with one line and writes nothing more."""

from pathlib import Path

import pytest

from clef.errors import ClefError
from clef.evaluation.fold.evaluate_fold import evaluate_fold
from clef.runtime.lease import leased
from clef.training.finetune import finetune
from clef.training.metrics_file import MetricsFile
from clef.training.pretrain import pretrain
from tests.leases import hold_elsewhere
from tests.toy import make_toy, toy_fold, toy_params

LOST = "another process took it over while this process was suspended; leaving it to that one"
OFTEN = {"checkpoint": {"every_steps": 2}}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".lease" not in path.name)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    params = toy_params(pretrain={"epochs": 4, **OFTEN}, finetune=OFTEN)
    return params, make_toy(tmp_path_factory.mktemp("toy"), params)


@pytest.mark.parametrize(("stage", "step"), [("pretrain", 3), ("finetune", 3), ("finetune", 12)])
def test_training_writes_nothing_more(toy, tmp_path, monkeypatch, stage, step):
    params, inputs = toy
    target = tmp_path / f"{stage}.safetensors"
    before: dict[str, bytes] = {}
    append = MetricsFile.append

    def append_and_steal(file: MetricsFile, done: int, values) -> None:
        append(file, done, values)
        if done == step:
            hold_elsewhere(target)
            before.update(contents(tmp_path))

    monkeypatch.setattr(MetricsFile, "append", append_and_steal)
    train = {
        "pretrain": lambda: pretrain(params, 0, toy_fold(params), inputs, target),
        "finetune": lambda: finetune(params, 0, toy_fold(params), inputs, None, target, tmp_path / "epochs.parquet"),
    }[stage]
    with pytest.raises(ClefError, match=LOST):
        train()
    assert contents(tmp_path) == before
    assert f"{stage}.work/recovery.pt" in before


def test_evaluation_writes_nothing(toy, tmp_path):
    params, inputs = toy
    fold, weights, epochs = toy_fold(params), tmp_path / "finetune.safetensors", tmp_path / "epochs.parquet"
    finetune(params, 0, fold, inputs, None, weights, epochs)
    out, predictions = tmp_path / "metrics.json", tmp_path / "predictions.parquet"
    with leased(out):
        hold_elsewhere(out)
        with pytest.raises(ClefError, match=LOST):
            evaluate_fold(params, 0, fold, inputs, weights, epochs, predictions, out)
    assert not out.exists()
    assert not predictions.exists()
