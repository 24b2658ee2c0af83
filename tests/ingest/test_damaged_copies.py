"""Damaged copies of every data set: one message says what was found, what was expected, and what to do."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.fixtures.size import FixtureSize
from clef.ingest.inventory import take_inventory
from clef.ingest.report import Report
from clef.params.schema import Params

SUBJECTS = {"bp4d": ("F001", "M001"), "bp4dplus": ("F001", "M001"), "disfa": ("SN001", "SN002", "SN010")}
FIRST = {
    "bp4d": "full",
    "bp4dplus": "zips",
    "disfa": "left",
    "affectnet": "npy",
    "rafdb": "aligned",
    "ferplus": "fer2013",
}
EXPRESSIONS = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]

Damage = Callable[[Path], None]


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


def relabel_test_fear(root: Path) -> None:
    (root / LIST).write_text(re.sub(r"(test_\d+\.jpg) 2\b", r"\1 1", (root / LIST).read_text()))


def replace_by_heic(pattern: str, cut: int = 0) -> Damage:
    """Replace images by those of a phone, and cut the first ones."""

    def damage(root: Path) -> None:
        for number, path in enumerate(matching(root, pattern)):
            path.write_bytes(b"cut" if number < cut else b"\0\0\0\x18ftypheic" + bytes(50))

    return damage


AVI = "*/*SN002_comp.avi"
CSV = "Manually_Annotated_file_lists"
LIST = "basic/EmoLabel/list_patition_label.txt"
NPY = "_set/annotations/*_exp.npy"
OCC = "AUCoding/AU_OCC"
TRAIN = "data/*Train/label.csv"

# Data set, with the packaging if it is not the first; damage; regular expression of the one problem.
STOPPING = [
    ("bp4d", remove("Sequences/M001"), "1 of 2 subjects: M001; complete the copy"),
    ("bp4d", remove("Sequences/M001/*/*"), r"8 recordings cannot be read, .* 0 of 16: Sequences/M001/T1 \(.*restore"),
    ("bp4d", remove(f"{OCC}/F001_T2.csv"), "1 of 16 recordings without labels, .*allows 0: F001_T2; restore"),
    (
        "bp4d fera2015",
        lambda root: [path.unlink() for path in matching(root, "BP4D*/*/*/*.jpg")[::2]],
        r"\d+ labelled frames have no image, .* allows \d of \d+: ",
    ),
    (
        "bp4d videos",
        cut_off("*/2F01_01.avi"),
        r"1 recording .*2F01_01\.avi \(cut off: did copying it break off\?\); copy",
    ),
    ("bp4dplus", cut_off("2D+3D/M001.zip"), r"10 recordings .* 1 of 20: .*M001\.zip \(not a whole zip .*\); copy them"),
    ("bp4dplus", empty("2D+3D/M001.zip"), r"10 recordings .*M001\.zip \(empty\); copy"),
    ("disfa", remove(AVI), "1 of 3 subjects: SN002; complete the copy"),
    ("disfa", cut_off(AVI), r"1 recording .*\(cut off: .*copy them again"),
    ("disfa", empty("*/*/SN001_au5.txt"), "SN001_au5.txt: Empty .*expected.*restore"),
    ("disfa", remove("*/SN001"), "1 of 3 recordings without labels, .*: SN001; restore"),
    ("affectnet", remove("val_set"), "holds annotations, images in train_set; expected AffectNet: .*val_set.*; put"),
    ("affectnet", remove("val_set/images/*"), r"48 recordings .* of 96: .*/0\.jpg \(missing\).* 40 more; c"),
    ("affectnet", remove("val_set/*/*"), "the split test has no labels .*; expected 3500 images; restore them"),
    ("affectnet", remove(f"train{NPY}"), "48 of 96 images have no label, .*; complete the"),
    ("affectnet csv", cut_off(f"{CSV}/training.csv"), r"\d+ of 132 images have no label, .* 6: .*; restore the whole"),
    ("affectnet csv", remove("Manually_Annotated/*/1"), r"44 recordings .* of 132: .*\(missing\).*; copy them again"),
    ("rafdb", shorten(LIST, 0.5), r"42 of 84 images have no label, .*test_0001_aligned.*; restore the whole"),
    (
        "rafdb",
        lambda root: (shorten(LIST, 0.5)(root), remove("basic/Image/aligned/test*")(root)),
        "the split test has no labels of the run's classes; expected 3068 images; restore them",
    ),
    ("rafdb", relabel_test_fear, "the split test has no labels of fear; .* 74 images; .*, or leave the class out$"),
    ("rafdb", remove(LIST), "holds EmoLabel, Image in basic; expected RAF-DB.*Emo.*; put or"),
    ("ferplus", cut_off("fer2013.csv"), r"fer2013\.csv: .*Expected 3 .*; restore"),
    ("ferplus", shorten(TRAIN, 0.5), r"26 of 159 images have no label, .*\(in no label\.csv\).* more; complete"),
]
# Data set; damage; `max_bad`; regular expression of a remark.
TOLERATED = [
    ("bp4d", remove(f"{OCC}/F001_T2.csv"), 0.1, "1 of 16 .*: F001_T2; restore"),
    ("bp4d", remove("Sequences/F001/T2"), 0.1, "1 recording is missing, .*F001_T2; complete"),
    ("disfa", remove("*/SN001"), 0.4, "1 of 3 .*allows 1: SN001; restore"),
    ("affectnet", remove("*/*/4_exp.npy"), 0.05, r"2 of 96 images have no label, .*4_exp\.npy\); complete"),
    (
        "affectnet",
        replace_by_heic("val_set/images/0.*"),
        0.05,
        r"0\.jpg \(a HEIC image, whatever its name\); convert th",
    ),
    (
        "affectnet",
        replace_by_heic("val_set/images/[0-4].*", cut=1),
        0.05,
        r"\d recordings .*whole image file\), .*HEIC .* name\); copy them again or convert those in another format$",
    ),
    ("affectnet", remove("train_set/images/4.*"), 0.05, r"1 recording .*4\.jpg \(missing\); copy them"),
    ("rafdb", shorten(LIST, 0.99), 0.05, r"1 file belongs to no recording, .*test_0042_aligned\.jpg"),
    ("rafdb", remove("*/*/*/test_0003*"), 0.05, r"1 recording .*test_0003_.*\(missing\); copy them"),
    ("ferplus", shorten(TRAIN, 0.99), 0.05, r"1 of 159 images have no label, .*complete"),
]


def whole(copy: Callable[..., Path], dataset: str, packaging: str, folder: Path | None = None) -> Path:
    size = FixtureSize(SUBJECTS.get(dataset), frames=6, pixels=64)
    return copy(dataset, packaging or FIRST[dataset], size, folder)


def damaged(name: str, damage: Damage, max_bad: float, copy: Callable[..., Path], folder: Path) -> Report:
    dataset, _, packaging = name.partition(" ")
    root = whole(copy, dataset, packaging, folder)
    damage(root)
    return checked(dataset, root, max_bad)


@pytest.mark.parametrize(("name", "damage", "expected"), STOPPING, ids=[f"{c[0]}: {c[2][:40]}" for c in STOPPING])
def test_damage_that_stops_the_workflow_is_one_problem(name, damage, expected, fixture_copy, tmp_path):
    report = damaged(name, damage, 0.05, fixture_copy, tmp_path)
    (problem,) = report.problems
    assert re.search(expected, problem), problem
    assert "\n" not in problem
    assert report.verdict == f"not usable: {problem}"


@pytest.mark.parametrize(("name", "damage", "max_bad", "expected"), TOLERATED)
def test_damage_that_max_bad_allows_is_a_remark(name, damage, max_bad, expected, fixture_copy, tmp_path):
    report = damaged(name, damage, max_bad, fixture_copy, tmp_path)
    assert report.usable, report.problems
    assert [remark for remark in report.remarks if re.search(expected, remark)], report.remarks


@pytest.mark.parametrize("dataset", FIRST)
def test_whole_copy_wrong_path_and_placeholder_folder(dataset, fixture_copy, tmp_path):
    assert checked(dataset, whole(fixture_copy, dataset, FIRST[dataset]), 0.05).usable
    (problem,) = checked(dataset, tmp_path / "nowhere", 0.05).problems
    assert re.search(rf"nowhere does not exist; expected the raw data of {dataset}; put or link it there", problem)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (problem,) = checked(dataset, tmp_path / "link", 0.05).problems
    assert re.search(r"link leads to \S+nowhere, which does not exist; .*mount that disk, or correct the link", problem)
    (tmp_path / "link").unlink()
    (tmp_path / "README.txt").write_text("put the data here")
    (problem,) = checked(dataset, tmp_path, 0.05).problems
    assert re.search(r"(holds|found) README\.txt", problem)
    assert re.search("expected .*; put or link .* there", problem)
