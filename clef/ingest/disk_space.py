"""Whether crops and copies fit on a disk."""

import shutil
from pathlib import Path

import numpy as np
from rich.filesize import decimal

from clef.errors import ClefError
from clef.params.schema import CropParams

JPEG_QUALITIES, JPEG_SCALES = (50, 75, 85, 90, 95, 98, 100), (0.33, 0.46, 0.59, 0.72, 1.0, 1.37, 1.89)
"""Sizes of a measured JPEG, relative to that at quality 95."""


def least_crop_bytes(settings: CropParams) -> float:
    """Bytes of one crop and its row; crops of five real faces took 1.4 to 2.1 times as many."""
    return 0.6 * (90 + np.interp(settings.quality, JPEG_QUALITIES, JPEG_SCALES) * 6.85 * settings.size**1.45)


def require_space(folder: Path, size: float, purpose: str) -> None:
    """Raise ClefError if the disk of a folder, which need not exist yet, has less than `size` bytes free."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if size > free:
        raise ClefError(
            f"{folder}: {purpose} need at least {decimal(round(size))}, the disk has {decimal(free)} free; "
            "free some space (`clef clean` lists what can go), or link this folder to another disk"
        )
