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
    "BP4D's activities": (Bp4d.activities, "c9661da6b0321c2e"),
    "BP4D+'s activities": (Bp4dPlus.activities, "0df366249b3fca97"),
    "BP4D+'s labelled tasks": (Bp4dPlus.coded, "41d50022ac6294a5"),
    "papers' numbers of BP4D's folds": (Bp4d.published_as, "cd269ae5c70fb69e"),
    "papers' numbers of DISFA's folds": (Disfa.published_as, "b9d45688f3bfb5b4"),
    "AffectNet's classes by code": (affectnet.EXPRESSIONS, "a82f2fcc091b88a7"),
    "RAF-DB's classes by code": (rafdb.EXPRESSIONS, "092976f38e2c8b19"),
    "FER+'s columns": (ferplus.EMOTIONS, "e4e8dd23fea64e47"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_published_table_is_unchanged(name):
    table, expected = TABLES[name]
    if isinstance(table, PublishedCounts):
        table = asdict(table)
        del table["source"]
    assert hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:16] == expected


@pytest.mark.parametrize("dataset", [Bp4d, Bp4dPlus, Disfa])
def test_published_folds_test_every_subject_once(dataset):
    subjects = set(SUBJECTS if dataset is Disfa else dataset.all_subjects)
    for partition, folds in dataset.partitions.items():
        left_out = {"F082"} if partition == "bigsmall" else set()
        assert sorted(subject for fold in folds for subject in fold) == sorted(subjects - left_out)
        assert len(dataset.published_as[partition]) == len(folds)
