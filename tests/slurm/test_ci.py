"""That what CI runs does not pass over SLURM's tests unless somebody wants it to."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT


@pytest.fixture
def programs(tmp_path) -> Path:
    """A PATH without SLURM and without packages, on which `make` only shows that it was reached."""
    for name in ("bash", "dirname", "id"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    make = tmp_path / "make"
    make.write_text(f"#!{shutil.which('bash')}\necho make $*\nexit 9\n")
    make.chmod(0o755)
    return tmp_path


def run(programs: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".ci" / "run"],
        env={"PATH": str(programs), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_is_whole():
    """Bash reads a script as it runs it, and would find a stray quote at the end only there."""
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)
    assert (ROOT / ".ci" / "run").read_text().endswith("\nmake test-interruption trials=3\n")


def test_without_slurm_it_fails_and_says_what_to_do(programs):
    ran = run(programs)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "install slurmctld, slurmd, slurm-client and munge, or set CLEF_WITHOUT_SLURM=1" in ran.stderr


def test_who_wants_it_goes_on_without(programs):
    assert run(programs, CLEF_WITHOUT_SLURM="1").stdout == "make lint types\n"


def test_with_slurm_it_goes_on(programs):
    for name in ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue"):
        (programs / name).symlink_to(str(shutil.which("id")))
    assert run(programs).stdout == "make lint types\n"
