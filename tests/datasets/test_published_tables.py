"""Tables from publications, guarded by digests and literals: swapping two subjects or classes changes no count.

The digests are of values that were checked against the published lists.
"""

import hashlib
import json
from dataclasses import asdict, replace

import pytest

from clef.datasets import affectnet, ferplus, rafdb
from clef.datasets.affectnet import PUBLISHED_NPY, AffectNet
from clef.datasets.bp4d import Bp4d
from clef.datasets.bp4dplus import Bp4dPlus
from clef.datasets.disfa import LEFT_OUT_BY_JAA, PUBLISHED_JAA, SUBJECTS, Disfa
from clef.datasets.ferplus import PUBLISHED
from clef.datasets.published_counts import PublishedCounts
from clef.datasets.rafdb import RafDb

TABLES = {
    "BP4D's three folds": (Bp4d.partitions["three-fold"], "c91348632a3e1089"),
    "DISFA's three folds": (Disfa.partitions["three-fold"], "e53278dfde9689ca"),
    "FMAE's folds of BP4D+": (Bp4dPlus.partitions["fmae"], "22565972ccaf9072"),
    "BigSmall's splits of BP4D+": (Bp4dPlus.partitions["bigsmall"], "ac3767d70e3c3494"),
    "frames that JAA-Net leaves out": (LEFT_OUT_BY_JAA, "91425f1be51c315b"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_published_table_is_unchanged(name):
    table, expected = TABLES[name]
    assert hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:16] == expected


@pytest.mark.parametrize(
    ("dataset", "partition", "left_out"),
    [
        (Bp4d, "three-fold", set()),
        (Bp4dPlus, "fmae", set()),
        (Bp4dPlus, "bigsmall", {"F082"}),
        (Disfa, "three-fold", set()),
    ],
)
def test_published_folds_test_every_subject_once(dataset, partition, left_out):
    subjects = SUBJECTS if dataset is Disfa else dataset.all_subjects
    folds = dataset.partitions[partition]
    tested = [subject for fold in folds for subject in fold]
    assert sorted(tested) == sorted(set(subjects) - left_out)
    assert len(dataset.published_as[partition]) == len(folds)


@pytest.mark.parametrize(
    ("dataset", "activities"),
    [
        (Bp4d, "joke documentary startle song dart cold_water insult smell"),
        (Bp4dPlus, "joke avatar emergency_call startle odd_question song dart cold_water complaint smell"),
    ],
)
def test_activities_of_the_tasks(dataset, activities):
    assert dataset.activities == {f"T{number}": name for number, name in enumerate(activities.split(), start=1)}
    assert Bp4dPlus.coded == ("T1", "T6", "T7", "T8")


@pytest.mark.parametrize("dataset", [Bp4d, Disfa])
@pytest.mark.parametrize(("part", "jaa", "megraphau", "fgnet"), [(1, 1, 3, 0), (2, 2, 2, 1), (3, 3, 1, 2)])
def test_papers_number_the_parts_differently(dataset, part, jaa, megraphau, fgnet):
    name = dataset.published_as["three-fold"][part - 1]
    assert name.startswith(f"P{part}: part {jaa} of JAA-Net, test of fold {megraphau} of ME-GraphAU, MDHR and AUNCE, ")
    assert f"fold {fgnet} of FG-Net" in name


AFFECTNET = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"]
RAFDB = ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"]
FERPLUS = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]


def test_class_codes():
    """Swapping two classes in an adapter's list would also swap them in its published counts."""
    found = [list(names) for names in (affectnet.EXPRESSIONS, rafdb.EXPRESSIONS, ferplus.EMOTIONS)]
    assert found == [AFFECTNET, RAFDB, FERPLUS]


def classes(names: list[str], train: tuple[int, ...], test: tuple[int, ...]) -> dict[str, dict[str, int]]:
    return {"train": dict(zip(names, train, strict=True)), "test": dict(zip(names, test, strict=True))}


def rates(units: str, *values: float) -> dict[str, float]:
    return dict(zip((f"AU{unit}" for unit in units.split()), values, strict=True))


