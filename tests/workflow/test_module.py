"""The workflow as a module of another, as the workflow catalogue deploys it."""

import re
import shutil

import yaml

from tests.workflow.conftest import ROOT, planned, snakemake


def test_another_workflow_can_use_its_rules(tmp_path):
    text = (ROOT / "config" / "README.md").read_text()
    (module,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "Snakefile").write_text(module.replace("PATH_OF_THE_REPOSITORY", str(ROOT)))
    shutil.copytree(ROOT / "params", tmp_path / "params")
    own, within = planned(snakemake(tmp_path, "-n", "results/demo/summary.csv")), {"finetune": 3, "pretrain": 3}
    assert own.items() >= within.items()


def test_the_catalogue_finds_what_it_requires():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"software-stack-deployment", "mandatory-flags", "report"}
    assert (ROOT / "workflow" / "Snakefile").is_file()
