"""The commands of docs/data-versions.md, one after the other, on a short demo."""

import re
import shutil
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, copy_checkout, planned, shell, snakemake

pytestmark = pytest.mark.slow

TARGET = "results/demo-short/summary.csv"
PARAMS = """
extends: demo
dataset: {name: demo-short}
render: {subjects: 4, seconds: [1.0, 1.5]}
folds: {number: 2}
pretrain: null
finetune: {epochs: 1}
evaluate: {bootstrap: 10}
"""
AUTHOR = {f"GIT_{role}_{key}": "n@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
ONE_SHARD = {"ingest": 1, "crop": 1, "manifest": 1, "finetune": 2, "evaluate": 2, "summarize": 1}


class Page:
    """Command blocks of the page, run in their order."""

    def __init__(self, replacements: dict[str, str]) -> None:
        text = (ROOT / "docs" / "data-versions.md").read_text()
        self.blocks = re.findall(r"^    \S.*(?:\n    \S.*)*", text, re.MULTILINE)
        self.replacements = replacements

    def run(self, folder: Path, *commands: str) -> str:
        """Run the next block in a shell that stops at the first failure. Its lines must start with `commands`."""
        block = self.blocks.pop(0)
        lines = [line.strip() for line in block.splitlines()]
        assert [line.split()[:2] for line in lines] == [command.split() for command in commands]
        for old, new in self.replacements.items():
            block = block.replace(old, new)
        return shell(folder, block, PYTHONPATH="", **AUTHOR)


def test_a_versioned_data_set_from_its_first_version_to_a_checkout_of_an_old_one(tmp_path):
    checkout = copy_checkout(tmp_path / "checkout")
    for name in (".gitignore", "dvc.yaml"):
        shutil.copy(ROOT / name, checkout)
    (checkout / "params" / "demo-short.yaml").write_text(PARAMS)
    shutil.copytree(ROOT / ".dvc", checkout / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "config.local"))
    shell(checkout, "git init --quiet; git add --all; git commit --quiet --message Code", **AUTHOR)
    page = Page({"/mnt/lab/store": str(tmp_path / "store"), "ssh://git.example.org/clef.git": str(checkout)})
    raw, summary = checkout / "data" / "raw" / "demo-short", checkout / TARGET

    snakemake(checkout, TARGET)
    first = summary.read_bytes()
    page.run(checkout, "clef version-data", "git add", "git commit")
    assert planned(snakemake(checkout, "-n", TARGET))["crop"] == 4
    page.run(checkout, "snakemake --touch")
    assert "Nothing to be done" in snakemake(checkout, "-n", TARGET)
    page.run(checkout, "git add", "git commit")
    committed = shell(checkout, "git ls-files data/raw results").splitlines()
    assert [Path(path).name for path in committed] == [
        *(f"{subject}.dvc" for subject in ("F001", "F002", "M001", "M002")),
        *("labels.dvc", "f1.csv", "summary.csv", "summary.json"),
    ]

    page.run(checkout, "dvc remote", "git commit", "clef version-data")
    again = tmp_path / "again"
    cloning = page.blocks[0]
    page.blocks[:1] = ["\n".join(cloning.splitlines()[:2]), "\n".join(cloning.splitlines()[2:])]
    page.run(tmp_path, "git clone", "cd again")
    unfetched = snakemake(again, TARGET, "--forcerun", "summarize", check=False)
    assert "versioned, but not pulled" in unfetched
    assert "run `dvc pull " in unfetched
    page.run(again, "dvc pull", "snakemake --cores")
    assert (again / TARGET).read_bytes() == first

    shutil.copy(raw / "videos" / "F002" / "T2.mp4", raw / "videos" / "F001" / "T2.mp4")
    assert "Nothing to be done" in snakemake(checkout, "-n", TARGET)
    shards = {path: path.stat().st_mtime_ns for path in checkout.glob("data/interim/demo-short/*/*.arrow")}
    ran = page.run(checkout, "clef version-data", "git add", "git commit", "snakemake --cores", "git commit")
    assert planned(ran).items() >= ONE_SHARD.items()
    assert {path.stem for path, then in shards.items() if path.stat().st_mtime_ns != then} == {"F001"}
    second = summary.read_bytes()
    assert second != first

    shown = page.run(checkout, "dvc metrics", "dvc plots")
    assert "rows.mean.auc " in shown
    assert "summary.json" in shown
    assert "F1 of demo-short" in (checkout / "dvc_plots" / "index.html").read_text()

    ran = page.run(checkout, "git checkout", "dvc checkout", "snakemake --cores")
    assert planned(ran).items() >= ONE_SHARD.items()
    assert summary.read_bytes() == first

    assert "Nothing to be done" in page.run(checkout, "dvc repro")
    assert "results/demo-short/summary.json" in (checkout / "dvc.lock").read_text()
    assert summary.read_bytes() == first
    assert "Nothing to be done" in snakemake(checkout, "-n", TARGET)

    page.run(checkout, "dvc config")
    assert page.blocks == []
