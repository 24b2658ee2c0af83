"""Small files for tests of adapters."""

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
