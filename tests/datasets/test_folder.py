"""One's own data: frames and labels that come out are those that were written, and mistakes in the table are told."""

import re
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.fixtures import folder, write_fixture
from clef.fixtures.size import FixtureSize
from clef.manifest.folds import make_folds
from clef.params.schema import IngestParams, Params, ParamsError
from tests.fixtures.pipeline import CROP, run_pipeline

SIZE = FixtureSize(subjects=("P01", "P02"), frames=6)
UNITS = {"action_units": list(folder.UNITS)}


def params(labels=None, folds=None, labels_file="labels.csv", **options) -> Params:
    options = {"subjects": ["P01", "P02"], "labels": labels_file} | options
    return Params.model_validate(
        {
            "dataset": {"adapter": "folder", "name": "mine", "options": options},
            "labels": labels or UNITS,
            "folds": folds or {"number": 2},
            "crop": CROP,
        }
    )


def table(root: Path, text: str) -> Path:
    (root / "labels.csv").write_text(text)
    return root


def labels_of(settings: Params, root: Path):
    dataset = open_dataset(settings)
    return dataset.labels(root, dataset.sequences(root))


@pytest.mark.parametrize("first_frame", [0, 1])
def test_videos_labelled_by_frame(tmp_path, first_frame):
    write_fixture("folder", "videos", tmp_path / "raw", SIZE)
    result = run_pipeline(params(first_frame=first_frame), tmp_path / "raw", tmp_path)
    earlier = 1 - first_frame
    recordings = {f"videos_{r.subject}_{r.task}": r for r in folder.recordings(SIZE)}
    written = {(name, f - earlier): r.number(f) for name, r in recordings.items() for f in r.frames}
    assert result.barcodes() == written
    codes = {
        (name, f): tuple(r.code(f, unit) for unit in folder.UNITS) for name, r in recordings.items() for f in r.labelled
    }
    assert result.labels([f"AU{unit:02d}" for unit in folder.UNITS]) == codes
    manifest = result.manifest
    assert dict(zip(manifest["sequence"], manifest["subject"], strict=True)) == {
        n: r.subject for n, r in recordings.items()
    }
    assert dict(zip(manifest["sequence"], manifest["activity"], strict=True)) == {
        n: r.task for n, r in recordings.items()
    }


def test_a_video_that_is_not_there_has_its_labelled_frames_and_no_others(tmp_path):
    """Also where it is the only one of its shard."""
    write_fixture("folder", "videos", tmp_path / "raw", SIZE)
    for name in ("joke", "startle"):
        (tmp_path / "raw" / "videos" / "P02" / f"{name}.mp4").unlink()
    settings = params().model_copy(update={"ingest": IngestParams(max_bad=0.5)})
    manifest = run_pipeline(settings, tmp_path / "raw", tmp_path).manifest
    lost = manifest[manifest["subject"] == "P02"]
    assert sorted(lost["frame"]) == sorted([2, 3, 4, 5] * 2)
    assert lost["labelled"].all()
    assert set(lost["status"]) == {"undecodable"}


def test_folders_of_numbered_images_with_subjects_in_their_names(tmp_path):
    write_fixture("folder", "frames", tmp_path / "raw", SIZE)
    pattern = r"(?P<subject>P\d+)_(?P<activity>[a-z]+)"
    result = run_pipeline(params(pattern=pattern), tmp_path / "raw", tmp_path)
    recordings = folder.recordings(SIZE)
    filmed = {(r.name, f): r.number(f) for r in recordings for f in r.frames if f != 1 + r.index % 2}
    assert result.barcodes() == filmed
    assert set(result.labels(["AU01"])) == {(r.name, f) for r in recordings for f in r.labelled if f > 2}
    assert set(result.manifest["activity"]) == set(folder.ACTIVITIES)


