"""The commands of docs/datasets.md, one after the other, and what the page says of each set."""

import os
import re
import subprocess
import sys

import pytest

from clef.datasets.affectnet import PUBLISHED_NPY
from clef.datasets.bp4d import Bp4d
from clef.datasets.bp4dplus import Bp4dPlus
from clef.datasets.disfa import PUBLISHED_JAA, Disfa
from clef.datasets.rafdb import RafDb
from clef.fixtures import write_fixture, writers
from clef.fixtures.size import FixtureSize
from tests.documentation import commands
from tests.workflow.conftest import ROOT

PAGE = ROOT / "docs" / "datasets.md"
TEXT = PAGE.read_text(encoding="utf-8")
SAID = {
    "clef fixture": "packaging full",
    "clef check": "verdict: usable, not as expected: labelled frames",
    "clef folds": "test of fold 3 of",
    "snakemake -n": "crop 41",
}


@pytest.mark.slow
def test_every_command_of_the_page_does_what_it_says(checkout):
    environment = os.environ | {"PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])}
    listed = commands(PAGE)
    assert len(listed) == len(SAID)
    for command, said in zip(listed, SAID.values(), strict=True):
        ran = subprocess.run(
            ["bash", "-c", command], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        shown = " ".join((ran.stdout + ran.stderr).split())
        assert said in shown, shown


@pytest.mark.parametrize(
    "number",
    [
        *(
            known.labelled_frames
            for known in (Bp4d.published_counts, Bp4dPlus.published_counts, Disfa.published_counts, PUBLISHED_JAA)
        ),
        *(known.sequences for known in (Bp4d.published_counts, Bp4dPlus.published_counts)),
        *PUBLISHED_NPY.frames_by["split"].values(),
        *RafDb.published_counts.frames_by["split"].values(),
        Bp4dPlus.published_counts.uncodable_frames,
    ],
)
def test_the_numbers_of_the_page_are_those_that_a_check_expects(number):
    assert f"{number:,}" in TEXT


def test_every_set_is_described_with_its_params_and_its_known_holes():
    described = re.findall(r"`params/([\w-]+)\.yaml`", TEXT)
    shipped = {path.stem for path in (ROOT / "params").glob("*.yaml") if not path.stem.startswith("demo")}
    assert set(described) >= shipped
    assert all(name in TEXT for name in Bp4dPlus.published_counts.known_missing)


@pytest.mark.slow
@pytest.mark.parametrize("dataset", [name for name in writers() if name != "folder"])
def test_the_names_that_the_page_gives_are_those_of_a_miniature(dataset, tmp_path):
    """One name of recordings a packaging at least, without what stands for any name."""
    people = {"bp4d": ("F001",), "bp4dplus": ("F001",), "disfa": ("SN001", "SN002")}.get(dataset)
    for packaging in writers()[dataset]:
        write_fixture(dataset, packaging, tmp_path / packaging, FixtureSize(people, frames=4, pixels=64))
        files = [path.relative_to(tmp_path / packaging).as_posix() for path in (tmp_path / packaging).rglob("*.*")]
        named = [name for name in re.findall(r"`([\w+/.-]+\.\w+)`", TEXT) if any(file.endswith(name) for file in files)]
        assert named, packaging
