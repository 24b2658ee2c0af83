import subprocess
import sys

import pytest
import torch
from torch import nn

from clef.errors import ClefError
from clef.params.schema import ModelParams
from clef.training.checkpoint import Recovery, load_weights, require_fingerprint, require_model, restore, save_weights

SIDECAR = {"stage": "pretrain", "fingerprint": {}, "trained_on": [], "model": {}}


def saved(folder, **sidecar):
    path = folder / "w.safetensors"
    save_weights(path, nn.Linear(3, 2).state_dict(), SIDECAR | sidecar)
    return path


def test_weights_come_back_with_their_sidecar(tmp_path):
    weights = {"a": torch.arange(6.0).reshape(2, 3).T}
    save_weights(tmp_path / "w.safetensors", weights, SIDECAR | {"seed": 3})
    loaded, sidecar = load_weights(tmp_path / "w.safetensors", "pretrain")
    assert torch.equal(loaded["a"], weights["a"])
    assert sidecar == SIDECAR | {"seed": 3}


def test_whoever_may_read_the_sidecar_may_read_the_weights(tmp_path):
    path = saved(tmp_path)
    assert path.stat().st_mode == path.with_suffix(".json").stat().st_mode


def test_one_flipped_byte_is_told(tmp_path):
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ClefError, match=r"w\.safetensors: changed since .* that in w\.json with") as caught:
        load_weights(path, "pretrain")
    assert "\n" not in str(caught.value)


def test_weights_beside_another_trainings_sidecar_are_told(tmp_path):
    path = saved(tmp_path)
    beside = path.with_suffix(".json").read_text()
    torch.manual_seed(1)
    saved(tmp_path)
    path.with_suffix(".json").write_text(beside)
    with pytest.raises(ClefError, match="changed since it was trained"):
        load_weights(path, "pretrain")


def test_the_same_weights_have_the_same_sidecar(tmp_path):
    weights = nn.Linear(3, 2).state_dict()
    for name in ("a", "b"):
        save_weights(tmp_path / f"{name}.safetensors", weights, SIDECAR)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize("name", ["w.safetensors", "w.json"])
def test_missing_weights_are_named(tmp_path, name):
    path = saved(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ClefError, match=rf"{name}: no such file; train it first: `clef pretrain` writes it"):
        load_weights(path, "pretrain")


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"seed": 3}', "\x00\x00"])
def test_a_sidecar_that_is_none_is_named(tmp_path, content):
    path = saved(tmp_path)
    path.with_suffix(".json").write_text(content)
    with pytest.raises(ClefError, match=r"w\.json: not what `clef pretrain` writes beside its weights; train again"):
        load_weights(path, "pretrain")


def test_a_sidecar_without_what_is_asked_of_it_is_named(tmp_path):
    path = saved(tmp_path)
    path.with_suffix(".json").write_text('{"stage": "pretrain", "fingerprint": {}, "model": {}}')
    with pytest.raises(ClefError, match=r"w\.json: trained_on is missing"):
        load_weights(path, "pretrain")


@pytest.mark.parametrize("kept", [0, 5, 60, -4])
def test_truncated_weights_are_named(tmp_path, kept):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ClefError, match=r"w\.safetensors: not a whole file of weights") as caught:
        load_weights(path, "pretrain")
    assert "\n" not in str(caught.value)


