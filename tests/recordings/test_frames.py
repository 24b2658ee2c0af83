import os
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from clef.errors import ClefError
from clef.recordings.frames import inspect, numbered_images, read_frames


def numbers(frames):
    return [frame.number for frame in frames]


@pytest.fixture
def folder(tmp_path, coded):
    """Images 0, 1, 2, 7 and 12 with three widths of padding, and what else lies about."""
    folder = tmp_path / "F001" / "T1"
    folder.mkdir(parents=True)
    for name in ("000.jpg", "01.jpg", "2.png", "0007.JPG", "12.bmp"):
        cv2.imwrite(str(folder / name), coded[0](int(name.split(".")[0])))
    (folder / "Thumbs.db").touch()
    (folder / "notes.txt").touch()
    return folder


def test_a_video_starts_at_its_first_label_number(tmp_path, write_video, coded, sequence):
    write_video(tmp_path / "clip.mp4", [coded[0](n) for n in range(5)])
    frames = list(read_frames(tmp_path, sequence("clip.mp4", first_frame=1)))
    assert numbers(frames) == [1, 2, 3, 4, 5]
    assert [coded[1](frame.image) for frame in frames] == [0, 1, 2, 3, 4]


def test_images_are_numbered_by_name_not_by_rank(tmp_path, folder, coded, sequence):
    frames = list(read_frames(tmp_path, sequence("F001/T1", "images", first_frame=1)))
    assert numbers(frames) == [1, 2, 3, 8, 13]
    assert [coded[1](frame.image) for frame in frames] == [0, 1, 2, 7, 12]


