"""Run every command of README.md and of the pages about results, running and tracking in a fresh clone."""

import csv
import os
import subprocess
from pathlib import Path

import pytest

from tests.documentation import ROOT, commands

pytestmark = pytest.mark.readme

PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("results", "running", "tracking"))]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("newcomer") / "clef"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def typed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command, in the virtual environment once it exists."""
    activate = "[ ! -e .venv/bin/activate ] || source .venv/bin/activate; "
    clean = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    shell = ["bash", "-uo", "pipefail", "-c", activate + command]
    return subprocess.run(
        shell, cwd=folder, env=clean, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.timeout(3600)
def test_every_command_does_what_the_pages_say(clone):
    listed = [command for page in PAGES for command in commands(page)]
    assert listed[:2] == ["make demo", "make test"]
    for command in listed:
        if command.startswith("mlflow server"):  # of a cluster
            continue
        # `make test` runs this test, so only check that its recipe exists.
        ran = typed("make --dry-run test" if command == "make test" else command, clone)
        assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
        assert "Traceback" not in ran.stdout + ran.stderr, command
    for run in ("demo", "demo-pictures"):
        with (clone / "results" / run / "summary.csv").open(newline="") as table:
            (mean,) = (row for row in csv.DictReader(table) if row["label"] == "mean")
        assert float(mean["f1"]) > max(float(mean["floor"]), float(mean["activity_only"])), run
