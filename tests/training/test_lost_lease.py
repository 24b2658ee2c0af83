"""A training, or its evaluation, whose lease another process has taken ends with one line and writes nothing more."""

import json
from pathlib import Path

import pytest

from clef.errors import ClefError
from clef.evaluation.fold.evaluate_fold import evaluate_fold
from clef.runtime import lease
from clef.runtime.lease import leased
from clef.training.finetune import finetune
from clef.training.metrics_file import MetricsFile
from clef.training.pretrain import pretrain
from tests.toy import make_toy, toy_fold, toy_params

LOST = "another process has taken over while this one stood still; leaving it to it"
OFTEN = {"checkpoint": {"every_steps": 2}}


def steal(path: Path) -> None:
    """Put the lease of another process in the place of one that is held."""
    theirs = path.with_name("theirs")
    theirs.write_text(json.dumps(json.loads(path.read_text()) | {"token": "theirs"}))
    theirs.replace(path)


def contents(folder: Path, *without: str) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in without)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    params = toy_params(pretrain={"epochs": 4, **OFTEN}, finetune=OFTEN)
    return params, make_toy(tmp_path_factory.mktemp("toy"), params)


@pytest.fixture
def stolen_at(tmp_path, monkeypatch):
    """Have a training's lease taken when it has written so many metrics; what there was then."""
    found: dict[str, bytes] = {}
    append = MetricsFile.append

    def stealing(step: int):
        def steal_then(file: MetricsFile, done: int, values) -> None:
            append(file, done, values)
            if done == step:
                steal(file.path.with_name(file.path.name.replace(".metrics.jsonl", ".lease")))
                found.update(contents(tmp_path))

        monkeypatch.setattr(MetricsFile, "append", steal_then)
        return found

    return stealing


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_after_the_next_heartbeat_not_a_byte_is_written(toy, tmp_path, stolen_at, monkeypatch, stage):
    params, inputs = toy
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.0)  # between any two steps
    before = stolen_at(3)
    target = tmp_path / f"{stage}.safetensors"
    train = {
        "pretrain": lambda: pretrain(params, 0, toy_fold(params), inputs, target),
        "finetune": lambda: finetune(params, 0, toy_fold(params), inputs, None, target, tmp_path / "epochs.parquet"),
    }[stage]
    with pytest.raises(ClefError, match=LOST):
        train()
    assert contents(tmp_path) == before
    assert f"{stage}.work/recovery.pt" in before


@pytest.mark.parametrize("step", [3, 12])
def test_before_it_no_file_appears(toy, tmp_path, stolen_at, step):
    """Neither a recovery checkpoint or the predictions of an epoch, nor, after the last step, the weights."""
    params, inputs = toy
    before = stolen_at(step)
    with pytest.raises(ClefError, match=LOST):
        finetune(
            params, 0, toy_fold(params), inputs, None, tmp_path / "finetune.safetensors", tmp_path / "epochs.parquet"
        )
    metrics = "finetune.metrics.jsonl"
    assert contents(tmp_path, metrics) == {name: content for name, content in before.items() if name != metrics}


def test_an_evaluation_writes_nothing_either(toy, tmp_path):
    params, inputs = toy
    fold, weights, epochs = toy_fold(params), tmp_path / "finetune.safetensors", tmp_path / "epochs.parquet"
    finetune(params, 0, fold, inputs, None, weights, epochs)
    out, predictions = tmp_path / "metrics.json", tmp_path / "predictions.parquet"
    with leased(out) as held:
        steal(held.path)
        with pytest.raises(ClefError, match=LOST):
            evaluate_fold(params, 0, fold, inputs, weights, epochs, predictions, out)
    assert not out.exists()
    assert not predictions.exists()