def test_weights_of_the_other_stage_are_refused(tmp_path):
    path = saved(tmp_path, stage="finetune")
    with pytest.raises(ClefError, match="weights of `clef finetune`; expected those of `clef pretrain`"):
        load_weights(path, "pretrain")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(4, 2), r"weight has shape \(2, 3\), not \(2, 4\); restore its `model:`"),
        (nn.Linear(4, 5), r"weight has shape \(2, 3\), not \(5, 4\) and 1 more;"),
        (nn.Linear(3, 2, bias=False), "bias is unknown;"),
        (nn.Sequential(nn.Linear(3, 2)), "0.weight is missing and 3 more"),
    ],
)
def test_weights_of_another_model_are_refused(tmp_path, model, message):
    path = saved(tmp_path)
    weights, _ = load_weights(path, "pretrain")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ClefError, match=rf"w\.safetensors: weights of another model than the run has: {message}"):
        restore(model, weights, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    restore(same := nn.Linear(3, 2), weights, path)
    assert torch.equal(same.weight, weights["weight"])


def test_other_crops_are_refused_with_both_sides(tmp_path):
    with pytest.raises(ClefError, match=r"margin 0\.1 against 0\.2; size 72 against None"):
        require_fingerprint({"fingerprint": {"margin": 0.1, "size": 72}}, {"margin": 0.2}, tmp_path, tmp_path)


@pytest.mark.parametrize("changes", [{"name": "ViT-B-16"}, {"image_size": 96}])
def test_another_architecture_or_input_size_is_refused_with_both_sides(changes, tmp_path):
    ours = ModelParams(name="clef-tiny", image_size=64)
    require_model({"model": ours.model_dump()}, ours, tmp_path)
    theirs = ours.model_dump() | changes
    with pytest.raises(
        ClefError, match=f"as {theirs['name']} at {theirs['image_size']} pixels, .* clef-tiny at 64 pixels;"
    ):
        require_model({"model": theirs}, ours, tmp_path)


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


def test_only_the_owner_writes_or_removes_anything_in_the_work_folder(tmp_path):
    work = tmp_path / "work"
    assert Recovery(work, "one", owner=False).load(torch.device("cpu")) is None
    assert not work.exists()
    Recovery(work, "one").save(5, {"w": torch.ones(2)}, {"state": {}})
    before = {path.name: path.stat().st_mtime_ns for path in work.iterdir()}
    assert Recovery(work, "two", owner=False).load(torch.device("cpu")) is None
    state = Recovery(work, "one", owner=False).load(torch.device("cpu"))
    assert state is not None
    assert state["step"] == 5
    assert {path.name: path.stat().st_mtime_ns for path in work.iterdir()} == before


OTHER_RANK = """
import sys
from pathlib import Path
from clef.training.checkpoint import Recovery
print("ready", flush=True)
sys.stdin.read()
for _ in range(200):
    Recovery(Path(sys.argv[1]), "key", owner=False)
"""


def test_ranks_that_come_at_once_do_not_stand_in_each_others_way(tmp_path):
    work = tmp_path / "work"
    command = [sys.executable, "-c", OTHER_RANK, str(work)]
    ranks = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for rank in ranks:
        assert rank.stdout is not None
        assert rank.stdout.readline() == "ready\n"
    for rank in ranks:
        assert rank.stdin is not None
        rank.stdin.close()
    for _ in range(200):
        Recovery(work, "key")
    assert [rank.wait(60) for rank in ranks] == [0, 0, 0]
    assert [path.name for path in work.iterdir()] == ["key"]


def test_a_save_that_fails_keeps_the_last_recovery(tmp_path):
    recovery = Recovery(tmp_path / "work", "one")
    recovery.save(5, {"w": torch.ones(2)}, {})
    with pytest.raises(AttributeError):
        recovery.save(6, {"w": lambda: None}, {})
    state = recovery.load(torch.device("cpu"))
    assert state is not None
    assert state["step"] == 5
    assert not list((tmp_path / "work").glob(".*"))


@pytest.mark.parametrize("kept", [0, 40, -30])
def test_a_damaged_recovery_is_said_and_the_training_starts_over(tmp_path, caplog, kept):
    recovery = Recovery(tmp_path / "work", "one")
    recovery.save(5, {"w": torch.ones(200)}, {})
    recovery.path.write_bytes(recovery.path.read_bytes()[:kept])
    assert recovery.load(torch.device("cpu")) is None
    assert "starting over: " in caplog.text
    assert "recovery.pt is damaged" in caplog.text
