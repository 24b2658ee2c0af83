"""Images named by number, in a folder or a zip file. Zero padding does not matter, and gaps stay gaps.

A zip file is read in place. Its member names are only matched, never used as paths.
"""

import os
import zipfile
import zlib
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from clef.errors import ClefError

IMAGE_SUFFIXES = {".avif", ".bmp", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
"""AVIF and HEIC are listed so that a message can name them; they are not read."""
LARGEST_IMAGE = 64 * 2**20  # bytes of an unpacked image, far above any recording's; guards against zip bombs
ZipFolders = dict[str, list[tuple[int, zipfile.ZipInfo]]]


def image_number(name: str) -> int | None:
    """Return the number in an image's file name, or None for any other file."""
    stem, dot, suffix = name.rpartition(".")  # faster than pathlib, for data sets of a million images
    return int(stem) if stem.isdecimal() and (dot + suffix).lower() in IMAGE_SUFFIXES else None


def numbered_images(folder: Path) -> list[tuple[int, Path]]:
    """List the images of a folder by number."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except FileNotFoundError:
        raise ClefError(f"{folder}: no such folder; expected numbered images; restore it") from None
    except NotADirectoryError:
        raise ClefError(
            f"{folder}: neither a video nor an image by its name; convert it to .mp4 or .jpg, or correct its name"
        ) from None
    images = sorted((number, name) for name in names if (number := image_number(name)) is not None)
    if not images:
        raise ClefError(f"{folder}: holds no image named by a number, such as 0001.jpg; restore it")
    _check_unique(folder, images)
    return [(number, folder / name) for number, name in images]


def zipped_images(path: Path, inside: str) -> list[tuple[int, zipfile.ZipInfo]]:
    """List the images of one folder in a zip file by number. The folder, such as `F001/T1`, may be nested in others."""
    folders = _open_zip(path)[1]
    matches = matching_folders(folders, inside)
    if not matches:
        found = ", ".join(sorted(folders)[:4]) or "none at all"
        raise ClefError(f"{path}: no numbered images in a folder {inside}; found {found}; copy it again")
    if len(matches) > 1:
        raise ClefError(f"{path}: {matches[0]} and {matches[1]} both hold images of {inside}; expected one; remove one")
    images = sorted(folders[matches[0]], key=lambda image: image[0])
    _check_unique(path, [(number, member.filename) for number, member in images])
    return images


def _check_unique(source: Path, images: list[tuple[int, str]]) -> None:
    for (number, name), (next_number, other) in pairwise(images):
        if number == next_number:
            raise ClefError(f"{source}: {name} and {other} are both image {number}; remove one")


def matching_folders(folders: Iterable[str], inside: str) -> list[str]:
    """Return the folders of a zip file that are `inside`, perhaps nested in others."""
    return [folder for folder in folders if folder == inside or folder.endswith(f"/{inside}")]


def zipped_folders(path: Path) -> dict[str, set[int]]:
    """Return the image numbers in each folder that holds numbered images; raise a ClefError for a damaged file."""
    return {folder: {number for number, _ in images} for folder, images in _open_zip(path)[1].items()}


def read_zipped(path: Path, member: zipfile.ZipInfo) -> bytes:
    """Unpack one image; raise a ClefError if it is damaged, encrypted, too large or of an unknown compression."""
    if member.file_size > LARGEST_IMAGE:
        raise ClefError(f"{path}: {member.filename}: {member.file_size} bytes unpacked; expected a camera image")
    try:
        with _open_zip(path)[0].open(member) as file:
            return file.read(LARGEST_IMAGE)
    except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise ClefError(f"{path}: {member.filename}: cannot be unpacked ({error})") from None


def _open_zip(path: Path) -> tuple[zipfile.ZipFile, ZipFolders]:
    try:
        status = path.stat()
        return _list_zip(path, status.st_size, status.st_mtime_ns)
    except (OSError, NotImplementedError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ClefError(f"{path}: not a whole zip file ({reason}); did copying it break off? Copy it again") from None


@lru_cache(maxsize=1)  # the recordings of a shard share their zip file, and listing it takes a while
def _list_zip(path: Path, size: int, modified: int) -> tuple[zipfile.ZipFile, ZipFolders]:
    archive = zipfile.ZipFile(path)
    folders: ZipFolders = {}
    for member in archive.infolist():
        *parents, name = member.filename.replace("\\", "/").split("/")
        number = image_number(name)
        if number is not None and ".." not in parents:
            folder = "/".join(part for part in parents if part not in ("", "."))
            folders.setdefault(folder, []).append((number, member))
    return archive, folders
