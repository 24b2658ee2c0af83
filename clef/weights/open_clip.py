"""Pretrained weights of models, by open_clip's name and tag."""

import re
import urllib.request
from pathlib import Path
from typing import Any

import open_clip
from huggingface_hub import hf_hub_url, try_to_load_from_cache

from clef.errors import ClefError
from clef.params.schema import ModelParams, Statistics
from clef.runtime.files import file_hash
from clef.weights.normalisation import PUBLISHED, statistics_of

SHA256 = re.compile(r"[0-9a-f]{64}")
TIMEOUT_SECONDS = 30
DEFAULT_FILE = "open_clip_model.safetensors"
"""The file that open_clip takes from a repository of the Hugging Face hub if its entry names none."""
FALLBACK_FILE = "open_clip_pytorch_model.bin"
"""The file that it takes if that one does not exist."""


def weights_present(model: ModelParams) -> bool:
    """Whether the weights that a model starts from are on this machine: its file, or its tag in open_clip's cache.

    A model that starts from scratch needs none. Nothing is downloaded.
    """
    if model.pretrained is None:
        return True
    if model.pretrained in open_clip.list_pretrained_tags_by_model(model.name):
        return _cached(open_clip.get_pretrained_cfg(model.name, model.pretrained)) is not None
    return Path(model.pretrained).is_file()


def fetch_pretrained(name: str, tag: str) -> tuple[Path, str]:
    """Download a model's weights into open_clip's cache, unless they are there; return the file and its SHA-256.

    Raises:
        ClefError: The tag is unknown, the download failed, or the file has another hash than published.
    """
    source = open_clip.get_pretrained_cfg(name, tag)
    if not source:
        known = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise ClefError(f"{name}/{tag}: no such weights in open_clip; {name} has the tags {known}")
    path = _cached(source)
    if path is None:
        try:
            # Fail at once without a network: open_clip itself retries for a minute.
            request = urllib.request.Request(_address(source), method="HEAD")
            urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()
            path = Path(open_clip.download_pretrained(source))
        except Exception as error:  # the hub and urllib raise errors of many classes
            raise download_error(name, tag, error) from None
    found = file_hash(path)
    published = published_hash(source, path)
    if published is not None and not found.startswith(published):
        raise ClefError(
            f"{path}: its SHA-256 is {found[:9]}..., expected {published[:9]}...; remove it and run this again"
        )
    return path, found


def published_hash(source: dict[str, Any], path: Path) -> str | None:
    """Return the published SHA-256 of a downloaded file, from its address or its name in the hub's cache."""
    if source.get("hf_hub"):
        blob = path.resolve().stem
        return blob if SHA256.fullmatch(blob) else None
    match = SHA256.search(source.get("url", ""))
    return match[0] if match else None


def download_error(name: str, tag: str, error: Exception) -> ClefError:
    """Describe weights that could not be downloaded: file, address, hash, and where to put the file."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    source = open_clip.get_pretrained_cfg(name, tag)
    places = []
    if source.get("hf_hub"):
        places.append(f"{_address(source)} (the page of the file shows its SHA-256)")
    if source.get("url"):
        digits = SHA256.search(source["url"])
        places.append(source["url"] + (f" (its SHA-256 is {digits[0]})" if digits else ""))
    return ClefError(
        f"model.pretrained: cannot download {tag} of {name} ({reason}); on a machine with a network run "
        f"`clef fetch-weights {name}/{tag}` and copy the file it prints, or get {' or '.join(places)}; put it in "
        f"weights/ and give its path as model.pretrained, with model.normalisation: {_normalisation(source)}"
    )


def _normalisation(source: dict[str, Any]) -> str | Statistics:
    statistics = statistics_of(source)
    return next((name for name, published in PUBLISHED.items() if published == statistics), statistics)


def _address(source: dict[str, Any]) -> str:
    """Return the address that open_clip downloads from; it prefers the hub."""
    return hf_hub_url(*_hub_file(source)) if source.get("hf_hub") else source["url"]


def _hub_file(source: dict[str, Any]) -> tuple[str, str]:
    repository, _, file = source["hf_hub"].rpartition("/")
    return repository, file or DEFAULT_FILE


def _cached(source: dict[str, Any]) -> Path | None:
    """Return the file in the cache that open_clip reads, or None."""
    if source.get("hf_hub"):
        repository, file = _hub_file(source)
        # open_clip prefers safetensors to the file that an entry names.
        files = [str(Path(file).with_suffix(".safetensors")), FALLBACK_FILE if file == DEFAULT_FILE else file]
        paths = [try_to_load_from_cache(repository, file) for file in files]
        return next((Path(path) for path in paths if isinstance(path, str)), None)
    path = Path.home() / ".cache" / "clip" / Path(source["url"]).name
    return path if path.is_file() else None
