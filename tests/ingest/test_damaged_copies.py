"""Damaged copies of every data set: one message says what was found, what was expected, and what to do."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.fixtures import write_fixture
from clef.fixtures.size import FixtureSize
from clef.ingest.inventory import take_inventory
from clef.ingest.report import Report
from clef.params.schema import Params

SUBJECTS = {"bp4d": ("F001", "M001"), "bp4dplus": ("F001", "M001"), "disfa": ("SN001", "SN002", "SN010")}
FIRST = {"bp4d": "full", "bp4dplus": "zips", "disfa": "left", "affectnet": "npy", "rafdb": "aligned", "ferplus": ""}
EXPRESSIONS = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Callable[[str, str], Path]:
    """A function that writes a whole miniature once and returns its folder."""
    folder = tmp_path_factory.mktemp("whole")

    def written(dataset: str, packaging: str) -> Path:
        root = folder / f"{dataset}-{packaging}"
        if not root.exists():
            write_fixture(dataset, packaging or None, root, FixtureSize(SUBJECTS.get(dataset), frames=6, pixels=64))
        return root

    return written


def checked(dataset: str, root: Path, max_bad: float) -> Report:
    values: dict[str, object] = {"dataset": {"adapter": dataset}, "ingest": {"max_bad": max_bad}}
    if dataset in SUBJECTS:
        values["dataset"] = {"adapter": dataset, "options": {"subjects": list(SUBJECTS[dataset])}}
        values["labels"] = {"action_units": [1, 2, 4, 12]}
    else:
        votes = "majority" if dataset == "ferplus" else None
        values["labels"] = {"kind": "expressions", "expressions": EXPRESSIONS, "votes": votes}
        values["folds"] = {"protocol": "official"}
        values["crop"] = {"detector": "none"}
    return take_inventory(open_dataset(Params.model_validate(values)), root, full=False).report


def matching(root: Path, *patterns: str) -> list[Path]:
    found = sorted(path for pattern in patterns for path in root.glob(pattern))
    assert found, patterns
    return found


def remove(*patterns: str) -> Damage:
    def damage(root: Path) -> None:
        for path in matching(root, *patterns):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def remove_every_other(pattern: str) -> Damage:
    return lambda root: [path.unlink() for path in matching(root, pattern)[::2]]


def empty(pattern: str) -> Damage:
    return lambda root: [path.write_bytes(b"") for path in matching(root, pattern)]


def cut_off(pattern: str) -> Damage:
    """Cut files in the middle of a line."""

    def damage(root: Path) -> None:
        for path in matching(root, pattern):
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2 - 3])

    return damage


def shorten(pattern: str, share: float) -> Damage:
    """Cut files at the end of a line."""

    def damage(root: Path) -> None:
        for path in matching(root, pattern):
            lines = path.read_text().splitlines()
            path.write_text("\n".join(lines[: int(share * len(lines))]) + "\n")

    return damage


def relabel(name: str, code: str, other: str) -> Damage:
    """Remove a class from the test split."""

    def damage(root: Path) -> None:
        path = root / name
        path.write_text(re.sub(rf"(test_\d+\.jpg) {code}\b", rf"\1 {other}", path.read_text()))

    return damage


def both(first: Damage, second: Damage) -> Damage:
    def damage(root: Path) -> None:
        first(root)
        second(root)

    return damage


AVI = "*/*SN002_comp.avi"
CSV = "Manually_Annotated_file_lists"
LIST = "basic/EmoLabel/list_patition_label.txt"
NPY = "_set/annotations/*_exp.npy"
OCC = "AUCoding/AU_OCC"
TRAIN, TEST = "data/*Train/label.csv", "data/*Test/label.csv"

# Data set, with the packaging if it is not the first; damage; regular expression of the one problem.
STOPPING = [
    ("bp4d", remove("Sequences/M001"), "1 of 2 subjects: M001; complete the copy"),
    ("bp4d", remove("Sequences/M001/*/*"), r"8 recordings cannot be read, .* 0 of 16: Sequences/M001/T1 \(.*restore"),
    ("bp4d", empty(f"{OCC}/F001_T2.csv"), "F001_T2.csv: no rows; expected .*restore"),
    ("bp4d", cut_off(f"{OCC}/F001_T2.csv"), "F001_T2.csv: .*line .*expected.*restore"),
    ("bp4d", remove("Sequences"), "no recordings of BP4D; expected .*found AUCoding.*; put"),
    ("bp4d", remove("AUCoding"), "no labels of any recording; expected files .*; put them"),
    ("bp4d", remove(f"{OCC}/F001_T2.csv"), "1 of 16 recordings without labels, .*allows 0: F001_T2; restore"),
    (
        "bp4d fera2015",
        remove_every_other("BP4D-training/*/*/*.jpg"),
        r"\d+ labelled frames have no image, .* allows \d of \d+: .*; complete the copy",
    ),
    (
        "bp4d videos",
        cut_off("*/2F01_01.avi"),
        r"1 recording cannot be read, .*2F01_01\.avi \(cut off: did copying it break off\?\); copy them again",
    ),
    ("bp4dplus", remove("2D+3D/M001.zip"), "1 of 2 subjects: M001; complete the copy"),
    ("bp4dplus", cut_off("2D+3D/M001.zip"), r"10 recordings .* 1 of 20: .*M001\.zip \(not a whole zip .*\); copy them"),
    ("bp4dplus", empty("2D+3D/M001.zip"), r"10 recordings .*M001\.zip \(empty\); copy"),
    ("bp4dplus", empty(f"{OCC}/F001_T6.csv"), "F001_T6.csv: no rows; .*restore"),
    ("bp4dplus", remove("2D+3D"), r"no recordings of BP4D\+; expected .*found .*AUCoding.*; put"),
    ("disfa", remove(AVI), "1 of 3 subjects: SN002; complete the copy"),
    ("disfa", empty(AVI), r"1 recording .*SN002_comp\.avi \(empty\); copy"),
    ("disfa", cut_off(AVI), r"1 recording .*\(cut off: .*copy them again"),
    ("disfa", empty("*/*/SN001_au5.txt"), "SN001_au5.txt: Empty .*expected.*restore"),
    (
        "disfa",
        shorten("*/*/SN001_au5.txt", 0.5),
        r"SN001_au5\.txt: 3 frames, .* other files have 6; expected .*restore",
    ),
    ("disfa", remove("*/*/SN001_au5.txt"), "no SN001_au5.txt; expected all twelve; restore"),
    ("disfa", remove("*/SN001"), "1 of 3 recordings without labels, .*: SN001; restore"),
    ("disfa", remove("Videos*"), "no videos of DISFA found; expected .*found Action.*; put"),
    ("disfa", remove("ActionUnit_Labels"), "no labels of any recording; expected .*; put them"),
    ("affectnet", remove("val_set"), "holds annotations, images in train_set; expected AffectNet: .*val_set.*; put"),
    (
        "affectnet",
        remove("val_set/images/*"),
        r"48 recordings .* of 96: val_set/images/0\.jpg \(missing\).* 40 more; c",
    ),
    ("affectnet", remove("val_set/*/*"), "the split test has no labels .*; expected 3500 images; restore them"),
    ("affectnet", remove("val_set/images"), "val_set/images: cannot be listed .*; complete"),
    ("affectnet", remove(f"train{NPY}"), "48 of 96 images have no label, .*; complete the"),
    ("affectnet", remove_every_other(f"val{NPY}"), r"24 of 96 images .*_exp\.npy\).*; complete"),
    ("affectnet", empty(f"val{NPY}"), "48 of 96 .*_exp.npy holds no number.*; complete"),
    ("affectnet csv", empty(f"{CSV}/training.csv"), "training.csv: .*expected.*restore"),
    ("affectnet csv", cut_off(f"{CSV}/training.csv"), r"\d+ of 132 images have no label, .* 6: .*; restore the whole"),
    ("affectnet csv", remove(f"{CSV}/*"), "holds Manually.*; expected AffectNet: .*; put"),
    (
        "affectnet csv",
        shorten(f"{CSV}/validation.csv", 0.02),
        "66 of 132 images have no label, .*; restore the whole list",
    ),
    ("affectnet csv", remove("Manually_Annotated"), "lists and no images; expected .*; compl"),
    ("affectnet csv", remove("Manually_Annotated/*/1"), r"44 recordings .* of 132: .*\(missing\).*; copy them again"),
    ("rafdb", empty(LIST), "list_patition_label.txt: no lines; expected .*; restore it"),
    ("rafdb", cut_off(LIST), r"line \d+: 'train_.*; expected an image and a class .*restore"),
    (
        "rafdb",
        shorten(LIST, 0.5),
        r"42 of 84 images have no label, .* 4: .*test_0001_aligned\.jpg.*; restore the whole",
    ),
    (
        "rafdb",
        both(shorten(LIST, 0.5), remove("basic/Image/aligned/test*")),
        "the split test has no labels of the run's classes; expected 3068 images; restore them",
    ),
    (
        "rafdb",
        relabel(LIST, "2", "1"),
        "the split test has no labels of fear; .* 74 images; .*, or leave the class out$",
    ),
    ("rafdb", remove(LIST), "holds EmoLabel, Image in basic; expected RAF-DB.*Emo.*; put or"),
    ("rafdb", remove("basic/Image/aligned/test*"), r"42 recordings .* of 84: .*_aligned\.jpg \(missing\).*; copy them"),
    ("rafdb", remove("basic/Image"), "no folder Image/aligned, .*; complete"),
    ("ferplus", remove("fer2013.csv"), r"holds data, fer2013new\.csv; expected FER2013.*; put"),
    ("ferplus", cut_off("fer2013.csv"), r"fer2013\.csv: .*Expected 3 .*; restore"),
    ("ferplus", shorten("fer2013.csv", 0.5), "rows, .* has 159; expected .*; restore"),
    ("ferplus", empty("fer2013.csv"), "starts with ''; expected the column.*restore"),
    ("ferplus", empty("fer2013new.csv"), r"fer2013new\.csv: no rows; expected.*restore"),
    ("ferplus", cut_off("fer2013new.csv"), r"fer2013new\.csv: .*line.*expected.*restore"),
    ("ferplus", remove("fer2013new.csv"), "holds .*; expected FER\\+'s table .*; put"),
    ("ferplus", empty(TEST), r"Test/label\.csv: no lines; expected.*restore"),
    ("ferplus", cut_off(TRAIN), r"line \d+: \d+ values; expected .*restore"),
    (
        "ferplus",
        shorten(TRAIN, 0.5),
        r"26 of 159 images have no label, .*\(in no label\.csv\).* more; complete the copy",
    ),
    ("ferplus", remove("data/FER2013Test"), r"no FER2013Test with label\.csv; expected .*FER2013Valid, .*; complete"),
    (
        "ferplus",
        both(shorten("fer2013.csv", 0.5), shorten("fer2013new.csv", 0.5)),
        r"fer\d+\.png is not in fer2013new\.csv; expected .*labels of one release.*restore",
    ),
]
# Data set; damage; `max_bad`; regular expression of a remark.
TOLERATED = [
    ("bp4d", remove(f"{OCC}/F001_T2.csv"), 0.1, "1 of 16 .*: F001_T2; restore"),
    ("bp4d", remove("Sequences/F001/T2"), 0.1, "1 recording is missing, .*F001_T2; complete"),
    ("disfa", remove("*/SN001"), 0.4, "1 of 3 .*allows 1: SN001; restore"),
    ("affectnet", remove("*/*/4_exp.npy"), 0.05, r"2 of 96 images have no label, .*4_exp\.npy\); complete"),
    ("affectnet", remove("train_set/images/4.*"), 0.05, r"1 recording .*4\.jpg \(missing\); copy them"),
    ("rafdb", shorten(LIST, 0.99), 0.05, r"1 file belongs to no recording, .*test_0042_aligned\.jpg"),
    ("rafdb", remove("*/*/*/test_0003*"), 0.05, r"1 recording .*test_0003_.*\(missing\); copy them"),
    ("ferplus", shorten(TRAIN, 0.99), 0.05, r"1 of 159 images have no label, .*complete"),
]


def damaged(name: str, damage: Damage, max_bad: float, whole: Callable[[str, str], Path], folder: Path) -> Report:
    dataset, _, packaging = name.partition(" ")
    root = Path(shutil.copytree(whole(dataset, packaging or FIRST[dataset]), folder / "raw"))
    damage(root)
    return checked(dataset, root, max_bad)


@pytest.mark.parametrize(("name", "damage", "expected"), STOPPING, ids=[f"{c[0]}: {c[2][:40]}" for c in STOPPING])
def test_damage_that_stops_the_workflow_is_one_problem(name, damage, expected, whole, tmp_path):
    report = damaged(name, damage, 0.05, whole, tmp_path)
    (problem,) = report.problems
    assert re.search(expected, problem), problem
    assert "\n" not in problem
    assert report.verdict == f"not usable: {problem}"


@pytest.mark.parametrize(("name", "damage", "max_bad", "expected"), TOLERATED)
def test_damage_that_max_bad_allows_is_a_remark(name, damage, max_bad, expected, whole, tmp_path):
    report = damaged(name, damage, max_bad, whole, tmp_path)
    assert report.usable, report.problems
    assert [remark for remark in report.remarks if re.search(expected, remark)], report.remarks


@pytest.mark.parametrize("dataset", FIRST)
def test_whole_copy_wrong_path_and_placeholder_folder(dataset, whole, tmp_path):
    assert checked(dataset, whole(dataset, FIRST[dataset]), 0.05).usable
    (problem,) = checked(dataset, tmp_path / "nowhere", 0.05).problems
    assert re.search(rf"nowhere does not exist; expected the raw data of {dataset}; put or link it there", problem)
    (tmp_path / "README.txt").write_text("put the data here")
    (problem,) = checked(dataset, tmp_path, 0.05).problems
    assert re.search(r"(holds|found) README\.txt", problem)
    assert re.search("expected .*; put or link .* there", problem)
