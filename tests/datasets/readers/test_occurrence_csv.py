from pathlib import Path

import pytest

from clef.datasets.readers.occurrence_csv import read_occurrence_csv
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


def test_blank_lines_and_spaces_after_commas_change_nothing(tmp_path):
    plain = read_occurrence_csv(write(tmp_path / "a.csv", GOOD), AUS)
    odd = read_occurrence_csv(write(tmp_path / "b.csv", [*(row.replace(",", ", ") for row in GOOD), "", ""]), AUS)
    assert plain.equals(odd)


@pytest.mark.parametrize("last", ["99", "64", "occlusion", "uncodable?", ""])
def test_a_last_column_that_is_no_action_units_flags_frames_that_cannot_be_coded(tmp_path, last):
    rows = [f"0,1,2,4,{last}", "1,1,0,1,0", "2,1,0,1,1"]
    table = read_occurrence_csv(write(tmp_path / "a.csv", rows), AUS)
    assert table[["AU01", "AU02", "AU04"]].to_numpy().tolist() == [[1, 0, 1], [9, 9, 9]]


@pytest.mark.parametrize("last", [4, 28, 39])
def test_a_last_column_of_an_action_unit_flags_nothing(tmp_path, last):
    rows = [",".join(map(str, range(last + 1))), ",".join(["1", *["1"] * last])]
    table = read_occurrence_csv(write(tmp_path / "a.csv", rows), AUS)
    assert table[["AU01", "AU02", "AU04"]].to_numpy().tolist() == [[1, 1, 1]]


PLACES = [0, 4, 1, 2, 99]


@pytest.mark.parametrize(
    "header",
    ["frame,AU,AU,AU,AU", "0,,,,", ",,,,", "0,1,1,2,99", "a,b,c,d,e", "0,1,2,3,4"],
)
def test_a_header_that_does_not_tell_the_columns_leaves_it_to_their_places(tmp_path, header):
    table = read_occurrence_csv(write(tmp_path / "a.csv", [header, "1,1,0,0,0", "2,1,0,0,1"]), AUS, PLACES)
    assert table[["AU01", "AU02", "AU04"]].to_numpy().tolist() == [[0, 0, 1], [9, 9, 9]]


def test_a_header_that_tells_the_columns_counts_more_than_their_places(tmp_path):
    table = read_occurrence_csv(write(tmp_path / "a.csv", ["0,1,2,4,99", "1,1,0,0,0"]), AUS, PLACES)
    assert table[["AU01", "AU02", "AU04"]].to_numpy().tolist() == [[1, 0, 0]]
    with pytest.raises(ClefError, match="the header has 'AU', which is no column number"):
        read_occurrence_csv(write(tmp_path / "a.csv", ["0,AU,AU,4,99,7", "1,1,0,0,0,0"]), AUS, PLACES)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0,1,2", "1,0,0"], "no column 4; expected 0 for the frame and one per action unit"),
        (["0", "1"], "no column 1, 2, 4;"),
        (["0,1,2,4", "1,0,0,5"], "frame 1, action unit 4: code 5; expected 0, 1 or 9; correct the row"),
        (
            ["0,1,2,4", "1,0,0,0", "1,0,0,0"],
            "frame 1 appears twice; expected one row per frame; correct the row",
        ),
        (["0,1,2,4", "-1,0,0,0"], "frame -1; expected the number of a frame; correct the row, or restore the file"),
        (["0,1,2,4", f"{2**32 + 1},0,0,0"], f"frame {2**32 + 1}; expected the number of a frame"),
        (["frame,brow,lid,lip", "1,0,0,0"], "the header has 'brow', which is no column number"),
        (["1,1,2,4", "1,0,0,0"], "the header has '1', which is no column number"),
        (["7,1,2,4", "1,0,0,0"], "the header has '7', which is no column number"),
        (["0;1;2;4", "1;0;0;0"], "the header has '0;1;2;4', which is no column number; expected comma-separated"),
        (["0,1,1,2,4", "1,0,0,0,0"], "two columns are named '1'"),
        (["0,1,01,2,4", "1,0,0,0,0"], "two columns are named '1'"),
        (["0,1,2,4", "1,0,0,x"], "line 2, column 4: 'x' is no whole number; expected"),
        (["0,1,2,4", "", "1,0,,1"], "line 3, column 2: the cell is empty; expected"),
        (["0,1,2,4", "1,0,0.5,1"], "line 2, column 2: '0.5' is no whole number"),
        (["0,1,2,4", "1,0,0,1", "2,0,0,1,1"], "line 3 has 5 values, the header has 4; expected"),
        (["0,1,2,4", "1,0,0,1,"], "line 2 has 5 values, the header has 4; expected"),
        (["0,1,2,4", "1,0,0"], "line 2 has 3 values, the header has 4; expected"),
        (["0,1,2,4"], "no rows; expected comma-separated integers"),
        ([""], "no rows; expected comma-separated integers"),
    ],
)
def test_a_broken_file_is_one_line_with_file_and_place(tmp_path, rows, message):
    path = write(tmp_path / "F001_T1.csv", rows)
    with pytest.raises(ClefError) as caught:
        read_occurrence_csv(path, AUS)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_is_no_text_file_is_one_line(tmp_path):
    path = tmp_path / "F001_T1.csv"
    with pytest.raises(ClefError, match=r"F001_T1\.csv: cannot be read \(No such file or directory\); .* restore it"):
        read_occurrence_csv(path, AUS)
    path.write_bytes(b"")
    with pytest.raises(ClefError, match="no rows"):
        read_occurrence_csv(path, AUS)
    path.write_bytes("\n".join(GOOD).encode("utf-16"))
    with pytest.raises(ClefError, match=r"the text is UTF-16; .* save it as UTF-8"):
        read_occurrence_csv(path, AUS)
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ClefError, match="the text is not UTF-8"):
        read_occurrence_csv(path, AUS)
    path.unlink()
    path.mkdir()
    with pytest.raises(ClefError, match="Is a directory"):
        read_occurrence_csv(path, AUS)
    path.rmdir()
    path.symlink_to(path.name)
    with pytest.raises(ClefError, match="Too many levels of symbolic links"):
        read_occurrence_csv(path, AUS)
