from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clef.errors import ClefError
from clef.recordings.frames import inspect, read_frames
from clef.recordings.pixels import read_pixels, row_bytes

SIDE = 48


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE), dtype=np.uint8)


def cells(picture: np.ndarray) -> str:
    return " ".join(map(str, picture.ravel()))


def write(path: Path, pictures: np.ndarray, header: str, line: str, newline: str = "\n", last: str = "\n") -> Path:
    lines = [header, *(line.format(cells(picture)) for picture in pictures)]
    path.write_bytes((newline.join(lines) + last).encode())
    return path


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("emotion,pixels,Usage", "0,{},Training"),
        ("emotion, Usage, pixels", "0, Training,{}"),
        ('"emotion","pixels","Usage"', '"0","{}","Training"'),
        ("\ufeffemotion,pixels,Usage", "0,{},Training"),
    ],
)
@pytest.mark.parametrize(("newline", "last"), [("\n", "\n"), ("\r\n", "\r\n"), ("\n", "")])
def test_a_row_is_the_picture_that_was_written(tmp_path, pictures, header, line, newline, last):
    path = write(tmp_path / "fer2013.csv", pictures, header, line, newline, last)
    for row in (3, 0, 4):
        found = read_pixels(path, row)
        assert found.shape == (SIDE, SIDE, 3)
        np.testing.assert_array_equal(found, np.repeat(pictures[row][:, :, None], 3, axis=2))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("1 2 3", "row 1: 3 values, which make no grey square"),
        ("1 2 3 256", "row 1: 4 values, which make no grey square"),
        ("1 2 3 x", "row 1: no list of numbers"),
        ("", "row 1: 0 values"),
    ],
)
def test_a_row_that_is_no_picture_costs_itself(tmp_path, bad, message, sequence):
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n0,0 64 128 255,Training\n0,{bad},Training\n")
    assert read_pixels(path, 0)[:, :, 0].tolist() == [[0, 64], [128, 255]]
    with pytest.raises(ClefError, match=message):
        read_pixels(path, 1)
    rows = [replace(sequence(path.name, "pixels"), inside=str(row)) for row in (0, 1, 2)]
    (frame,) = read_frames(tmp_path, rows[1])
    assert frame.image is None
    assert "row 1" in frame.problem
    assert [inspect(tmp_path, row).problem is None for row in rows] == [True, False, False]
    assert [inspect(tmp_path, row, look=False).problem is None for row in rows] == [True, True, False]


def test_the_size_of_a_row_is_its_own(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text("emotion,pixels,Usage\n0,0 64 128 255,Training\n0,1 2 3 4,Training\n")
    assert [row_bytes(path, row) for row in (0, 1)] == [len("0,0 64 128 255,Training\n"), len("0,1 2 3 4,Training\n")]


def test_a_table_that_was_changed_is_read_again(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text("emotion,pixels,Usage\n0,1 2 3 4,Training\n")
    assert read_pixels(path, 0)[0, 0, 0] == 1
    path.write_text("emotion,pixels,Usage\n0,100 100 100 100,Training\n0,200 200 200 200,Training\n")
    assert read_pixels(path, 1)[0, 0, 0] == 200


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"emotion,usage\n", "no column pixels"), (None, "cannot be read")],
)
def test_what_is_no_table_is_named(tmp_path, content, message):
    path = tmp_path / "fer2013.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ClefError, match=message):
        read_pixels(path, 0)
