import pytest
import torch

from clef.errors import ClefError
from clef.training.checkpoint import Recovery, load_weights, require_fingerprint, save_weights


def test_weights_come_back_with_their_sidecar(tmp_path):
    weights = {"a": torch.arange(6.0).reshape(2, 3).T}
    save_weights(tmp_path / "w.safetensors", weights, {"seed": 3})
    loaded, sidecar = load_weights(tmp_path / "w.safetensors")
    assert torch.equal(loaded["a"], weights["a"])
    assert sidecar == {"seed": 3}


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(ClefError, match=r"w\.safetensors: no such file"):
        load_weights(tmp_path / "w.safetensors")


def test_other_crops_are_refused_with_both_sides(tmp_path):
    with pytest.raises(ClefError, match=r"margin 0\.1 against 0\.2; size 72 against None"):
        require_fingerprint({"fingerprint": {"margin": 0.1, "size": 72}}, {"margin": 0.2}, tmp_path, tmp_path)


def test_a_recovery_goes_on_under_its_key(tmp_path):
    Recovery(tmp_path / "work", "one").save(5, {"w": torch.ones(2)}, {"state": {}})
    state = Recovery(tmp_path / "work", "one").load(torch.device("cpu"))
    assert state is not None
    assert state["step"] == 5
    assert torch.equal(state["model"]["w"], torch.ones(2))


def test_another_key_finds_nothing_of_the_first_in_the_work_folder(tmp_path):
    work = tmp_path / "work"
    Recovery(work, "one").save(5, {"w": torch.ones(2)}, {"state": {}})
    (work / "epoch0001.parquet").write_text("the first's")
    assert Recovery(work, "two").load(torch.device("cpu")) is None
    assert [path.name for path in work.iterdir()] == ["key"]


def test_a_save_that_fails_keeps_the_last_recovery(tmp_path):
    recovery = Recovery(tmp_path / "work", "one")
    recovery.save(5, {"w": torch.ones(2)}, {})
    with pytest.raises(AttributeError):
        recovery.save(6, {"w": lambda: None}, {})
    state = recovery.load(torch.device("cpu"))
    assert state is not None
    assert state["step"] == 5
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"key", "recovery.pt"}
