"""Weights files of every common kind, written by tiny models, give the features of the model that wrote them."""

import json
import re
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import convert_weights_to_fp16
from open_clip.push_to_hf_hub import save_config_for_hf
from safetensors.torch import save_file
from torch import nn

from clef.errors import ClefError
from clef.model.open_clip_model import create_model
from clef.params.schema import ModelParams

open_clip.add_model_config(Path(__file__).with_name("configs"))

IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 3, 32, 32)).astype(np.float32))
TOKENS = open_clip.get_tokenizer("test-vit")(["a person smiles", "a person frowns"])
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def writer(name: str = "test-vit", seed: int = 5) -> nn.Module:
    torch.manual_seed(seed)
    return open_clip.create_model(name).eval()


def load(path: Path, name: str = "test-vit", normalisation: str | None = "clip", image_size: int = 32) -> nn.Module:
    values = {"name": name, "pretrained": str(path), "normalisation": normalisation, "image_size": image_size}
    return create_model(ModelParams.model_validate(values)).eval()


def warnings_of_clef(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("clef.")]


@torch.no_grad()
def assert_same_features(found: nn.Module, expected: nn.Module) -> None:
    assert torch.equal(found.encode_image(IMAGES), expected.encode_image(IMAGES))
    assert torch.equal(found.encode_text(TOKENS), expected.encode_text(TOKENS))


def save_safetensors(model: nn.Module, path: Path) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)
    return path


def save_training_checkpoint(model: nn.Module, path: Path) -> Path:
    """Write what open_clip_train writes, with a rate and a loss as numpy's numbers."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=np.float64(1e-3))
    model.encode_image(IMAGES).sum().backward()
    optimiser.step()
    checkpoint = {"epoch": 1, "name": "2024_01_01-model_test-vit", "loss": np.float32(0.5), "seen": np.int64(6)}
    weights = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({**checkpoint, "state_dict": weights, "optimizer": optimiser.state_dict()}, path)
    return path


def save_farl(model: nn.Module, path: Path, prefix: str = "visual.") -> Path:
    """Write FaRL's names: those of CLIP, and a transformer with a head that predicts masked patches."""
    tower = open_clip.transformer.Transformer(width=64, layers=1, heads=1)
    masked = {
        "mask_token": torch.zeros(64),
        "ln_lm.weight": torch.ones(64),
        "ln_lm.bias": torch.zeros(64),
        "lm_head.weight": torch.zeros(99, 64),
        "lm_head.bias": torch.zeros(99),
        **{f"lm_transformer.{name}": tensor for name, tensor in tower.state_dict().items()},
    }
    weights = {**model.state_dict(), **{f"{prefix}{name}": tensor for name, tensor in masked.items()}}
    torch.save({"state_dict": weights}, path)
    return path


def save_openai(model: nn.Module, path: Path) -> Path:
    """Write a TorchScript archive like OpenAI's: traced, partly in float16, with three numbers, saved from a GPU."""
    convert_weights_to_fp16(model)
    for name, value in {"input_resolution": 32, "context_length": 16, "vocab_size": 49408}.items():
        vars(model).pop(name, None)
        model.register_buffer(name, torch.tensor(value))
    mask = model.attn_mask
    del model.attn_mask
    model.attn_mask = mask  # no buffer, but a plain attribute, which becomes a constant
    examples = {"encode_image": IMAGES[:1].half(), "encode_text": TOKENS[:1]}
    torch.jit.trace_module(model, examples, check_trace=False).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if name.endswith("/data.pkl"):
                content = content.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("save", [save_safetensors, save_training_checkpoint])
def test_files_of_open_clip_give_the_features_of_their_writer(tmp_path, save, caplog):
    model = writer()
    path = save(model, tmp_path / ("w.safetensors" if save is save_safetensors else "epoch_1.pt"))
    assert_same_features(load(path), model)
    assert warnings_of_clef(caplog) == []  # whether such a file needs QuickGELU is unknown


@pytest.mark.parametrize("prefix", ["visual.", ""])
def test_farl_loads_without_its_masked_image_part_and_strictly_otherwise(tmp_path, prefix, caplog):
    model = writer("test-vit-quickgelu")
    path = save_farl(model, tmp_path / "FaRL.pth", prefix)
    assert_same_features(load(path, "test-vit-quickgelu"), model)
    assert warnings_of_clef(caplog) == []
    content = torch.load(path)
    content["state_dict"]["visual.lm_other"] = torch.zeros(1)
    torch.save(content, path)
    with pytest.raises(ClefError, match=r"does not fit test-vit-quickgelu .*\(visual\.lm_other is unknown\)"):
        load(path, "test-vit-quickgelu")


