"""`clef predict` as users call it; slow imports happen once, in this process."""

import json
import logging
import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import clef
from clef.predict.table import METADATA
from tests.cli.conftest import clef_here
from tests.predict.conftest import EXPRESSIONS, picture, write_image
from tests.recordings.sample_recordings import numbered_images, write_video

__all__ = ["clef_here"]

BEFORE = ["file", "frame", "time", "face", "status", "faces", "score", "x", "y", "width", "height"]
LANDMARKS = [f"{p}_{a}" for p in ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth") for a in "xy"]


@pytest.fixture
def predict(clef_here, tmp_path):
    """Call `clef predict` in an empty folder, and read the table."""

    def call(model, *arguments, out="out.parquet", code=0):
        done = clef_here("predict", *map(str, arguments), "--model", str(model), "--out", out, folder=tmp_path)
        assert done.returncode == code, done.stderr
        path = tmp_path / out
        if not path.exists():
            return None, done.stderr
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path), done.stderr

    return call


def test_a_row_for_each_frame_and_face_with_the_promised_columns(predict, face_model, tmp_path):
    write_video(tmp_path / "two.mp4", [picture((20, 20), (200, 20))] * 3 + [picture()] * 3, rate=10)
    table, _ = predict(face_model, "two.mp4", "--ask", "a smile", "--ask", "a frown")
    labels = ["AU01", "AU04", "AU12"]
    asked = ["ask: a smile", "ask: a frown"]
    assert list(table) == BEFORE + LANDMARKS + [f"p_{label}" for label in labels] + labels + asked
    assert table["frame"].tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 5]
    assert table["time"].tolist() == pytest.approx([0, 0, 0.1, 0.1, 0.2, 0.2, 0.3, 0.4, 0.5])
    assert table["face"].tolist()[:6] == [0, 1] * 3
    assert table["status"].tolist() == ["detected"] * 6 + ["no_face"] * 3
    assert table["faces"].tolist() == [2] * 6 + [0] * 3
    with_face = table[table["face"].notna()]
    for label in labels:
        assert with_face[label].tolist() == (with_face[f"p_{label}"] >= 0.5).astype(int).tolist()
    assert table.loc[6:, [*BEFORE[6:], *LANDMARKS, "p_AU01", "AU01", *asked]].isna().all(axis=None)
    assert with_face[asked].abs().max(axis=None) <= 1
    right_eye, mouth = with_face["right_eye_x"], with_face["left_mouth_x"]
    assert (right_eye < mouth).all()
    schema = pq.read_schema(tmp_path / "out.parquet")
    types = {name: str(schema.field(name).type) for name in ("frame", "time", "face", "faces", "p_AU01", "AU01")}
    assert list(types.values()) == ["int32", "double", "int16", "int16", "float", "int8"]
    assert json.loads(schema.metadata[METADATA]) == {
        "kind": "action_units",
        "labels": labels,
        "thresholds": dict.fromkeys(labels, 0.5),
        "asked": ["a smile", "a frown"],
        "model": str(face_model),
        "folds": [0],
        "notice": None,
        "zero_shot": None,
    }
    assert not (tmp_path / "out.parquet.work").exists()


def test_expressions_have_one_decision(predict, make_model, tmp_path):
    write_image(tmp_path / "a.png", picture((20, 20)))
    table, _ = predict(make_model(EXPRESSIONS), "a.png")
    probabilities = table[[f"p_{name}" for name in EXPRESSIONS.expressions]]
    assert probabilities.sum(axis=1).tolist() == pytest.approx([1])
    assert table["expression"].tolist() == [probabilities.iloc[0].idxmax().removeprefix("p_")]
    assert np.isnan(table["time"][0])


