"""Run the commands of docs/your-own-data.md in order, in a checkout without other runs."""

import re

import pytest

from tests.workflow.conftest import ROOT, only_run, shell

PAGE = (ROOT / "docs" / "your-own-data.md").read_text()
COMMANDS = re.findall(r"^    ((?:clef|snakemake) .*)", PAGE, re.MULTILINE)
PARAMS, EXPRESSIONS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
(TABLE,) = re.findall(r"^```csv\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def mine(checkout):
    only_run(checkout, "mine", PARAMS)
    return checkout


def test_the_examples_are_written_checked_and_planned(mine):
    fixture, check, snakemake = COMMANDS
    shell(mine, fixture)
    assert (mine / "data/raw/mine/labels.csv").read_text().startswith(TABLE)
    assert "verdict: complete: all as expected" in shell(mine, check)
    assert re.search(r"^crop +6$", shell(mine, f"{snakemake} -n"), re.MULTILINE)

    (expressions,) = re.findall(r"`(clef fixture folder --packaging images .*?)`", PAGE)
    shell(mine, expressions)
    (mine / "params" / "stills.yaml").write_text(EXPRESSIONS)
    assert "labels.csv lists 72 recordings, 0 labels by frame, 72 of whole" in shell(mine, "clef check stills")


@pytest.mark.slow
def test_the_example_runs_to_its_summary(mine):
    for command in COMMANDS:
        shell(mine, command)
    assert (mine / "results/mine/summary.csv").read_text().startswith("label,")
