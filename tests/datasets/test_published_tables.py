"""Tables that come from publications, guarded by digests and by literals: people who change places change no count.

The digests are of values that were set against the published lists; another one means that somebody moved.
"""

import hashlib
import json

import pytest

from clef.datasets.bp4d import Bp4d
from clef.datasets.bp4dplus import Bp4dPlus
from clef.datasets.disfa import LEFT_OUT_BY_JAA, Disfa

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
