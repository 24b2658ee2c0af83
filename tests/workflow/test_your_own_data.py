"""Run the commands of docs/your-own-data.md in order, in a checkout without other runs."""

import re

import pytest

from tests.workflow.conftest import ROOT, only_run, shell

PAGE = (ROOT / "docs" / "your-own-data.md").read_text()
COMMANDS = re.findall(r"^    ((?:clef|snakemake) .*)", PAGE, re.MULTILINE)
PARAMS, EXPRESSIONS, CLASS_FOLDERS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
(TABLE,) = re.findall(r"^```csv\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_are_written_checked_and_planned(checkout):
    only_run(checkout, "mine", PARAMS)
    fixture, check, snakemake = COMMANDS
    shell(checkout, fixture)
    assert (checkout / "data/raw/mine/labels.csv").read_text().startswith(TABLE)
    assert "verdict: complete: all as expected" in shell(checkout, check)
    assert re.search(r"^crop +6$", shell(checkout, f"{snakemake} -n"), re.MULTILINE)

    (expressions,) = re.findall(r"`(clef fixture folder --packaging images .*?)`", PAGE)
    shell(checkout, expressions)
    (checkout / "params" / "stills.yaml").write_text(EXPRESSIONS)
    assert "labels.csv lists 72 recordings, 72 labels of whole" in shell(checkout, "clef check stills")

    (class_folders,) = re.findall(r"`(clef fixture folder --packaging classes .*?)`", PAGE)
    shell(checkout, class_folders)
    (checkout / "params" / "faces.yaml").write_text(CLASS_FOLDERS)
    assert "verdict: complete: all as expected" in shell(checkout, "clef check faces")


@pytest.mark.slow
def test_the_example_runs_to_its_summary(checkout):
    only_run(checkout, "mine", PARAMS)
    for command in COMMANDS:
        shell(checkout, command)
    assert (checkout / "results/mine/summary.csv").read_text().startswith("label,")