def test_an_archive_of_openai_loads_as_open_clip_loads_it(tmp_path, caplog):
    path = save_openai(writer("test-vit-quickgelu"), tmp_path / "ViT.pt")
    assert torch.jit.load(path, map_location="cpu").state_dict()["visual.proj"].dtype == torch.float16
    assert_same_features(load(path, "test-vit-quickgelu"), open_clip.load_openai_model(str(path), device="cpu"))
    assert warnings_of_clef(caplog) == []


def test_an_archive_written_by_open_clip_loads(tmp_path):
    """It has the text tower's mask as a buffer, which no checkpoint has."""
    model = writer()
    torch.jit.trace_module(model, {"encode_image": IMAGES, "encode_text": TOKENS}).save(tmp_path / "w.pt")
    assert_same_features(load(tmp_path / "w.pt"), model)


@pytest.mark.parametrize("save", [save_farl, save_openai])
def test_quickgelu_weights_in_a_model_without_it_are_a_warning_of_one_line(tmp_path, save, caplog):
    load(save(writer("test-vit-quickgelu"), tmp_path / "w.pt"))
    (message,) = warnings_of_clef(caplog)
    assert message == (
        f"model.name: test-vit computes GELU, but {tmp_path / 'w.pt'} was trained with QuickGELU, so its features are "
        "worse; use test-vit-quickgelu"
    )


@pytest.fixture
def hub_folder(tmp_path) -> Callable[..., Path]:
    """Write weights and config as open_clip does for the Hugging Face hub."""

    def write(name: str = "test-vit", **preprocessing) -> Path:
        model = writer(name)
        open_clip.model.set_model_preprocess_cfg(model, {**open_clip.get_model_preprocess_cfg(model), **preprocessing})
        save_config_for_hf(model, tmp_path / "open_clip_config.json", open_clip.get_model_config(name))
        return save_safetensors(model, tmp_path / "open_clip_model.safetensors")

    return write


def test_a_file_of_the_hub_brings_its_normalisation(hub_folder, caplog):
    path = hub_folder(**IMAGENET)
    found = load(path, normalisation=None)
    assert_same_features(found, writer())
    preprocessing = open_clip.get_model_preprocess_cfg(found)
    assert {name: list(preprocessing[name]) for name in IMAGENET} == IMAGENET
    assert warnings_of_clef(caplog) == []
    load(path, "test-vit-quickgelu", normalisation="imagenet")
    assert "test-vit-quickgelu computes QuickGELU, but" in caplog.text
    assert "use test-vit\n" in caplog.text
    with pytest.raises(ClefError, match=r"model\.normalisation: clip, but .*_config\.json says mean \[0\.485, .*leave"):
        load(path)


def test_the_config_of_another_model_is_an_error(hub_folder):
    other = save_safetensors(writer("clef-tiny"), hub_folder().with_name("other.safetensors"))
    with pytest.raises(ClefError, match=r"open_clip_config\.json: describes another model than clef-tiny; give that"):
        load(other, "clef-tiny")


@pytest.mark.parametrize("given", ["clip", {"mean": [0.1, 0.2, 0.3], "std": [1, 0.5, 0.25]}])
def test_the_normalisation_of_a_file_without_config_is_asked_for(tmp_path, given):
    path = save_safetensors(writer(), tmp_path / "w.safetensors")
    with pytest.raises(ClefError, match=r"^model\.normalisation: missing, and .*w\.safetensors does not say .*clip"):
        load(path, normalisation=None)
    preprocessing = open_clip.get_model_preprocess_cfg(load(path, normalisation=given))
    clip = {"mean": list(open_clip.OPENAI_DATASET_MEAN), "std": list(open_clip.OPENAI_DATASET_STD)}
    assert {name: list(preprocessing[name]) for name in clip} == (clip if given == "clip" else given)


def test_a_tag_brings_its_normalisation_and_its_activation(tmp_path, monkeypatch, caplog, recwarn):
    path = save_safetensors(writer("test-vit-quickgelu"), tmp_path / "w.safetensors")
    tag = {"url": "w", "quick_gelu": True, **IMAGENET}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "test-vit", {"published": tag})
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda *_, **__: str(path))
    found = load(Path("published"), normalisation=None)
    assert list(open_clip.get_model_preprocess_cfg(found)["std"]) == IMAGENET["std"]
    assert warnings_of_clef(caplog) == [
        "model.name: test-vit computes GELU, but published was trained with QuickGELU, so its features are worse; use "
        "test-vit-quickgelu"
    ]
    assert not recwarn.list  # open_clip's own warning would repeat it
    load(Path("published"), normalisation="imagenet")
    with pytest.raises(ClefError, match=r"inception, but the tag published of test-vit says mean \[0\.48"):
        load(Path("published"), normalisation="inception")


