"""Published weights of the model, by open_clip's name and tag: had before the long jobs, and told how to be had."""

import re
import urllib.request
from pathlib import Path
from typing import Any

import open_clip
from huggingface_hub import try_to_load_from_cache

from clef.errors import ClefError
from clef.runtime.files import file_hash

SHA256 = re.compile(r"[0-9a-f]{64}")
SECONDS = 30
DEFAULT_FILE = "open_clip_model.safetensors"
"""What open_clip takes from a repository of the hub whose entry names no file."""


def fetch_pretrained(name: str, tag: str) -> tuple[Path, str]:
    """Download weights to where open_clip looks for them, unless they are there already.

    Args:
        name: An open_clip model.
        tag: One of its pretrained tags.

    Returns:
        The file, and its SHA-256.

    Raises:
        ClefError: No such tag, no network, or a file with another hash than its publisher's.
    """
    source = open_clip.get_pretrained_cfg(name, tag)
    if not source:
        known = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise ClefError(f"{name}/{tag}: no such weights in open_clip; {name} has the tags {known}")
    path = _cached(source)
    if path is None:
        try:
            # Asked once: open_clip's own asking is repeated for a minute before it gives up.
            urllib.request.urlopen(urllib.request.Request(_address(source), method="HEAD"), timeout=SECONDS).close()
            path = Path(open_clip.download_pretrained(source))
        except Exception as error:  # the hub and urllib each have errors of their own
            raise not_to_be_had(name, tag, error) from None
    found = file_hash(path)
    published = published_hash(source, path)
    if published is not None and not found.startswith(published):
        raise ClefError(
            f"{path}: its SHA-256 begins with {found[:9]}, expected {published[:9]}; remove it and run this again"
        )
    return path, found


def published_hash(source: dict[str, Any], path: Path) -> str | None:
    """SHA-256 of a fetched file as its publisher has it, from the address or from its name in the hub's cache."""
    blob = path.resolve().stem
    if source.get("hf_hub"):
        return blob if SHA256.fullmatch(blob) else None
    found = SHA256.search(source.get("url", ""))
    return found[0] if found else None


def not_to_be_had(name: str, tag: str, error: Exception) -> ClefError:
    """The line for weights that cannot be downloaded: which file, from where, its hash, and where to put it."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return ClefError(
        f"model.pretrained: {tag} of {name} cannot be had ({reason}); on a machine with a network run "
        f"`clef fetch-weights {name}/{tag}` and copy the file that it names, or get {_addresses(name, tag)}; put it in "
        "weights/ and give its path as model.pretrained"
    )


def _addresses(name: str, tag: str) -> str:
    source = open_clip.get_pretrained_cfg(name, tag)
    places = []
    if source.get("hf_hub"):
        places.append(f"{_address(source)} (its SHA-256 stands on the file's page)")
    if source.get("url"):
        digits = SHA256.search(source["url"])
        places.append(source["url"] + (f" (its SHA-256 is {digits[0]})" if digits else ""))
    return " or ".join(places)


def _address(source: dict[str, Any]) -> str:
    """Where open_clip would download from: the hub, if there are two places."""
    if not source.get("hf_hub"):
        return source["url"]
    repository, file = _on_the_hub(source)
    return f"https://huggingface.co/{repository}/resolve/main/{file}"


def _on_the_hub(source: dict[str, Any]) -> tuple[str, str]:
    repository, _, file = source["hf_hub"].rpartition("/")
    return repository, file or DEFAULT_FILE


def _cached(source: dict[str, Any]) -> Path | None:
    """The file where open_clip looks for it first, if it is there."""
    if source.get("hf_hub"):
        found = try_to_load_from_cache(*_on_the_hub(source))
        return Path(found) if isinstance(found, str) else None
    path = Path.home() / ".cache" / "clip" / Path(source["url"]).name
    return path if path.is_file() else None
