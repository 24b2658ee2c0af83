import os
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from clef.recordings.frames import inspect_sequence, read_frames
from tests.recordings.sample_recordings import numbered_image, numbered_images, read_number, recorded, write_video


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


def test_a_broken_image_loses_only_its_own_frame(tmp_path, folder):
    (folder / "01.jpg").write_bytes(b"no picture")
    (folder / "2.png").write_bytes(b"")
    whole = (folder / "0007.JPG").read_bytes()
    (folder / "0007.JPG").write_bytes(whole[: len(whole) // 2])
    frames = list(read_frames(tmp_path, recorded("F001/T1", "images")))
    assert [frame.number for frame in frames] == [0, 1, 2, 7, 12]
    assert [frame.image is None or read_number(frame.image) for frame in frames] == [0, True, True, True, 12]
    assert "01.jpg" in frames[1].problem


def test_grey_alpha_and_sixteen_bit_become_rgb(tmp_path):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    rgba = np.dstack([np.zeros_like(ramp), np.zeros_like(ramp), ramp, np.full_like(ramp, 255)])  # red in BGRA
    deep = ramp.astype(np.uint16) * 257
    for name, image in {"grey.png": ramp, "deep.png": deep, "deep.tif": deep, "alpha.png": rgba}.items():
        assert cv2.imwrite(str(tmp_path / name), image)
    Image.fromarray(np.dstack([ramp, np.full_like(ramp, 255)]), "LA").save(tmp_path / "grey_transparent.png")
    for path in tmp_path.iterdir():
        (frame,) = read_frames(tmp_path, recorded(path.name, "image", first_frame=3))
        assert frame.number == 3
        assert frame.image.dtype == np.uint8
        assert np.array_equal(frame.image[..., 0], ramp), path.name
        assert np.array_equal(frame.image[..., 2], ramp * 0 if "alpha" in path.name else ramp), path.name


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_are_upright(kind, orientation, tmp_path):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:20, :24], image[30:, 40:] = (250, 120, 0), (0, 60, 200)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(image).save(tmp_path / "turned", kind, exif=exif)
    expected = np.array(ImageOps.exif_transpose(Image.open(tmp_path / "turned")).convert("RGB"))
    (frame,) = read_frames(tmp_path, recorded("turned", "image"))
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 3


@pytest.mark.parametrize(
    ("brands", "message"),
    [
        ([b"heic", b"mif1", b"heic"], "a HEIC image, whatever its name; convert it to JPEG or PNG"),
        ([b"mif1", b"mif1", b"heix"], "a HEIC image, whatever its name; convert it to JPEG or PNG"),
        ([b"mif1", b"mif1", b"avif"], "an AVIF image, whatever its name; convert it to JPEG or PNG"),
        ([b"avif", b"mif1", b"miaf"], "an AVIF image, whatever its name; convert it to JPEG or PNG"),
        ([b"mif1"], "a HEIF image, whatever its name; convert it to JPEG or PNG"),
        ([b"isom", b"iso2", b"mp41"], "an MP4 or MOV video, whatever its name; convert it to images, or name it .mp4"),
        ([b"qt  "], "an MP4 or MOV video, whatever its name; convert it to images, or name it .mp4 or .mov"),
    ],
)
def test_another_format_of_phones_is_named_whatever_its_suffix(brands, message, tmp_path):
    major, *compatible = brands
    box = b"ftyp" + major + bytes(4) + b"".join(compatible)
    (tmp_path / "IMG_1.jpg").write_bytes((len(box) + 4).to_bytes(4) + box + b"heicavif" + bytes(50))
    (frame,) = read_frames(tmp_path, recorded("IMG_1.jpg", "image"))
    assert frame.image is None
    assert f"IMG_1.jpg: {message}" in frame.problem


READ_FOLDER = """
from pathlib import Path
from clef.recordings.frames import read_frames
from clef.recordings.sequence import RecordedSequence
for frame in read_frames(Path(), RecordedSequence("d", "s", None, None, None, "s", "images", "bombs", 0)):
    print(frame.number, frame.problem)
"""


def test_an_image_that_unpacks_to_gigabytes_loses_only_its_own_frame(tmp_path):
    folder = tmp_path / "bombs"
    folder.mkdir()
    content = bytearray(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    (folder / "0.jpg").write_bytes(content)
    size = content.index(b"\xff\xc0") + 5
    content[size : size + 4] = struct.pack(">HH", 30_000, 30_000)  # 900 million pixels, so the header says
    (folder / "1.jpg").write_bytes(content)
    with (folder / "2.png").open("wb") as file:
        file.truncate(2**40)  # sparse
    # In another process: OpenCV reads its limit when it is imported, which here happens before clef sets it.
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_IO_MAX_IMAGE_PIXELS"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", READ_FOLDER]
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert process.stdout.splitlines() == [
        "0 None",
        "1 bombs/1.jpg: more than 100000000 pixels; expected a camera image",
        f"2 bombs/2.png: {2**40} bytes; expected a camera image",
    ]


@pytest.mark.parametrize(("kind", "source"), [("video", "nowhere.mp4"), ("images", "nowhere"), ("zip", "F001.zip")])
def test_a_missing_recording_has_only_its_declared_frames(kind, source, tmp_path):
    with zipfile.ZipFile(tmp_path / "F001.zip", "w") as archive:
        archive.writestr("F001/T1/0000.jpg", b"")
    missing = recorded(source, kind, first_frame=2, inside="F001/T2")
    assert list(read_frames(tmp_path, missing)) == []
    assert inspect_sequence(tmp_path, missing).is_missing
    assert [frame.number for frame in read_frames(tmp_path, replace(missing, frames=2))] == [2, 3]
    assert not inspect_sequence(tmp_path, recorded("F001.zip", "zip", inside="F001/T1")).is_missing


def test_inspecting_fills_in_frames_rate_and_sizes_or_names_the_problem(tmp_path, folder):
    write_video(tmp_path / "clip.mp4", numbered_images(12), rate=30)
    sizes = [file.stat().st_size for file in folder.iterdir()]
    for source, kind, expected in [
        ("clip.mp4", "video", (12, 30.0, 80, 64, (tmp_path / "clip.mp4").stat().st_size, None)),
        ("F001/T1", "images", (5, None, 80, 64, sum(sizes), None)),
        ("F001/T1/2.png", "image", (1, None, 80, 64, (folder / "2.png").stat().st_size, None)),
    ]:
        found = inspect_sequence(tmp_path, recorded(source, kind))
        assert (found.frames, found.fps, found.width, found.height, found.file_size, found.problem) == expected
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
