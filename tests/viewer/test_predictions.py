import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from clef.errors import ClefError
from clef.predict.messages import FACES
from clef.predict.output import write_table
from clef.predict.table import Layout
from clef.viewer.predictions import read_predictions
from tests.viewer.example import EXPRESSIONS, SENTENCE, THRESHOLDS, table, write

TIMES = np.arange(50) / 25


def test_a_table_says_what_it_holds(tmp_path):
    rows = table(TIMES, asked=[SENTENCE], second_face=[3, 4], without_face=[7], notice="Trained on drawings.")
    other = table(TIMES[:5], "other.mp4", asked=[SENTENCE], notice="Trained on drawings.")
    found = read_predictions(write(tmp_path / "p.parquet", other, rows), "clip.mp4")
    assert found.rows.equals(rows)
    assert (found.file, found.kind, found.labels) == ("clip.mp4", "action_units", list(THRESHOLDS))
    assert (found.thresholds, found.asked) == (THRESHOLDS, [SENTENCE])
    assert found.about == {"model": "demo", "folds": [0, 1, 2], "notice": "Trained on drawings."}
    assert found.frames.tolist() == sorted([*range(50), 3, 4])


@pytest.mark.parametrize("kind", ["csv", "pandas"])
def test_a_table_without_metadata_says_it_by_its_columns(tmp_path, kind):
    rows = table(TIMES, asked=[SENTENCE], without_face=[7])
    path = tmp_path / ("p.csv" if kind == "csv" else "p.parquet")
    if kind == "csv":
        pa.csv.write_csv(rows, path)
    else:
        rows.to_pandas().to_parquet(path)
    found = read_predictions(path)
    assert (found.kind, found.labels, found.asked) == ("action_units", list(THRESHOLDS), [SENTENCE])
    for unit, threshold in found.thresholds.items():
        decided = [value and int(np.float32(value) >= threshold) for value in found.rows[f"p_{unit}"].to_pylist()]
        assert decided == rows[unit].to_pylist()
    assert found.thresholds["AU01"] == 0.5
    faces = table(TIMES, labels=EXPRESSIONS, thresholds={})
    pa.csv.write_csv(faces, tmp_path / "faces.csv")
    found = read_predictions(tmp_path / "faces.csv")
    assert (found.kind, found.labels, found.thresholds) == ("expressions", EXPRESSIONS, {})


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("thresholds", [dict.fromkeys(["AU01", "AU12"], 0.5), {}], ids=["action units", "expressions"])
def test_the_table_that_prediction_writes_is_read(tmp_path, suffix, thresholds):
    kind, labels = ("action_units", list(thresholds)) if thresholds else ("expressions", ["happiness", "surprise"])
    layout = Layout(kind, labels, thresholds, [SENTENCE], "demo", [0, 1, 2], "Trained on drawings.")
    face = {"sequence": "clip.mp4", "status": "detected", "landmarks": [1.0] * 10, "face": 0}
    face |= dict.fromkeys(("score", "x", "y", "width", "height"), 1.0)
    none = {"sequence": "clip.mp4", "frame": 2, "time": 0.08, "status": "no_face", "faces": 0}
    frames = [face | {"frame": frame, "time": frame / 25} for frame in range(2)]
    values = np.array([[0.25, 0.75, 0.125], [0.875, 0.125, -0.5]], np.float32)
    rows = layout.rows(pa.RecordBatch.from_pylist([*frames, none], FACES), values)
    path = tmp_path / f"p.{suffix}"
    write_table([rows], layout, path)
    found = read_predictions(path)
    assert (found.kind, found.labels, found.thresholds, found.asked) == (kind, labels, thresholds, [SENTENCE])
    about = {"model": "demo", "folds": [0, 1, 2], "notice": "Trained on drawings."}
    assert found.about == (about if suffix == "parquet" else dict.fromkeys(about))
    assert found.rows.to_pylist() == rows.to_pylist()


def test_rows_in_another_order_are_sorted(tmp_path):
    rows = table(TIMES, second_face=[3, 4])
    shuffled = rows.take(np.random.default_rng(0).permutation(len(rows)))
    assert read_predictions(write(tmp_path / "p.parquet", shuffled)).rows.equals(rows)


def broken(path, content):
    path.write_bytes(content)
    return path


BAD = {
    "missing": (lambda folder: folder / "p.parquet", "p.parquet: no such file"),
    "folder": (lambda folder: folder, "no such file"),
    "no Parquet": (
        lambda folder: broken(folder / "p.parquet", b"nonsense"),
        "p.parquet: cannot be read as Parquet; expected",
    ),
    "no csv": (lambda folder: broken(folder / "p.csv", bytes(range(256))), "p.csv: cannot be read as csv; expected"),
    "empty csv": (lambda folder: broken(folder / "p.csv", b""), "p.csv: cannot be read as csv; expected"),
    "csv with text for numbers": (
        lambda folder: broken(folder / "p.csv", b"file,frame,p_AU01\na.mp4,first,0.5\n"),
        "p.csv: cannot be read as csv; expected",
    ),
    "other csv": (
        lambda folder: broken(folder / "p.csv", b"frame,AU01_r\n1,0.3\n"),
        "p.csv: not a table of predictions (no column face); expected one from `clef predict`",
    ),
    "no labels": (
        lambda folder: write(folder / "p.parquet", table(TIMES).drop_columns([f"p_{unit}" for unit in THRESHOLDS])),
        "p.parquet: not a table of predictions (no column p_...); expected",
    ),
    "lost label": (
        lambda folder: write(folder / "p.parquet", table(TIMES).drop_columns(["p_AU06"])),
        "p.parquet: column p_AU06 is missing",
    ),
    "several files": (
        lambda folder: write(folder / "p.parquet", table(TIMES, "a.mp4"), table(TIMES, "b.mp4")),
        "p.parquet: several files; choose one with --file: a.mp4, b.mp4",
    ),
    "no rows": (lambda folder: write(folder / "p.parquet", table([])), "--file: the table is empty"),
    "an image": (
        lambda folder: write(folder / "p.parquet", table([None], "face.jpg")),
        "p.parquet: face.jpg has no times, like an image; expected a video",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_another_table_is_one_error_line(tmp_path, make, message):
    with pytest.raises(ClefError) as raised:
        read_predictions(make(tmp_path))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_file_is_an_error_that_names_the_files(tmp_path):
    path = write(tmp_path / "p.parquet", table(TIMES))
    with pytest.raises(ClefError, match=r"p\.parquet: no file b\.mp4; choose one with --file: clip\.mp4"):
        read_predictions(path, "b.mp4")
    assert pq.read_table(path).num_rows == 50
