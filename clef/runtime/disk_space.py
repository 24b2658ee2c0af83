"""Estimate roughly how much disk space a run needs, and refuse it if less than half of that is free."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from rich.filesize import decimal

from clef.errors import ClefError
from clef.params.schema import CropParams, ModelParams, RenderParams

JPEG_QUALITIES, JPEG_SCALES = (50, 75, 85, 90, 95, 98, 100), (0.33, 0.46, 0.59, 0.72, 1.0, 1.37, 1.89)
"""Sizes of a measured JPEG, relative to that at quality 95."""
DEMO_FPS = 25


def crop_bytes(settings: CropParams) -> float:
    """Bytes of one crop and its row, fitted to crops of real faces."""
    return 90 + np.interp(settings.quality, JPEG_QUALITIES, JPEG_SCALES) * 6.85 * settings.size**1.45


def demo_frames(settings: RenderParams) -> int:
    """Frames of a demo set."""
    if settings.kind == "stills":
        return settings.train_images + settings.test_images
    return round(settings.subjects * settings.activities * sum(settings.seconds) / 2 * DEMO_FPS)


def demo_bytes(settings: RenderParams) -> float:
    """Bytes of the images or videos of a demo set."""
    return demo_frames(settings) * settings.size**2 * (0.2 if settings.kind == "stills" else 0.25 / DEMO_FPS)


def training_bytes(settings: ModelParams) -> float:
    """Bytes of the weights and checkpoints of a training: a fixed figure for all models but the demo's tiny one."""
    return 10e6 if settings.name == "clef-tiny" else 1e9


def require_writable(folders: Iterable[Path]) -> None:
    """Raise ClefError if a folder, or the nearest existing one above it, is not writable."""
    for folder in sorted(
        {next(path for path in (folder, *folder.parents) if os.path.lexists(path)) for folder in folders}
    ):
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise ClefError(
                f"{folder}: not writable ({error.strerror}); change its permissions, or link it to another disk"
            ) from None


def require_space(needs: Mapping[Path, float], at_least: bool = False, purpose: str = "this run needs") -> list[str]:
    """Compare the bytes needed by folder, which need not exist yet, with the free space of their disks.

    Args:
        needs: Bytes by folder.
        at_least: Whether more may be needed than is known.
        purpose: Starts the error message.

    Returns:
        One line per disk: space needed and free, with a warning if it may fill up.
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
                f"{where}: {purpose} {about} {decimal(round(total))}, the disk has {decimal(free)} free; "
                "free some space (`clef clean` lists what can go) or put these folders on another disk"
            )
        warning = " - TIGHT: the disk may fill up" if total * 1.2 > free else ""
        lines.append(f"{about} {decimal(round(total))} needed in {where}, {decimal(free)} free{warning}")
    return lines


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
