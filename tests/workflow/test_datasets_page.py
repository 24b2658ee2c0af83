"""docs/datasets.md: its commands work, and its numbers and names are those in the code."""

import re

import pytest

from clef.datasets.affectnet import PUBLISHED_NPY
from clef.datasets.bp4d import Bp4d
from clef.datasets.bp4dplus import Bp4dPlus
from clef.datasets.disfa import PUBLISHED_JAA, Disfa
from clef.datasets.rafdb import RafDb
from tests.documentation import commands
from tests.workflow.conftest import ROOT, shell

PAGE = ROOT / "docs" / "datasets.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXPECTED_OUTPUT = {
    "clef fixture": "packaging full",
    "clef check": "verdict: usable, not as expected: labelled frames",
    "clef folds": "test of fold 3 of",
    "snakemake -n": "crop 41",
}


@pytest.mark.slow
def test_every_command_of_the_page_works(checkout):
    for command, expected in zip(commands(PAGE), EXPECTED_OUTPUT.values(), strict=True):
        assert expected in " ".join(shell(checkout, command).split())


def test_the_numbers_of_the_page_are_those_that_a_check_expects():
    published = (Bp4d.published_counts, Bp4dPlus.published_counts, Disfa.published_counts, PUBLISHED_JAA)
    for number in (
        *(counts.labelled_frames for counts in published),
        *(counts.sequences for counts in published[:2]),
        *PUBLISHED_NPY.frames_by["split"].values(),
        *RafDb.published_counts.frames_by["split"].values(),
        Bp4dPlus.published_counts.uncodable_frames,
    ):
        assert f"{number:,}" in TEXT


def test_the_page_names_every_params_file_and_every_missing_recording():
    described = re.findall(r"`params/([\w-]+)\.yaml`", TEXT)
    shipped = {path.stem for path in (ROOT / "params").glob("*.yaml") if not path.stem.startswith("demo")}
    assert set(described) >= shipped
    assert all(name in TEXT for name in Bp4dPlus.published_counts.known_missing)
