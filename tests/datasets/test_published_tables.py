"""Tables from publications, guarded by digests: swapping two subjects or classes changes no count.

The digests are of values that were checked against the published lists.
"""

import hashlib
import json
from dataclasses import asdict

import pytest

from clef.datasets import affectnet, ferplus, rafdb
from clef.datasets.bp4d import Bp4d
from clef.datasets.bp4dplus import Bp4dPlus
from clef.datasets.disfa import LEFT_OUT_BY_JAA, PUBLISHED_JAA, SUBJECTS, Disfa
from clef.datasets.published_counts import PublishedCounts

TABLES = {
    "BP4D's three folds": (Bp4d.partitions["three-fold"], "c91348632a3e1089"),
    "DISFA's three folds": (Disfa.partitions["three-fold"], "e53278dfde9689ca"),
    "FMAE's folds of BP4D+": (Bp4dPlus.partitions["fmae"], "22565972ccaf9072"),
    "BigSmall's splits of BP4D+": (Bp4dPlus.partitions["bigsmall"], "ac3767d70e3c3494"),
    "frames that JAA-Net leaves out": (LEFT_OUT_BY_JAA, "91425f1be51c315b"),
    "BP4D": (Bp4d.published_counts, "42859585823ca97d"),
    "BP4D+": (Bp4dPlus.published_counts, "35f898ba7f3aabb2"),
    "DISFA": (Disfa.published_counts, "e43a80a50962b30f"),
    "DISFA without frames": (PUBLISHED_JAA, "931e37bcb55401e9"),
    "AffectNet": (affectnet.AffectNet.published_counts, "e97b26487f68f9f7"),
    "AffectNet of 2021": (affectnet.PUBLISHED_NPY, "bf4377b353b42fd3"),
    "RAF-DB": (rafdb.RafDb.published_counts, "1339a275999568c9"),
    "FER+ label.csv private": (ferplus.published_counts("label.csv", "private"), "1cef3e4c2ac53f7b"),
    "FER+ label.csv public": (ferplus.published_counts("label.csv", "public"), "0a136e244f77370e"),
    "FER+ fer2013new.csv private": (ferplus.published_counts("fer2013new.csv", "private"), "5e07de1455844f85"),
    "FER+ fer2013new.csv public": (ferplus.published_counts("fer2013new.csv", "public"), "47b5f3fccf96af99"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_published_table_is_unchanged(name):
    table, expected = TABLES[name]
    if isinstance(table, PublishedCounts):
        table = asdict(table)
        del table["source"]
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


def test_class_codes():
    """Swapping two classes in an adapter's list would also swap them in its published counts."""
    classes = (affectnet.EXPRESSIONS, rafdb.EXPRESSIONS, ferplus.EMOTIONS)
    assert list(map(" ".join, classes)) == [
        "neutral happiness sadness surprise fear disgust anger contempt",
        "surprise fear disgust happiness sadness anger neutral",
        "neutral happiness surprise sadness anger disgust fear contempt",
    ]
