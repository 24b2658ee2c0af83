import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Snakemake = Callable[..., str]


def copy_checkout(folder: Path) -> Path:
    """A checkout without data: what a fresh clone has."""
    for name in ("workflow", "clef", "params"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", folder)
    (folder / "README.md").write_text("readme")
    return folder


def only_run(folder: Path, name: str, params: str) -> None:
    """Leave a checkout this run alone."""
    for path in (folder / "params").glob("*.yaml"):
        path.unlink()
    (folder / "params" / f"{name}.yaml").write_text(params)


def snakemake(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run Snakemake in a folder, its environment not activated, and return what it printed."""
    ran = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=folder,
        env=os.environ | {"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    output = ran.stdout + ran.stderr
    assert not check or ran.returncode == 0, output
    return output


@pytest.fixture
def checkout(tmp_path) -> Path:
    return copy_checkout(tmp_path)
