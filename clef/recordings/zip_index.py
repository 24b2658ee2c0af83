"""Which folders of a zip file hold numbered images, from its list of contents alone, in hundredths of a second.

The standard library makes an object of every member, which for a hundred zips of some fifty thousand takes minutes.
"""

import struct
from pathlib import Path

from clef.recordings.numbered_images import folder_and_number, is_folder, zipped_folders

END = struct.Struct("<4s4H2LH")
"""End of the list of contents: mark, disks, members here and in all, bytes, start, length of the comment."""
LARGE_END = struct.Struct("<4sQ2H2L4Q")
"""The same of files above 4 GiB: it lies before a locator, and that before `END`."""
LOCATOR_BYTES = 20
LONGEST_COMMENT = 65_535
MEMBER = struct.Struct("<4s24x3H")
"""Of a member: mark, and lengths of its name, extra field and comment, which follow after `MEMBER_BYTES`."""
MEMBER_BYTES = 46
MOST = 0xFFFF_FFFF
FEW = 0xFFFF


def folders_of_images(path: Path) -> set[str]:
    """Folders in a zip file that hold numbered images, named as by `numbered_images.zipped_folders`.

    Raises:
        ClefError: The file is missing or no whole zip.
    """
    try:
        names = _names(path)
    except (OSError, struct.error):
        names = None
    if names is None:
        return set(zipped_folders(path))
    found: set[str] = set()
    done: set[bytes] = set()  # folders that are known to hold an image
    for name in names:
        above, _, last = name.rpartition(b"/")
        if above in done:
            continue
        folder, number = folder_and_number(name.decode("utf-8", errors="replace"))
        if folder is not None and number is not None:
            found.add(folder)
            if b"\\" not in last:
                done.add(above)
    return found


def is_inside(folders: set[str], inside: str) -> bool:
    """Whether one of the folders is the one that is meant, which may lie within others."""
    return any(is_folder(folder, inside) for folder in folders)


def _names(path: Path) -> list[bytes] | None:
    """Names of all members; None where the list of contents is not plain, for the standard library to judge."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        tail_start = max(0, size - END.size - LONGEST_COMMENT - LOCATOR_BYTES - LARGE_END.size)
        file.seek(tail_start)
        tail = file.read()
        place = tail.rfind(b"PK\5\6")
        if place < 0:
            return None
        _, _, _, _, members, length, _, comment = END.unpack_from(tail, place)
        if place + END.size + comment != len(tail):
            return None
        end = place
        if members == FEW or length == MOST:
            end = place - LOCATOR_BYTES - LARGE_END.size
            if end < 0:
                return None
            mark, *_, members, length, _ = LARGE_END.unpack_from(tail, end)
            if mark != b"PK\6\6":
                return None
        start = tail_start + end - length
        if start < 0:
            return None
        file.seek(start)
        return _member_names(file.read(length), members)


def _member_names(contents: bytes, members: int) -> list[bytes] | None:
    names = []
    place = 0
    while place < len(contents):
        mark, name, extra, comment = MEMBER.unpack_from(contents, place)
        if mark != b"PK\1\2":
            return None
        first = place + MEMBER_BYTES
        names.append(contents[first : first + name])
        place = first + name + extra + comment
    return names if len(names) == members and place == len(contents) else None
