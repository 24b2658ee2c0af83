"""Tell videos and images by the ends of their names."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from clef.recordings.numbered_images import IMAGE_SUFFIXES

VIDEO_SUFFIXES = {".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
VIDEO_SUFFIXES |= {".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"}


def media_kind(name: str) -> Literal["video", "image"] | None:
    """Return what a file is by the end of its name; None if it is neither."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "video"
    return "image" if suffix in IMAGE_SUFFIXES else None


def media_below(root: Path, skip: Collection[str] = ()) -> Iterator[tuple[str, list[str]]]:
    """List the videos and images in each folder below the root, except hidden ones and the folders to skip."""
    for path, below, names in os.walk(root):
        folder = "" if Path(path) == root else Path(path).relative_to(root).as_posix()
        prefix = f"{folder}/" if folder else ""
        below[:] = sorted(name for name in below if not name.startswith(".") and prefix + name not in skip)
        visible = (name for name in sorted(names) if not name.startswith("."))
        yield folder, [prefix + name for name in visible if media_kind(name)]