def test_a_broken_image_costs_itself(tmp_path, folder, sequence):
    (folder / "01.jpg").write_bytes(b"no picture")
    (folder / "2.png").write_bytes(b"")
    whole = (folder / "0007.JPG").read_bytes()
    (folder / "0007.JPG").write_bytes(whole[: len(whole) // 2])
    frames = list(read_frames(tmp_path, sequence("F001/T1", "images")))
    assert numbers(frames) == [0, 1, 2, 7, 12]
    assert [frame.image is None for frame in frames] == [False, True, True, True, False]
    assert [bool(frame.problem) for frame in frames] == [False, True, True, True, False]
    assert "01.jpg" in frames[1].problem


def test_two_images_of_one_number_are_named(folder):
    (folder / "7.png").write_bytes(b"")
    with pytest.raises(ClefError, match=r"0007\.JPG and 7\.png are both image 7"):
        numbered_images(folder)


def test_grey_alpha_and_sixteen_bit_become_rgb(tmp_path, sequence):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    rgba = np.dstack([np.zeros_like(ramp), np.zeros_like(ramp), ramp, np.full_like(ramp, 255)])  # red in BGRA
    deep = ramp.astype(np.uint16) * 257
    deep_alpha = rgba.astype(np.uint16) * 257
    written = {"grey.png": ramp, "deep.png": deep, "alpha.png": rgba, "deep_alpha.png": deep_alpha, "deep.tif": deep}
    for name, image in written.items():
        assert cv2.imwrite(str(tmp_path / name), image)
        (frame,) = read_frames(tmp_path, sequence(name, "image", first_frame=3))
        assert frame.number == 3
        assert frame.image.dtype == np.uint8
        assert frame.image.shape == (64, 64, 3)
        assert np.array_equal(frame.image[..., 0], ramp), name
        assert np.array_equal(frame.image[..., 2], ramp * 0 if "alpha" in name else ramp)
    Image.fromarray(np.dstack([ramp, np.full_like(ramp, 255)]), "LA").save(tmp_path / "grey_alpha.png")
    (frame,) = read_frames(tmp_path, sequence("grey_alpha.png", "image"))
    assert all(np.array_equal(frame.image[..., channel], ramp) for channel in range(3))


def test_a_very_wide_image_is_read(tmp_path, sequence):
    assert cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((3, 10_000, 3), np.uint8))
    (frame,) = read_frames(tmp_path, sequence("wide.png", "image"))
    assert frame.image.shape == (3, 10_000, 3)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_bomb() -> bytes:
    """A whole PNG of 900 million black pixels, which are 2.7 GB as RGB: 110 kB."""
    side = 30_000
    packer = zlib.compressobj()
    row = bytes(1 + side // 8)
    rows = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_bomb() -> bytes:
    """A small JPEG that says to be large, which is decoded to grey as far as there is nothing."""
    content = bytearray(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    size = content.index(b"\xff\xc0") + 5
    content[size : size + 4] = struct.pack(">HH", 30_000, 30_000)
    return bytes(content)


READ_ALL = """
import resource, sys
from pathlib import Path
from clef.recordings.sequence import RecordedSequence
from clef.recordings.frames import inspect, read_frames
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for kind, source in [("images", "bombs"), ("zip", "bombs.zip"), ("image", "bombs/1.png"), ("image", "bombs/2.jpg")]:
    inside = "bombs" if kind == "zip" else None
    sequence = RecordedSequence("d", "s", None, None, None, "s", kind, source, 0, inside=inside)
    for frame in read_frames(Path(), sequence):
        print(frame.number, frame.problem, None if frame.image is None else frame.image.shape)
    print(inspect(Path(), sequence).problem)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_an_image_that_unpacks_to_gigabytes_costs_itself(tmp_path):
    folder = tmp_path / "bombs"
    folder.mkdir()
    (folder / "0.png").write_bytes(cv2.imencode(".png", np.zeros((8, 10, 3), np.uint8))[1].tobytes())
    (folder / "1.png").write_bytes(png_bomb())
    (folder / "2.jpg").write_bytes(jpeg_bomb())
    assert all(path.stat().st_size < 200_000 for path in folder.iterdir())
    with zipfile.ZipFile(tmp_path / "bombs.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"bombs/{path.name}")
    # By a process of its own: OpenCV takes its limit when it is loaded, here before clef.
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_IO_MAX_IMAGE_PIXELS"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "-c", READ_ALL], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    *said, megabytes = ran.stdout.splitlines()
    refused = "more than 100000000 pixels; expected an image of a camera"
    assert said == [
        *("0 None (8, 10, 3)", f"1 bombs/1.png: {refused} None", f"2 bombs/2.jpg: {refused} None", "None"),
        "0 None (8, 10, 3)",
        *(f"{number} bombs.zip: bombs/{name}: {refused} None" for number, name in ((1, "1.png"), (2, "2.jpg"))),
        "None",
        *(f"0 bombs/1.png: {refused} None", refused, f"0 bombs/2.jpg: {refused} None", refused),
    ]
    assert int(megabytes) < 50


def test_a_file_of_gigabytes_is_not_read(tmp_path, sequence):
    with (tmp_path / "1.png").open("wb") as file:
        file.truncate(2**40)  # all of it a hole
    (frame,) = read_frames(tmp_path, sequence("1.png", "image"))
    assert frame.image is None
    assert frame.problem == f"{tmp_path}/1.png: {2**40} bytes; expected an image of a camera"


def test_a_source_that_cannot_be_opened_keeps_its_rows(tmp_path, sequence):
    (tmp_path / "empty.mp4").touch()
    known = list(read_frames(tmp_path, sequence("empty.mp4", first_frame=1, frames=4)))
    assert numbers(known) == [1, 2, 3, 4]
    (tmp_path / "empty").mkdir()
    for kind, source in [("video", "empty.mp4"), ("images", "empty"), ("image", "nowhere.png")]:
        (frame,) = read_frames(tmp_path, sequence(source, kind, first_frame=2))
        assert frame.number == 2
        assert frame.image is None
        assert source in frame.problem


def test_a_recording_that_is_not_there_has_no_frames_but_those_it_was_said_to_have(tmp_path, sequence):
    with zipfile.ZipFile(tmp_path / "F001.zip", "w") as archive:
        archive.writestr("F001/T1/0000.jpg", b"")
    for kind, source in [("video", "nowhere.mp4"), ("images", "nowhere"), ("zip", "F001.zip")]:
        absent = replace(sequence(source, kind, first_frame=2), inside="F001/T2")
        assert list(read_frames(tmp_path, absent)) == []
        assert inspect(tmp_path, absent).is_missing
        assert numbers(read_frames(tmp_path, replace(absent, frames=2))) == [2, 3]
    assert not inspect(tmp_path, replace(sequence("F001.zip", "zip"), inside="F001/T1")).is_missing


def test_inspect_fills_in_what_it_finds(tmp_path, folder, write_video, coded, sequence):
    write_video(tmp_path / "clip.mp4", [coded[0](n) for n in range(12)], rate=30)
    clip = inspect(tmp_path, sequence("clip.mp4"))
    assert (clip.frames, clip.fps, clip.width, clip.height, clip.problem) == (12, 30.0, 80, 64, None)
    images = inspect(tmp_path, sequence("F001/T1", "images"))
    assert (images.frames, images.fps, images.width, images.height, images.problem) == (5, None, 80, 64, None)
    single = inspect(tmp_path, sequence("F001/T1/2.png", "image"))
    assert (single.frames, single.width, single.height, single.problem) == (1, 80, 64, None)


def test_inspect_names_what_cannot_be_read(tmp_path, folder, sequence):
    (tmp_path / "empty.mp4").touch()
    (folder / "000.jpg").write_bytes(b"")
    for kind, source, problem in [
        ("video", "empty.mp4", "cannot be opened (the file is empty); expected a video file; replace it"),
        ("images", "F001", "holds no image named by a number, such as 0001.jpg; restore it"),
        ("images", "F009", "missing"),
        ("video", "F009.mp4", "missing"),
        ("image", "F001/T1/000.jpg", "not a whole image file"),
        ("image", "F001/T1", "cannot be read (Is a directory)"),
    ]:
        assert inspect(tmp_path, sequence(source, kind)).problem == problem
    assert inspect(tmp_path, sequence("F001/T1", "images")).problem is None  # one bad image of five


def test_inspect_tells_how_large_the_files_are(tmp_path, folder, sequence):
    (tmp_path / "broken.mp4").write_bytes(b"broken")
    assert inspect(tmp_path, sequence("broken.mp4")).file_size == 6
    sizes = [file.stat().st_size for file in folder.iterdir()]
    assert inspect(tmp_path, sequence("F001/T1", "images")).file_size == sum(sizes)
    assert inspect(tmp_path, sequence("F001/T1/2.png", "image")).file_size == (folder / "2.png").stat().st_size
    assert inspect(tmp_path, sequence("nowhere.mp4")).file_size is None
