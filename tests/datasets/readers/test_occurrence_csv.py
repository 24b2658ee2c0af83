from pathlib import Path

import pytest

from clef.datasets.readers.occurrence_csv import read_occurrence_csv
from clef.errors import ClefError

AUS = (1, 2, 4)


def write(path: Path, rows: list[str], newline: str = "\n", mark: str = "") -> Path:
    path.write_bytes((mark + newline.join(rows) + newline).encode())
    return path


GOOD = ["0,1,2,3,4,99", "7,1,0,9,9,0", "8,0,0,9,1,0", "9,1,1,9,1,1"]


def test_the_header_names_columns_and_uncodable_frames_are_9(tmp_path):
    table = read_occurrence_csv(write(tmp_path / "a.csv", GOOD), AUS)
    assert table["frame"].tolist() == [7, 8, 9]
    assert table[["AU01", "AU02", "AU04"]].to_numpy().tolist() == [[1, 0, 9], [0, 0, 1], [9, 9, 9]]


SPACED = [*(row.replace(",", ", ") for row in GOOD), "", ""]


@pytest.mark.parametrize(
    ("rows", "newline", "mark"),
    [(GOOD, "\r\n", ""), (GOOD, "\n", "\ufeff"), (GOOD, "\r\n", "\ufeff"), (SPACED, "\n", "")],
)
def test_line_ends_byte_order_mark_blank_lines_and_spaces_change_nothing(tmp_path, rows, newline, mark):
    plain = read_occurrence_csv(write(tmp_path / "a.csv", GOOD), AUS)
    assert plain.equals(read_occurrence_csv(write(tmp_path / "b.csv", rows, newline, mark), AUS))


@pytest.mark.parametrize("last", ["99", "64", "occlusion", "uncodable?", ""])
def test_a_last_column_that_is_no_action_unit_flags_uncodable_frames(tmp_path, last):
    rows = [f"0,1,2,4,{last}", "1,1,0,1,0", "2,1,0,1,1"]
    table = read_occurrence_csv(write(tmp_path / "a.csv", rows), AUS)
    assert table[["AU01", "AU02", "AU04"]].to_numpy().tolist() == [[1, 0, 1], [9, 9, 9]]


@pytest.mark.parametrize("last", [4, 39])
def test_a_last_column_with_an_action_unit_flags_nothing(tmp_path, last):
    rows = [",".join(map(str, range(last + 1))), ",".join(["1", *["1"] * last])]
    table = read_occurrence_csv(write(tmp_path / "a.csv", rows), AUS)
    assert table[["AU01", "AU02", "AU04"]].to_numpy().tolist() == [[1, 1, 1]]


POSITIONS = [0, 4, 1, 2, 99]


@pytest.mark.parametrize("header", ["frame,AU,AU,AU,AU", ",,,,", "0,1,1,2,99", "a,b,c,d,e", "0,1,2,3,4"])
def test_positions_name_the_columns_if_the_header_does_not(tmp_path, header):
    table = read_occurrence_csv(write(tmp_path / "a.csv", [header, "1,1,0,0,0", "2,1,0,0,1"]), AUS, POSITIONS)
    assert table[["AU01", "AU02", "AU04"]].to_numpy().tolist() == [[0, 0, 1], [9, 9, 9]]


def test_a_header_that_names_the_columns_wins_over_positions(tmp_path):
    table = read_occurrence_csv(write(tmp_path / "a.csv", ["0,1,2,4,99", "1,1,0,0,0"]), AUS, POSITIONS)
    assert table[["AU01", "AU02", "AU04"]].to_numpy().tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0,1,2\n1,0,0\n", "no column 4; expected 0 for the frame and one per action unit"),
        ("0,1,2,4\n1,0,0,5\n", "frame 1, action unit 4: code 5; expected 0, 1 or 9; correct the row"),
        ("0,1,2,4\n1,0,0,0\n1,0,0,0\n", "frame 1 appears twice; expected one row per frame"),
        ("0,1,2,4\n-1,0,0,0\n", "frame -1; expected a frame number; correct the row, or restore the file"),
        (f"0,1,2,4\n{2**32 + 1},0,0,0\n", f"frame {2**32 + 1}; expected a frame number"),
        ("frame,brow,lid,lip\n1,0,0,0\n", "the header has 'brow', which is no column number"),
        ("0;1;2;4\n1;0;0;0\n", "the header has '0;1;2;4', which is no column number; expected comma-separated"),
        ("0,1,01,2,4\n1,0,0,0,0\n", "two columns are named '1'"),
        ("0,1,2,4\n1,0,0,x\n", "column 4: row 2: CSV conversion error to int64: invalid value 'x'; expected"),
        ("0,1,2,4\n1,0,0,1\n2,0,0,1,1\n", "CSV parse error: row 3: Expected 4 columns, got 5"),
        ("0,1,2,4\n", "no rows; expected comma-separated integers"),
        (None, "cannot be read (No such file or directory); expected comma-separated integers"),
        ("0,1,2,4\n1,0,0,0\n".encode("utf-16"), "the text is UTF-16; expected comma-separated"),
        (bytes(range(256)), "the text is not UTF-8"),
    ],
)
def test_a_broken_file_is_one_line_with_file_and_location(tmp_path, content, message):
    path = tmp_path / "F001_T1.csv"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ClefError) as caught:
        read_occurrence_csv(path, AUS)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)
