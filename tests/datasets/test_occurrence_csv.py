from pathlib import Path

import pytest

from clef.datasets.occurrence_csv import read_occurrence_csv
from clef.errors import ClefError

AUS = (1, 2, 4)


def write(path: Path, rows: list[str], newline: str = "\n", mark: str = "") -> Path:
    path.write_bytes((mark + newline.join(rows) + newline).encode())
    return path


GOOD = ["0,1,2,3,4,99", "7,1,0,9,9,0", "8,0,0,9,1,0", "9,1,1,9,1,1"]


def test_columns_go_by_their_header_and_uncodable_frames_are_9(tmp_path):
    table = read_occurrence_csv(write(tmp_path / "a.csv", GOOD), AUS)
    assert table["frame"].tolist() == [7, 8, 9]
    assert table[["AU01", "AU02", "AU04"]].to_numpy().tolist() == [[1, 0, 9], [0, 0, 1], [9, 9, 9]]


@pytest.mark.parametrize(("newline", "mark"), [("\r\n", ""), ("\n", "\ufeff"), ("\r\n", "\ufeff")])
def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path, newline, mark):
    plain = read_occurrence_csv(write(tmp_path / "a.csv", GOOD), AUS)
    odd = read_occurrence_csv(write(tmp_path / "b.csv", GOOD, newline, mark), AUS)
    assert plain.equals(odd)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0,1,2", "1,0,0"], "no column 4"),
        (["0,1,2,4", "1,0,0,5"], "frame 1, action unit 4: code 5; expected 0, 1 or 9"),
        (["0,1,2,4", "1,0,0,0", "1,0,0,0"], "frame 1 stands twice"),
        (["frame,AU1,AU2,AU4", "1,0,0,0"], "header of integers"),
        (["0,1,2,4", "1,0,0,x"], "expected comma-separated integers"),
        (["0,1,2,4", "1,0,,1"], "expected comma-separated integers"),
        ([""], "expected comma-separated integers"),
    ],
)
def test_a_broken_file_is_one_line_with_file_and_place(tmp_path, rows, message):
    path = write(tmp_path / "F001_T1.csv", rows)
    with pytest.raises(ClefError, match=message) as caught:
        read_occurrence_csv(path, AUS)
    assert "F001_T1.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
