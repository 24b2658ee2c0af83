from pathlib import Path

import numpy as np
import pytest

from clef.errors import ClefError
from clef.recordings.frames import inspect_sequence, read_frames
from clef.recordings.pixel_csv import read_pixel_row
from tests.recordings.sample_recordings import recorded


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fer2013.csv"


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("emotion, Usage, pixels", "0, Training,{}"),
        ('"emotion","pixels","Usage"', '"0","{}","Training"'),
        ("\ufeffemotion,pixels,Usage", "0,{},Training"),
    ],
)
def test_a_row_gives_the_image_that_was_written(path, header, line):
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    lines = [header, *(line.format(" ".join(map(str, image.ravel()))) for image in images)]
    for newline, last in (("\n", "\n"), ("\r\n", "\r\n"), ("\n", "")):
        path.write_bytes((newline.join(lines) + last).encode())
        for row in (2, 0):
            np.testing.assert_array_equal(read_pixel_row(path, row), np.repeat(images[row][:, :, None], 3, axis=2))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("1 2 3 256", "row 1: 4 values are not a square grey image"),
        ("1 2 3 x", "row 1: not a list of numbers"),
        ("", "row 1: 0 values"),
    ],
)
def test_a_broken_row_loses_only_its_own_image(path, bad, message):
    path.write_text(f"emotion,pixels,Usage\n0,0 64 128 255,Training\n0,{bad},Training\n")
    assert read_pixel_row(path, 0)[:, :, 0].tolist() == [[0, 64], [128, 255]]
    rows = [recorded(path.name, "pixels", inside=str(row)) for row in (0, 1, 2)]
    (frame,) = read_frames(path.parent, rows[1])
    assert frame.image is None
    assert message in frame.problem
    assert [inspect_sequence(path.parent, row).problem is None for row in rows] == [True, False, False]
    undecoded = [inspect_sequence(path.parent, row, decode=False) for row in rows]
    assert [row.problem is None for row in undecoded] == [True, True, False]
    assert [row.file_size for row in undecoded] == [len("0,0 64 128 255,Training\n"), len(f"0,{bad},Training\n"), None]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"emotion,usage\n", "no column pixels"), (None, "cannot be read")],
)
def test_a_file_that_is_no_table_of_images_is_refused(path, content, message):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ClefError, match=message):
        read_pixel_row(path, 0)