def test_images_with_expressions_and_a_split_drawn_by_recording(tmp_path):
    write_fixture("folder", "images", tmp_path / "raw", SIZE)
    labels = {"kind": "expressions", "expressions": list(folder.EXPRESSIONS)}
    settings = params(labels, {"protocol": "official", "number": 1}, subjects=[], blocks=3)
    result = run_pipeline(settings, tmp_path / "raw", tmp_path)
    recordings = folder.recordings(SIZE)
    names = {(r, f): f"images_{r.index:02d}{f:03d}" for r in recordings for f in r.frames}
    assert result.barcodes() == {(name, 0): r.number(f) for (r, f), name in names.items()}
    shown = {name: folder.EXPRESSIONS[r.code(f, 12) + r.code(f, 1)] for (r, f), name in names.items()}
    manifest = result.manifest
    assert dict(zip(manifest["sequence"], manifest["expression"], strict=True)) == shown
    assert set(manifest["split"]) == {"train", "test"}
    assert set(manifest["shard"]) == {"block000", "block001", "block002"}


def test_somebody_on_both_sides_of_a_given_split_is_refused_by_the_manifest(tmp_path):
    write_fixture("folder", "videos", tmp_path / "raw", SIZE)
    path = tmp_path / "raw" / "labels.csv"
    header, *rows = path.read_text().splitlines()
    splits = ["test" if "P01/joke" in row else "train" for row in rows]
    table(
        path.parent,
        "\n".join([f"{header},split", *(f"{row},{split}" for row, split in zip(rows, splits, strict=True))]),
    )
    official = params(folds={"protocol": "official", "number": 1})
    with pytest.raises(ClefError, match="subjects P01 are in training and in test; expected none in both"):
        run_pipeline(official, tmp_path / "raw", tmp_path)
    assert len(run_pipeline(params(), tmp_path / "raw", tmp_path).manifest)  # folds by subject pass the column over


def test_a_label_of_a_whole_recording_is_every_frames(tmp_path):
    root = tmp_path / "raw"
    write_fixture("folder", "videos", root, SIZE)
    rows = ("joke.mp4,P01,1,0,happy", "joke.mp4,P02,9,1,", "startle.mp4,P02,,,")
    lines = [f"videos/{row.split(',')[1]}/{row}" for row in rows]
    table(root, "\n".join(["file,who,smile,frown,mood", *lines, ""]))
    columns = {"path": "file", "subject": "who", "AU12": "smile", "AU4": "frown"}
    settings = params({"action_units": [4, 12]}, columns=columns)
    result = run_pipeline(settings, root, tmp_path)
    codes = {(f"videos_{who}_joke", f): code for who, code in (("P01", (0, 1)), ("P02", (1, 9))) for f in range(1, 7)}
    assert result.labels(["AU04", "AU12"]) == codes
    assert len(result.manifest) == 18
    dataset = open_dataset(settings)
    assert dataset.unexpected_files(root, dataset.sequences(root)) == [
        "labels.csv: column mood",
        "videos/P01/startle.mp4",
    ]


def test_everybody_is_named_once_for_folds_by_subject():
    with pytest.raises(ParamsError, match=r"dataset\.options\.subjects: missing; .* such as \[P01, P02\]"):
        open_dataset(params(subjects=[]))
    given = {"protocol": "given", "test_subjects": [["P01"], ["P02"]]}
    dataset = open_dataset(params(folds=given, subjects=[]))
    assert dataset.shards() == ["P01", "P02"]
    assert [fold.test_subjects for fold in make_folds(dataset)] == [("P01",), ("P02",)]


def test_a_subject_is_on_one_side_of_a_drawn_split(tmp_path):
    rows = "".join(f"{who}/{n}.jpg,{who},happiness\n" for who in ("a", "b", "c", "d", "e", "f") for n in range(5))
    table(tmp_path, f"path,subject,expression\n{rows}")
    labels = {"kind": "expressions", "expressions": ["happiness", "neutral"]}
    settings = params(labels, {"protocol": "official", "number": 1}, subjects=[], test_share=0.5)
    sides: dict[str | None, set[str | None]] = {}
    for image in open_dataset(settings).sequences(tmp_path):
        sides.setdefault(image.subject, set()).add(image.split)
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {"train", "test"}