@pytest.mark.parametrize(
    ("name", "image_size"), [("test-vit", 48), ("test-timm-vit", 160), ("test-timm-vit", 96), ("clef-tiny", 32)]
)
def test_plain_files_load_as_open_clip_loads_them_at_any_size(tmp_path, name, image_size):
    path = save_safetensors(writer(name), tmp_path / "w.safetensors")
    expected = open_clip.create_model(name, pretrained=str(path), force_image_size=image_size).state_dict()
    found = load(path, name, image_size=image_size).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in found.items())


def test_an_unknown_model_or_tag_is_an_error():
    with pytest.raises(ClefError, match="no model ViT-Z"):
        create_model(ModelParams(name="ViT-Z"))
    with pytest.raises(ClefError, match=r"openay: no such file, and no tag of ViT-B-16-quickgelu .*openai"):
        create_model(ModelParams(pretrained="openay"))


def other_model(path: Path) -> None:
    save_safetensors(writer("clef-tiny"), path.with_suffix(".safetensors")).rename(path)


def missing_key(path: Path) -> None:
    torch.save({key: tensor for key, tensor in writer().state_dict().items() if key != "visual.proj"}, path)


def extra_keys(path: Path) -> None:
    torch.save({**writer().state_dict(), "head.weight": torch.zeros(2), "head.bias": torch.zeros(1)}, path)


def other_shape(path: Path) -> None:
    torch.save({**writer().state_dict(), "visual.proj": torch.zeros(64, 5)}, path)


def cut_off(path: Path) -> None:
    (save_safetensors if path.suffix == ".safetensors" else save_training_checkpoint)(writer(), path)
    path.write_bytes(path.read_bytes()[:-5000])


def text_file(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 600\n")


def empty_file(path: Path) -> None:
    path.touch()


def whole_list(path: Path) -> None:
    torch.save([torch.zeros(2)], path)


def nested(path: Path) -> None:
    torch.save({"state_dict": {"model": {"weight": torch.zeros(2)}}}, path)


def training_arguments(path: Path) -> None:
    torch.save({"state_dict": writer().state_dict(), "args": Namespace(lr=1)}, path)


@pytest.mark.parametrize(
    ("write", "suffix", "message"),
    [
        (text_file, "pt", "cannot be read as weights"),
        (text_file, "safetensors", "cannot be read as weights"),
        (text_file, "npz", "does not fit test-vit at 32 pixels"),
        (empty_file, "pt", "cannot be read as weights"),
        (empty_file, "safetensors", "cannot be read as weights"),
        (cut_off, "pt", "cannot be read as weights"),
        (cut_off, "safetensors", "cannot be read as weights"),
        (other_model, "safetensors", r"does not fit test-vit at 32 pixels \(visual\.class_embedding is missing and"),
        (missing_key, "pt", r"does not fit test-vit at 32 pixels \(visual\.proj is missing\)"),
        (extra_keys, "pt", r"does not fit test-vit at 32 pixels \(head\.weight is unknown and 1 more\)"),
        (other_shape, "pt", r"\(visual\.proj has shape \(64, 5\), not \(64, 32\)\); expected all weights"),
        (whole_list, "pt", "holds no tensors by name; expected a state_dict"),
        (nested, "pt", "holds no tensors by name; expected a state_dict"),
        (training_arguments, "pt", r"holds the Python object argparse\.Namespace, which could run code"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_of_one_line(tmp_path, write, suffix, message):
    path = tmp_path / f"w.{suffix}"
    write(path)
    with pytest.raises(ClefError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"model.pretrained: {path} ")
    assert "\n" not in str(caught.value)
    assert not re.search("weights_only|allow_pickle", str(caught.value))  # torch and numpy advise to run the file


@pytest.mark.parametrize("content", ["[1]", '{"preprocess_cfg": 1}', "{"])
def test_a_damaged_config_is_an_error(tmp_path, content):
    path = save_safetensors(writer(), tmp_path / "w.safetensors")
    (tmp_path / "open_clip_config.json").write_text(content)
    with pytest.raises(ClefError, match=r"open_clip_config\.json: .*; get it again, or remove it"):
        load(path)
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"preprocess_cfg": {"size": 32}}))
    load(path)  # it does not say, so the params do
