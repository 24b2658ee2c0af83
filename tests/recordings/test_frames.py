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

from clef.recordings.frames import inspect_sequence, read_frames
from tests.recordings.sample_recordings import numbered_image, numbered_images, read_number, recorded, write_video


def numbers(frames):
    return [frame.number for frame in frames]


@pytest.fixture
def folder(tmp_path):
    """Images 0, 1, 2, 7 and 12 with several widths of zero padding, and other files."""
    folder = tmp_path / "F001" / "T1"
    folder.mkdir(parents=True)
    for name in ("000.jpg", "01.jpg", "2.png", "0007.JPG", "12.bmp"):
        cv2.imwrite(str(folder / name), numbered_image(int(name.split(".")[0])))
    (folder / "Thumbs.db").touch()
    (folder / "notes.txt").touch()
    return folder


def test_frames_are_numbered_from_the_first_frame_and_images_by_name(tmp_path, folder):
    write_video(tmp_path / "clip.mp4", numbered_images(5))
    frames = list(read_frames(tmp_path, recorded("clip.mp4", first_frame=1)))
    assert numbers(frames) == [1, 2, 3, 4, 5]
    assert [read_number(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    frames = list(read_frames(tmp_path, recorded("F001/T1", "images", first_frame=1)))
    assert numbers(frames) == [1, 2, 3, 8, 13]
    assert [read_number(frame.image) for frame in frames] == [0, 1, 2, 7, 12]


def test_a_broken_image_loses_only_its_own_frame(tmp_path, folder):
    (folder / "01.jpg").write_bytes(b"no picture")
    (folder / "2.png").write_bytes(b"")
    whole = (folder / "0007.JPG").read_bytes()
    (folder / "0007.JPG").write_bytes(whole[: len(whole) // 2])
    frames = list(read_frames(tmp_path, recorded("F001/T1", "images")))
    assert numbers(frames) == [0, 1, 2, 7, 12]
    assert [frame.image is None for frame in frames] == [False, True, True, True, False]
    assert [bool(frame.problem) for frame in frames] == [False, True, True, True, False]
    assert "01.jpg" in frames[1].problem


def test_grey_alpha_and_sixteen_bit_become_rgb(tmp_path):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    rgba = np.dstack([np.zeros_like(ramp), np.zeros_like(ramp), ramp, np.full_like(ramp, 255)])  # red in BGRA
    deep = ramp.astype(np.uint16) * 257
    written = {"grey.png": ramp, "deep.png": deep, "deep.tif": deep, "alpha.png": rgba}
    for name, image in (written | {"deep_alpha.png": rgba.astype(np.uint16) * 257}).items():
        assert cv2.imwrite(str(tmp_path / name), image)
    Image.fromarray(np.dstack([ramp, np.full_like(ramp, 255)]), "LA").save(tmp_path / "grey_transparent.png")
    for path in tmp_path.iterdir():
        (frame,) = read_frames(tmp_path, recorded(path.name, "image", first_frame=3))
        assert frame.number == 3
        assert frame.image.dtype == np.uint8
        assert np.array_equal(frame.image[..., 0], ramp), path.name
        assert np.array_equal(frame.image[..., 2], ramp * 0 if "alpha" in path.name else ramp), path.name


def test_a_very_wide_image_is_read(tmp_path):
    assert cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((3, 10_000, 3), np.uint8))
    (frame,) = read_frames(tmp_path, recorded("wide.png", "image"))
    assert frame.image.shape == (3, 10_000, 3)


def png_bomb() -> bytes:
    """A whole PNG of 110 kB with 900 million black pixels, 2.7 GB as RGB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    side = 30_000
    compressor = zlib.compressobj()
    row = bytes(1 + side // 8)
    rows = b"".join([*(compressor.compress(row) for _ in range(side)), compressor.flush()])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_bomb() -> bytes:
    """A small JPEG whose header declares 900 million pixels."""
    content = bytearray(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    size = content.index(b"\xff\xc0") + 5
    content[size : size + 4] = struct.pack(">HH", 30_000, 30_000)
    return bytes(content)


READ_ALL = """
import resource
from pathlib import Path
from clef.recordings.sequence import RecordedSequence
from clef.recordings.frames import inspect_sequence, read_frames
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for kind, source in [("images", "bombs"), ("zip", "bombs.zip"), ("image", "bombs/1.png"), ("image", "bombs/2.jpg")]:
    inside = "bombs" if kind == "zip" else None
    sequence = RecordedSequence("d", "s", None, None, None, "s", kind, source, 0, inside=inside)
    for frame in read_frames(Path(), sequence):
        print(frame.number, frame.problem, None if frame.image is None else frame.image.shape)
    print(inspect_sequence(Path(), sequence).problem)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_an_image_that_unpacks_to_gigabytes_loses_only_its_own_frame(tmp_path):
    folder = tmp_path / "bombs"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), np.zeros((8, 10, 3), np.uint8))
    (folder / "1.png").write_bytes(png_bomb())
    (folder / "2.jpg").write_bytes(jpeg_bomb())
    assert all(path.stat().st_size < 200_000 for path in folder.iterdir())
    with zipfile.ZipFile(tmp_path / "bombs.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"bombs/{path.name}")
    # In another process: OpenCV reads its limit when it is imported, which here happens before clef sets it.
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_IO_MAX_IMAGE_PIXELS"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    process = subprocess.run(
        [sys.executable, "-c", READ_ALL], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    *lines, megabytes = process.stdout.splitlines()
    refused = "more than 100000000 pixels; expected a camera image"
    assert lines == [
        *("0 None (8, 10, 3)", f"1 bombs/1.png: {refused} None", f"2 bombs/2.jpg: {refused} None", "None"),
        "0 None (8, 10, 3)",
        *(f"{number} bombs.zip: bombs/{name}: {refused} None" for number, name in ((1, "1.png"), (2, "2.jpg"))),
        "None",
        *(f"0 bombs/1.png: {refused} None", refused, f"0 bombs/2.jpg: {refused} None", refused),
    ]
    assert int(megabytes) < 50


def test_a_file_of_a_terabyte_is_not_read(tmp_path):
    with (tmp_path / "1.png").open("wb") as file:
        file.truncate(2**40)  # sparse
    (frame,) = read_frames(tmp_path, recorded("1.png", "image"))
    assert frame.image is None
    assert frame.problem == f"{tmp_path}/1.png: {2**40} bytes; expected a camera image"


def test_a_source_that_cannot_be_opened_keeps_its_rows(tmp_path):
    (tmp_path / "empty.mp4").touch()
    known = list(read_frames(tmp_path, recorded("empty.mp4", first_frame=1, frames=4)))
    assert numbers(known) == [1, 2, 3, 4]
    (tmp_path / "empty").mkdir()
    for kind, source in [("video", "empty.mp4"), ("images", "empty"), ("image", "nowhere.png")]:
        (frame,) = read_frames(tmp_path, recorded(source, kind, first_frame=2))
        assert frame.number == 2
        assert frame.image is None
        assert source in frame.problem


@pytest.mark.parametrize(("kind", "source"), [("video", "nowhere.mp4"), ("images", "nowhere"), ("zip", "F001.zip")])
def test_a_missing_recording_has_only_its_declared_frames(kind, source, tmp_path):
    with zipfile.ZipFile(tmp_path / "F001.zip", "w") as archive:
        archive.writestr("F001/T1/0000.jpg", b"")
    missing = recorded(source, kind, first_frame=2, inside="F001/T2")
    assert list(read_frames(tmp_path, missing)) == []
    assert inspect_sequence(tmp_path, missing).is_missing
    assert numbers(read_frames(tmp_path, replace(missing, frames=2))) == [2, 3]
    assert not inspect_sequence(tmp_path, recorded("F001.zip", "zip", inside="F001/T1")).is_missing


def test_inspecting_fills_in_frames_rate_and_sizes(tmp_path, folder):
    write_video(tmp_path / "clip.mp4", numbered_images(12), rate=30)
    sizes = [file.stat().st_size for file in folder.iterdir()]
    for source, kind, expected in [
        ("clip.mp4", "video", (12, 30.0, 80, 64, (tmp_path / "clip.mp4").stat().st_size, None)),
        ("F001/T1", "images", (5, None, 80, 64, sum(sizes), None)),
        ("F001/T1/2.png", "image", (1, None, 80, 64, (folder / "2.png").stat().st_size, None)),
    ]:
        found = inspect_sequence(tmp_path, recorded(source, kind))
        assert (found.frames, found.fps, found.width, found.height, found.file_size, found.problem) == expected


def test_inspecting_names_what_cannot_be_read(tmp_path, folder):
    (tmp_path / "empty.mp4").touch()
    (folder / "000.jpg").write_bytes(b"")
    for kind, source, problem in [
        ("video", "empty.mp4", "cannot be opened (the file is empty); expected a video file; replace it"),
        ("images", "F001", "holds no image named by a number, such as 0001.jpg; restore it"),
        ("images", "F009", "missing"),
        ("video", "F009.mp4", "missing"),
        ("image", "F001/T1/000.jpg", "not a whole image file"),
        ("image", "F001/T1", "cannot be read (Is a directory)"),
        ("images", "F001/T1", None),  # one broken image of five
    ]:
        assert inspect_sequence(tmp_path, recorded(source, kind)).problem == problem
    (folder / "7.png").write_bytes(b"")
    twice = inspect_sequence(tmp_path, recorded("F001/T1", "images")).problem
    assert twice == "0007.JPG and 7.png are both image 7; remove one"
