"""Images named by their number, in a folder or inside a zip file: zero padding does not matter, and gaps stay gaps.

A zip is read in place. Members are taken by what their names look like; no name in it ever becomes a path.
"""

import os
import zipfile
import zlib
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from clef.errors import ClefError

IMAGE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
LARGEST_IMAGE = 64 * 2**20
"""Bytes of a zipped image once unpacked; recordings have a fraction of it, and a crafted member may have any number."""


def image_number(name: str) -> int | None:
    """The number that an image is named by; None for any other file."""
    stem, dot, suffix = name.rpartition(".")  # not by pathlib: a folder may hold thousands, a data set a million
    return int(stem) if stem.isdecimal() and (dot + suffix).lower() in IMAGE_SUFFIXES else None


def numbered_images(folder: Path) -> list[tuple[int, Path]]:
    """The images of a folder by number.

    Raises:
        ClefError: The folder is missing, holds no numbered image, or two with the same number.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        raise ClefError(f"{folder}: no such folder; expected numbered images; restore it") from None
    named = sorted((number, name) for name in names if (number := image_number(name)) is not None)
    if not named:
        raise ClefError(f"{folder}: holds no image named by a number, such as 0001.jpg; restore it")
    for (number, name), (following, other) in pairwise(named):
        if number == following:
            raise ClefError(f"{folder}: {name} and {other} are both image {number}; remove one")
    return [(number, folder / name) for number, name in named]


def zipped_images(path: Path, inside: str) -> list[tuple[int, zipfile.ZipInfo]]:
    """The images of a folder inside a zip file by number.

    Args:
        path: The zip file.
        inside: The folder, such as `F001/T1`; it may lie within others.

    Raises:
        ClefError: The file is missing or no whole zip, or has no such folder, two of them, or two images of a number.
    """
    folders = _opened(path)[1]
    fitting = [folder for folder in folders if is_folder(folder, inside)]
    if not fitting:
        there = ", ".join(sorted(folders)[:4]) or "none at all"
        raise ClefError(f"{path}: no numbered images in a folder {inside}; found {there}; copy it again")
    if len(fitting) > 1:
        raise ClefError(f"{path}: {fitting[0]} and {fitting[1]} both hold images of {inside}; expected one; remove one")
    found: dict[int, zipfile.ZipInfo] = {}
    for number, member in folders[fitting[0]]:
        if number in found:
            twice = f"{found[number].filename} and {member.filename}"
            raise ClefError(f"{path}: {twice} are both image {number}; expected one; remove one")
        found[number] = member
    return sorted(found.items(), key=lambda item: item[0])


def is_folder(folder: str, inside: str) -> bool:
    """Whether a folder of a zip file is the one that is meant, which may lie within others."""
    return folder == inside or folder.endswith(f"/{inside}")


def zipped_folders(path: Path) -> dict[str, set[int]]:
    """Numbers of the images of every folder inside a zip file that holds some.

    Raises:
        ClefError: The file is missing or no whole zip.
    """
    return {folder: {number for number, _ in images} for folder, images in _opened(path)[1].items()}


def read_zipped(path: Path, member: zipfile.ZipInfo) -> bytes:
    """Unpack one image into memory.

    Raises:
        ClefError: It is damaged, encrypted, packed in an unknown way, or larger than any image of a recording.
    """
    if member.file_size > LARGEST_IMAGE:
        raise ClefError(f"{path}: {member.filename}: {member.file_size} bytes unpacked; expected an image of a camera")
    try:
        with _opened(path)[0].open(member) as file:
            return file.read(LARGEST_IMAGE)
    except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise ClefError(f"{path}: {member.filename}: cannot be unpacked ({error})") from None


Folders = dict[str, list[tuple[int, zipfile.ZipInfo]]]


def _opened(path: Path) -> tuple[zipfile.ZipFile, Folders]:
    try:
        state = path.stat()
        return _opened_in_state(path, state.st_size, state.st_mtime_ns)
    except (OSError, NotImplementedError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ClefError(f"{path}: not a whole zip file ({reason}); did copying it break off? Copy it again") from None


@lru_cache(maxsize=1)  # a shard's recordings share their zip, and its directory takes a while to read
def _opened_in_state(path: Path, size: int, time: int) -> tuple[zipfile.ZipFile, Folders]:
    archive = zipfile.ZipFile(path)
    folders: Folders = {}
    for member in archive.infolist():
        folder, number = folder_and_number(member.filename)
        if folder is not None and number is not None:
            folders.setdefault(folder, []).append((number, member))
    return archive, folders


def folder_and_number(name: str) -> tuple[str | None, int | None]:
    """Folder in plain form (None where it leads upwards) and number (None for no image) of a member by its name."""
    *above, last = name.replace("\\", "/").split("/")
    folder = None if ".." in above else "/".join(part for part in above if part not in ("", "."))
    return folder, image_number(last)