BP4D_UNITS = "01 02 04 06 07 10 12 14 15 17 23 24"
DISFA_COUNTS = PublishedCounts(
    source="",
    subjects=27,
    sequences=27,
    labelled_sequences=27,
    labelled_frames=130_814,
    frames_by={"fold": {"P1": 43_604, "P2": 43_605, "P3": 43_605}},
    threshold=2,
    rates=rates("01 02 04 06 09 12 25 26", 0.0497, 0.0431, 0.1524, 0.0789, 0.0418, 0.1288, 0.2771, 0.0882),
)
AFFECTNET_TRAIN = (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750)
COUNTS = {
    "BP4D": (
        Bp4d.published_counts,
        PublishedCounts(
            source="",
            subjects=41,
            sequences=328,
            labelled_sequences=328,
            labelled_frames=146_847,
            frames_by={
                "activity": dict(
                    zip(
                        (f"T{number}" for number in range(1, 9)),
                        (20_074, 20_837, 12_821, 20_208, 20_795, 19_553, 20_339, 12_220),
                        strict=True,
                    )
                ),
                "fold": {"P1": 50_631, "P2": 50_182, "P3": 46_034},
            },
            rates=rates(BP4D_UNITS, 0.211, 0.171, 0.203, 0.461, 0.549, 0.594, 0.562, 0.466, 0.169, 0.343, 0.165, 0.151),
        ),
    ),
    "BP4D+": (
        Bp4dPlus.published_counts,
        PublishedCounts(
            source="",
            subjects=140,
            sequences=1400,
            labelled_sequences=560,
            labelled_frames=197_875,
            uncodable_frames=944,
            frames_by={"activity": {"T1": 53_460, "T6": 53_495, "T7": 37_638, "T8": 53_282}},
            rates=rates(BP4D_UNITS, 0.097, 0.082, 0.058, 0.497, 0.663, 0.647, 0.578, 0.600, 0.107, 0.130, 0.167, 0.039),
            known_missing={
                "F041_T7": "left out by BigSmall",
                "F082_T1": "left out by others, and F082 altogether by BigSmall",
            },
        ),
    ),
    "DISFA": (Disfa.published_counts, DISFA_COUNTS),
    "DISFA without frames": (
        PUBLISHED_JAA,
        replace(
            DISFA_COUNTS,
            labelled_frames=126_144,
            frames_by={"fold": {"P1": 43_173, "P2": 40_344, "P3": 42_627}},
            rates={},
        ),
    ),
    "AffectNet": (
        AffectNet.published_counts,
        PublishedCounts(
            source="",
            labelled_frames=291_651,
            frames_by={"split": {"train": 287_651, "test": 4_000}},
            classes=classes(AFFECTNET, AFFECTNET_TRAIN, (500,) * 8),
        ),
    ),
    "AffectNet of 2021": (
        PUBLISHED_NPY,
        PublishedCounts(
            source="",
            labelled_frames=291_650,
            frames_by={"split": {"train": 287_651, "test": 3_999}},
            classes=classes(AFFECTNET, AFFECTNET_TRAIN, (500,) * 7 + (499,)),
        ),
    ),
    "RAF-DB": (
        RafDb.published_counts,
        PublishedCounts(
            source="",
            sequences=15_339,
            labelled_frames=15_339,
            frames_by={"split": {"train": 12_271, "test": 3_068}},
            classes=classes(RAFDB, (1290, 281, 717, 4772, 1982, 705, 2524), (329, 74, 160, 1185, 478, 162, 680)),
        ),
    ),
}
LABEL_TRAIN, NEW_TRAIN = (8733, 7284, 3136, 3022, 2098, 116, 536, 120), (8740, 7287, 3149, 3014, 2100, 119, 532, 119)
for source, tested, train, test, train_classes, test_classes in (
    ("label.csv", "private", 28_558, 3_573, LABEL_TRAIN, (1083, 892, 394, 382, 269, 16, 86, 15)),
    ("label.csv", "public", 28_558, 3_579, LABEL_TRAIN, (1180, 862, 411, 348, 289, 25, 60, 16)),
    ("fer2013new.csv", "private", 28_561, 3_574, NEW_TRAIN, (1090, 893, 396, 384, 273, 18, 83, 16)),
    ("fer2013new.csv", "public", 28_561, 3_579, NEW_TRAIN, (1182, 865, 415, 351, 287, 24, 62, 13)),
):
    COUNTS[f"FER+ {source} {tested}"] = (
        PUBLISHED[source, tested],
        PublishedCounts(
            source="",
            sequences=35_887,
            labelled_frames=35_710 if source == "label.csv" else 35_714,
            frames_by={"split": {"train": train, "test": test}},
            classes=classes(FERPLUS, train_classes, test_classes),
        ),
    )


@pytest.mark.parametrize("name", COUNTS)
def test_published_counts(name):
    found, expected = COUNTS[name]
    assert asdict(replace(found, source="")) == asdict(expected)
