import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from clef.errors import ClefError
from clef.recordings import numbered_images
from clef.recordings.frames import inspect, read_frames
from clef.recordings.numbered_images import image_number, read_zipped, zipped_folders, zipped_images
from clef.recordings.sequence import RecordedSequence


def picture(number: int) -> bytes:
    return cv2.imencode(".png", np.full((8, 10, 3), number, np.uint8))[1].tobytes()


def put_zip(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def sequence(inside: str = "F001/T1", first_frame: int = 1) -> RecordedSequence:
    return RecordedSequence(
        "toy", "F001_T1", "F001", "T1", None, "F001", "zip", "F001.zip", first_frame=first_frame, inside=inside
    )


@pytest.fixture
def zipped(tmp_path) -> Path:
    members = {
        "F001/": b"",
        "F001/T1/000.png": picture(0),
        "F001/T1/0001.png": picture(1),
        "F001/T1/7.png": picture(7),
        "F001/T1/0001.obj": b"model",
        "F001/T1/notes.txt": b"",
        "F001/T2/0000.png": picture(99),
        "F001/T10/0000.png": picture(98),
        "__MACOSX/F001/T1/._0001.png": b"junk",
        "F001.txt": b"",
    }
    return put_zip(tmp_path / "F001.zip", members)


def test_an_image_is_known_by_its_number():
    assert image_number("0012.jpg") == 12
    assert image_number("7.PNG") == 7
    assert [image_number(name) for name in ("a1.jpg", "12.obj", "12", "1_2.jpg", "-1.jpg", "Thumbs.db")] == [None] * 6


def test_zipped_images_are_numbered_by_name_and_of_one_folder(tmp_path, zipped):
    frames = list(read_frames(tmp_path, sequence()))
    assert [frame.number for frame in frames] == [1, 2, 8]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 1, 7]
    facts = inspect(tmp_path, sequence())
    assert (facts.frames, facts.width, facts.height, facts.problem) == (3, 10, 8, None)
    assert facts.file_size == sum(len(picture(number)) for number in (0, 1, 7))
    assert zipped_folders(zipped) == {"F001/T1": {0, 1, 7}, "F001/T2": {0}, "F001/T10": {0}}


@pytest.mark.parametrize("above", ["2D+3D/", "./", "BP4D+\\2D+3D\\"])
def test_folders_around_the_recording_do_not_matter(tmp_path, above):
    path = put_zip(tmp_path / "F001.zip", {f"{above}F001/T1/3.png": picture(3), "XF001/T1/4.png": picture(4)})
    assert [number for number, _ in zipped_images(path, "F001/T1")] == [3]


def test_a_changed_zip_is_read_anew(tmp_path, zipped):
    assert len(zipped_images(zipped, "F001/T1")) == 3
    put_zip(zipped, {"F001/T1/5.png": picture(5)})
    assert [frame.number for frame in read_frames(tmp_path, sequence())] == [6]


def test_the_recordings_of_a_zip_share_one_open_file(tmp_path, zipped, monkeypatch):
    opened = []

    class Counted(zipfile.ZipFile):
        def __init__(self, *arguments, **others):
            opened.append(arguments)
            super().__init__(*arguments, **others)

    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    for inside in ("F001/T1", "F001/T2", "F001/T10"):
        inspect(tmp_path, sequence(inside))
        assert all(frame.image is not None for frame in read_frames(tmp_path, sequence(inside)))
    assert len(opened) == 1


def test_names_that_lead_out_of_the_zip_are_no_images_and_nothing_is_written(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    members = {
        "../F001/T1/1.png": picture(1),
        "F001/T1/../../../2.png": picture(2),
        "/etc/F001/T1/3.png": picture(3),
        "F001/T1/4.png": picture(4),
    }
    put_zip(folder / "F001.zip", members)
    with pytest.raises(ClefError, match=r"etc/F001/T1 and F001/T1 both hold images of F001/T1"):
        zipped_images(folder / "F001.zip", "F001/T1")
    del members["/etc/F001/T1/3.png"]
    put_zip(folder / "F001.zip", members)
    assert [frame.number for frame in read_frames(folder, sequence())] == [5]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["F001.zip", "raw"]


def test_a_member_that_unpacks_to_more_than_an_image_is_not_unpacked(tmp_path, monkeypatch):
    bomb = put_zip(tmp_path / "F001.zip", {"F001/T1/0.png": b"\0" * 5_000_000, "F001/T1/1.png": picture(1)})
    assert bomb.stat().st_size < 10_000
    monkeypatch.setattr(numbered_images, "LARGEST_IMAGE", 1_000_000)
    first, second = read_frames(tmp_path, sequence())
    assert first.image is None
    assert "5000000 bytes unpacked; expected an image of a camera" in first.problem
    assert second.image is not None


def test_a_member_that_lies_about_its_size_gives_no_more_than_it_says(tmp_path, monkeypatch):
    path = put_zip(tmp_path / "F001.zip", {"F001/T1/0.png": b"\0" * 5_000_000})
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\1\2")
    content[central + 24 : central + 28] = struct.pack("<I", 10)
    path.write_bytes(content)
    monkeypatch.setattr(numbered_images, "LARGEST_IMAGE", 1_000_000)
    (frame,) = read_frames(tmp_path, sequence())
    assert frame.image is None
    assert "F001/T1/0.png" in frame.problem


def test_a_damaged_member_costs_itself(tmp_path):
    path = put_zip(tmp_path / "F001.zip", {f"F001/T1/{n}.png": picture(n) for n in range(3)}, zipfile.ZIP_STORED)
    content = path.read_bytes()
    path.write_bytes(content.replace(picture(1), picture(1)[:-20] + b"x" * 20))
    frames = list(read_frames(tmp_path, sequence()))
    assert [frame.image is None for frame in frames] == [False, True, False]
    assert "F001/T1/1.png: cannot be unpacked (Bad CRC-32" in frames[1].problem


def test_an_encrypted_member_is_told(tmp_path):
    path = put_zip(tmp_path / "F001.zip", {"F001/T1/0.png": picture(0)})
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)
    (frame,) = read_frames(tmp_path, sequence())
    assert "is encrypted, password required" in frame.problem


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_zip_that_was_cut_off_is_one_line(tmp_path, zipped, share):
    content = zipped.read_bytes()
    zipped.write_bytes(content[: int(share * len(content))])
    facts = inspect(tmp_path, sequence())
    assert facts.problem == "not a whole zip file (File is not a zip file); did copying it break off? Copy it again"
    assert facts.file_size == zipped.stat().st_size


def test_what_is_missing_is_told(tmp_path, zipped):
    with pytest.raises(ClefError, match=r"no numbered images in a folder F001/T3; found F001/T1, F001/T10, F001/T2;"):
        zipped_images(zipped, "F001/T3")
    with pytest.raises(ClefError, match=r"nowhere\.zip: not a whole zip file \(No such file or directory\)"):
        zipped_images(tmp_path / "nowhere.zip", "F001/T1")
    twice = put_zip(tmp_path / "F002.zip", {"F002/T1/01.png": b"", "F002/T1/1.png": b""})
    with pytest.raises(ClefError, match=r"F002/T1/01\.png and F002/T1/1\.png are both image 1"):
        zipped_images(twice, "F002/T1")


def test_every_error_of_a_member_is_one_of_ours(zipped):
    (_, member), *_ = zipped_images(zipped, "F001/T1")
    member.compress_type = 97
    with pytest.raises(ClefError, match="cannot be unpacked"):
        read_zipped(zipped, member)
