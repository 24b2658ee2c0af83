"""Published weights without a network, and with a made-up cache."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest

from clef.errors import ClefError
from clef.params.schema import ModelParams
from clef.weights.open_clip import fetch_pretrained, published_hash, weights_present

NAME, TAG = "ViT-B-16-quickgelu", "openai"
CONTENT = b"as published"
DIGITS = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")


def test_a_failed_download_names_address_hash_and_place_and_an_unknown_tag_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ClefError) as caught:
        fetch_pretrained(NAME, TAG)
    for part in (
        "cannot download openai of ViT-B-16-quickgelu (URLError: ",
        "`clef fetch-weights ViT-B-16-quickgelu/openai`",
        "https://huggingface.co/timm/vit_base_patch16_clip_224.openai/resolve/main/open_clip_model.safetensors",
        "/ViT-B-16.pt (its SHA-256 is 5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f)",
        "put it in weights/ and give its path as model.pretrained, with model.normalisation: clip",
    ):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ClefError, match=r"ViT-B-16-quickgelu/openay: no such weights in open_clip; .*openai"):
        fetch_pretrained(NAME, "openay")


@pytest.fixture
def in_cache(monkeypatch, tmp_path) -> Callable[[str, bytes], Path]:
    """Put a file that the hub published as `CONTENT` into its cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def write(name: str, content: bytes) -> Path:
        repository = tmp_path / "models--timm--vit_base_patch16_clip_224.openai"
        blob, snapshot = repository / "blobs" / DIGITS, repository / "snapshots" / "abc"
        for folder in (blob.parent, snapshot, repository / "refs"):
            folder.mkdir(parents=True)
        blob.write_bytes(content)
        (repository / "refs" / "main").write_text("abc")
        (snapshot / name).symlink_to(blob)
        return snapshot / name

    return write


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_weights_are_present_as_a_file_or_in_the_cache(in_cache, tmp_path, name):
    tag, file = ModelParams(name=NAME, pretrained=TAG), ModelParams(name=NAME, pretrained=str(tmp_path / "w.pt"))
    assert not weights_present(tag)
    assert not weights_present(file)
    assert weights_present(ModelParams())  # from scratch
    in_cache(name, CONTENT)
    (tmp_path / "w.pt").touch()
    assert weights_present(tag)
    assert weights_present(file)
    assert not weights_present(ModelParams(name="ViT-L-14-quickgelu", pretrained=TAG))


@pytest.mark.parametrize("whole", [True, False])
def test_cached_weights_need_no_network_and_their_hash_is_checked(in_cache, whole):
    path = in_cache("open_clip_model.safetensors", CONTENT if whole else CONTENT[:5])
    if whole:
        assert fetch_pretrained(NAME, TAG) == (path, DIGITS)
    else:
        with pytest.raises(ClefError, match=rf"expected {DIGITS[:9]}\.\.\.; remove it and run this again"):
            fetch_pretrained(NAME, TAG)


def test_the_hash_in_an_address_is_found(tmp_path):
    source = open_clip.get_pretrained_cfg(NAME, TAG) | {"hf_hub": ""}
    assert re.fullmatch("5806e77c[0-9a-f]{56}", published_hash(source, tmp_path / "ViT-B-16.pt") or "")
