import pytest
import torch
from torch import nn

from clef.errors import ClefError
from clef.params.schema import ModelParams
from clef.training.checkpoint import Recovery, load_weights, require_fingerprint, require_model, restore, save_weights

SIDECAR = {"stage": "pretrain", "fingerprint": {}, "trained_on": [], "model": {}}
CPU = torch.device("cpu")


def saved(folder, **sidecar):
    path = folder / "w.safetensors"
    save_weights(path, nn.Linear(3, 2).state_dict(), SIDECAR | sidecar)
    return path


def test_weights_are_loaded_with_their_sidecar(tmp_path):
    weights = {"a": torch.arange(6.0).reshape(2, 3).T}
    path = tmp_path / "w.safetensors"
    save_weights(path, weights, SIDECAR | {"seed": 3})
    loaded, sidecar = load_weights(path, "pretrain")
    assert torch.equal(loaded["a"], weights["a"])
    assert sidecar == SIDECAR | {"seed": 3}
    assert path.stat().st_mode == path.with_suffix(".json").stat().st_mode


def test_changed_weights_are_refused(tmp_path):
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ClefError, match=r"w\.safetensors: changed since it was trained.*, but w\.json says") as caught:
        load_weights(path, "pretrain")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["w.safetensors", "w.json"])
def test_missing_weights_are_named(tmp_path, name):
    path = saved(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ClefError, match=rf"{name}: no such file; run `clef pretrain` first, which writes it"):
        load_weights(path, "pretrain")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *[(content, "not written by `clef pretrain`; train again") for content in ("", "[]", "3", '{"seed": 3}')],
        ('{"stage": "pretrain", "fingerprint": {}, "model": {}}', "trained_on is missing"),
        ('{"stage": "finetune"}', r"weights of `clef finetune`; expected weights of `clef pretrain`"),
    ],
)
def test_a_wrong_sidecar_is_named(tmp_path, content, message):
    path = saved(tmp_path)
    path.with_suffix(".json").write_text(content)
    with pytest.raises(ClefError, match=message):
        load_weights(path, "pretrain")


@pytest.mark.parametrize("kept", [0, 5, 60, -4])
def test_truncated_weights_are_named(tmp_path, kept):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ClefError, match=r"w\.safetensors: damaged") as caught:
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


def test_different_crop_settings_are_listed(tmp_path):
    with pytest.raises(ClefError, match=r"margin 0\.1 against 0\.2; size 72 against None"):
        require_fingerprint({"fingerprint": {"margin": 0.1, "size": 72}}, {"margin": 0.2}, tmp_path, tmp_path)


@pytest.mark.parametrize("changes", [{"name": "ViT-B-16"}, {"image_size": 96}])
def test_a_different_architecture_or_input_size_is_refused(changes, tmp_path):
    ours = ModelParams(name="clef-tiny", image_size=64)
    require_model({"model": ours.model_dump()}, ours, tmp_path)
    theirs = ours.model_dump() | changes
    message = f"as {theirs['name']} at {theirs['image_size']} pixels, .* clef-tiny at 64 pixels;"
    with pytest.raises(ClefError, match=message):
        require_model({"model": theirs}, ours, tmp_path)


def test_a_recovery_is_loaded_with_its_key_only(tmp_path):
    work = tmp_path / "work"
    Recovery(work, "one").save(5, {"w": torch.ones(2)}, {"state": {}})
    (work / "epoch0001.parquet").write_text("of the first")
    state = Recovery(work, "one").load(CPU)
    assert state["step"] == 5
    assert torch.equal(state["model"]["w"], torch.ones(2))
    assert Recovery(work, "two").load(CPU) is None
    assert [path.name for path in work.iterdir()] == ["key"]


def test_only_the_owner_writes_to_the_work_folder(tmp_path):
    work = tmp_path / "work"
    assert Recovery(work, "one", owner=False).load(CPU) is None
    assert not work.exists()
    Recovery(work, "one").save(5, {"w": torch.ones(2)}, {"state": {}})
    before = {path.name: path.stat().st_mtime_ns for path in work.iterdir()}
    assert Recovery(work, "two", owner=False).load(CPU) is None
    assert Recovery(work, "one", owner=False).load(CPU)["step"] == 5
    assert {path.name: path.stat().st_mtime_ns for path in work.iterdir()} == before


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
