"""Every set half-copied: a check says once what was found, what was expected, and what to do."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.fixtures import write_fixture
from clef.fixtures.size import FixtureSize
from clef.ingest.check.check import check
from clef.ingest.check.report import Report
from clef.params.schema import Params

PEOPLE = {"bp4d": ("F001", "M001"), "bp4dplus": ("F001", "M001"), "disfa": ("SN001", "SN002", "SN010")}
FIRST = {"bp4d": "full", "bp4dplus": "zips", "disfa": "left", "affectnet": "npy", "rafdb": "aligned", "ferplus": ""}
SEVEN = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]
LIST = "basic/EmoLabel/list_patition_label.txt"

Damage = Callable[..., None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Callable[[str, str], Path]:
    """Writes a whole miniature once, and says where it is."""
    folder = tmp_path_factory.mktemp("whole")

    def written(dataset: str, packaging: str) -> Path:
        root = folder / f"{dataset}-{packaging}"
        if not root.exists():
            size = FixtureSize(PEOPLE.get(dataset), frames=6, pixels=64)
            write_fixture(dataset, packaging or None, root, size)
        return root

    return written


def checked(dataset: str, root: Path, max_bad: float) -> Report:
    values: dict[str, object] = {"dataset": {"adapter": dataset}, "ingest": {"max_bad": max_bad}}
    if dataset in PEOPLE:
        values["dataset"] = {"adapter": dataset, "options": {"subjects": list(PEOPLE[dataset])}}
        values["labels"] = {"action_units": [1, 2, 4, 12]}
    else:
        votes = "majority" if dataset == "ferplus" else None
        values["labels"] = {"kind": "expressions", "expressions": SEVEN, "votes": votes}
        values["folds"] = {"protocol": "official"}
        values["crop"] = {"detector": "none"}
    return check(open_dataset(Params.model_validate(values)), root)


def matching(root: Path, pattern: str) -> list[Path]:
    found = sorted(root.glob(pattern))
    assert found, pattern
    return found


def without(*patterns: str, root: Path) -> None:
    for path in [path for pattern in patterns for path in matching(root, pattern)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def emptied(*patterns: str, root: Path) -> None:
    for path in [path for pattern in patterns for path in matching(root, pattern)]:
        path.write_bytes(b"")


def cut_off(pattern: str, root: Path) -> None:
    """In the middle of a line."""
    for path in matching(root, pattern):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2 - 3])


def shortened(pattern: str, share: float, root: Path) -> None:
    """At the end of a line."""
    for path in matching(root, pattern):
        lines = path.read_text().splitlines()
        path.write_text("\n".join(lines[: int(share * len(lines))]) + "\n")


def every_other(pattern: str, root: Path) -> None:
    for path in matching(root, pattern)[::2]:
        path.unlink()


def relabelled(name: str, code: str, other: str, root: Path) -> None:
    """No image of the test split has this class any more."""
    path = root / name
    path.write_text(re.sub(rf"(test_\d+\.jpg) {code}\b", rf"\1 {other}", path.read_text()))


def in_turn(*damages: Damage) -> Damage:
    def damage(root: Path) -> None:
        for each in damages:
            each(root=root)

    return damage


@dataclass(frozen=True)
class Case:
    """What is wrong with a copy, and what is said of it."""

    dataset: str
    what: str
    damage: Damage
    said: str
    """Regular expression: found, expected and what to do, in this order."""
    packaging: str | None = None
    max_bad: float = 0.05

    def __str__(self) -> str:
        return f"{self.dataset} {self.packaging or FIRST[self.dataset]}: {self.what}"


OCC = "AUCoding/AU_OCC"
NPY = "_set/annotations/*_exp.npy"
CSV = "Manually_Annotated_file_lists"
STOPPING = [
    Case("bp4d", "a subject", partial(without, "Sequences/M001"), "1 of 2 subjects: M001; complete the copy"),
    Case(
        "bp4d",
        "images of a subject",
        partial(without, "Sequences/M001/*/*"),
        r"8 recordings cannot be read, ingest\.max_bad allows 0 of 16: Sequences/M001/T1 \(.*restore it\)",
    ),
    Case(
        "bp4d", "an empty label file", partial(emptied, f"{OCC}/F001_T2.csv"), "F001_T2.csv: no rows; expected .*rest"
    ),
    Case(
        "bp4d", "a label file cut off", partial(cut_off, f"{OCC}/F001_T2.csv"), "F001_T2.csv: .*line .*expected.*rest"
    ),
    Case("bp4d", "no images", partial(without, "Sequences"), "no recordings of BP4D; expected .*found AUCoding.*; put"),
    Case("bp4d", "no labels", partial(without, "AUCoding"), "no labels of any recording; expected files .*; put them"),
    Case(
        "bp4d",
        "a recording's labels",
        partial(without, f"{OCC}/F001_T2.csv"),
        "1 of 16 recordings without labels, .*allows 0: F001_T2; restore",
    ),
    Case(
        "bp4d",
        "half of the images",
        partial(every_other, "BP4D-training/*/*/*.jpg"),
        r"\d+ labelled frames have no image, .* allows \d of \d+: .*; complete the copy",
        "fera2015",
    ),
    Case(
        "bp4d",
        "a video cut off",
        partial(cut_off, "*/2F01_01.avi"),
        r"1 recording cannot be read, .*2F01_01\.avi \(cut off: did copying it break off\?\); copy them again",
        "videos",
    ),
    Case("bp4dplus", "a zip", partial(without, "2D+3D/M001.zip"), "1 of 2 subjects: M001; complete the copy"),
    Case(
        "bp4dplus",
        "a zip cut off",
        partial(cut_off, "2D+3D/M001.zip"),
        r"10 recordings cannot be read, .* allows 1 of 20: .*M001\.zip \(not a whole zip file; .*\); copy them again",
    ),
    Case("bp4dplus", "an empty zip", partial(emptied, "2D+3D/M001.zip"), r"10 recordings .*M001\.zip \(empty\); copy"),
    Case("bp4dplus", "an empty label file", partial(emptied, f"{OCC}/F001_T6.csv"), "F001_T6.csv: no rows; .*restore"),
    Case(
        "bp4dplus", "no zips", partial(without, "2D+3D"), r"no recordings of BP4D\+; expected .*found .*AUCoding.*; put"
    ),
    Case("bp4dplus", "no labels", partial(without, "AUCoding"), "no labels of any recording; expected .*; put them"),
    Case("disfa", "a subject", partial(without, "*/*SN002_comp.avi"), "1 of 3 subjects: SN002; complete the copy"),
    Case(
        "disfa", "an empty video", partial(emptied, "*/*SN002_comp.avi"), r"1 recording .*SN002_comp\.avi \(empty\); co"
    ),
    Case(
        "disfa", "a video cut off", partial(cut_off, "*/*SN002_comp.avi"), r"1 recording .*\(cut off: .*copy them again"
    ),
    Case(
        "disfa",
        "an empty label file",
        partial(emptied, "*/*/SN001_au5.txt"),
        "SN001_au5.txt: Empty .*expected.*restore",
    ),
    Case(
        "disfa",
        "half of a label file",
        partial(shortened, "*/*/SN001_au5.txt", 0.5),
        r"SN001_au5\.txt: 3 frames, the subject's other files have 6; expected as many: restore it",
    ),
    Case(
        "disfa", "a label file", partial(without, "*/*/SN001_au5.txt"), "no SN001_au5.txt; expected all twelve; restore"
    ),
    Case(
        "disfa", "a subject's labels", partial(without, "*/SN001"), "1 of 3 recordings without labels, .*: SN001; rest"
    ),
    Case("disfa", "no videos", partial(without, "Videos*"), "no videos of DISFA found; expected .*found Action.*; put"),
    Case(
        "disfa", "no labels", partial(without, "ActionUnit_Labels"), "no labels of any recording; expected .*; put them"
    ),
    Case(
        "affectnet",
        "a split",
        partial(without, "val_set"),
        "holds annotations, images in train_set; expected AffectNet: .*val_set.*; put",
    ),
    Case(
        "affectnet",
        "a split's images",
        partial(without, "val_set/images/*"),
        r"48 recordings cannot be read, .* of 96: val_set/images/0\.jpg \(missing\).* and 40 more; copy them again",
    ),
    Case(
        "affectnet",
        "a split's images and labels",
        partial(without, "val_set/*/*"),
        "the split test has no labels of the run's classes; expected 3500 images; restore them",
    ),
    Case("affectnet", "a folder", partial(without, "val_set/images"), "val_set/images: cannot be listed .*; complete"),
    Case("affectnet", "all labels", partial(without, f"train{NPY}"), "48 of 96 images have no label, .*; complete the"),
    Case(
        "affectnet",
        "half of the labels",
        partial(every_other, f"val{NPY}"),
        r"24 of 96 images .*_exp\.npy\).*; complete",
    ),
    Case("affectnet", "empty labels", partial(emptied, f"val{NPY}"), "48 of 96 .*_exp.npy holds no number.*; complete"),
    Case(
        "affectnet",
        "an empty list",
        partial(emptied, f"{CSV}/training.csv"),
        "training.csv: .*expected.*restore",
        "csv",
    ),
    Case(
        "affectnet",
        "a list cut off",
        partial(cut_off, f"{CSV}/training.csv"),
        r"\d+ of 132 images have no label, .* allows 6: .* more; restore the whole list",
        "csv",
    ),
    Case("affectnet", "a list", partial(without, f"{CSV}/*"), "holds Manually.*; expected AffectNet: .*; put", "csv"),
    Case(
        "affectnet",
        "a list of headings alone",
        partial(shortened, f"{CSV}/validation.csv", 0.02),
        "66 of 132 images have no label, .* more; restore the whole list",
        "csv",
    ),
    Case(
        "affectnet",
        "no images",
        partial(without, "Manually_Annotated"),
        "lists and no images; expected .*; compl",
        "csv",
    ),
    Case(
        "affectnet",
        "a folder of images",
        partial(without, "Manually_Annotated/*/1"),
        r"44 recordings cannot be read, .* of 132: .*\(missing\).* more; copy them again",
        "csv",
    ),
    Case(
        "rafdb", "an empty list", partial(emptied, LIST), "list_patition_label.txt: no lines; expected .*; restore it"
    ),
    Case(
        "rafdb",
        "a list cut off",
        partial(cut_off, LIST),
        r"line \d+: 'train_.*; expected an image and a class .*restore",
    ),
    Case(
        "rafdb",
        "half of the list",
        partial(shortened, LIST, 0.5),
        r"42 of 84 images have no label, .* allows 4: .*test_0001_aligned\.jpg.*; restore the whole list",
    ),
    Case(
        "rafdb",
        "half of everything",
        in_turn(partial(shortened, LIST, 0.5), partial(without, "basic/Image/aligned/test*")),
        "the split test has no labels of the run's classes; expected 3068 images; restore them",
    ),
    Case(
        "rafdb",
        "all of a class",
        partial(relabelled, LIST, "2", "1"),
        "the split test has no labels of fear; expected 74 images; restore them, or leave the class out$",
    ),
    Case("rafdb", "the list", partial(without, LIST), "holds EmoLabel, Image in basic; expected RAF-DB.*Emo.*; put or"),
    Case(
        "rafdb",
        "a split's images",
        partial(without, "basic/Image/aligned/test*"),
        r"42 recordings cannot be read, .* of 84: .*test_0001_aligned\.jpg \(missing\).* more; copy them again",
    ),
    Case(
        "rafdb", "all images", partial(without, "basic/Image"), "no folder Image/aligned, which the run uses; complete"
    ),
    Case(
        "ferplus",
        "the images",
        partial(without, "fer2013.csv"),
        r"holds data, fer2013new\.csv; expected FER2013.*; put",
    ),
    Case(
        "ferplus",
        "a cut-off table of images",
        partial(cut_off, "fer2013.csv"),
        r"fer2013\.csv: .*Expected 3 .*; restore",
    ),
    Case(
        "ferplus",
        "half of the images",
        partial(shortened, "fer2013.csv", 0.5),
        "rows, .* has 159; expected .*; restore",
    ),
    Case(
        "ferplus", "an empty table of images", partial(emptied, "fer2013.csv"), "starts with ''; expected the col.*rest"
    ),
    Case(
        "ferplus",
        "an empty table of rows",
        partial(emptied, "fer2013new.csv"),
        r"fer2013new\.csv: no rows; expec.*rest",
    ),
    Case(
        "ferplus", "a cut-off table of rows", partial(cut_off, "fer2013new.csv"), r"fer2013new\.csv: .*line.*exp.*rest"
    ),
    Case(
        "ferplus", "the table of rows", partial(without, "fer2013new.csv"), "holds .*; expected FER\\+'s table .*; put"
    ),
    Case(
        "ferplus",
        "empty labels",
        partial(emptied, "data/*Test/label.csv"),
        r"Test/label\.csv: no lines; expec.*restore",
    ),
    Case(
        "ferplus", "labels cut off", partial(cut_off, "data/*Train/label.csv"), r"line \d+: \d+ values; expected .*rest"
    ),
    Case(
        "ferplus",
        "half of the labels",
        partial(shortened, "data/*Train/label.csv", 0.5),
        r"26 of 159 images have no label, .*\(in no label\.csv\).* more; complete the copy",
    ),
    Case(
        "ferplus",
        "a split's labels",
        partial(without, "data/FER2013Test"),
        r"no FER2013Test with label\.csv; expected .*FER2013Train, FER2013Valid, FER2013Test, .*; complete the copy",
    ),
    Case(
        "ferplus",
        "half of everything but the labels",
        in_turn(partial(shortened, "fer2013.csv", 0.5), partial(shortened, "fer2013new.csv", 0.5)),
        r"fer\d+\.png is not in fer2013new\.csv; expected labels of one release, and both whole: restore them",
    ),
]
REMARKED = [
    Case(
        "bp4d",
        "a recording's labels",
        partial(without, f"{OCC}/F001_T2.csv"),
        "1 of 16 .*: F001_T2; restore",
        None,
        0.1,
    ),
    Case(
        "bp4d",
        "a recording",
        partial(without, "Sequences/F001/T2"),
        "1 recording is missing, .*F001_T2; compl",
        None,
        0.1,
    ),
    Case("disfa", "a subject's labels", partial(without, "*/SN001"), "1 of 3 .*allows 1: SN001; restore", None, 0.4),
    Case(
        "affectnet", "a label", partial(without, "*/*/4_exp.npy"), r"2 of 96 images have no label, .*4_exp\.npy\); comp"
    ),
    Case(
        "affectnet",
        "an image",
        partial(without, "train_set/images/4.*"),
        r"1 recording .*4\.jpg \(missing\); copy them",
    ),
    Case(
        "rafdb", "a line", partial(shortened, LIST, 0.99), r"1 file belongs to no recording, .*test_0042_aligned\.jpg"
    ),
    Case(
        "rafdb", "an image", partial(without, "*/*/*/test_0003*"), r"1 recording .*test_0003_.*\(missing\); copy them"
    ),
    Case(
        "ferplus",
        "a label",
        partial(shortened, "data/*Train/label.csv", 0.99),
        r"1 of 159 images have no label, .*comp",
    ),
]


def damaged(case: Case, whole: Callable[[str, str], Path], folder: Path) -> Report:
    root = Path(shutil.copytree(whole(case.dataset, case.packaging or FIRST[case.dataset]), folder / "raw"))
    case.damage(root=root)
    return checked(case.dataset, root, case.max_bad)


@pytest.mark.parametrize("case", STOPPING, ids=str)
def test_what_would_stop_the_workflow_is_said_once(case, whole, tmp_path):
    report = damaged(case, whole, tmp_path)
    (problem,) = report.problems
    assert re.search(case.said, problem), problem
    assert "\n" not in problem
    assert report.verdict == f"not usable: {problem}"


@pytest.mark.parametrize("case", REMARKED, ids=str)
def test_what_would_not_is_a_remark(case, whole, tmp_path):
    report = damaged(case, whole, tmp_path)
    assert report.usable, report.problems
    assert [remark for remark in report.remarks if re.search(case.said, remark)], report.remarks


@pytest.mark.parametrize("dataset", FIRST)
def test_a_whole_copy_is_usable(dataset, whole):
    assert checked(dataset, whole(dataset, FIRST[dataset]), 0.05).usable


@pytest.mark.parametrize("dataset", FIRST)
def test_a_placeholder_folder_is_told_by_what_it_holds(dataset, tmp_path):
    (tmp_path / "README.txt").write_text("put the data here")
    (problem,) = checked(dataset, tmp_path, 0.05).problems
    assert re.search(r"(holds|found) README\.txt", problem)
    assert re.search("expected .*; put or link .* there", problem)


@pytest.mark.parametrize("dataset", FIRST)
def test_a_wrong_path_is_told(dataset, tmp_path):
    (problem,) = checked(dataset, tmp_path / "nowhere", 0.05).problems
    assert re.search(rf"nowhere does not exist; expected the raw data of {dataset}; put or link it there", problem)
