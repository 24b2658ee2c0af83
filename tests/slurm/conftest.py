from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interruption.comparison import TARGET
from tests.interruption.trial import SNAKEMAKE, call, prepare, run_undisturbed
from tests.slurm.cluster import Cluster, missing_programs, running_cluster
from tests.slurm.submission import copy_of


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A SLURM that all tests share."""
    if missing := missing_programs():
        pytest.skip(f"no SLURM here: {missing}")
    with running_cluster() as started:
        yield started


@pytest.fixture(scope="session")
def rendered(cluster, tmp_path_factory) -> Path:
    """A checkout with the demo's videos only."""
    return prepare(tmp_path_factory.mktemp("rendered") / "checkout")


@pytest.fixture(scope="session")
def cropped(rendered, tmp_path_factory) -> Path:
    """A checkout in which only the trainings and later steps are missing."""
    folder = copy_of(rendered, tmp_path_factory.mktemp("cropped") / "checkout")
    call(folder, [*SNAKEMAKE, "--cores", "2", TARGET, "--until", "manifest"])
    return folder


@pytest.fixture(scope="session")
def reference(cropped, tmp_path_factory) -> Path:
    """The undisturbed run without SLURM."""
    folder = tmp_path_factory.mktemp("undisturbed") / "checkout"
    run_undisturbed(cropped, folder)
    return folder
