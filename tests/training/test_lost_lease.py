"""A training or evaluation that loses its lease stops with one line and writes nothing more."""

from pathlib import Path

import pytest

from clef.errors import ClefError
from clef.runtime.lease import leased
from clef.training.finetune import finetune
from clef.training.metrics_file import MetricsFile
from clef.training.pretrain import pretrain
from tests.leases import hold_elsewhere
from tests.toy import toy_fold, toy_params
from tests.training.stages import evaluated

LOST = "another process took it over while this process was suspended; leaving it to that one"
OFTEN = {"checkpoint": {"every_steps": 2}}
PARAMS = toy_params(pretrain=OFTEN, finetune=OFTEN)
FOLD = toy_fold(PARAMS)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".lease" not in path.name)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(("stage", "step"), [(pretrain, 3), (finetune, 12)])
def test_training_writes_nothing_more(toy, tmp_path, monkeypatch, stage, step):
    target = tmp_path / "w.safetensors"
    before: dict[str, bytes] = {}
    append = MetricsFile.append

    def append_and_steal(file: MetricsFile, done: int, values) -> None:
        append(file, done, values)
        if done == step:
            hold_elsewhere(target)
            before.update(contents(tmp_path))

    monkeypatch.setattr(MetricsFile, "append", append_and_steal)
    more = (target,) if stage is pretrain else (None, target, tmp_path / "epochs.parquet")
    with pytest.raises(ClefError, match=LOST):
        stage(PARAMS, 0, FOLD, toy, *more)
    assert contents(tmp_path) == before
    assert "w.work/recovery.pt" in before


def test_evaluation_writes_nothing(toy, stage2, tmp_path):
    with leased(tmp_path / "metrics.json"):
        hold_elsewhere(tmp_path / "metrics.json")
        with pytest.raises(ClefError, match=LOST):
            evaluated(tmp_path, PARAMS, FOLD, toy, stage2)
    assert contents(tmp_path) == {}
