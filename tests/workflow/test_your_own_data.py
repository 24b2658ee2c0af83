"""The commands of docs/your-own-data.md, one after the other, in a checkout with no other run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, copy_checkout, only_run

PAGE = (ROOT / "docs" / "your-own-data.md").read_text()
COMMANDS = re.findall(r"^    ((?:clef|snakemake) .*)", PAGE, re.MULTILINE)
PARAMS, EXPRESSIONS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
(TABLE,) = re.findall(r"^```csv\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(folder: Path, command: str) -> str:
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    ran = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture
def checkout(tmp_path) -> Path:
    folder = copy_checkout(tmp_path)
    only_run(folder, "mine", PARAMS)
    return folder


def test_the_example_is_written_checked_and_planned(checkout):
    fixture, check, snakemake = COMMANDS
    run(checkout, fixture)
    assert (checkout / "data/raw/mine/labels.csv").read_text().startswith(TABLE)
    assert "verdict: complete: all as expected" in run(checkout, check)
    assert re.search(r"^crop +6$", run(checkout, f"{snakemake} -n"), re.MULTILINE)


def test_the_example_of_expressions_is_checked(checkout):
    (command,) = re.findall(r"`(clef fixture folder --packaging images .*?)`", PAGE)
    run(checkout, command)
    (checkout / "params" / "stills.yaml").write_text(EXPRESSIONS)
    shown = run(checkout, "clef check stills")
    assert "labels.csv names 72 images; labels: 72 of whole recordings" in shown


@pytest.mark.slow
def test_the_example_runs_to_its_summary(checkout):
    for command in COMMANDS:
        run(checkout, command)
    assert (checkout / "results/mine/summary.csv").read_text().startswith("label,")