def test_csv_and_openface(predict, whole_image_model, face_model, tmp_path):
    write_video(tmp_path / "clip.mp4", [picture((20, 20)), picture()])
    table, _ = predict(face_model, "clip.mp4")
    as_csv, _ = predict(face_model, "clip.mp4", out="out.csv")
    assert list(as_csv) == list(table)
    np.testing.assert_array_equal(as_csv["p_AU01"].astype("float32"), table["p_AU01"])
    openface, _ = predict(face_model, "clip.mp4", "--openface", out="out.csv")
    units = ["AU01", "AU04", "AU12"]
    assert list(openface) == [
        *("frame", "face_id", "timestamp", "confidence", "success"),
        *(f"{unit}_p" for unit in units),
        *(f"{unit}_c" for unit in units),
        "file",
    ]
    assert openface["frame"].tolist() == [1, 2]
    assert openface["success"].tolist() == [1, 0]
    assert openface["confidence"].tolist() == [pytest.approx(table["score"][0]), 0]
    assert openface["AU04_c"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png", "--model", "M", "--run", "demo", "--out", "o.csv"], "--run, --model: expected one of them"),
        (["a.png", "--out", "o.csv"], "--run, --model: expected one of them"),
        (["a.png", "--model", "M", "--out", "o.xlsx"], "--out: o.xlsx; expected a name that ends in .parquet or .csv"),
        (["a.png", "--model", "M", "--out", "o.parquet", "--openface"], "--openface: o.parquet; OpenFace writes csv"),
        (["a.png", "--model", "E", "--out", "o.csv", "--openface"], "--openface: .* predicts expressions"),
        (["a.png", "--model", "L", "--out", "o.csv", "--ask", "a smile"], "ask: toy has a linear head"),
        (["a.png", "--model", "M", "--out", "o.csv", "--ask", " "], "ask: empty; expected a sentence"),
        (["a.png", "--model", "M", "--out", "a.png/o.csv"], r"a\.png/.*: Not a directory|File exists"),
        (
            ["a.png", "--model", "M", "--out", "o.csv", "--start", "3", "--end", "2"],
            "end: 2 s is not after the start, 3 s",
        ),
        (["a.png", "--model", "M", "--start", "-1"], "start: -1 s; expected 0 or more"),
        (["a.png", "--model", "M", "--workers", "0"], "workers: 0; expected 1 or more"),
        (
            ["a.png", "--model", "M", "--out", "o.csv", "--openface", "--ask", "a smile"],
            "--openface, --ask: OpenFace has",
        ),
        (
            ["a.png", "--model", "M", "--ask", "a wide smile " * 99],
            r"texts: '(a wide smile ){4}a wide s\.\.\.' has \d+ tokens",
        ),
        (["0", "--model", "M", "--end", "9"], "--start, --end, --overlay, --plot: not with a webcam"),
        (["0", "--model", "M", "--plot", "p.png"], "--start, --end, --overlay, --plot: not with a webcam"),
        (["gone.mp4", "--model", "M", "--out", "o.csv"], "gone.mp4: no such file"),
        (["", "--model", "M"], "'': the name is empty"),
        (["*.mp4", "--model", "M", "--out", "o.csv"], r"\*\.mp4: no file matches this pattern"),
        (["empty", "--model", "M", "--out", "o.csv"], "empty: holds no video and no image"),
        (["notes.txt", "--model", "M", "--out", "o.csv"], "notes.txt: neither a video nor an image by its name"),
        (["a.png", "--model", "nothing", "--out", "o.csv"], "nothing: no trained run and no exported model"),
        (["a.png", "--model", "M", "--out", "o.csv", "--plot", "p.png"], "--plot: p.png; expected one video"),
        (["a.png", "--model", "M", "--out", "o.csv", "--overlay", "p.mp4"], "ends in .jpg or .png"),
        (["a.png", "--model", "M", "--out", "o.csv", "--device", "tpu"], "--device: tpu; expected cpu or cuda"),
        (["77", "--model", "M", "--out", "o.csv"], "webcam 77: cannot be opened"),
    ],
)
def test_mistakes_are_one_line(clef_here, whole_image_model, make_model, tmp_path, arguments, message):
    write_image(tmp_path / "a.png", picture((20, 20)))
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no video")
    models = {"M": whole_image_model}
    models |= {"E": make_model(EXPRESSIONS)} if "E" in arguments else {}
    models |= {"L": make_model(head="linear")} if "L" in arguments else {}
    done = clef_here("predict", *(str(models.get(word, word)) for word in arguments), folder=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert re.search(message, done.stderr), done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "empty", "notes.txt"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in/a.mp4", "--overlay", "in/a.mp4"], "--overlay: in/a.mp4 would replace the input in/a.mp4"),
        (["in", "--overlay", "link/a.mp4"], "--overlay: link/a.mp4 would replace the input in"),
        (["in/a.mp4", "in/b.csv", "--out", "link/../in/b.csv"], "--out: .* would replace the input in/b.csv"),
        (["in/a.mp4", "--out", "linked.csv"], "--out: linked.csv would replace the input in/a.mp4"),
        (["in/a.mp4", "--overlay", "o.png", "--plot", "o.png"], "--plot: o.png would replace the file of --overlay"),
    ],
)
def test_no_input_is_replaced(clef_here, whole_image_model, tmp_path, arguments, message):
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to("in")
    (tmp_path / "linked.csv").symlink_to("in/a.mp4")
    video = write_video(tmp_path / "in" / "a.mp4", numbered_images(2))
    (tmp_path / "in" / "b.csv").write_text("mine")
    before = video.read_bytes()
    done = clef_here("predict", *arguments, "--model", str(whole_image_model), folder=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert re.search(message, done.stderr), done.stderr
    assert (video.read_bytes(), (tmp_path / "in" / "b.csv").read_text()) == (before, "mine")
    assert {path.name for path in tmp_path.iterdir()} == {"in", "link", "linked.csv"}


def test_the_table_has_a_name_by_default(clef_here, whole_image_model, tmp_path):
    write_video(tmp_path / "clip.mp4", numbered_images(2))
    write_image(tmp_path / "a.png", picture((20, 20)))
    for names in (["clip.mp4"], ["clip.mp4", "a.png"], ["clip.mp4", "--openface"]):
        assert clef_here("predict", *names, "--model", str(whole_image_model), folder=tmp_path).returncode == 0
    assert len(pd.read_parquet(tmp_path / "clip.parquet")) == 2
    assert len(pd.read_parquet(tmp_path / "predictions.parquet")) == 3
    assert len(pd.read_csv(tmp_path / "clip.csv")) == 2


def test_bad_files_are_named_and_good_ones_are_done(predict, whole_image_model, tmp_path, caplog):
    good = write_video(tmp_path / "good.mp4", numbered_images(3))
    (tmp_path / "broken.mp4").write_bytes(good.read_bytes()[:300])
    (tmp_path / "empty.mov").write_bytes(b"")
    (tmp_path / "bad.png").write_bytes(b"no image")
    table, _ = predict(whole_image_model, "broken.mp4", "good.mp4", "empty.mov", "bad.png", "gone.mp4", code=1)
    assert table.groupby("file", sort=False)["status"].agg(list).to_dict() == {
        "broken.mp4": ["undecodable"],
        "good.mp4": ["detected"] * 3,
        "empty.mov": ["undecodable"],
        "bad.png": ["undecodable"],
    }
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert [line.split(":")[0] for line in errors] == ["gone.mp4", "broken.mp4", "empty.mov", "bad.png"]
    assert "empty.mov: cannot be opened (the file is empty); expected a video file; replace it" in errors


@pytest.mark.parametrize(
    ("name", "option", "drawn"),
    [("bad.png", "--overlay", "o.png"), ("bad.mp4", "--overlay", "o.mp4"), ("bad.mp4", "--plot", "o.png")],
)
def test_an_only_file_without_an_image_says_why_it_is_not_drawn(
    clef_here, whole_image_model, tmp_path, caplog, name, option, drawn
):
    (tmp_path / name).write_bytes(b"nothing to see")
    done = clef_here("predict", name, option, drawn, "--model", str(whole_image_model), folder=tmp_path)
    assert done.returncode == 1
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert error.startswith(f"{name}: ")
    assert len(done.stderr.splitlines()) == 1
    assert re.search(f"{option}: .* has no frame to draw", done.stderr)
    assert not (tmp_path / drawn).exists()


def test_folders_patterns_odd_names_and_files_given_twice(predict, whole_image_model, tmp_path):
    folder = tmp_path / "mes vidéos" / "été 1"
    folder.mkdir(parents=True)
    write_video(folder / "b [1].mp4", numbered_images(2))
    write_image(folder / "10.png", picture((20, 20)))
    write_image(folder / "9.png", picture((20, 20)))
    (folder / "notes.txt").write_text("ignored")
    (folder / ".hidden.mp4").write_bytes(b"")
    prefix = "mes vidéos/été 1"
    names = [f"{prefix}/b [1].mp4", "mes vidéos", f"{prefix}/*.png", f"{prefix}/../été 1/9.png"]
    table, _ = predict(whole_image_model, *names, "--workers", "2")
    files = [f"{prefix}/b [1].mp4", f"{prefix}/b [1].mp4", f"{prefix}/10.png", f"{prefix}/9.png"]
    assert table["file"].tolist() == files


def test_a_part_of_a_video(predict, whole_image_model, tmp_path, caplog):
    write_video(tmp_path / "clip.mp4", numbered_images(20), rate=10, options={"g": "4", "sc_threshold": "0"})
    whole, _ = predict(whole_image_model, "clip.mp4")
    table, _ = predict(whole_image_model, "clip.mp4", "--start", "0.5", "--end", "1.2")
    assert table["frame"].tolist() == list(range(5, 12))
    pd.testing.assert_frame_equal(table, whole[5:12].reset_index(drop=True), rtol=0, atol=1e-6)
    before, _ = predict(whole_image_model, "clip.mp4", "--start", "7", "--end", "9", code=1)
    assert len(before) == 7, "an older table is kept where there is no new one"
    assert "clip.mp4: no frame from 7 s on to 9 s" in [record.getMessage() for record in caplog.records]


def test_the_worth_of_predictions_is_said(predict, make_model, tmp_path, caplog):
    write_image(tmp_path / "a.png", picture((20, 20)))
    caplog.set_level(logging.INFO, "clef")
    scores = {"mean": 0.7123, "AU01": 0.62, "AU04": None, "AU12": 0.8806}
    model = make_model(
        scores={name: {"auc_description": auc} for name, auc in scores.items()}, notice="trained on drawings"
    )
    predict(model, "a.png", "--ask", "a smile")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[-2:] == [
        "trained on drawings",
        "sentences that no image was matched with in training found their action unit with a mean AUC of 71.2 "
        "(50 is chance; AU01 62.0 to AU12 88.1); expect no more of yours",
    ]
    assert lines[-3].startswith("out.parquet: 1 file, 1 frame, 1 of them with a face, ")
    known = {"mean": 0.7123, "labels": {"AU01": 0.62, "AU12": 0.8806}}
    assert json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[METADATA])["zero_shot"] == known
    with pytest.warns(UserWarning, match="trained on drawings"):
        loaded = clef.load(model, device="cpu")
    assert loaded.predict(tmp_path / "a.png", ask="a smile", workers=1).attrs["zero_shot"] == known
    assert "zero_shot" not in loaded.predict(tmp_path / "a.png", workers=1).attrs
    predict(make_model(), "a.png", "--ask", "a smile")
    assert "how well this run answers sentences is unknown" in caplog.text
