import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from clef.errors import ClefError
from clef.recordings import numbered_images
from clef.recordings.frames import inspect_sequence, read_frames
from clef.recordings.numbered_images import image_number, read_zipped, zipped_folders, zipped_images
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
        "F001/": b"",
        "F001/T1/000.png": png(0),
        "F001/T1/0001.png": png(1),
        "F001/T1/7.png": png(7),
        "F001/T1/0001.obj": b"model",
        "F001/T1/notes.txt": b"",
        "F001/T2/0000.png": png(99),
        "F001/T10/0000.png": png(98),
        "__MACOSX/F001/T1/._0001.png": b"junk",
        "F001.txt": b"",
    }
    return write_zip(tmp_path / "F001.zip", members)


def test_image_numbers():
    assert image_number("0012.jpg") == 12
    assert image_number("7.PNG") == 7
    assert [image_number(name) for name in ("a1.jpg", "12.obj", "12", "1_2.jpg", "-1.jpg", "Thumbs.db")] == [None] * 6


def test_zipped_images_are_numbered_by_name_within_one_folder(tmp_path, zipped):
    frames = list(read_frames(tmp_path, T1))
    assert [frame.number for frame in frames] == [1, 2, 8]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 1, 7]
    facts = inspect_sequence(tmp_path, T1)
    assert (facts.frames, facts.width, facts.height, facts.problem) == (3, 10, 8, None)
    assert facts.file_size == sum(len(png(number)) for number in (0, 1, 7))
    assert zipped_folders(zipped) == {"F001/T1": {0, 1, 7}, "F001/T2": {0}, "F001/T10": {0}}


@pytest.mark.parametrize("parent", ["2D+3D/", "./", "BP4D+\\2D+3D\\"])
def test_the_recording_may_be_nested_in_folders(tmp_path, parent):
    path = write_zip(tmp_path / "F001.zip", {f"{parent}F001/T1/3.png": png(3), "XF001/T1/4.png": png(4)})
    assert [number for number, _ in zipped_images(path, "F001/T1")] == [3]


def test_a_changed_zip_is_read_again(tmp_path, zipped):
    assert len(zipped_images(zipped, "F001/T1")) == 3
    write_zip(zipped, {"F001/T1/5.png": png(5)})
    assert [frame.number for frame in read_frames(tmp_path, T1)] == [6]


def test_the_recordings_of_a_zip_share_one_open_file(tmp_path, zipped, monkeypatch):
    opened = []

    class CountingZipFile(zipfile.ZipFile):
        def __init__(self, *args, **kwargs):
            opened.append(args)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(zipfile, "ZipFile", CountingZipFile)
    for inside in ("F001/T1", "F001/T2", "F001/T10"):
        sequence = recorded("F001.zip", "zip", inside=inside)
        inspect_sequence(tmp_path, sequence)
        assert all(frame.image is not None for frame in read_frames(tmp_path, sequence))
    assert len(opened) == 1


def test_member_names_with_parent_folders_are_ignored_and_nothing_is_written(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    members = {
        "../F001/T1/1.png": png(1),
        "F001/T1/../../../2.png": png(2),
        "/etc/F001/T1/3.png": png(3),
        "F001/T1/4.png": png(4),
    }
    write_zip(folder / "F001.zip", members)
    with pytest.raises(ClefError, match=r"etc/F001/T1 and F001/T1 both hold images of F001/T1"):
        zipped_images(folder / "F001.zip", "F001/T1")
    del members["/etc/F001/T1/3.png"]
    write_zip(folder / "F001.zip", members)
    assert [frame.number for frame in read_frames(folder, T1)] == [5]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["F001.zip", "raw"]


def test_a_zip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    bomb = write_zip(tmp_path / "F001.zip", {"F001/T1/0.png": b"\0" * 5_000_000, "F001/T1/1.png": png(1)})
    assert bomb.stat().st_size < 10_000
    monkeypatch.setattr(numbered_images, "LARGEST_IMAGE", 1_000_000)
    first, second = read_frames(tmp_path, T1)
    assert "5000000 bytes unpacked; expected a camera image" in first.problem
    assert second.image is not None


def test_a_member_with_a_false_size_is_unpacked_only_to_that_size(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "F001.zip", {"F001/T1/0.png": b"\0" * 5_000_000})
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\1\2")
    content[central + 24 : central + 28] = struct.pack("<I", 10)
    path.write_bytes(content)
    monkeypatch.setattr(numbered_images, "LARGEST_IMAGE", 1_000_000)
    (frame,) = read_frames(tmp_path, T1)
    assert frame.image is None
    assert "F001/T1/0.png" in frame.problem


def test_a_damaged_member_loses_only_its_own_frame(tmp_path):
    path = write_zip(tmp_path / "F001.zip", {f"F001/T1/{n}.png": png(n) for n in range(3)}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(png(1), png(1)[:-20] + b"x" * 20))
    frames = list(read_frames(tmp_path, T1))
    assert [frame.image is None for frame in frames] == [False, True, False]
    assert "F001/T1/1.png: cannot be unpacked (Bad CRC-32" in frames[1].problem


def test_encrypted_and_unknown_compression_are_named(tmp_path, zipped):
    (_, member), *_ = zipped_images(zipped, "F001/T1")
    member.compress_type = 97
    with pytest.raises(ClefError, match="cannot be unpacked"):
        read_zipped(zipped, member)
    path = write_zip(tmp_path / "F001.zip", {"F001/T1/0.png": png(0)})
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    (frame,) = read_frames(tmp_path, T1)
    assert "is encrypted, password required" in frame.problem


@pytest.mark.parametrize("share", [0.0, 0.95])
def test_a_truncated_zip_gives_a_one_line_problem(tmp_path, zipped, share):
    content = zipped.read_bytes()
    zipped.write_bytes(content[: int(share * len(content))])
    facts = inspect_sequence(tmp_path, T1)
    assert facts.problem == "not a whole zip file (File is not a zip file); did copying it break off? Copy it again"
    assert facts.file_size == zipped.stat().st_size


def test_missing_folders_missing_files_and_duplicate_numbers_are_named(tmp_path, zipped):
    with pytest.raises(ClefError, match=r"no numbered images in a folder F001/T3; found F001/T1, F001/T10, F001/T2;"):
        zipped_images(zipped, "F001/T3")
    with pytest.raises(ClefError, match=r"nowhere\.zip: not a whole zip file \(No such file or directory\)"):
        zipped_images(tmp_path / "nowhere.zip", "F001/T1")
    twice = write_zip(tmp_path / "F002.zip", {"F002/T1/01.png": b"", "F002/T1/1.png": b""})
    with pytest.raises(ClefError, match=r"F002/T1/01\.png and F002/T1/1\.png are both image 1; remove one"):
        zipped_images(twice, "F002/T1")