@pytest.mark.parametrize("column", ["", ",split"])
def test_runs_with_other_folds_of_the_same_people_have_one_list_of_recordings(tmp_path, column):
    rows = [f"{who}/{n}.mp4,{who},1" + (",test" if column else "") for who in ("P01", "P02") for n in range(5)]
    table(tmp_path, "\n".join([f"path,subject,AU01{column}", *rows, ""]))
    given = {"protocol": "given", "test_subjects": [["P01"], ["P02"]]}
    official = {"protocol": "official", "number": 1}
    first, *others = (
        open_dataset(params(folds=folds, test_share=0.5)).sequences(tmp_path) for folds in (given, official, None)
    )
    assert others == [first, first]
    assert {sequence.split for sequence in first} <= {"train", "test"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file,AU01\na.mp4,1\n", "columns file, AU01; expected a column path"),
        ("path,subject,AU01\na.mp4,P01,1\n", "no column AU04, which the run's labels name"),
        ("path,subject\na.mp4,P01\n", "expected a column path and columns such as AU01"),
        ("path,subject,AU01\n../a.mp4,P01,1\n", r"path '\.\./a\.mp4'; expected one below"),
        ("path,subject,AU01\n/etc/a.mp4,P01,1\n", "path '/etc/a.mp4'; expected one below"),
        (
            "path,subject,AU01\na.mp4,P01,7\n",
            "row 1 below the header: a.mp4: AU01 is '7'; expected one of 0, 1, 2, 3, 4, 5, 9, or nothing",
        ),
        (
            "path,subject,frame,AU01\na.mp4,P01,1.5,1\n",
            "row 1 below the header: a.mp4: frame is '1.5'; expected a number from 0",
        ),
        ("path,subject,frame,AU01\na.mp4,P01,first,1\n", "frame is 'first'; expected a number"),
        ("path,subject,AU01\na.mp4,P01,1\na.mp4,P02,1\n", "a.mp4 has subject P01 in one row, P02 in another"),
        ("path,subject,AU01\na.mp4,P03,1\n", r"subject P03 is not among .*options\.subjects; .* \[P01, P02, P03\]"),
        ("path,AU01\na.mp4,1\n", r"a\.mp4 has no subject; expected a column subject"),
        ("path,subject,split,AU01\na.mp4,P01,validation,1\n", "split 'validation'; expected train or test"),
        ("path,subject,AU1,AU01\na.mp4,P01,1,1\n", "two columns are AU01"),
        (
            "path,subject,frame,AU01,AU04,AU12\na.jpg,P01,3,1,0,0\n",
            "a.jpg is an image and its row has frame 3; expected none",
        ),
        ("path,subject,AU01\na/b.mp4,P01,1\na_b.mp4,P01,1\n", "would both be named a_b; rename one"),
        ("", "no rows; expected a column path"),
    ],
)
def test_mistakes_in_the_table_are_one_line(tmp_path, text, expected):
    with pytest.raises(ClefError, match=expected) as caught:
        labels_of(params(), table(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pattern": "(?P<subject>P\\d+"}, "expected a regular expression"),
        ({"pattern": "(?P<subject>Q\\d+)"}, "does not fit dataset.options.pattern"),
        ({"columns": {"path": "film"}}, "no column film, which dataset.options.columns names; found path, AU01"),
        ({"activities": {"joke": "joke"}}, "has no activity; expected a column activity"),
    ],
)
def test_options_that_do_not_fit_the_table(tmp_path, options, expected):
    table(tmp_path, "path,AU01\nP01/a.mp4,1\n")
    with pytest.raises(ClefError, match=re.escape(expected)):
        labels_of(params(**{"pattern": "(?P<subject>P\\d+)", **options}), tmp_path)


def test_a_label_table_outside_the_raw_folder_is_refused():
    with pytest.raises(ParamsError, match=r"dataset\.options\.labels: expected a path below the raw folder"):
        open_dataset(params(labels_file="../labels.csv"))
