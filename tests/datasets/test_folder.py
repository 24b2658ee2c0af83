"""Your own data: crops and labels belong to the written frames, and mistakes in the table are named."""

import re
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.fixtures import folder, write_fixture
from clef.fixtures.size import FixtureSize
from clef.manifest.folds import make_folds
from clef.params.schema import Params, ParamsError
from clef.recordings.frames import read_frames
from tests.fixtures.pipeline import CROP, run_pipeline
from tests.recordings.sample_recordings import numbered_images, read_number, write_video

SIZE = FixtureSize(subjects=("P01", "P02"), frames=6, pixels=64)
UNITS = {"action_units": list(folder.UNITS)}
OFFICIAL = {"protocol": "official", "number": 1}
GIVEN = {"protocol": "given", "test_subjects": [["P01"], ["P02"]]}


def params(labels=None, folds=None, max_bad=0.05, labels_file="labels.csv", **options) -> Params:
    return Params.model_validate(
        {
            "dataset": {
                "adapter": "folder",
                "name": "mine",
                "options": {"subjects": ["P01", "P02"], "labels": labels_file} | options,
            },
            "labels": labels or UNITS,
            "folds": folds or {"number": 2},
            "crop": CROP,
            "ingest": {"max_bad": max_bad},
        }
    )


def table(root: Path, text: str) -> Path:
    (root / "labels.csv").write_text(text)
    return root


def labels_of(settings: Params, root: Path):
    dataset = open_dataset(settings)
    return dataset.labels(root, dataset.sequences(root))


@pytest.fixture
def videos(tmp_path) -> Path:
    write_fixture("folder", "videos", tmp_path / "raw", SIZE)
    return tmp_path / "raw"


@pytest.mark.parametrize("first_frame", [0, 1])
def test_videos_labelled_by_frame(videos, tmp_path, first_frame):
    result = run_pipeline(params(first_frame=first_frame), videos, tmp_path)
    recordings = {f"videos_{r.subject}_{r.task}": r for r in folder.recordings(SIZE)}
    offset = first_frame - 1
    assert result.barcodes() == {(name, f + offset): r.number(f) for name, r in recordings.items() for f in r.frames}
    codes = {
        (name, f): tuple(r.code(f, unit) for unit in folder.UNITS) for name, r in recordings.items() for f in r.labelled
    }
    assert result.labels(folder.UNIT_NAMES) == codes
    assert result.column("subject") == {name: r.subject for name, r in recordings.items()}
    assert result.column("activity") == {name: r.task for name, r in recordings.items()}


TIMES = [0, 40, 80, 200, 240, 280, 680, 720]
"""Presentation times in milliseconds of a video with a variable frame rate."""


@pytest.fixture
def uneven(tmp_path) -> Path:
    (tmp_path / "videos" / "P01").mkdir(parents=True)
    frames, path = [time // 40 for time in TIMES], tmp_path / "videos" / "P01" / "a.mp4"
    write_video(path, numbered_images(len(TIMES)), times=frames, options={"bf": "2"})
    return tmp_path


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [("a.flv", "flv", "yuv420p"), ("a.vob", "mpeg2video", "yuv420p"), ("a.GIF", "gif", "rgb8")],
)
def test_old_video_formats_are_videos(tmp_path, name, codec, pixel_format):
    write_video(tmp_path / name, numbered_images(5), codec=codec, pixel_format=pixel_format)
    dataset = open_dataset(params(folds=OFFICIAL))
    table(tmp_path, f"path,subject,AU01\n{name},P01,1\n")
    (sequence,) = dataset.sequences(tmp_path)
    assert [read_number(frame.image) for frame in read_frames(tmp_path, sequence)] == list(range(5))
    assert dataset.unexpected_files(tmp_path, []) == [name]


def labels_by_time(root: Path, text: str, **options):
    header, *rows = text.splitlines()
    wide = "label" not in header
    lines = [f"path,subject,{header}{',AU01' * wide}", *(f"videos/P01/a.mp4,P01,{row}{',' * wide}" for row in rows)]
    return labels_of(params(labels={"action_units": [1, 12]}, **options), table(root, "\n".join(lines) + "\n"))


