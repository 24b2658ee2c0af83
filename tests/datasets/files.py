"""Small files for tests of adapters."""

import shutil
import zipfile
from pathlib import Path


def put(root: Path, *names: str, content: str | bytes = "") -> None:
    """Write files with the same content."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)


def put_zip(path: Path, *members: str) -> None:
    """Write a zip of empty files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, b"")


def remove(root: Path, location: str) -> None:
    """Remove a file, a folder, or a folder in a zip, such as `F001.zip: F001/T1`."""
    path, _, inside = location.partition(": ")
    if inside:
        with zipfile.ZipFile(root / path) as archive:
            kept = {name: archive.read(name) for name in archive.namelist() if not name.startswith(f"{inside}/")}
        with zipfile.ZipFile(root / path, "w") as archive:
            for name, content in kept.items():
                archive.writestr(name, content)
    elif (root / path).is_dir():
        shutil.rmtree(root / path)
    else:
        (root / path).unlink()
