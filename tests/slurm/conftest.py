import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interruption.examine import TARGET
from tests.interruption.trial import prepare, undisturbed
from tests.slurm.cluster import Cluster, running, why_not
from tests.slurm.submission import SNAKEMAKE, copy_of


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A SLURM of the tests' own, shared by all of them."""
    if (reason := why_not()) is not None:
        pytest.skip(f"no SLURM here: {reason}")
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def rendered(cluster, tmp_path_factory) -> Path:
    """A checkout with the demo's videos and nothing made of them."""
    return prepare(tmp_path_factory.mktemp("rendered") / "checkout")


@pytest.fixture(scope="session")
def cropped(rendered, tmp_path_factory) -> Path:
    """A checkout in which only the trainings and what follows are to be done."""
    folder = copy_of(rendered, tmp_path_factory.mktemp("cropped") / "checkout")
    command = [*SNAKEMAKE, "--cores", "2", TARGET, "--until", "manifest"]
    subprocess.run(command, cwd=folder, env=os.environ | {"PATH": os.defpath}, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def on_one_machine(cropped, tmp_path_factory) -> Path:
    """The undisturbed run without a cluster."""
    folder = tmp_path_factory.mktemp("undisturbed") / "checkout"
    undisturbed(cropped, folder)
    return folder