@pytest.mark.parametrize(
    ("text", "absent_elsewhere", "expected"),
    [
        ("time,AU12\n0.08,1\n0:00:00.68,0\n", False, {3: 1, 7: 0}),
        ("time,AU12\n0.19,1\n0.6,0\n", False, {3: 1, 6: 0}),  # late in frames that are shown for long
        ("time,AU12\n0.1999,1\n0.675,0\n", False, {4: 1, 7: 0}),  # rounded
        ("onset,offset,AU12\n0.044,0.084,1\n", False, {2: 1}),
        ("onset,offset,AU12\n0.6,1.5,1\n", False, {7: 1, 8: 1}),  # the sound may be longer than the video
        ("onset,offset,AU12\n0.040,0.24,3\n0.24,0.28,0\n", False, {2: 3, 3: 3, 4: 3, 5: 0}),
        ("onset,offset,AU12\n0.3,0.4,1\n", False, {6: 1}),  # no frame inside
        ("onset,offset,label\n0.040,0.2,AU12\n0.04,0.08,AU 1\n", True, {n: int(n in (2, 3)) for n in range(1, 9)}),
        ("onset,offset,label,value\n0.68,0.8,AU12,5\n", True, {n: 5 if n > 6 else 0 for n in range(1, 9)}),
        ("frame,onset,offset,AU12\n1,,,0\n,0.68,0.8,1\n", False, {1: 0, 7: 1, 8: 1}),
    ],
)
def test_labels_by_time_belong_to_the_frames_shown_then(uneven, text, absent_elsewhere, expected):
    labels = labels_by_time(uneven, text, absent_elsewhere=absent_elsewhere)
    assert dict(zip(labels["frame"], labels["AU12"], strict=True)) == expected
    if "AU 1" in text:
        assert labels["AU01"].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,AU12\nsoon,1\n", r"row 1 below the header: videos/P01/a.mp4: time is 'soon'; expected seconds, such as"),
        ("onset,offset,AU12\n2,1,1\n", "expected a frame, a time, or an onset and an offset after it"),
        ("frame,time,AU12\n2,1,1\n", "expected a frame, a time, or an onset and an offset after it"),
        ("time,AU12\n95,1\n", r"a.mp4: a label at 95 s; expected times up to 0\.76 s, its end"),
        ("onset,offset,AU12\n0,1000,1\n", r"a.mp4: a label at 1000 s; expected times up to 0\.76 s, its end"),
        ("onset,offset,AU12\n0,0.1,1\n0.04,0.2,0\n", r"a.mp4: two values of AU12 at 0\.04 s; expected one"),
        ("time,AU12,label\n0,1,AU12\n", "columns label and AU12 both name AU12; expected one of them"),
    ],
)
def test_mistakes_in_labels_by_time_are_one_line(uneven, text, message):
    with pytest.raises(ClefError, match=message) as raised:
        labels_by_time(uneven, text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_tables_of_spreadsheets_with_other_separators_and_decimal_commas(uneven, separator):
    rows = [
        "Path|subject|onset (s)|offset|AU1|AU12",
        "videos/P01/a.mp4|P01|0,040|0:00,24|1,0|",
        "videos/P01/a.mp4|P01|0,68|0,8||0",
    ]
    table(uneven, "\n".join(rows).replace("|", separator) + "\n")
    labels = labels_of(params({"action_units": [1, 12]}, columns={"onset": "onset (s)"}), uneven)
    assert labels["frame"].tolist() == [2, 3, 4, 7, 8]
    assert labels["AU01"].tolist()[:3] == [1] * 3
    assert labels["AU12"].tolist()[3:] == [0] * 2


def test_a_missing_video_has_only_its_labelled_frames(videos, tmp_path):
    (videos / "videos/P02/joke.mp4").unlink()
    manifest = run_pipeline(params(max_bad=0.5), videos, tmp_path).manifest
    lost = manifest[manifest["sequence"] == "videos_P02_joke"]
    assert sorted(lost["frame"]) == [2, 3, 4, 5]
    assert lost["labelled"].all()
    assert set(lost["status"]) == {"undecodable"}


def test_folders_of_numbered_images_with_subjects_in_their_names(tmp_path):
    write_fixture("folder", "frames", tmp_path / "raw", SIZE)
    pattern = r"(?P<subject>P\d+)_(?P<activity>[a-z]+)"
    result = run_pipeline(params(pattern=pattern), tmp_path / "raw", tmp_path)
    recordings = folder.recordings(SIZE)
    frames = {(r.name, f): r.number(f) for r in recordings for f in r.frames if f != 1 + r.index % 2}
    assert result.barcodes() == frames
    assert set(result.labels(["AU01"])) == {(r.name, f) for r in recordings for f in r.labelled if f > 2}
    assert set(result.manifest["activity"]) == set(folder.ACTIVITIES)


def test_images_with_expressions_and_a_drawn_split(tmp_path):
    write_fixture("folder", "images", tmp_path / "raw", SIZE)
    labels = {"kind": "expressions", "expressions": list(folder.EXPRESSIONS)}
    settings = params(labels, OFFICIAL, subjects=[], blocks=3, test_share=0.5)
    result = run_pipeline(settings, tmp_path / "raw", tmp_path)
    names = {f"images_{r.index:02d}{f:03d}": (r, f) for r in folder.recordings(SIZE) for f in r.frames}
    assert result.barcodes() == {(name, 0): r.number(f) for name, (r, f) in names.items()}
    shown = {name: folder.EXPRESSIONS[r.code(f, 12) + r.code(f, 1)] for name, (r, f) in names.items()}
    assert result.column("expression") == shown
    assert set(result.manifest["split"]) == {"train", "test"}
    assert set(result.manifest["shard"]) == {"block000", "block001", "block002"}


TREE = r"(?P<split>train|test)/(?P<expression>\w+)/"
STILLS = {"kind": "expressions", "expressions": list(folder.EXPRESSIONS)}


@pytest.mark.parametrize("numbered", [False, True])
def test_the_class_of_an_image_is_the_name_of_its_folder_or_named_in_the_order_of_numbers(tmp_path, numbered):
    root, classes = tmp_path / "raw", {"happy": "happiness"}
    write_fixture("folder", "classes", root, SIZE)
    if numbered:
        classes = ["happiness", "surprise", "neutral"]
        for split in ("train", "test"):
            for number, name in enumerate(("happy", "surprise", "neutral"), start=1):
                (root / split / name).rename(root / split / str(number))
    settings = params(STILLS, OFFICIAL, subjects=[], labels_file=None, pattern=TREE, classes=classes)
    result = run_pipeline(settings, root, tmp_path)
    images = {
        f"{r.index:02d}{f:03d}": (r.number(f), folder.EXPRESSIONS[r.code(f, 12) + r.code(f, 1)], r.subject)
        for r in folder.recordings(SIZE)
        for f in r.frames
    }
    found = result.manifest.assign(number=result.manifest["sequence"].str.rpartition("_")[2]).set_index("number")
    assert {name[0].rpartition("_")[2]: number for name, number in result.barcodes().items()} == {
        name: number for name, (number, _, _) in images.items()
    }
    assert found["expression"].to_dict() == {name: expression for name, (_, expression, _) in images.items()}
    assert found["split"].to_dict() == {
        name: "test" if subject == "P02" else "train" for name, (_, _, subject) in images.items()
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pattern": None}, "dataset.options.pattern: without a table of labels, expected a group expression, such as"),
        ({"pattern": "(?P<expression>[a-z]+).mp4"}, "no video or image matches dataset.options.pattern"),
        ({"pattern": "(?P<expression>[0-9])/"}, "classes are numbered 0, 1, and dataset.options.classes does not name"),
        ({"pattern": "(?P<split>val)/(?P<expression>[0-9])/"}, "split 'val'; expected train or test; rename it"),
        ({"pattern": "/(?P<expression>[0-9])/", "classes": ["happiness"]}, "0, 1, and dataset.options.classes lists 1"),
    ],
)
def test_class_folders_that_do_not_fit_the_options(tmp_path, options, expected):
    for name in ("t/0/1.jpg", "t/1/1.jpg", "val/0/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(ClefError, match=re.escape(expected)) as caught:
        labels_of(params(STILLS, OFFICIAL, subjects=[], labels_file=None, **options), tmp_path)
    assert "\n" not in str(caught.value)


def test_images_outside_of_class_folders_are_named(tmp_path):
    for name in ("train/happiness/1.jpg", "train/happiness/2.jpg", "other/1.jpg", "other/2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    dataset = open_dataset(params(STILLS, OFFICIAL, subjects=[], labels_file=None, pattern=TREE))
    listed = dataset.sequences(tmp_path)
    assert [image.source for image in listed] == ["train/happiness/1.jpg", "train/happiness/2.jpg"]
    assert dataset.unexpected_files(tmp_path, listed) == ["other"]


def test_rows_of_one_frame_that_state_different_labels_are_joined(videos):
    rows = "videos/P01/joke.mp4,P01,2,AU01,1\nvideos/P01/joke.mp4,P01,2,AU12,0\nvideos/P01/joke.mp4,P01,3,AU12,1\n"
    table(videos, f"path,subject,frame,label,value\n{rows}")
    labels = labels_of(params({"action_units": [1, 12]}), videos).sort_values("frame")
    assert labels["frame"].tolist() == [2, 3]
    assert labels["AU12"].tolist() == [0, 1]
    assert labels["AU01"].isna().tolist() == [False, True]


def test_a_subject_in_both_splits_is_refused(videos, tmp_path):
    header, *rows = (videos / "labels.csv").read_text().splitlines()
    split = [f"{row},{'test' if 'P01/joke' in row else 'train'}" for row in rows]
    table(videos, "\n".join([f"{header},split", *split]))
    with pytest.raises(ClefError, match="subjects P01 are in training and in test; expected none in both"):
        run_pipeline(params(folds=OFFICIAL), videos, tmp_path)
    assert len(run_pipeline(params(), videos, tmp_path).manifest)  # folds by subject ignore the column


def test_a_label_of_a_whole_recording_applies_to_every_frame(videos, tmp_path):
    rows = ("joke.mp4,P01,1,0,happy", "joke.mp4,P02,9,1,", "startle.mp4,P02,,,")
    lines = [f"videos/{row.split(',')[1]}/{row}" for row in rows]
    table(videos, "\n".join(["file,who,smile,frown,mood", *lines, ""]))
    columns = {"path": "file", "subject": "who", "AU12": "smile", "AU4": "frown"}
    settings = params({"action_units": [4, 12]}, columns=columns)
    result = run_pipeline(settings, videos, tmp_path)
    codes = {(f"videos_{who}_joke", f): code for who, code in (("P01", (0, 1)), ("P02", (1, 9))) for f in range(1, 7)}
    assert result.labels(["AU04", "AU12"]) == codes
    assert len(result.manifest) == 18
    dataset = open_dataset(settings)
    unexpected = dataset.unexpected_files(videos, dataset.sequences(videos))
    assert unexpected == ["labels.csv: column mood", "videos/P01/startle.mp4"]


def test_folds_by_subject_need_all_subject_ids():
    with pytest.raises(ParamsError, match=r"dataset\.options\.subjects: missing; .* such as \[P01, P02\]"):
        open_dataset(params(subjects=[]))
    dataset = open_dataset(params(folds=GIVEN, subjects=[]))
    assert dataset.shards() == ["P01", "P02"]
    assert [fold.test_subjects for fold in make_folds(dataset)] == [("P01",), ("P02",)]


def test_a_drawn_split_keeps_subjects_together(tmp_path):
    rows = "".join(f"{who}/{n}.jpg,{who},happiness\n" for who in "abcdef" for n in range(5))
    table(tmp_path, f"path,subject,expression\n{rows}")
    labels = {"kind": "expressions", "expressions": ["happiness", "neutral"]}
    splits: dict[str | None, set[str | None]] = {}
    for image in open_dataset(params(labels, OFFICIAL, subjects=[], test_share=0.5)).sequences(tmp_path):
        splits.setdefault(image.subject, set()).add(image.split)
    assert all(len(split) == 1 for split in splits.values())
    assert set.union(*splits.values()) == {"train", "test"}


@pytest.mark.parametrize("column", ["", ",split"])
def test_runs_with_different_folds_share_one_list_of_recordings(tmp_path, column):
    rows = [f"{who}/{n}.mp4,{who},1" + (",test" if column else "") for who in ("P01", "P02") for n in range(5)]
    table(tmp_path, "\n".join([f"path,subject,AU01{column}", *rows, ""]))
    first, *others = (
        open_dataset(params(folds=folds, test_share=0.5)).sequences(tmp_path) for folds in (GIVEN, OFFICIAL, None)
    )
    assert others == [first, first]
    assert {sequence.split for sequence in first} <= {"train", "test"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file,AU01\na.mp4,1\n", "columns file, AU01; expected a column path"),
        ("path,subject,AU01\na.mp4,P01,1\n", "no column AU04, which the run's labels name"),
        ("file;AU01\na,b.mp4;1\n", "columns file, AU01; expected a column path"),
        ('path,time,AU01\na.mp4,"1,5",1\n', "time is '1,5'; expected seconds, such as 12.48"),
        ("path,subject,AU01\n../a.mp4,P01,1\n", r"path '\.\./a\.mp4'; expected one below"),
        ("path,subject,AU01\n/etc/a.mp4,P01,1\n", "path '/etc/a.mp4'; expected one below"),
        (
            "path,subject,AU01\na.mp4,P01,7\n",
            "row 1 below the header: a.mp4: AU01 is '7'; expected one of 0, 1, 2, 3, 4, 5, 9, or nothing",
        ),
        ("path,subject,frame,AU01\na.mp4,P01,1.5,1\n", "a.mp4: frame is '1.5'; expected a number from 0"),
        ("path,subject,AU01\na.mp4,P01,1\na.mp4,P02,1\n", "a.mp4 has subject P01 in one row, P02 in another"),
        ("path,subject,AU01\na.mp4,P03,1\n", r"subject P03 is not among .*options\.subjects; .* \[P01, P02, P03\]"),
        ("path,AU01\na.mp4,1\n", r"a\.mp4 has no subject; expected a column subject"),
        ("path,subject,AU01\na.mp4,P01,1\nb.mp4,P01,1,0\n", "row 3: Expected 3 columns, got 4: b.mp4,P01,1,0"),
        (
            "path,subject,expression\na.jpg,P01,fear\nb.jpg,P01,joy\na.jpg,P01,joy\n",
            "labels.csv: a.jpg: expression is fear in one row and joy in another; expected one; remove the wrong row",
        ),
        (
            "path,subject,frame,AU01\na.mp4,P01,2,1\na.mp4,P01,2,0\n",
            "a.mp4: frame 2: AU01 is 1 in one row and 0 in another; expected one",
        ),
        (
            "path,subject,expression\na.jpg,P01,3\nb.jpg,P01,1\n",
            "classes are numbered 1, 3, and dataset.options.classes does not name them; expected the names",
        ),
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
        ({"pattern": "(?P<subject>Q\\d+)"}, "does not match dataset.options.pattern"),
        ({"columns": {"path": "film"}}, "no column film, which dataset.options.columns names; found path, AU01"),
        ({"activities": {"joke": "joke"}}, "has no activity; expected a column activity"),
        ({"labels_file": "../labels.csv"}, "dataset.options.labels: expected a path below the raw folder"),
    ],
)
def test_options_that_do_not_fit_the_table(tmp_path, options, expected):
    table(tmp_path, "path,AU01\nP01/a.mp4,1\n")
    with pytest.raises(ClefError, match=re.escape(expected)):
        labels_of(params(**{"pattern": "(?P<subject>P\\d+)", **options}), tmp_path)
