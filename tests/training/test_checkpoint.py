import pytest
import torch
from torch import nn

from clef.errors import ClefError
from clef.model.weights_file import restore
from clef.training.checkpoint import Recovery, load_weights, save_weights

SIDECAR = {"stage": "pretrain", "fingerprint": {}, "trained_on": [], "model": {}}
CPU = torch.device("cpu")


def saved(folder):
    path = folder / "w.safetensors"
    save_weights(path, nn.Linear(3, 2).state_dict(), SIDECAR)
    return path


def test_weights_are_loaded_with_their_sidecar(tmp_path):
    weights = {"a": torch.arange(6.0).reshape(2, 3).T}
    path = tmp_path / "w.safetensors"
    save_weights(path, weights, SIDECAR | {"seed": 3})
    loaded, sidecar = load_weights(path, "pretrain")
    assert torch.equal(loaded["a"], weights["a"])
    assert sidecar == SIDECAR | {"seed": 3}
    assert path.stat().st_mode == path.with_suffix(".json").stat().st_mode


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("w.safetensors", None, r"w\.safetensors: no such file; run `clef pretrain` first, which writes it"),
        ("w.json", None, r"w\.json: no such file; run `clef pretrain` first, which writes it"),
        *[
            ("w.json", lambda _, wrong=wrong: wrong, "not written by `clef pretrain`; train again")
            for wrong in (b"", b"[]", b"3", b'{"seed": 3}')
        ],
        ("w.json", lambda content: content.replace(b"trained_on", b"x"), "trained_on is missing"),
        ("w.json", lambda _: b'{"stage": "finetune"}', "weights of `clef finetune`; expected .* `clef pretrain`"),
        *[
            ("w.safetensors", lambda content, kept=kept: content[:kept], r"w\.safetensors: damaged")
            for kept in (0, 60, -4)
        ],
        (
            "w.safetensors",
            lambda content: content[:-1] + bytes([content[-1] ^ 1]),
            r"w\.safetensors: changed since it was trained.*, but w\.json says",
        ),
    ],
)
def test_missing_and_damaged_files_are_named_in_one_line(tmp_path, name, damage, message):
    path, file = saved(tmp_path), tmp_path / name
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ClefError, match=message) as caught:
        load_weights(path, "pretrain")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(4, 5), r"weight has shape \(2, 3\), not \(5, 4\) and 1 more; restore the run's `model:`"),
        (nn.Linear(3, 2, bias=False), "bias is unknown;"),
        (nn.Sequential(nn.Linear(3, 2)), "0.weight is missing and 3 more"),
    ],
)
def test_weights_of_a_different_model_are_refused(tmp_path, model, message):
    path = saved(tmp_path)
    weights, _ = load_weights(path, "pretrain")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ClefError, match=rf"w\.safetensors: weights of a different model: {message}"):
        restore(model, weights, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    restore(same := nn.Linear(3, 2), weights, path)
    assert torch.equal(same.weight, weights["weight"])


def test_a_recovery_is_loaded_with_its_key_and_changed_by_its_owner_only(tmp_path):
    work = tmp_path / "work"
    assert Recovery(work, "one", owner=False).load(CPU) is None
    assert not work.exists()
    Recovery(work, "one").save(5, {"w": torch.ones(2)}, {"state": {}})
    (work / "epoch0001.parquet").write_text("of the first")
    before = {path.name: path.stat().st_mtime_ns for path in work.iterdir()}
    assert Recovery(work, "two", owner=False).load(CPU) is None
    state = Recovery(work, "one", owner=False).load(CPU)
    assert {path.name: path.stat().st_mtime_ns for path in work.iterdir()} == before
    assert state["step"] == 5
    assert torch.equal(state["model"]["w"], torch.ones(2))
    assert Recovery(work, "one").load(CPU)["step"] == 5
    assert Recovery(work, "two").load(CPU) is None
    assert [path.name for path in work.iterdir()] == ["key"]


def test_a_failed_save_keeps_the_last_recovery(tmp_path):
    recovery = Recovery(tmp_path / "work", "one")
    recovery.save(5, {"w": torch.ones(2)}, {})
    with pytest.raises(AttributeError):
        recovery.save(6, {"w": lambda: None}, {})
    assert recovery.load(CPU)["step"] == 5
    assert not list((tmp_path / "work").glob(".*"))


@pytest.mark.parametrize("kept", [0, 40, -30])
def test_a_damaged_recovery_is_reported_and_the_training_starts_over(tmp_path, caplog, kept):
    recovery = Recovery(tmp_path / "work", "one")
    recovery.save(5, {"w": torch.ones(200)}, {})
    recovery.path.write_bytes(recovery.path.read_bytes()[:kept])
    assert recovery.load(CPU) is None
    assert "starting over: " in caplog.text
    assert "recovery.pt is damaged" in caplog.text
