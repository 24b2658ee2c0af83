import os
import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from clef.errors import ClefError
from clef.recordings import numbered_images
from clef.recordings.frames import inspect_sequence, read_frames
from clef.recordings.numbered_images import zipped_folders, zipped_images
from tests.recordings.sample_recordings import recorded

T1 = recorded("F001.zip", "zip", first_frame=1, inside="F001/T1")


def png(grey: int) -> bytes:
    return cv2.imencode(".png", np.full((8, 10, 3), grey, np.uint8))[1].tobytes()


def write_zip(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def zipped(tmp_path) -> Path:
    members = {
        "F001/T1/000.png": png(0),
        "F001/T1/0001.png": png(1),
        "F001/T1/7.png": png(7),
        "F001/T1/0001.obj": b"model",
        "F001/T1/notes.txt": b"",
        "F001/T1/a1.png": b"",
        "F001/T1/1_2.png": b"",
        "F001/T2/0000.png": png(99),
        "F001/T10/0000.png": png(98),
        "__MACOSX/F001/T1/._0001.png": b"junk",
    }
    return write_zip(tmp_path / "F001.zip", members)


def test_zipped_images_are_numbered_by_name_within_one_folder(tmp_path, zipped):
    frames = list(read_frames(tmp_path, T1))
    assert [frame.number for frame in frames] == [1, 2, 8]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 1, 7]
    facts = inspect_sequence(tmp_path, T1)
    assert (facts.frames, facts.width, facts.height, facts.problem) == (3, 10, 8, None)
    assert facts.file_size == sum(len(png(number)) for number in (0, 1, 7))
    assert zipped_folders(zipped) == {"F001/T1": {0, 1, 7}, "F001/T2": {0}, "F001/T10": {0}}


def test_the_recording_may_be_nested_in_folders(tmp_path):
    for parent in ("2D+3D/", "./", "BP4D+\\2D+3D\\"):
        path = write_zip(tmp_path / "F001.zip", {f"{parent}F001/T1/3.png": png(3), "XF001/T1/4.png": png(4)})
        assert [number for number, _ in zipped_images(path, "F001/T1")] == [3]


def test_member_names_with_parent_folders_are_ignored_and_nothing_is_written(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    members = {"../F001/T1/1.png": png(1), "F001/T1/../../../2.png": png(2), "F001/T1/4.png": png(4)}
    twice = write_zip(tmp_path / "twice.zip", members | {"/etc/F001/T1/3.png": png(3)})
    with pytest.raises(ClefError, match=r"F001/T1 and etc/F001/T1 both hold images of F001/T1"):
        zipped_images(twice, "F001/T1")
    twice.unlink()
    write_zip(folder / "F001.zip", members)
    assert [frame.number for frame in read_frames(folder, T1)] == [5]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["F001.zip", "raw"]


def test_a_zip_bomb_is_not_unpacked_also_if_it_declares_a_false_size(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "F001.zip", {"F001/T1/0.png": b"\0" * 5_000_000, "F001/T1/1.png": png(1)})
    monkeypatch.setattr(numbered_images, "LARGEST_IMAGE", 1_000_000)
    first, second = read_frames(tmp_path, T1)
    assert "5000000 bytes unpacked; expected a camera image" in first.problem
    assert second.image is not None
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\1\2")
    content[central + 24 : central + 28] = struct.pack("<I", 10)
    path.write_bytes(content)
    os.utime(path, (1, 1))  # a new version of the file
    first, second = read_frames(tmp_path, T1)
    assert first.image is None
    assert "F001/T1/0.png" in first.problem


def test_a_damaged_or_encrypted_member_loses_only_its_own_frame(tmp_path):
    path = write_zip(tmp_path / "F001.zip", {f"F001/T1/{n}.png": png(n) for n in range(3)}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(png(1), png(1)[:-20] + b"x" * 20))
    frames = list(read_frames(tmp_path, T1))
    assert [frame.image is None for frame in frames] == [False, True, False]
    assert "F001/T1/1.png: cannot be unpacked (Bad CRC-32" in frames[1].problem
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # the first member's flags: encrypted
    path.write_bytes(content)
    os.utime(path, (1, 1))  # a new version of the file
    first, *_ = read_frames(tmp_path, T1)
    assert "is encrypted, password required" in first.problem


def test_a_truncated_file_and_a_missing_folder_are_named(tmp_path, zipped):
    for share in (0.0, 0.95):
        (tmp_path / "cut.zip").write_bytes(zipped.read_bytes()[: int(share * zipped.stat().st_size)])
        facts = inspect_sequence(tmp_path, recorded("cut.zip", "zip", inside="F001/T1"))
        assert facts.problem == "not a whole zip file (File is not a zip file); did copying it break off? Copy it again"
    with pytest.raises(ClefError, match=r"no numbered images in a folder F001/T3; found F001/T1, F001/T10, F001/T2;"):
        zipped_images(zipped, "F001/T3")


def test_a_file_of_an_unknown_kind_is_no_missing_folder(tmp_path):
    (tmp_path / "a.rmvb").touch()
    found = inspect_sequence(tmp_path, recorded("a.rmvb", "images"))
    assert found.problem == (
        "neither a video nor an image by its name; convert it to .mp4 or .jpg, or correct its name"
    )
