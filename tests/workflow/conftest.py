import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def copy_checkout(folder: Path) -> Path:
    """Copy the parts of a fresh clone that the workflow needs."""
    for name in ("workflow", "clef", "params"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", folder)
    (folder / "README.md").write_text("readme")
    return folder


@pytest.fixture(scope="module")
def made(request, tmp_path_factory) -> Path:
    """A checkout in which all files behind the `TARGET` of the test module are recorded as up to date."""
    folder = copy_checkout(tmp_path_factory.mktemp("made"))
    mark_as_made(folder, request.module.TARGET)
    return folder


@pytest.fixture
def finished(made, tmp_path) -> Path:
    """A copy of that checkout, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "finished"))


def only_run(folder: Path, name: str, params: str) -> None:
    """Replace all params files of a checkout by one."""
    for path in (folder / "params").glob("*.yaml"):
        path.unlink()
    (folder / "params" / f"{name}.yaml").write_text(params)


def snakemake(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run Snakemake in a folder, without its environment activated, and return its output."""
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


def shell(folder: Path, commands: str, **environment: str) -> str:
    """Run commands of a page in a folder, with the environment activated, and return their output."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=os.environ | {"PATH": path} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def stale(folder: Path, target: str) -> dict[str, int]:
    """Number of jobs by rule that a target needs."""
    return planned(snakemake(folder, "-n", target))


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text in a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def planned(output: str) -> dict[str, int]:
    """Number of jobs by rule, from the output of a dry run."""
    if "Nothing to be done" in output:
        return {}
    table = output.split("Job stats:")[1].split("\n\n")[0]
    jobs = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    del jobs["total"]
    return jobs


def mark_as_made(folder: Path, target: str) -> None:
    """Write every output of a run with some contents, and let Snakemake record that it is up to date."""
    for line in snakemake(folder, "-n", target, "--detailed-summary").splitlines():
        name = line.split("\t")[0]
        if name.startswith(("data/", "results/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("made")
    snakemake(folder, "--touch", "--forceall", target)


@pytest.fixture
def checkout(tmp_path) -> Path:
    return copy_checkout(tmp_path)
