"""CI fails without SLURM, unless it is told to skip those tests."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.slurm.cluster import write_program
from tests.workflow.conftest import ROOT


@pytest.fixture
def programs(tmp_path) -> Path:
    """A PATH without SLURM and apt-get; its `make` prints its arguments and fails."""
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    write_program(tmp_path / "id", "echo 1000")
    write_program(tmp_path / "make", "echo make $*; exit 9")
    return tmp_path


def run(programs: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environment["PATH"] = str(programs)
    return subprocess.run([ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False)


def test_script_has_valid_syntax():
    """Bash reads a script as it runs it, and would find a stray quote at its end only then."""
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)
    assert (ROOT / ".ci" / "run").read_text().endswith("\nmake test-interruption trials=3\n")


def test_ci_without_slurm_fails(programs):
    ran = run(programs)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "install slurmctld, slurmd, slurm-client and munge, or set CLEF_WITHOUT_SLURM=1" in ran.stderr


def test_ci_announces_that_it_installs_packages_and_does_so_as_root_only(programs):
    write_program(programs / "apt-get", "echo apt-get $*")
    assert run(programs).stdout == ""
    write_program(programs / "id", "echo 0")
    ran = run(programs)
    assert ran.stderr.startswith("installing the system packages slurmctld, slurmd, slurm-client and munge; set CLEF_")
    assert ran.stdout.startswith("apt-get update")


@pytest.mark.parametrize("installed", [True, False])
def test_ci_with_slurm_or_permission_to_skip_it_runs(programs, installed):
    if installed:
        for name in ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue"):
            write_program(programs / name, "")
    assert run(programs, CLEF_WITHOUT_SLURM="0" if installed else "1").stdout == "make lint types\n"
