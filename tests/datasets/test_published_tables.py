"""Tables that come from publications, guarded by digests and by literals: people who change places change no count.

The digests are of values that were set against the published lists; another one means that somebody moved.
"""

import hashlib
import json
from dataclasses import replace

import pytest

from clef.datasets import affectnet, ferplus, rafdb
from clef.datasets.affectnet import PUBLISHED_NPY, AffectNet
from clef.datasets.bp4d import Bp4d
from clef.datasets.bp4dplus import Bp4dPlus
from clef.datasets.disfa import LEFT_OUT_BY_JAA, PUBLISHED_JAA, Disfa
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
def test_a_published_table_is_as_it_was_published(name):
    table, expected = TABLES[name]
    assert hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:16] == expected


def test_what_people_did_in_the_tasks_of_bp4d():
    assert Bp4d.activities == {
        "T1": "joke",
        "T2": "documentary",
        "T3": "startle",
        "T4": "song",
        "T5": "dart",
        "T6": "cold_water",
        "T7": "insult",
        "T8": "smell",
    }


def test_what_people_did_in_the_tasks_of_bp4dplus():
    assert Bp4dPlus.activities == {
        "T1": "joke",
        "T2": "avatar",
        "T3": "emergency_call",
        "T4": "startle",
        "T5": "odd_question",
        "T6": "song",
        "T7": "dart",
        "T8": "cold_water",
        "T9": "complaint",
        "T10": "smell",
    }
    assert Bp4dPlus.coded == ("T1", "T6", "T7", "T8")


@pytest.mark.parametrize("dataset", [Bp4d, Disfa])
@pytest.mark.parametrize(("part", "jaa", "megraphau", "fgnet"), [(1, 1, 3, 0), (2, 2, 2, 1), (3, 3, 1, 2)])
def test_the_numbers_that_papers_give_to_the_parts(dataset, part, jaa, megraphau, fgnet):
    said = dataset.published_as["three-fold"][part - 1]
    assert said.startswith(f"P{part}: part {jaa} of JAA-Net, test of fold {megraphau} of ME-GraphAU, MDHR and AUNCE, ")
    assert f"fold {fgnet} of FG-Net" in said


