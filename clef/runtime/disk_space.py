"""How much disk a run will take, roughly, and whether it is there.

The figures behind the estimates were measured: crops of real faces and of the demo's, demo videos, weights. They are
good to a third or so; tables and logs are left out. A run is refused only where not even half of its estimate fits.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from clef.errors import ClefError
from clef.params.schema import CropParams, ModelParams, RenderParams

JPEG_SCALE, JPEG_POWER = 6.85, 1.45
"""Bytes of a face of n x n pixels at quality 95: scale times n to this power."""
QUALITIES = {50: 0.33, 75: 0.46, 85: 0.59, 90: 0.72, 95: 1.0, 98: 1.37, 100: 1.89}
"""Bytes at other qualities, against those at 95."""
ROW_BYTES = 90
"""A row of a shard beside its crop."""
VIDEO_BYTES = 0.25
"""A demo video, a pixel of its frame and a second."""
STILL_BYTES = 0.2
"""A demo image, a pixel."""
DEMO_FPS = 25
FLOAT = 4
UNKNOWN_TOWER = 90_000_000
"""Parameters of an image tower whose configuration does not tell: about a ViT-B."""
TINY_TOWER = 150_000
"""Parameters of the networks that timm keeps for tests; the demo uses one."""
RECOVERY = 6
"""A recovery checkpoint while the next is written: weights and two moments, twice."""


def crop_bytes(settings: CropParams) -> float:
    """Bytes of one row of a shard with its crop."""
    quality = float(np.interp(settings.quality, list(QUALITIES), list(QUALITIES.values())))
    return ROW_BYTES + quality * JPEG_SCALE * settings.size**JPEG_POWER


def demo_frames(settings: RenderParams) -> int:
    """Frames of a demo set."""
    if settings.kind == "stills":
        return settings.train_images + settings.test_images
    return round(settings.subjects * settings.activities * sum(settings.seconds) / 2 * DEMO_FPS)


def crops_to_make(settings: CropParams, frames: Iterable[tuple[str, int]], folder: Path) -> float:
    """Bytes of the crops that are not there yet.

    Args:
        settings: Of the crops.
        frames: Shard and number of frames of each recording.
        folder: Of the shards.
    """
    there = {path.stem for path in folder.glob("*.arrow")}
    return crop_bytes(settings) * sum(count for shard, count in frames if shard not in there)


def demo_bytes(settings: RenderParams) -> float:
    """Bytes of a demo set's videos or images."""
    if settings.kind == "stills":
        return demo_frames(settings) * STILL_BYTES * settings.size**2
    return demo_frames(settings) / DEMO_FPS * VIDEO_BYTES * settings.size**2


def model_bytes(settings: ModelParams) -> int:
    """Bytes of a model's weights, from the same configuration file that open_clip builds it from."""
    config = _configuration(settings.name)
    if config is None:
        return FLOAT * 2 * UNKNOWN_TOWER
    text, vision, dim = config["text_cfg"], config["vision_cfg"], config["embed_dim"]
    return FLOAT * (_text_tower(text, dim) + _image_tower(vision, dim, settings.image_size))


def require_writable(folders: Iterable[Path]) -> None:
    """Make sure that files can be made in some folders, or where those are to be made, by making one each.

    Raises:
        ClefError: One of them cannot be written.
    """
    for place in sorted({_lowest(folder) for folder in folders}):
        try:
            with tempfile.NamedTemporaryFile(dir=place, prefix=".clef-"):
                pass
        except OSError as error:
            raise ClefError(
                f"{place}: cannot be written ({error.strerror}); give this user the right to it, or put the folder, or "
                "a link to one elsewhere, in its place"
            ) from None


def require_space(needs: Mapping[Path, float], at_least: bool = False, purpose: str = "this run needs") -> list[str]:
    """Compare what will be written below some folders with what is free on their disks.

    Args:
        needs: Bytes by folder; the folders need not exist yet.
        at_least: Whether more may come that cannot be told yet.
        purpose: What for, in a message.

    Returns:
        One line a disk: what is needed and what is free, and a warning where it is tight.

    Raises:
        ClefError: Not even half of it fits on a disk.
    """
    disks: dict[int, list[Path]] = {}
    for folder in needs:
        disks.setdefault(os.stat(_existing(folder)).st_dev, []).append(folder)
    about, lines = "at least" if at_least else "about", []
    for folders in disks.values():
        total = sum(needs[folder] for folder in folders)
        free = shutil.disk_usage(_existing(folders[0])).free
        where = " and ".join(f"{folder}/" for folder in folders)
        if total / 2 > free:
            raise ClefError(
                f"{where}: {purpose} {about} {readable(total)}, the disk has {readable(free)} free; "
                "free some space (`clef clean` lists what can go) or put these folders on another disk"
            )
        tight = " - TIGHT: it may run full" if total * 1.2 > free else ""
        lines.append(f"{about} {readable(total)} needed in {where}, {readable(free)} free{tight}")
    return lines


def readable(size: float) -> str:
    """Such as `1.2 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _lowest(folder: Path) -> Path:
    """What is there of a path, as far down as it goes; a link that leads nowhere is there."""
    return next((place for place in (folder, *folder.parents) if os.path.lexists(place)), folder)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _configuration(name: str) -> dict[str, Any] | None:
    folders = [Path(__file__).parents[1] / "model" / "configs"]
    if (spec := find_spec("open_clip")) is not None and spec.origin:  # finds the package and does not import it
        folders.append(Path(spec.origin).with_name("model_configs"))
    paths = [folder / f"{name}.json" for folder in folders]
    return next((json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()), None)


def _transformer(width: int, layers: int) -> int:
    return 12 * layers * width**2


def _text_tower(text: dict[str, Any], dim: int) -> int:
    if "width" not in text or "layers" not in text:
        return UNKNOWN_TOWER
    embedded = text.get("vocab_size", 49408) + text.get("context_length", 77) + dim
    return embedded * text["width"] + _transformer(text["width"], text["layers"])


def _image_tower(vision: dict[str, Any], dim: int, image_size: int) -> int:
    if str(vision.get("timm_model_name", "")).startswith("test_"):
        return TINY_TOWER
    layers, patch = vision.get("layers"), vision.get("patch_size")
    if not isinstance(layers, int) or not patch:
        return UNKNOWN_TOWER
    embedded = 3 * patch**2 + (image_size // patch) ** 2 + 1 + dim
    return embedded * vision["width"] + _transformer(vision["width"], layers)