AFFECTNET_TRAIN = {
    "neutral": 74_874,
    "happiness": 134_415,
    "sadness": 25_459,
    "surprise": 14_090,
    "fear": 6_378,
    "disgust": 3_803,
    "anger": 24_882,
    "contempt": 3_750,
}
AFFECTNET_TEST = {
    "neutral": 500,
    "happiness": 500,
    "sadness": 500,
    "surprise": 500,
    "fear": 500,
    "disgust": 500,
    "anger": 500,
    "contempt": 500,
}
DISFA_PARTS = {"fold": {"P1": 43_604, "P2": 43_605, "P3": 43_605}}
FERPLUS_TRAIN = {
    "neutral": 8733,
    "happiness": 7284,
    "surprise": 3136,
    "sadness": 3022,
    "anger": 2098,
    "disgust": 116,
    "fear": 536,
    "contempt": 120,
}
FERPLUS_PUBLIC = {
    "neutral": 1180,
    "happiness": 862,
    "surprise": 411,
    "sadness": 348,
    "anger": 289,
    "disgust": 25,
    "fear": 60,
    "contempt": 16,
}
FERPLUS_PRIVATE = {
    "neutral": 1083,
    "happiness": 892,
    "surprise": 394,
    "sadness": 382,
    "anger": 269,
    "disgust": 16,
    "fear": 86,
    "contempt": 15,
}
NEW_TRAIN = {
    "neutral": 8740,
    "happiness": 7287,
    "surprise": 3149,
    "sadness": 3014,
    "anger": 2100,
    "disgust": 119,
    "fear": 532,
    "contempt": 119,
}
NEW_PUBLIC = {
    "neutral": 1182,
    "happiness": 865,
    "surprise": 415,
    "sadness": 351,
    "anger": 287,
    "disgust": 24,
    "fear": 62,
    "contempt": 13,
}
NEW_PRIVATE = {
    "neutral": 1090,
    "happiness": 893,
    "surprise": 396,
    "sadness": 384,
    "anger": 273,
    "disgust": 18,
    "fear": 83,
    "contempt": 16,
}
COUNTS = [
    (
        Bp4d.published_counts,
        PublishedCounts(
            source="",
            subjects=41,
            sequences=328,
            labelled_sequences=328,
            labelled_frames=146_847,
            frames_by={
                "activity": {
                    "T1": 20_074,
                    "T2": 20_837,
                    "T3": 12_821,
                    "T4": 20_208,
                    "T5": 20_795,
                    "T6": 19_553,
                    "T7": 20_339,
                    "T8": 12_220,
                },
                "fold": {"P1": 50_631, "P2": 50_182, "P3": 46_034},
            },
            rates=dict(
                zip(
                    ("AU01", "AU02", "AU04", "AU06", "AU07", "AU10", "AU12", "AU14", "AU15", "AU17", "AU23", "AU24"),
                    (0.211, 0.171, 0.203, 0.461, 0.549, 0.594, 0.562, 0.466, 0.169, 0.343, 0.165, 0.151),
                    strict=True,
                )
            ),
        ),
    ),
    (
        Bp4dPlus.published_counts,
        PublishedCounts(
            source="",
            subjects=140,
            sequences=1400,
            labelled_sequences=560,
            labelled_frames=197_875,
            uncodable_frames=944,
            frames_by={"activity": {"T1": 53_460, "T6": 53_495, "T7": 37_638, "T8": 53_282}},
            rates=dict(
                zip(
                    ("AU01", "AU02", "AU04", "AU06", "AU07", "AU10", "AU12", "AU14", "AU15", "AU17", "AU23", "AU24"),
                    (0.097, 0.082, 0.058, 0.497, 0.663, 0.647, 0.578, 0.600, 0.107, 0.130, 0.167, 0.039),
                    strict=True,
                )
            ),
            known_missing={
                "F041_T7": "left out by BigSmall",
                "F082_T1": "left out by others, and F082 altogether by BigSmall",
            },
        ),
    ),
    (
        Disfa.published_counts,
        PublishedCounts(
            source="",
            subjects=27,
            sequences=27,
            labelled_sequences=27,
            labelled_frames=130_814,
            frames_by=DISFA_PARTS,
            threshold=2,
            rates=dict(
                zip(
                    ("AU01", "AU02", "AU04", "AU06", "AU09", "AU12", "AU25", "AU26"),
                    (0.0497, 0.0431, 0.1524, 0.0789, 0.0418, 0.1288, 0.2771, 0.0882),
                    strict=True,
                )
            ),
        ),
    ),
    (
        PUBLISHED_JAA,
        PublishedCounts(
            source="",
            subjects=27,
            sequences=27,
            labelled_sequences=27,
            labelled_frames=126_144,
            frames_by={"fold": {"P1": 43_173, "P2": 40_344, "P3": 42_627}},
            threshold=2,
        ),
    ),
    (
        AffectNet.published_counts,
        PublishedCounts(
            source="",
            labelled_frames=291_651,
            frames_by={"split": {"train": 287_651, "test": 4_000}},
            classes={"train": AFFECTNET_TRAIN, "test": AFFECTNET_TEST},
        ),
    ),
    (
        PUBLISHED_NPY,
        PublishedCounts(
            source="",
            labelled_frames=291_650,
            frames_by={"split": {"train": 287_651, "test": 3_999}},
            classes={"train": AFFECTNET_TRAIN, "test": AFFECTNET_TEST | {"contempt": 499}},
        ),
    ),
    (
        RafDb.published_counts,
        PublishedCounts(
            source="",
            sequences=15_339,
            labelled_frames=15_339,
            frames_by={"split": {"train": 12_271, "test": 3_068}},
            classes={
                "train": {
                    "surprise": 1290,
                    "fear": 281,
                    "disgust": 717,
                    "happiness": 4772,
                    "sadness": 1982,
                    "anger": 705,
                    "neutral": 2524,
                },
                "test": {
                    "surprise": 329,
                    "fear": 74,
                    "disgust": 160,
                    "happiness": 1185,
                    "sadness": 478,
                    "anger": 162,
                    "neutral": 680,
                },
            },
        ),
    ),
    *(
        (
            PUBLISHED[source, tested],
            PublishedCounts(
                source="",
                sequences=35_887,
                labelled_frames=named,
                frames_by={"split": {"train": train, "test": test}},
                classes={"train": trained, "test": counts},
            ),
        )
        for source, tested, named, train, test, trained, counts in (
            ("label.csv", "public", 35_710, 28_558, 3_579, FERPLUS_TRAIN, FERPLUS_PUBLIC),
            ("label.csv", "private", 35_710, 28_558, 3_573, FERPLUS_TRAIN, FERPLUS_PRIVATE),
            ("fer2013new.csv", "public", 35_714, 28_561, 3_579, NEW_TRAIN, NEW_PUBLIC),
            ("fer2013new.csv", "private", 35_714, 28_561, 3_574, NEW_TRAIN, NEW_PRIVATE),
        )
    ),
]
NAMES = ["bp4d", "bp4dplus", "disfa", "disfa-jaa", "affectnet", "affectnet-npy", "rafdb"]
NAMES += ["ferplus-public", "ferplus-private", "ferplus-new-public", "ferplus-new-private"]


@pytest.mark.parametrize(("known", "published"), COUNTS, ids=NAMES)
def test_what_is_known_of_a_set_is_what_was_published(known, published):
    assert replace(known, source="") == published


@pytest.mark.parametrize("published", [published for _, published in COUNTS[:7]], ids=NAMES[:7])
def test_what_was_published_adds_up(published):
    """But for FER+, of whose images one part is neither trained on nor tested, and of which some are of no class."""
    for counts in published.frames_by.values():
        assert sum(counts.values()) == published.labelled_frames
    for split, counts in published.classes.items():
        assert sum(counts.values()) == published.frames_by["split"][split]


def test_which_code_is_which_class():
    """Two classes that change places in a reader's list would change them in what is known, too."""
    assert dict(enumerate(affectnet.EXPRESSIONS)) == {
        0: "neutral",
        1: "happiness",
        2: "sadness",
        3: "surprise",
        4: "fear",
        5: "disgust",
        6: "anger",
        7: "contempt",
    }
    assert dict(enumerate(rafdb.EXPRESSIONS, start=1)) == {
        1: "surprise",
        2: "fear",
        3: "disgust",
        4: "happiness",
        5: "sadness",
        6: "anger",
        7: "neutral",
    }
    assert dict(enumerate(ferplus.EMOTIONS)) == {
        0: "neutral",
        1: "happiness",
        2: "surprise",
        3: "sadness",
        4: "anger",
        5: "disgust",
        6: "fear",
        7: "contempt",
    }
